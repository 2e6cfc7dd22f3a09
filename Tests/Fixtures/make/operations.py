"""Results and gradients of every tensor operation, computed by PyTorch.

Writes operations.safetensors. Its metadata entry "cases" lists the cases; tensors are named
CASE/in0…, CASE/out0…, CASE/seed0… (what the outputs' gradients are) and CASE/grad0… (of the inputs).
"""

import json
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(20260101)
torch.set_num_threads(1)
tensors, cases = {}, []


def normal(*shape):
    return torch.randn(shape)


def positive(*shape):
    return torch.rand(shape) + 0.5


def distinct(*shape):
    """No two equal elements, so that orders and extremes are unique."""
    count = torch.Size(shape).numel()
    return (torch.randperm(count).float().reshape(shape) - count / 2) * 0.37


def integers(high, *shape):
    return torch.randint(0, high, shape)


def booleans(*shape):
    return torch.rand(shape) > 0.4


def case(op, function, *inputs, gradients=True, **parameters):
    name = f"{len(cases):03d}"
    leaves = [x.clone().requires_grad_(gradients and x.is_floating_point()) for x in inputs]
    outputs = function(*leaves)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    entry = {"name": name, "op": op, "inputs": len(inputs), "outputs": len(outputs), "gradients": [],
             "ints": {}, "lists": {}, "numbers": {}, "flags": {}}
    for key, value in parameters.items():
        kind = {bool: "flags", int: "ints", float: "numbers", list: "lists"}[type(value)]
        entry[kind][key] = value
    for i, x in enumerate(inputs):
        tensors[f"{name}/in{i}"] = x
    for i, y in enumerate(outputs):
        tensors[f"{name}/out{i}"] = y.detach()
    used = [(i, y) for i, y in enumerate(outputs) if y.requires_grad]
    wanted = [i for i, x in enumerate(leaves) if x.requires_grad]
    if used and wanted:
        seeds = [torch.randn_like(y) for _, y in used]
        found = torch.autograd.grad([y for _, y in used], [leaves[i] for i in wanted], seeds, allow_unused=True)
        for (i, _), seed in zip(used, seeds):
            tensors[f"{name}/seed{i}"] = seed
        for i, gradient in zip(wanted, found):
            tensors[f"{name}/grad{i}"] = torch.zeros_like(leaves[i]) if gradient is None else gradient
        entry["gradients"] = wanted
    cases.append(entry)


SHAPES = [(2, 3), (1,), (0, 4), (), (1, 2, 1, 5)]
PAIRS = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 4)), ((0, 3), (1, 3)), ((), (2,)), ((1,), (1,))]

for op, function in {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "maximum": torch.maximum, "minimum": torch.minimum,
}.items():
    for left, right in PAIRS:
        case(op, function, normal(*left), normal(*right))
for left, right in PAIRS:
    case("divide", lambda a, b: a / b, normal(*left), positive(*right))
    case("floorDivided", lambda a, b: torch.floor_divide(a, b), integers(20, *left) - 10, integers(5, *right) + 1)
for shape in SHAPES:
    case("addScalar", lambda a: a + 1.5, normal(*shape), number=1.5)
    case("subtractScalar", lambda a: a - 1.5, normal(*shape), number=1.5)
    case("subtractFrom", lambda a: 1.5 - a, normal(*shape), number=1.5)
    case("multiplyScalar", lambda a: a * 1.5, normal(*shape), number=1.5)
    case("divideScalar", lambda a: a / 1.5, normal(*shape), number=1.5)
    case("divideFrom", lambda a: 1.5 / a, positive(*shape), number=1.5)
    case("addInteger", lambda a: a + 3, integers(9, *shape), integer=3)
    case("multiplyInteger", lambda a: a * 3, integers(9, *shape), integer=3)
    case("remainder", lambda a: a % 4, integers(20, *shape) - 10, integer=4)
    case("pow", lambda a: a ** 2.5, positive(*shape), number=2.5)
    case("clamped", lambda a: a.clamp(-0.5, 0.7), normal(*shape), min=-0.5, max=0.7)
    case("isFinite", lambda a: torch.isfinite(1 / a), (normal(*shape) > 0).float())
    for op, function in {
        "negate": torch.neg, "exp": torch.exp, "sin": torch.sin, "cos": torch.cos, "abs": torch.abs,
        "sign": torch.sign, "floor": torch.floor, "rounded": torch.round, "erf": torch.erf,
        "relu": F.relu, "gelu": F.gelu, "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": F.softplus,
        "sum": torch.sum, "norm": torch.linalg.vector_norm,
    }.items():
        case(op, function, normal(*shape) * 2)
    for op, function in {"log": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
                         "reciprocal": torch.reciprocal}.items():
        case(op, function, positive(*shape))
    case("notOf", torch.logical_not, booleans(*shape))
