"""The synthetic static/temporal task with PyTorch's own layers, to see what does not depend on Switchyard.

    python Benchmarks/peers/hecto_synthetic.py START PAIR [SEED...]

START says how the encoder of one layer begins: "torch" (positions as far apart as words, no normalization of
embeddings, ReLU), "near" (the same with positions of 0.02), or "bert" (positions of 0.02, normalized embeddings,
GELU, as Examples/hecto-synthetic.json). PAIR is ff-gru, ff-ff or gru-gru. Prints a row per seed: accuracy of all,
static and temporal texts, bits that the expert tells about the kind, and the share of each kind on the second expert.
"""

import math
import random
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

TOPICS = [
    ["rain", "cloud", "storm", "wind", "snow"],
    ["bread", "soup", "salt", "apple", "cheese"],
    ["violin", "drum", "song", "choir", "flute"],
    ["train", "harbor", "ticket", "road", "bridge"],
]
EVENTS = ["knock", "whistle", "bark", "ring"]
FILLER = ("the a and then there was of in with some old new near far house garden morning evening people again").split()
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"] + sum(TOPICS, []) + EVENTS + FILLER
NUMBERS = {word: number for number, word in enumerate(WORDS)}


def texts(count, seed):
    """Tokens [count, 18], classes and kinds, as Sources/MoEData/Texts/SyntheticTexts.swift describes."""
    source = random.Random(seed)
    tokens = torch.zeros(count, 18, dtype=torch.long)
    labels, kinds = torch.arange(count) % 4, torch.arange(count) // 4 % 2
    for row in range(count):
        label, length = row % 4, source.randint(10, 16)
        if kinds[row] == 0:
            marked = [source.choice(TOPICS[label]) for _ in range(3)]
        else:
            others = [event for event in EVENTS if event != EVENTS[label]]
            source.shuffle(others)
            marked = [EVENTS[label]] + others
        places = set(source.sample(range(length), len(marked)))
        words = [marked.pop(0) if place in places else source.choice(FILLER) for place in range(length)]
        ids = [1] + [NUMBERS[word] for word in words] + [2]
        tokens[row, : len(ids)] = torch.tensor(ids)
    return tokens, labels, kinds


class Encoder(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.words, self.positions = nn.Embedding(len(WORDS), 64), nn.Embedding(24, 64)
        nn.init.normal_(self.positions.weight, 0, 1 if start == "torch" else 0.02)
        nn.init.normal_(self.words.weight)
        self.norm = nn.LayerNorm(64) if start == "bert" else nn.Identity()
        self.layer = nn.TransformerEncoderLayer(
            64, 4, 128, dropout=0.0, activation="gelu" if start == "bert" else "relu", batch_first=True)
        if start == "bert":
            attention = self.layer.self_attn
            for weight in [attention.in_proj_weight, attention.in_proj_bias, attention.out_proj.bias]:
                nn.init.uniform_(weight, -1 / 8, 1 / 8)

    def forward(self, tokens):
        x = self.norm(self.words(tokens) + self.positions(torch.arange(tokens.shape[1])))
        return self.layer(x, src_key_padding_mask=tokens == 0)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.output = nn.GRU(32, 32, batch_first=True), nn.Linear(32, 4)

    def forward(self, pooled, sequence, last):
        return self.output(self.gru(sequence)[0][torch.arange(len(last)), last])


class Forward(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))

    def forward(self, pooled, sequence, last):
        return self.network(pooled)


class Hecto(nn.Module):
    def __init__(self, start, pair):
        super().__init__()
        self.encoder = Encoder(start)
        self.pooled, self.sequence, self.gate = nn.Linear(64, 32), nn.Linear(64, 32), nn.Linear(32, 2)
        self.experts = nn.ModuleList(Forward() if kind == "ff" else Recurrent() for kind in pair.split("-"))

    def forward(self, tokens):
        states = self.encoder(tokens)
        pooled, sequence, last = self.pooled(states[:, 0]), self.sequence(states), (tokens != 0).sum(1) - 1
        p = (self.gate(pooled) / 1.5).softmax(-1)
        k = p.argmax(-1)
        answers = torch.stack([expert(pooled, sequence, last) for expert in self.experts], 1)
        own = p.gather(1, k[:, None])
        return answers[torch.arange(len(k)), k] * (1 + own - own.detach()), p, k


def information(k, kinds):
    bits = 0.0
    for expert in (0, 1):
        for kind in (0, 1):
            both = ((k == expert) & (kinds == kind)).float().mean().item()
            if both > 0:
                apart = (k == expert).float().mean().item() * (kinds == kind).float().mean().item()
                bits += both * math.log2(both / apart)
    return bits


def run(start, pair, seed, steps=1500, size=16):
    torch.manual_seed(seed)
    (tokens, labels, _), (unseen, answers, kinds) = texts(2000, 0), texts(1000, 1)
    model = Hecto(start, pair)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    for step in range(steps):
        if step % (len(tokens) // size) == 0:
            order = torch.randperm(len(tokens))
        batch = order[step % (len(tokens) // size) * size :][:size]
        y, p, _ = model(tokens[batch])
        entropy = -(p * p.clamp(min=1e-12).log()).sum(1).mean()
        loss = F.cross_entropy(y, labels[batch]) + 0.01 * entropy + 0.1 * (2 * (p.mean(0) ** 2).sum() - 1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        y, _, k = model(unseen)
    right = (y.argmax(1) == answers).float()
    return [
        right.mean(), right[kinds == 0].mean(), right[kinds == 1].mean(), information(k, kinds),
        (k[kinds == 0] == 1).float().mean(), (k[kinds == 1] == 1).float().mean(),
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    start, pair = sys.argv[1:3]
    for seed in map(int, sys.argv[3:] or ["0", "1", "2"]):
        print(start, pair, seed, *(f"{float(value):.3f}" for value in run(start, pair, seed)), flush=True)
