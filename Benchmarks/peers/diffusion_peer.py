"""The same work as DiffusionComparisons.swift, done by a plain PyTorch model in the manner of the paper's code: a
loop over experts with masks, gathers and index_add, scores and the contrastive loss expert by expert.
"""

import json
import math
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from memory import forget_peak, peak_memory

SIZES = {"S": dict(size=32, channels=4, patch=2, width=384, depth=12, heads=6, classes=1000, experts=12, sigma=True),
         "32x32": dict(size=32, channels=3, patch=4, width=256, depth=8, heads=4, classes=10, experts=8, sigma=False)}


class Network(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Experts(nn.Module):
    def __init__(self, width, count, null):
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(count, width) * 0.02)
        self.experts = nn.ModuleList([Network(width, 2 * width) for _ in range(count + 1)])
        self.shared = Network(width, 2 * width)
        self.null = null

    def forward(self, x, labels):
        batch, tokens, width = x.shape
        flat, count = x.reshape(-1, width), len(self.prototypes)
        is_null = (labels == self.null).repeat_interleave(tokens)
        weights = torch.ones(len(flat))
        chosen = torch.full((len(flat),), count)
        conditional = torch.where(~is_null)[0]
        inputs = flat[conditional]
        cosines = F.normalize(inputs, dim=1) @ F.normalize(self.prototypes, dim=1).T
        best, places = cosines.topk(1, dim=1)
        weights = weights.index_put((conditional,), best[:, 0])
        chosen[conditional] = places[:, 0]
        out = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            rows = torch.where(chosen == number)[0]
            if len(rows):
                out = out.index_add(0, rows, expert(flat[rows]) * weights[rows, None])
        out = out.reshape(x.shape) + self.shared(x)
        return out, self.contrastive(inputs, places[:, 0]) if self.training else None

    def contrastive(self, inputs, chosen):
        means, active = [], []
        for number in range(len(self.prototypes)):
            mask = chosen == number
            if mask.sum() > 0:
                means.append(inputs[mask].mean(0, keepdim=True))
                active.append(number)
        if len(active) < 2:
            return torch.zeros(())
        cosines = F.normalize(self.prototypes[active], dim=1) @ F.normalize(torch.cat(means), dim=1).T
        return F.cross_entropy(cosines / 0.07, torch.arange(len(active)))


def modulated(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


class Block(nn.Module):
    def __init__(self, c, network):
        super().__init__()
        self.heads = c["heads"]
        self.qkv, self.proj = nn.Linear(c["width"], 3 * c["width"]), nn.Linear(c["width"], c["width"])
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(c["width"], 6 * c["width"]))
        self.network = network

    def attention(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, x, condition, labels):
        a, b, c, d, e, f = self.modulation(condition).chunk(6, dim=1)
        x = x + c.unsqueeze(1) * self.attention(modulated(x, a, b))
        inner = modulated(x, d, e)
        if isinstance(self.network, Experts):
            answer, loss = self.network(inner, labels)
        else:
            answer, loss = self.network(inner), None
        return x + f.unsqueeze(1) * answer, loss


class Model(nn.Module):
    def __init__(self, kind, c):
        super().__init__()
        width, self.c = c["width"], c
        self.rows = c["size"] // c["patch"]
        self.patches = nn.Conv2d(c["channels"], width, c["patch"], stride=c["patch"])
        self.positions = nn.Parameter(torch.randn(1, self.rows ** 2, width) * 0.5, requires_grad=False)
        self.time = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.labels = nn.Embedding(c["classes"] + 1, width)
        self.blocks = nn.ModuleList([
            Block(c, Experts(width, c["experts"], c["classes"]) if kind == "promoe" and i % 2 else Network(width, 4 * width))
            for i in range(c["depth"])])
        self.outputs = c["channels"] * (2 if c["sigma"] else 1)
        self.final_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.final = nn.Linear(width, c["patch"] ** 2 * self.outputs)

    def forward(self, x, times, labels):
        p, n = self.c["patch"], self.rows
        h = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        angles = times[:, None] * torch.exp(-math.log(10000) * torch.arange(128) / 128)
        condition = self.time(torch.cat([angles.cos(), angles.sin()], 1)) + self.labels(labels)
        losses = []
        for block in self.blocks:
            h, loss = block(h, condition, labels)
            if loss is not None:
                losses.append(loss)
        shift, scale = self.final_modulation(condition).chunk(2, dim=1)
        out = self.final(modulated(h, shift, scale)).reshape(len(x), n, n, p, p, self.outputs)
        return out.permute(0, 5, 1, 3, 2, 4).reshape(len(x), self.outputs, n * p, n * p), losses


def batch(c, count):
    shape = (count, c["channels"], c["size"], c["size"])
    labels = torch.tensor([c["classes"] if i == 1 else i * 37 % c["classes"] for i in range(count)])
    return torch.randn(shape), torch.randn(shape), torch.linspace(0.1, 0.9, count), labels


def training(kind, size, count):
    torch.manual_seed(1)
    c = SIZES[size]
    model = Model(kind, c).train()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-4, weight_decay=0.0,
                                  fused=True)
    x, noise, sigma, labels = batch(c, count)
    s = sigma[:, None, None, None]

    def step():
        optimizer.zero_grad()
        out, losses = model((1 - s) * x + s * noise, 1000 * sigma, labels)
        loss = ((out[:, :c["channels"]] - (noise - x)) ** 2).mean()
        (loss + sum(losses)).backward()
        optimizer.step()

    return step


def sampling(kind, size, count):
    torch.manual_seed(1)
    c = SIZES[size]
    model = Model(kind, c).eval()
    _, noise, _, labels = batch(c, count)
    empty = torch.full_like(labels, c["classes"])

    @torch.no_grad()
    def step():
        x = noise
        for i in range(4):
            t = torch.full((count,), 1000 * (1 - i / 4))
            label, nothing = (model(x, t, y)[0][:, :c["channels"]] for y in (labels, empty))
            x = x - (nothing + 1.5 * (label - nothing)) / 4

    return step


made = {}
print(json.dumps({"name": f"plain PyTorch {torch.__version__}"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    if request["benchmark"] not in made:
        work, kind, size, count = request["benchmark"].split()
        made.clear()
        made[request["benchmark"]] = {"training": training, "sampling": sampling}[work](kind, size, int(count))
    step, samples = made[request["benchmark"]], []
    forget_peak()
    step()
    for _ in range(request["iterations"]):
        start = time.perf_counter()
        step()
        samples.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(samples), "bytes": peak_memory()}), flush=True)