for shape in [(2, 3), (1,), ()]:
    case("mean", torch.mean, normal(*shape))
for left, right in PAIRS:
    a, b = integers(3, *left).float(), integers(3, *right).float()
    for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
        case(op, lambda a, b, op=op: getattr(torch, op)(a, b), a, b, gradients=False)
    case("and", torch.logical_and, booleans(*left), booleans(*right))
    case("or", torch.logical_or, booleans(*left), booleans(*right))
    case("select", torch.where, booleans(*left), normal(*right), normal(*left))
for shape in SHAPES:
    a = integers(3, *shape).float()
    for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
        case(op + "Scalar", lambda a, op=op: getattr(torch, op)(a, 1.0), a, gradients=False, number=1.0)
    case("filled", lambda x, m: x.masked_fill(m, -2.0), normal(*shape), booleans(*shape), number=-2.0)
    case("nonzeroIndices", torch.nonzero, booleans(*shape))

for shape, axis in [((2, 3), 1), ((2, 3), 0), ((1, 4), -2), ((3, 0), 0), ((5,), 0), ((2, 1, 3), 1)]:
    for keep in [False, True]:
        at = dict(axis=axis, keep=keep)
        case("sumAxis", lambda x: x.sum(axis, keepdim=keep), normal(*shape), **at)
        case("meanAxis", lambda x: x.mean(axis, keepdim=keep), normal(*shape), **at)
        case("variance", lambda x: x.var(axis, correction=0, keepdim=keep), normal(*shape), correction=0, **at)
        case("max", lambda x: x.amax(axis, keepdim=keep), distinct(*shape), **at)
        case("min", lambda x: x.amin(axis, keepdim=keep), distinct(*shape), **at)
        case("argmax", lambda x: x.argmax(axis, keepdim=keep), distinct(*shape), **at)
        case("logSumExp", lambda x: x.logsumexp(axis, keepdim=keep), normal(*shape), **at)
        case("normAxis", lambda x: torch.linalg.vector_norm(x, dim=axis, keepdim=keep), normal(*shape), **at)
    case("cumulativeSum", lambda x: x.cumsum(axis), normal(*shape), axis=axis)
    case("softmax", lambda x: x.softmax(axis), normal(*shape) * 3, axis=axis)
    case("logSoftmax", lambda x: x.log_softmax(axis), normal(*shape) * 3, axis=axis)
    case("reversed", lambda x: x.flip(axis), normal(*shape), axis=axis)
    case("sorted", lambda x: torch.sort(x, dim=axis, stable=True), distinct(*shape), axis=axis, descending=False)
    case("sorted", lambda x: torch.sort(x, dim=axis, stable=True, descending=True), integers(3, *shape), axis=axis,
         descending=True)
case("variance", lambda x: x.var(1, correction=1), normal(2, 5), axis=1, correction=1, keep=False)
for axes in [[0, 2], [1], [-1, -2]]:
    case("sumAxes", lambda x: x.sum(axes), normal(2, 3, 4), axes=axes)
    case("meanAxes", lambda x: x.mean(axes), normal(2, 3, 4), axes=axes)
for shape, k, axis in [((3, 5), 2, -1), ((5,), 5, 0), ((4, 1), 1, 1), ((4, 3), 0, 0)]:
    case("topK", lambda x: torch.topk(x, k, dim=axis), distinct(*shape), k=k, axis=axis)
for values, minimum in [(integers(6, 20), 10), (integers(6, 20), 0), (integers(6, 0), 4), (integers(1, 1), 0)]:
    case("bincount", lambda x: torch.bincount(x, minlength=minimum), values, minimum=minimum)

