"""Small diffusion transformers of each routing rule, written here from the papers' formulas, in plain PyTorch.

Writes diffusion/: models.safetensors with shared inputs, random weights by family, and for each case the outputs,
losses and gradients; more.safetensors with the cases that all have labels, and others; run.safetensors with two
training steps (clipping, AdamW, moving average), steps of the samplers, and the noise-prediction objective; promoe.pth,
a checkpoint as the paper's code writes it, and normed.pth, a plain dictionary in f16 with normalized queries and keys.
Everything is computed in f64 and stored in f32. Weights are drawn again until no choice of an expert is close to another.
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
WIDTH, HEADS, DEPTH, PATCH, SIZE, CHANNELS, CLASSES, EXPERTS, INNER = 8, 2, 2, 2, 8, 2, 5, 4, 16
TOKENS, TEMPERATURE = (SIZE // PATCH) ** 2, 0.07
LABELS = {"mixed": [1, CLASSES, 3, 0], "labelled": [4, 2, 3, 0]}
SUPERCLASSES = [0, 1, 2, 3, 1]
LEAST_GAP = 2e-5
WAVES = "t_embedder.mlp.0.weight"
gaps = []


def positions():
    rows = SIZE // PATCH
    omega = 10000.0 ** (-torch.arange(WIDTH // 4) / (WIDTH // 4))
    axis = torch.arange(rows)[:, None] * omega
    axis = torch.cat([axis.sin(), axis.cos()], 1)
    return torch.stack([torch.cat([axis[c], axis[r]]) for r in range(rows) for c in range(rows)])[None]


def shapes(family):
    w, p = WIDTH, {}

    def linear(name, outputs, inputs):
        p[name + ".weight"], p[name + ".bias"] = (outputs, inputs), (outputs,)

    p["x_embedder.proj.weight"], p["x_embedder.proj.bias"] = (w, CHANNELS, PATCH, PATCH), (w,)
    linear("t_embedder.mlp.0", w, 256)
    linear("t_embedder.mlp.2", w, w)
    p["y_embedder.embedding_table.weight"] = (CLASSES + 1, w)
    for b in range(DEPTH):
        linear(f"blocks.{b}.attn.qkv", 3 * w, w)
        linear(f"blocks.{b}.attn.proj", w, w)
        if family == "qk_norm":
            for n in ("q_norm", "k_norm"):
                p[f"blocks.{b}.attn.{n}.weight"] = p[f"blocks.{b}.attn.{n}.bias"] = (w // HEADS,)
        mlp = f"blocks.{b}.mlp"
        if b % 2 == 0 or family in ("dense", "qk_norm"):
            linear(mlp + ".fc1", 4 * w, w)
            linear(mlp + ".fc2", w, 4 * w)
        elif family in ("promoe", "classification", "k_means"):
            for e in range(EXPERTS + 1):
                linear(f"{mlp}.experts.{e}.up_proj", INNER, w)
                linear(f"{mlp}.experts.{e}.down_proj", w, INNER)
            linear(mlp + ".shared_expert.up_proj", INNER, w)
            linear(mlp + ".shared_expert.down_proj", w, INNER)
            if family == "promoe":
                p[mlp + ".cluster_centers"] = (EXPERTS, w)
            elif family == "classification":
                linear(mlp + ".classifier", EXPERTS, w)
            else:
                p[mlp + ".centroids"] = (EXPERTS, w)
        else:
            for e in range(EXPERTS):
                linear(f"{mlp}.experts.{e}.fc1", INNER, w)
                linear(f"{mlp}.experts.{e}.fc2", w, INNER)
            p[mlp + (".gate.weight" if family == "tc_dit" else ".gate_weight")] = (EXPERTS, w)
            if family == "diffmoe":
                linear(mlp + ".capacity_predictor.0", w, w)
                linear(mlp + ".capacity_predictor.2", EXPERTS, w)
        linear(f"blocks.{b}.adaLN_modulation.1", 6 * w, w)
    linear("final_layer.adaLN_modulation.1", 2 * w, w)
    linear("final_layer.linear", PATCH * PATCH * 2 * CHANNELS, w)
    return p


BUFFERS = ("pos_embed", "centroids", "expert_threshold", "ema_decay")


def draw(family):
    """Weights that are f32 numbers, so that both sides start from the same ones."""
    weights = {}
    for name, shape in shapes(family).items():
        fan = math.prod(shape[1:]) if len(shape) > 1 else 4
        scale = 1.0 if "cluster" in name or "centroids" in name else 1.2 / math.sqrt(fan)
        weights[name] = (torch.randn(shape) * scale + ("norm.weight" in name)).float().double()
    weights["pos_embed"] = positions()
    if family == "diffmoe":
        weights["blocks.1.mlp.expert_threshold"] = torch.tensor([0.5, 0.4, 0.6, 0.55]).float().double()
        weights["blocks.1.mlp.ema_decay"] = torch.tensor([0.95]).float().double()
    return weights


class Injected(torch.autograd.Function):
    """Gives a tensor on, and an auxiliary loss a gradient of 1 on the way back, whatever the loss behind it is."""

    @staticmethod
    def forward(ctx, x, loss):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, torch.ones(())


class Model:
    def __init__(self, family, weights, k=1, scoring="identity", chooser="tokens", injects=False):
        self.family, self.k, self.scoring, self.chooser = family, k, scoring, chooser
        self.w, self.injects = weights, injects

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def network(self, name, x, up="up_proj", down="down_proj"):
        return self.linear(f"{name}.{down}", F.gelu(self.linear(f"{name}.{up}", x), approximate="tanh"))

    def __call__(self, x, t, labels, training=True):
        w, batch, rows = self.w, x.shape[0], SIZE // PATCH
        self.aux = {}
        h = F.conv2d(x, w["x_embedder.proj.weight"], w["x_embedder.proj.bias"], stride=PATCH)
        h = h.flatten(2).transpose(1, 2) + w["pos_embed"]
        # In f32, as the papers' code: hundreds of turns keep few digits, and these must be the same ones.
        half = torch.arange(128, dtype=torch.float32)
        angles = (t.float()[:, None] * torch.exp(-math.log(10000) * half / 128)).double()
        c = self.linear("t_embedder.mlp.2", F.silu(self.linear(
            "t_embedder.mlp.0", torch.cat([angles.cos(), angles.sin()], 1))))
        c = F.silu(c + w["y_embedder.embedding_table.weight"][labels])
        for b in range(DEPTH):
            s = self.linear(f"blocks.{b}.adaLN_modulation.1", c)[:, None].chunk(6, -1)
            h = h + s[2] * self.attention(f"blocks.{b}.attn", self.modulated(h, s[0], s[1]))
            m = self.modulated(h, s[3], s[4])
            name = f"blocks.{b}.mlp"
            if b % 2 == 0 or self.family in ("dense", "qk_norm"):
                h = h + s[5] * self.network(name, m, "fc1", "fc2")
            else:
                h = h + s[5] * self.sparse(name, m, labels, training)
        s = self.linear("final_layer.adaLN_modulation.1", c)[:, None].chunk(2, -1)
        out = self.linear("final_layer.linear", self.modulated(h, s[0], s[1]))
        out = out.reshape(batch, rows, rows, PATCH, PATCH, 2 * CHANNELS)
        return out.permute(0, 5, 1, 3, 2, 4).reshape(batch, 2 * CHANNELS, SIZE, SIZE)

    @staticmethod
    def modulated(x, shift, scale):
        return F.layer_norm(x, (WIDTH,), eps=1e-6) * (1 + scale) + shift

    def attention(self, name, x):
        q, k, v = (part.unflatten(-1, (HEADS, WIDTH // HEADS)) for part in self.linear(name + ".qkv", x).chunk(3, -1))
        if self.family == "qk_norm":
            q, k = (F.layer_norm(part, (WIDTH // HEADS,), self.w[f"{name}.{n}.weight"], self.w[f"{name}.{n}.bias"])
                    for part, n in ((q, "q_norm"), (k, "k_norm")))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(WIDTH // HEADS)
        return self.linear(name + ".proj", torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v).flatten(2))

    # Routing ---------------------------------------------------------------------------------------

    def sparse(self, name, x, labels, training):
        if self.family in ("tc_dit", "ec_dit", "diffmoe"):
            return self.baseline(name, x, training)
        out = torch.zeros_like(x)
        images = [i for i, label in enumerate(labels.tolist()) if label != CLASSES]
        for i, label in enumerate(labels.tolist()):
            if label == CLASSES:
                out[i] = self.network(f"{name}.experts.{EXPERTS}", x[i])
        if images:
            routed = {"promoe": self.prototypes, "classification": self.classified,
                      "k_means": self.clustered}[self.family](name, x[images], labels[images])
            for place, i in enumerate(images):
                out[i] = routed[place]
        if self.injects:
            contrastive = self.aux["contrastive"]
            self.aux.clear()
            out = Injected.apply(out, contrastive)
        return out + self.network(name + ".shared_expert", x)

    def add(self, key, value):
        self.aux[key] = self.aux.get(key, 0) + value

    def scored(self, z, axis):
        return {"identity": lambda: z, "sigmoid": z.sigmoid, "softmax": lambda: z.softmax(axis)}[self.scoring]()

    def prototypes(self, name, x, labels):
        p = self.w[name + ".cluster_centers"]
        z = F.normalize(x, dim=-1) @ F.normalize(p, dim=-1).T
        if self.chooser == "tokens":
            out = self.by_token(name, x, self.scored(z, -1))
            flat = x.reshape(-1, WIDTH)
            active = [e for e in range(EXPERTS) if (self.chosen == e).any()]
            if len(active) >= 2:
                means = torch.stack([flat[(self.chosen == e).any(1)].mean(0) for e in active])
                self.add("contrastive", self.contrast(p[active], means))
            s = self.scored(z, -1).reshape(-1, EXPERTS)
            self.balance(s if self.scoring == "softmax" else s.softmax(-1))
            return out
        s = self.scored(z, 1)
        k = max(1, min(int(TOKENS / EXPERTS * self.k), TOKENS))
        out, rows = torch.zeros_like(x), []
        for i in range(x.shape[0]):
            means = []
            for e in range(EXPERTS):
                best = self.top(s[i, :, e], k)
                out[i] = out[i].index_add(0, best, s[i, best, e, None] * self.network(f"{name}.experts.{e}", x[i, best]))
                means.append(x[i, best].mean(0))
            rows.append(self.contrast(p, torch.stack(means)))
        self.add("contrastive", torch.stack(rows).mean())
        return out

    @staticmethod
    def contrast(p, means):
        logits = F.normalize(p, dim=-1) @ F.normalize(means, dim=-1).T / TEMPERATURE
        return -(logits.diag() - logits.logsumexp(1)).mean()

    @staticmethod
    def top(scores, k):
        ordered, places = scores.sort(descending=True)
        if k < len(places):
            gaps.append((ordered[k - 1] - ordered[k]).item())
        return places[:k]

    def by_token(self, name, x, scores, up="up_proj", down="down_proj"):
        flat, s = x.reshape(-1, WIDTH), scores.reshape(-1, EXPERTS)
        self.chosen = torch.stack([self.top(row, self.k) for row in s])
        out = torch.stack([sum(s[t, e] * self.network(f"{name}.experts.{e}", flat[t], up, down)
                               for e in self.chosen[t].tolist()) for t in range(len(flat))])
        return out.reshape(x.shape)

    def balance(self, shares):
        f = torch.bincount(self.chosen.flatten(), minlength=EXPERTS) / self.chosen.numel() * EXPERTS
        self.add("balance", (f * shares.mean(0)).sum())

    def classified(self, name, x, labels):
        logits = self.linear(name + ".classifier", x.mean(1))
        targets = torch.tensor([SUPERCLASSES[label] for label in labels.tolist()])
        self.add("classification", F.cross_entropy(logits, targets))
        out = []
        for i in range(x.shape[0]):
            e = self.top(logits[i], 1).item()
            out.append(logits[i].softmax(-1)[e] * self.network(f"{name}.experts.{e}", x[i]))
        return torch.stack(out)

    def clustered(self, name, x, labels):
        centroids = self.w[name + ".centroids"]
        flat = x.reshape(-1, WIDTH)
        distance = ((flat[:, None] - centroids) ** 2).sum(-1).detach()
        self.chosen = torch.stack([self.top(-row, 1) for row in distance])
        self.updated = torch.stack([flat[self.chosen[:, 0] == e].mean(0) if (self.chosen == e).any() else centroids[e]
                                    for e in range(EXPERTS)]).detach()
        return torch.stack([self.network(f"{name}.experts.{e}", flat[t])
                            for t, e in enumerate(self.chosen[:, 0].tolist())]).reshape(x.shape)

    def baseline(self, name, x, training):
        if self.family == "tc_dit":
            s = self.linear(name + ".gate", x).softmax(-1)
            out = self.by_token(name, x, s, "fc1", "fc2")
            self.balance(s.reshape(-1, EXPERTS))
            return out
        s = F.linear(x, self.w[name + ".gate_weight"]).softmax(-1)
        if self.family == "ec_dit":
            groups, s = x, s
        else:
            groups, s = x.reshape(1, -1, WIDTH), s.reshape(1, -1, EXPERTS)
        count = groups.shape[1]
        taken = [int(count / EXPERTS * self.k)] * EXPERTS
        if self.family == "diffmoe":
            hidden = F.silu(self.linear(name + ".capacity_predictor.0", groups[0].detach()))
            predictions = self.linear(name + ".capacity_predictor.2", hidden)
            thresholds = self.w[name + ".expert_threshold"]
            if not training:
                gaps.append((predictions.sigmoid() - thresholds).abs().min().item())
                taken = (predictions.sigmoid() > thresholds).sum(0).tolist()
        out = torch.zeros_like(groups)
        mask = torch.zeros(count, EXPERTS)
        for i in range(groups.shape[0]):
            for e in range(EXPERTS):
                best = self.top(s[i, :, e], taken[e])
                mask[best, e] = 1
                answers = self.network(f"{name}.experts.{e}", groups[i, best], "fc1", "fc2")
                out[i] = out[i].index_add(0, best, s[i, best, e, None] * answers)
        if self.family == "diffmoe" and training:
            self.add("capacity", F.binary_cross_entropy_with_logits(predictions, mask))
            smallest = predictions.detach().sigmoid().sort(0, descending=True).values[taken[0] - 1]
            self.updated = 0.95 * thresholds + 0.05 * smallest
        return out.reshape(x.shape)


COEFFICIENTS = {"contrastive": 1.0, "balance": 0.01, "capacity": 0.01, "classification": 1.0}


def inputs():
    x = torch.rand(4, CHANNELS, SIZE, SIZE).float().double() * 2 - 1
    noise = torch.randn(x.shape).float().double()
    sigma = torch.tensor([0.1, 0.4, 0.65, 0.9]).float().double()
    return x, noise, sigma


def flow_loss(model, x, noise, sigma, labels):
    s = sigma[:, None, None, None]
    out = model((1 - s) * x + s * noise, 1000 * sigma, labels)
    loss = ((out[:, :CHANNELS] - (noise - x)) ** 2).mean()
    return out, loss


CASES = {f"promoe-{chooser}-{scoring}-{k}-{labels}": ("promoe", dict(k=k, scoring=scoring, chooser=chooser), labels)
         for chooser in ("tokens", "experts") for scoring in ("identity", "sigmoid", "softmax") for k in (1, 3)
         for labels in ("mixed", "labelled")}
CASES |= {family: (family, {}, "mixed") for family in
          ("dense", "qk_norm", "tc_dit", "ec_dit", "diffmoe", "classification", "k_means")}
CASES |= {f"tc_dit-{k}": ("tc_dit", dict(k=k), "mixed") for k in (2, 3)}
CASES |= {f"{family}-labelled": (family, {}, "labelled") for family in ("tc_dit", "ec_dit", "diffmoe")}
# The auxiliary loss as the released code adds it; the other loss counts three times, which must not change it.
CASES["injected"] = ("promoe", dict(injects=True), "mixed")
FACTORS = {"injected": 3.0}


def models():
    for seed in range(1000):
        torch.manual_seed(seed)
        gaps.clear()
        x, noise, sigma = inputs()
        out = {"inputs/images": x, "inputs/noise": noise, "inputs/sigma": sigma}
        families = {family: draw(family) for family in dict.fromkeys(family for family, _, _ in CASES.values())}
        for family, weights in families.items():
            for name, value in weights.items():
                if name != "pos_embed":
                    out[f"weights/{family}/{name}"] = value
        for case, (family, options, kind) in CASES.items():
            weights = {n: v.clone().requires_grad_(not n.endswith(BUFFERS)) for n, v in families[family].items()}
            model = Model(family, weights, **options)
            labels = torch.tensor(LABELS[kind])
            prediction, loss = flow_loss(model, x, noise, sigma, labels)
            out[f"{case}/prediction"], out[f"{case}/loss"] = prediction, loss
            total = loss * FACTORS.get(case, 1.0)
            for key, value in model.aux.items():
                out[f"{case}/{key}"] = value
                total = total + COEFFICIENTS[key] * value
            total.backward()
            for name, value in weights.items():
                if value.requires_grad:
                    gradient = torch.zeros(1) if value.grad is None else value.grad
                    # All 256 columns are the same numbers times waves; some keep the file small.
                    out[f"{case}/gradient/{name}"] = gradient[:, ::32] if name == WAVES else gradient
            if hasattr(model, "updated"):
                out[f"{case}/updated"] = model.updated
            if family == "diffmoe":
                out[f"{case}/inference"] = model((x + noise) / 2, 1000 * sigma, labels, training=False)
        if min(gaps) > LEAST_GAP:
            print(f"  models: seed {seed}, smallest gap {min(gaps):.2e}")
            return out, families
    raise SystemExit("no seed without close choices")


# Objectives and samplers -----------------------------------------------------------------------------

class Gaussian:
    """Ho et al. 2020 with the learned variances of Nichol and Dhariwal 2021, over some of 1000 steps."""

    def __init__(self, steps=None):
        betas = torch.linspace(1e-4, 0.02, 1000)
        self.times = torch.arange(1000)
        kept = (1 - betas).cumprod(0)
        if steps:
            self.times = torch.tensor([round(i * 999 / (steps - 1)) for i in range(steps)])
            kept = kept[self.times]
            betas = 1 - kept / torch.cat([torch.ones(1), kept[:-1]])
        before = torch.cat([torch.ones(1), kept[:-1]])
        self.betas, self.kept, self.before = betas, kept, before
        variance = betas * (1 - before) / (1 - kept)
        self.low = torch.cat([variance[1:2], variance[1:]]).log()
        self.first, self.second = betas * before.sqrt() / (1 - kept), (1 - before) * (1 - betas).sqrt() / (1 - kept)

    def noised(self, x, t, noise):
        kept = self.kept[t][:, None, None, None]
        return kept.sqrt() * x + (1 - kept).sqrt() * noise

    def start(self, x, t, eps):
        kept = self.kept[t][:, None, None, None]
        return (x - (1 - kept).sqrt() * eps) / kept.sqrt()

    def posterior(self, start, x, t):
        return self.first[t][:, None, None, None] * start + self.second[t][:, None, None, None] * x

    def model(self, x, t, output):
        eps, v = output.chunk(2, 1)
        share = (v + 1) / 2
        low, high = (a[t][:, None, None, None] for a in (self.low, self.betas.log()))
        return self.posterior(self.start(x, t, eps), x, t), share * high + (1 - share) * low

    def loss(self, output, x, t, noise):
        eps, v = output.chunk(2, 1)
        noisy = self.noised(x, t, noise)
        mean, log_variance = self.model(noisy, t, torch.cat([eps.detach(), v], 1))
        true, low = self.posterior(x, noisy, t), self.low[t][:, None, None, None]
        kl = 0.5 * (log_variance - low - 1 + (low - log_variance).exp() + (true - mean) ** 2 * (-log_variance).exp())

        def cdf(z):
            return 0.5 * (1 + (math.sqrt(2 / math.pi) * (z + 0.044715 * z ** 3)).tanh())
        scale = (-0.5 * log_variance).exp()
        upper, lower = cdf(scale * (x - mean + 1 / 255)), cdf(scale * (x - mean - 1 / 255))
        likelihood = torch.where(x < -0.999, upper.clamp(min=1e-12).log(), torch.where(
            x > 0.999, (1 - lower).clamp(min=1e-12).log(), (upper - lower).clamp(min=1e-12).log()))
        bits = torch.where((t == 0)[:, None, None, None], -likelihood, kl).mean((1, 2, 3)) / math.log(2)
        return ((eps - noise) ** 2).mean(), bits.mean()


def guided(model, x, t, labels, scale):
    conditional = model(x, t, labels, training=False)
    empty = model(x, t, torch.full_like(labels, CLASSES), training=False)
    eps = empty[:, :CHANNELS] + scale * (conditional[:, :CHANNELS] - empty[:, :CHANNELS])
    return torch.cat([eps, conditional[:, CHANNELS:]], 1)


def samples(model, noise, labels, noises):
    """Ten steps of each sampler, with guidance."""
    out = {}
    for method in ("euler", "heun"):
        y = noise
        for i in range(10):
            a, b = 1 - i / 10, 1 - (i + 1) / 10
            at = lambda y, s: guided(model, y, torch.full((4,), 1000 * s), labels, 1.5)[:, :CHANNELS]
            v = at(y, a)
            predicted = y + (b - a) * v
            y = predicted if method == "euler" else y + (b - a) * (v + at(predicted, b)) / 2
        out[method] = y
    diffusion = Gaussian(10)
    y, z = noise, noise
    for i in reversed(range(10)):
        t = torch.full((4,), i)
        mean, log_variance = diffusion.model(
            y, t, guided(model, y, diffusion.times[t].double(), labels, 1.5))
        y = mean + (i > 0) * (0.5 * log_variance).exp() * noises[i]
        eps = guided(model, z, diffusion.times[t].double(), labels, 1.5)[:, :CHANNELS]
        z = diffusion.before[i].sqrt() * diffusion.start(z, t, eps) + (1 - diffusion.before[i]).sqrt() * eps
    return out | {"ancestral": y, "ddim": z}


def run(families):
    x, noise, sigma = inputs()
    labels, labelled = torch.tensor(LABELS["mixed"]), torch.tensor(LABELS["labelled"])
    out = {"images": x, "noise": noise, "sigma": sigma, "times": torch.tensor([0, 1, 400, 999])}
    # Two steps of training.
    weights = {n: v.clone().requires_grad_(n != "pos_embed") for n, v in families["promoe"].items()}
    averages = {n: v.clone() for n, v in families["promoe"].items()}
    trained = [v for v in weights.values() if v.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.0)
    for step in range(2):
        model = Model("promoe", weights)
        _, loss = flow_loss(model, x, noise, sigma, labels)
        optimizer.zero_grad()
        (loss + model.aux["contrastive"]).backward()
        out[f"step/{step}/loss"] = loss
        out[f"step/{step}/norm"] = torch.nn.utils.clip_grad_norm_(trained, 0.5)
        optimizer.step()
        for name, value in weights.items():
            averages[name] = 0.9 * averages[name] + 0.1 * value.detach()
    for name in families["promoe"]:
        if name != "pos_embed":
            out[f"trained/{name}"], out[f"average/{name}"] = weights[name], averages[name]

    # Noise prediction with learned variances, near the truth: far from it, probabilities leave the range of f32.
    diffusion = Gaussian()
    x = x.clone()
    x[0, 0, 0, :2] = torch.tensor([-1.0, 1.0])
    prediction = torch.cat([noise + 0.1 * torch.randn(x.shape), 2 * torch.rand(x.shape) - 1], 1).float().double()
    prediction.requires_grad_()
    error, bits = diffusion.loss(prediction, x, out["times"], noise)
    (error + bits).backward()
    out |= {f"noise_prediction/{n}": v for n, v in
            {"images": x, "prediction": prediction, "error": error, "bits": bits, "gradient": prediction.grad}.items()}

    out["sample/noises"] = torch.randn(10, *x.shape).float().double()
    with torch.no_grad():
        found = samples(Model("promoe", families["promoe"]), noise, labelled, out["sample/noises"])
    out |= {f"sample/{method}": y for method, y in found.items()}
    return out | variants(families["promoe"], out["images"], noise, sigma, out["sample/noises"])


def variants(start, x, noise, sigma, noises):
    """A step of training and ten of each sampler where experts choose, and with three experts per token."""
    labels, labelled = torch.tensor(LABELS["mixed"]), torch.tensor(LABELS["labelled"])
    out = {}
    for name, options in {"experts": dict(chooser="experts"), "three": dict(k=3)}.items():
        gaps.clear()
        weights = {n: v.clone().requires_grad_(n != "pos_embed") for n, v in start.items()}
        trained = [v for v in weights.values() if v.requires_grad]
        model = Model("promoe", weights, **options)
        _, loss = flow_loss(model, x, noise, sigma, labels)
        (loss + model.aux["contrastive"]).backward()
        out[f"{name}/step/0/loss"] = loss
        out[f"{name}/step/0/norm"] = torch.nn.utils.clip_grad_norm_(trained, 0.5)
        torch.optim.AdamW(trained, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.0).step()
        out |= {f"{name}/trained/{n}": v for n, v in weights.items() if n != "pos_embed"}
        with torch.no_grad():
            found = samples(Model("promoe", start, **options), noise, labelled, noises)
        out |= {f"{name}/sample/{method}": y for method, y in found.items()}
        print(f"  run: {name}, smallest gap {min(gaps):.2e}")
    return out


def save(tensors, name):
    tensors = {n: (v.float() if v.is_floating_point() else v).detach().contiguous().clone()
               for n, v in tensors.items()}
    save_file(tensors, pathlib.Path("diffusion") / name)


def checkpoint(weights):
    """As the paper's training script saves it, besides the optimizer's state."""
    weights = {n: v.float().contiguous() for n, v in weights.items()}
    torch.save({"step": 3, "model_state_dict": weights,
                "ema_model_state_dict": {n: v if n == "pos_embed" else v / 2 for n, v in weights.items()}},
               pathlib.Path("diffusion") / "promoe.pth")


def dictionary(weights):
    """Only weights; the width of the normalization says how many heads there are."""
    weights = {n: v.half() for n, v in weights.items()}
    for b in range(DEPTH):
        for n in ("q_norm", "k_norm"):
            weights[f"blocks.{b}.attn.{n}.weight"] = torch.ones(WIDTH // HEADS).half()
            weights[f"blocks.{b}.attn.{n}.bias"] = torch.zeros(WIDTH // HEADS).half()
    torch.save(weights, pathlib.Path("diffusion") / "normed.pth")


pathlib.Path("diffusion").mkdir(exist_ok=True)
found, drawn = models()
# Two files, so that none is large.
more = tuple(f"{case}/" for case, (_, _, labels) in CASES.items() if labels == "labelled" or case in ("tc_dit-3", "injected"))
save({n: v for n, v in found.items() if not n.startswith(more)}, "models.safetensors")
save({n: v for n, v in found.items() if n.startswith(more)}, "more.safetensors")
checkpoint(drawn["promoe"])
dictionary(drawn["promoe"])
torch.manual_seed(1)
save(run(drawn), "run.safetensors")
