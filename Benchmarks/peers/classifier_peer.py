"""The same work as ClassifierComparisons.swift, done by transformers and PyTorch."""

import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import transformers
from torch.nn.utils.rnn import pack_padded_sequence
from transformers import BertModel

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
LENGTHS = [40, 63, 50, 52, 42, 57, 75, 34, 41, 41, 45, 36, 48, 47, 24, 41]


class Hecto(torch.nn.Module):
    """Figure 1 of arXiv:2506.22919, evaluating the chosen expert only, with a straight-through gate."""

    def __init__(self, path):
        super().__init__()
        self.encoder = BertModel.from_pretrained(path, add_pooling_layer=False)
        self.pooled, self.sequence = torch.nn.Linear(384, 256), torch.nn.Linear(384, 256)
        self.gate = torch.nn.Linear(256, 2)
        self.ff = torch.nn.Sequential(torch.nn.Linear(256, 128), torch.nn.Tanh(), torch.nn.Linear(128, 4))
        self.gru, self.output = torch.nn.GRU(256, 128, batch_first=True), torch.nn.Linear(128, 4)

    def forward(self, tokens, mask):
        hidden = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        h = self.pooled(hidden[:, 0])
        p = (self.gate(h) / 1.5).softmax(-1)
        k = p.argmax(-1)
        answers = h.new_zeros(len(tokens), 4)
        first, second = (k == 0).nonzero()[:, 0], (k == 1).nonzero()[:, 0]
        if len(first):
            answers = answers.index_add(0, first, self.ff(h[first]))
        if len(second):
            rows = pack_padded_sequence(self.sequence(hidden[second]), mask[second].sum(1), batch_first=True,
                                        enforce_sorted=False)
            answers = answers.index_add(0, second, self.output(self.gru(rows)[1][0]))
        own = p.gather(1, k[:, None])
        return answers * (1 + own - own.detach()), p


def batch(lengths, first=0):
    tokens = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.tensor([(i * 7919 + (first + row) * 104729) % 30522 for i in range(length)])
        mask[row, :length] = 1
    return tokens, mask


def fine_tuning(path):
    model = Hecto(path).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    tokens, mask = batch(LENGTHS)
    targets = torch.arange(len(LENGTHS)) % 4

    def step():
        optimizer.zero_grad()
        answers, p = model(tokens, mask)
        entropy = -(p * p.clamp(min=1e-38).log()).sum(1).mean()
        loss = F.cross_entropy(answers, targets) + 0.01 * entropy + 0.1 * (2 * (p.mean(0) ** 2).sum() - 1)
        loss.backward()
        optimizer.step()

    return step


def single(path):
    model = Hecto(path).eval()
    tokens, mask = batch([45], first=3)

    @torch.inference_mode()
    def step():
        model(tokens, mask)[0].softmax(-1).tolist()

    return step


def recurrent(path):
    gru = torch.nn.GRU(256, 128, batch_first=True)
    x = torch.randn(len(LENGTHS), max(LENGTHS), 256, requires_grad=True)
    lengths = torch.tensor(LENGTHS)

    def step():
        gru.zero_grad()
        x.grad = None
        gru(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[1].sum().backward()

    return step


WORK = {"fine-tuning": fine_tuning, "single": single, "recurrent": recurrent}
ready = {}

print(json.dumps({"name": f"transformers {transformers.__version__} on PyTorch {torch.__version__}"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    name = request["benchmark"]
    if name not in ready:
        ready[name] = WORK[name](request["path"])
    for _ in range(max(3, request["iterations"] // 10)):
        ready[name]()
    samples = []
    for _ in range(request["iterations"]):
        start = time.perf_counter()
        ready[name]()
        samples.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(samples)}), flush=True)