for shape, new in [((2, 6), [3, 4]), ((2, 6), [-1]), ((0, 3), [3, 0]), ((1,), []), ((), [1, 1])]:
    case("reshaped", lambda x: x.reshape(new), normal(*shape), shape=new)
for shape, order in [((2, 3, 4), [2, 0, 1]), ((3,), [0]), ((0, 2), [1, 0]), ((), [])]:
    case("permuted", lambda x: x.permute(order), normal(*shape), order=order)
for shape, a, b in [((2, 3), -2, -1), ((2, 3, 4), 0, 2), ((1, 0), 0, 1)]:
    case("transposed", lambda x: x.transpose(a, b), normal(*shape), first=a, second=b)
for shape, new in [((1, 3), [4, 3]), ((3,), [2, 2, 3]), ((), [2]), ((1,), [0])]:
    case("expanded", lambda x: x.expand(new), normal(*shape), shape=new)
for shape, axis in [((2, 3), 0), ((2, 3), 2), ((2, 3), -1), ((0,), 1), ((), 0)]:
    case("expandingAxis", lambda x: x.unsqueeze(axis), normal(*shape), axis=axis)
for shape, axis in [((1, 3), 0), ((2, 1, 3), 1), ((2, 1), -1), ((1,), 0)]:
    case("removingAxis", lambda x: x.squeeze(axis), normal(*shape), axis=axis)
for shape, axis, start, end, step in [((4, 3), 0, 1, 3, 1), ((4, 7), 1, 0, 7, 3), ((4,), -1, 2, 2, 1), ((1, 2), 0, 0, 1, 1)]:
    def sliced(x):
        index = [slice(None)] * x.dim()
        index[axis] = slice(start, end, step)
        return x[tuple(index)]
    case("slice", sliced, normal(*shape), axis=axis, start=start, end=end, step=step)
for shape, axis, index in [((4, 3), 0, 2), ((4, 3), 1, -1), ((1,), 0, 0), ((0, 2), 1, 1)]:
    case("at", lambda x: x.select(axis, index), normal(*shape), axis=axis, index=index)
for shape, sizes, axis in [((5, 2), [2, 3], 0), ((2, 5), [1, 0, 4], 1), ((0, 2), [0], 0)]:
    case("split", lambda x: torch.split(x, sizes, axis), normal(*shape), sizes=sizes, axis=axis)
for shapes, axis in [([(2, 3), (1, 3)], 0), ([(2, 3), (2, 0), (2, 1)], 1), ([(4,)], -1)]:
    case("concatenated", lambda *xs: torch.cat(xs, axis), *[normal(*s) for s in shapes], axis=axis)
for shape, count, axis in [((2, 3), 2, 0), ((2, 3), 3, -1), ((0,), 2, 1), ((), 1, 0)]:
    case("stacked", lambda *xs: torch.stack(xs, axis), *[normal(*shape) for _ in range(count)], axis=axis)
for shape, axis, before, after in [((2, 3), 1, 1, 2), ((2, 3), 0, 0, 1), ((2, 3), -1, 2, 0), ((0, 2), 0, 1, 1)]:
    sides = [0, 0] * (len(shape) - 1 - axis if axis >= 0 else -axis - 1) + [before, after]
    case("padded", lambda x: F.pad(x, sides, value=0.5), normal(*shape), axis=axis, before=before, after=after, number=0.5)
for shape, diagonal in [((3, 4), 0), ((2, 3, 3), -1), ((1, 1), 1), ((0, 3), 0)]:
    case("lowerTriangle", lambda x: x.tril(diagonal), normal(*shape), diagonal=diagonal)
    case("upperTriangle", lambda x: x.triu(diagonal), normal(*shape), diagonal=diagonal)

for shape, index, axis in [((4, 3), (2, 3), 0), ((4, 3), (4, 2), 1), ((1, 3), (0, 3), 0), ((5,), (7,), -1)]:
    where = integers(shape[axis], *index)
    case("gather", lambda x, i: x.gather(axis, i), normal(*shape), where, axis=axis)
    case("scatterAdding", lambda x, s, i: x.scatter_add(axis, i, s), normal(*shape), normal(*index), where, axis=axis)
