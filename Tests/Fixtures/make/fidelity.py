"""Measures of made images by scipy and plain NumPy, and a small residual classifier in plain PyTorch.

Writes fidelity/: metrics.safetensors with sets of vectors and what is measured of them; classifier/, a model folder
with random weights and statistics; classifier.safetensors with its answers, and in training its loss, gradients and
statistics of the batch.
"""

import json
import pathlib

import numpy
import scipy.linalg
import scipy.special
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.manual_seed(11)
OUT = pathlib.Path(__file__).parent.parent / "fidelity"
CHANNELS, SIZE, DEPTH, WIDTH, CLASSES = 3, 8, 14, 4, 5
MEAN, DEVIATION = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]


def frechet(a, b):
    covariances = [numpy.cov(x, rowvar=False) for x in (a, b)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    difference = a.mean(0) - b.mean(0)
    return difference @ difference + numpy.trace(covariances[0] + covariances[1] - 2 * root)


def inception_score(logits, parts):
    p = scipy.special.softmax(logits, axis=1)
    scores = []
    for part in range(parts):
        rows = p[part * len(p) // parts:(part + 1) * len(p) // parts]
        scores.append(numpy.exp((rows * (numpy.log(rows) - numpy.log(rows.mean(0)))).sum(1).mean()))
    return numpy.mean(scores), numpy.std(scores)


def share_inside(points, region, k):
    def distances(x, y):
        return numpy.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))

    radii = numpy.sort(distances(region, region), axis=1)[:, k]
    return (distances(points, region) <= radii).any(1).mean()


def write_metrics():
    generator = numpy.random.default_rng(5)
    first = generator.normal(size=(120, 6)) @ generator.normal(size=(6, 6)) + generator.normal(size=6)
    second = generator.normal(size=(90, 6)) @ generator.normal(size=(6, 6))
    made = generator.normal(size=(70, 3))
    real = 0.7 * generator.normal(size=(50, 3)) + [1.2, 0, 0]
    logits = 2 * generator.normal(size=(50, 5))
    results = [frechet(first, second), *inception_score(logits, 4), share_inside(made, real, 3),
               share_inside(real, made, 3)]
    tensors = {"first": first, "second": second, "made": made, "real": real, "logits": logits,
               "results": numpy.array(results)}
    save_file({name: torch.from_numpy(numpy.ascontiguousarray(x)) for name, x in tensors.items()},
              OUT / "metrics.safetensors")


def weights():
    w = {}

    def convolution(prefix, number, inputs, outputs):
        norm = f"{prefix}bn{number}"
        w[f"{prefix}conv{number}.weight"] = torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5
        w[norm + ".weight"], w[norm + ".bias"] = 1 + 0.2 * torch.randn(outputs), 0.2 * torch.randn(outputs)
        w[norm + ".running_mean"], w[norm + ".running_var"] = 0.2 * torch.randn(outputs), 0.5 + torch.rand(outputs)

    convolution("", 1, CHANNELS, WIDTH)
    for third in range(3):
        outputs = WIDTH << third
        for place in range((DEPTH - 2) // 6):
            inputs = outputs // 2 if third > 0 and place == 0 else outputs
            convolution(f"layer{third + 1}.{place}.", 1, inputs, outputs)
            convolution(f"layer{third + 1}.{place}.", 2, outputs, outputs)
    w["linear.weight"], w["linear.bias"] = torch.randn(CLASSES, 4 * WIDTH) / 2, torch.randn(CLASSES)
    return w


def classify(w, images, training):
    batch = {}

    def normed(x, prefix, number, stride=1):
        norm = f"{prefix}bn{number}"
        y = F.conv2d(x, w[f"{prefix}conv{number}.weight"], stride=stride, padding=1)
        if training:
            batch[norm + ".running_mean"] = y.mean((0, 2, 3))
            batch[norm + ".running_var"] = y.var((0, 2, 3), correction=1)
            return F.batch_norm(y, None, None, w[norm + ".weight"], w[norm + ".bias"], training=True)
        return F.batch_norm(y, w[norm + ".running_mean"], w[norm + ".running_var"], w[norm + ".weight"],
                            w[norm + ".bias"])

    def channels(numbers):
        return torch.tensor(numbers).reshape(1, -1, 1, 1)

    x = F.relu(normed(((images + 1) / 2 - channels(MEAN)) / channels(DEVIATION), "", 1))
    for third in range(3):
        for place in range((DEPTH - 2) // 6):
            prefix, stride = f"layer{third + 1}.{place}.", 2 if third > 0 and place == 0 else 1
            y = normed(F.relu(normed(x, prefix, 1, stride)), prefix, 2)
            if stride == 2:
                quarter = y.shape[1] // 4
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
            x = F.relu(y + x)
    features = F.adaptive_avg_pool2d(x, 1).flatten(1)
    return features, F.linear(features, w["linear.weight"], w["linear.bias"]), batch


def write_classifier():
    torch.set_default_dtype(torch.float64)
    w = weights()
    images, labels = torch.rand(6, CHANNELS, SIZE, SIZE) * 2 - 1, torch.tensor([0, 4, 2, 2, 1, 3])
    features, logits, _ = classify(w, images, training=False)
    results = {"images": images, "features": features, "logits": logits, "labels": labels}
    trained = [name for name in w if "running" not in name]
    for name in trained:
        w[name].requires_grad_()
    _, logits, batch = classify(w, images, training=True)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    results["loss"] = loss.detach()
    for name in trained:
        results["gradients/" + name] = w[name].grad
    for name, value in batch.items():
        results["batch/" + name] = value.detach()
    narrow = {name: x if x.dtype == torch.int64 else x.detach().float() for name, x in results.items()}
    save_file({name: x.contiguous() for name, x in narrow.items()}, OUT / "classifier.safetensors")
    folder = OUT / "classifier"
    folder.mkdir(exist_ok=True)
    save_file({name: x.detach().float().contiguous() for name, x in w.items()}, folder / "model.safetensors")
    configuration = {"model_type": "image_classifier", "image_size": SIZE, "channels": CHANNELS, "depth": DEPTH,
                     "width": WIDTH, "labels": [f"class {c}" for c in range(CLASSES)], "mean": MEAN,
                     "deviation": DEVIATION}
    (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n")


OUT.mkdir(exist_ok=True)
write_metrics()
write_classifier()
