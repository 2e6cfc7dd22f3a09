"""Makes small dumps of SGLang's expert distribution recorder as a server writes them: many requests in a pass.

The layouts follow the recorder (torch.save): always eight slots per token, of which a top-2 model fills two; layer 0 is
dense. The experts of a token with the id x in layer l are x + l and x + l + 3, modulo 8.
"""

import pathlib

import torch

folder = pathlib.Path("traces")
LAYERS, EXPERTS, SLOTS = 3, 8, 8
EXTEND, DECODE, MIXED = 1, 2, 3
# Physical experts are rotated by the layer.
rotation = torch.tensor([[(p + layer) % EXPERTS for p in range(EXPERTS)] for layer in range(LAYERS)])


def record(step, mode, requests, **more):
    """A pass over runs of (first position, ids of tokens)."""
    ids = [token for _, tokens in requests for token in tokens]
    positions = [first + place for first, tokens in requests for place in range(len(tokens))]
    chosen = torch.full((LAYERS, len(ids), SLOTS), -1, dtype=torch.int32)
    for layer in range(1, LAYERS):
        for token, number in enumerate(ids):
            for slot, expert in enumerate([number + layer, number + layer + 3]):
                chosen[layer, token, slot] = (expert - layer) % EXPERTS
    return {
        "forward_pass_id": step, "rank": 0, "gatherer_key": "primary", "input_ids": ids, "positions": positions,
        "extend_seq_lens": [len(tokens) for _, tokens in requests] if mode != DECODE else None,
        "forward_mode": mode, "topk_ids_of_layer": chosen, "misc_objects": [], **more}


def save(name, records):
    torch.save({"records": records, "last_physical_to_logical_map": rotation}, folder / name)


# Two requests that are decoded together; the longer one first.
save("sglang_requests.pt", [
    record(0, EXTEND, [(0, [10, 11, 12]), (0, [20, 21])]), record(1, DECODE, [(3, [13]), (2, [22])]),
    record(2, DECODE, [(4, [14]), (3, [23])])])
# Two requests whose first tokens were in the cache, a prompt that is read in two parts, and a mixed pass.
save("sglang_prefix.pt", [
    record(0, EXTEND, [(4, [14, 15, 16])]), record(1, EXTEND, [(2, [22, 23, 24])]),
    record(2, EXTEND, [(0, [30, 31])]), record(3, MIXED, [(2, [32, 33]), (7, [17]), (5, [25])])])
# Requests of equal length, named, of which the second goes on alone.
save("sglang_named.pt", [
    record(0, EXTEND, [(0, [10, 11]), (0, [20, 21])], rids=["a", "b"]), record(1, DECODE, [(2, [22])], rids=["b"])])
# Drafts of speculative decoding.
save("sglang_draft.pt", [record(0, EXTEND, [(0, [10])]), record(1, 5, [(1, [11, 12])])])
# A number that is no id of an expert, and positions that no sequence reaches.
wrong = record(0, EXTEND, [(0, [10, 11])])
wrong["topk_ids_of_layer"][1, 1, 0] = -2
save("sglang_id.pt", [wrong])
for name, positions in [("huge", [2**63 - 2, 2**63 - 1]), ("negative", [-5, -4])]:
    save(f"sglang_{name}.pt", [
        record(0, EXTEND, [(0, [10, 11])]), {**record(1, EXTEND, [(0, [12, 13])]), "positions": positions}])
# Counts with a dense layer.
counts = torch.tensor([[[0, 0, 0, 0], [1, 2, 3, 4], [4, 3, 2, 0]], [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]])
torch.save(
    {"rank": 0, "logical_count": counts.int(), "average_utilization_rate_over_window": None},
    folder / "sglang_dense.pt")