for shape, n, axis in [((4, 3), 6, 0), ((4, 3), 2, 1), ((1, 2), 3, 0), ((3, 2), 0, 0)]:
    where = integers(shape[axis], n)
    source = list(shape)
    source[axis] = n
    case("selecting", lambda x, i: x.index_select(axis, i), normal(*shape), where, axis=axis)
    case("adding", lambda x, s, i: x.index_add(axis, i, s), normal(*shape), normal(*source), where, axis=axis)
for shape, axis in [((4, 3), 0), ((1, 5), 1), ((0, 2), 0)]:
    where = torch.argsort(torch.rand(shape), dim=axis)
    case("scattering", lambda x, s, i: x.scatter(axis, i, s), normal(*shape), normal(*shape), where, axis=axis)
for rows, width, shape in [(5, 3, (2, 4)), (1, 2, (3,)), (5, 1, ()), (4, 2, (0,))]:
    case("embedding", lambda w, i: F.embedding(i, w), normal(rows, width), integers(rows, *shape))
for shape, classes in [((2, 3), 5), ((0,), 4), ((), 2), ((1,), 1)]:
    case("oneHot", lambda x: F.one_hot(x, classes), integers(classes, *shape), classes=classes)

for left, right in [((2, 3), (3, 4)), ((3,), (3,)), ((5, 2, 3), (3, 1)), ((5, 1, 2, 3), (2, 3, 4)), ((0, 3), (3, 2)),
                    ((2, 0), (0, 3)), ((1, 1), (1, 1)), ((3,), (3, 2)), ((2, 3), (3,))]:
    case("matmul", torch.matmul, normal(*left), normal(*right))
for shape, outputs in [((2, 3), 4), ((5, 2, 3), 1), ((0, 3), 2), ((1, 1), 1), ((3,), 2)]:
    case("linear", F.linear, normal(*shape), normal(outputs, shape[-1]), bias=False)
    case("linear", F.linear, normal(*shape), normal(outputs, shape[-1]), normal(outputs), bias=True)
for b, n, k, m in [(2, 3, 4, 5), (1, 1, 1, 1), (0, 2, 2, 2), (2, 3, 0, 2)]:
    case("addingProducts", torch.baddbmm, normal(b, n, m), normal(b, n, k), normal(b, k, m))


def definite(*shape):
    a = normal(*shape)
    return a @ a.mT + shape[-1] * torch.eye(shape[-1])


for shape in [(4, 4), (2, 3, 3), (1, 1), (0, 0)]:
    case("cholesky", torch.linalg.cholesky, definite(*shape))
    factor = torch.linalg.cholesky(definite(*shape))
    rows = normal(*shape[:-1], 2)
    case("solveLower", lambda a, b: torch.linalg.solve_triangular(a, b, upper=False), factor, rows)
    case("solveUpper", lambda a, b: torch.linalg.solve_triangular(a, b, upper=True), factor.mT.contiguous(), rows)
    if len(shape) == 2:
        case("choleskyInverse", torch.cholesky_inverse, factor, gradients=shape[0] > 0)

for shape in [(2, 5), (3, 1, 4), (1, 1), (0, 3), (6,)]:
    n = shape[-1]
    case("layerNorm", lambda x: F.layer_norm(x, [n], eps=1e-5), normal(*shape), epsilon=1e-5)
    case("layerNorm", lambda x, w, b: F.layer_norm(x, [n], w, b, 1e-5), normal(*shape), normal(n), normal(n), epsilon=1e-5)
    case("rmsNorm", lambda x: F.rms_norm(x, [n], eps=1e-6), normal(*shape), epsilon=1e-6)
    case("rmsNorm", lambda x, w: F.rms_norm(x, [n], w, 1e-6), normal(*shape), normal(n), epsilon=1e-6)

for b, h, kh, q, k, w, v in [(2, 4, 4, 3, 3, 8, 8), (1, 4, 2, 5, 5, 8, 8), (1, 1, 1, 1, 1, 4, 4), (1, 2, 1, 0, 0, 4, 4)]:
    qkv = [normal(b, h, q, w), normal(b, kh, k, w), normal(b, kh, k, v)]
    grouped = dict(enable_gqa=h != kh)
    attention = F.scaled_dot_product_attention
    case("attention", lambda q, k, v: attention(q, k, v, **grouped), *qkv, causal=False)
    case("attention", lambda q, k, v: attention(q, k, v, is_causal=True, **grouped), *qkv, causal=True)
    case("attention", lambda q, k, v: attention(q, k, v, scale=0.3, **grouped), *qkv, causal=False, scale=0.3)
    mask = torch.ones(q, k).tril().bool() | booleans(b, 1, q, k)
    case("attentionMasked", lambda q, k, v, m: attention(q, k, v, m, **grouped), *qkv, mask)
    case("attentionMasked", lambda q, k, v, m: attention(q, k, v, m.detach(), **grouped), *qkv,
         normal(q, k).requires_grad_(False))
case("attention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v), normal(1, 2, 2, 4), normal(1, 2, 6, 4),
     normal(1, 2, 6, 4), causal=False)

for shape, weight, stride, padding, groups in [((2, 3, 8, 8), (4, 3, 2, 2), 2, 0, 1), ((1, 2, 5, 5), (2, 1, 3, 3), 1, 1, 2),
                                               ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0, 1), ((0, 3, 4, 4), (2, 3, 2, 2), 2, 0, 1)]:
    def convolve(x, w, b):
        return F.conv2d(x, w, b, stride=stride, padding=padding, groups=groups)
    case("convolved2D", convolve, normal(*shape), normal(*weight), normal(weight[0]), stride=stride, padding=padding,
         groups=groups)
for shape, p in [((2, 3, 4, 6), 2), ((1, 1, 3, 3), 3), ((1, 2, 2, 2), 1), ((0, 2, 4, 4), 2)]:
    n, c, height, width = shape
    def patches(x):
        return F.unfold(x, p, stride=p).mT if n else x.reshape(0, height * width // p // p, c * p * p)
    case("patchified", patches, normal(*shape), size=p, rows=height // p, columns=width // p)
    def images(x):
        x = x.reshape(n, height // p, width // p, p, p, c)
        return torch.einsum("nhwpqc->nchpwq", x).reshape(shape)
    case("unpatchified", images, normal(n, height * width // p // p, c * p * p), size=p, rows=height // p,
         columns=width // p)

for batch, steps, inputs, hidden in [(2, 4, 3, 5), (1, 1, 1, 1), (3, 2, 4, 2)]:
    layer = torch.nn.GRU(inputs, hidden, batch_first=True)
    weights = [p.detach().clone() for p in layer.parameters()]
    def recur(x, h, *ws):
        out, last = torch.gru(x, h[None], list(ws), True, 1, 0.0, False, False, True)
        return out, last[0]
    case("gru", recur, normal(batch, steps, inputs), normal(batch, hidden), *weights)

for rows, classes in [(4, 5), (1, 1), (3, 2)]:
    targets = integers(classes, rows)
    for number, reduction in enumerate(["none", "mean", "sum"]):
        case("crossEntropy", lambda x, t: F.cross_entropy(x, t, reduction=reduction), normal(rows, classes), targets,
             reduction=number)
case("crossEntropy", lambda x, t: F.cross_entropy(x, t), normal(3, 4), torch.tensor([1, -100, 3]), reduction=1)
case("crossEntropy", lambda x, t: F.cross_entropy(x, t, reduction="sum"), normal(0, 4), integers(4, 0), reduction=2)
for shape in [(2, 3), (1,), ()]:
    for number, reduction in enumerate(["none", "mean", "sum"]):
        case("meanSquaredError", lambda x, y: F.mse_loss(x, y, reduction=reduction), normal(*shape), normal(*shape),
             reduction=number)

DTYPES = {"bool": torch.bool, "u8": torch.uint8, "i8": torch.int8, "u16": torch.uint16, "i16": torch.int16,
          "u32": torch.uint32, "i32": torch.int32, "u64": torch.uint64, "i64": torch.int64, "f8e4m3": torch.float8_e4m3fn,
          "f8e5m2": torch.float8_e5m2, "f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32,
          "f64": torch.float64}
for number, (source, source_type) in enumerate(DTYPES.items()):
    for target, (_, target_type) in enumerate(DTYPES.items()):
        values = (torch.rand(7) * 100).to(source_type)
        case("cast", lambda x: x.to(target_type), values, gradients=False, type=target)

tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
save_file(tensors, "operations.safetensors", metadata={"cases": json.dumps(cases), "torch": torch.__version__})
print(f"  {len(cases)} cases, {len(set(c['op'] for c in cases))} operations")
