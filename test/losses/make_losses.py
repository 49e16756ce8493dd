"""Writes ../trajectories/data/losses.json: values and gradients of losses by PyTorch, in float64.

    python3 test/losses/make_losses.py        (PyTorch 1.13 or later, NumPy; a second)

Each case: the name of the loss here, its tensors (float32 numbers; those of "slopes" have gradients), its options here, the value,
and the gradients of the value (of the sum, where nothing is reduced) with respect to the first tensors.
"""
import json
import os

import numpy as np
import torch
import torch.nn.functional as F

random = np.random.RandomState(7)
cases = []


def real(*shape, low=-2.0, high=2.0):
    return random.uniform(low, high, shape).astype(np.float32)


def signs(*shape):
    return (random.randint(0, 2, shape) * 2 - 1).astype(np.float32)


def as_json(array):
    return {"shape": list(array.shape), "data": [float(f"{x:.10g}") for x in np.asarray(array, dtype=np.float64).reshape(-1)],
            "dtype": "int32" if array.dtype.kind == "i" else "float32"}


def case(name, theirs, tensors, options=None, slopes=None):
    """Three cases: one a reduction. `theirs` takes the tensors in float64 and gives the losses, or takes reduction=."""
    for reduction in ("mean", "sum", "none"):
        inputs = [torch.tensor(t, dtype=torch.int64 if t.dtype.kind == "i" else torch.float64) for t in tensors]
        count = len([t for t in tensors if t.dtype.kind == "f"]) if slopes is None else slopes
        for t in inputs[:count]:
            t.requires_grad_(True)
        value = theirs(*inputs, reduction)
        value.sum().backward()
        cases.append({"name": name, "tensors": [as_json(t) for t in tensors], "options": {**(options or {}), "reduction": reduction},
                      "value": as_json(value.detach().numpy()), "gradients": [as_json(t.grad.numpy()) for t in inputs[:count]]})


def reduced(losses, reduction):
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


# Regression.
x, y = real(3, 4), real(3, 4)
case("mse", lambda a, b, r: F.mse_loss(a, b, reduction=r), [x, y])
case("mae", lambda a, b, r: F.l1_loss(a, b, reduction=r), [x, y])
case("huber", lambda a, b, r: F.huber_loss(a, b, reduction=r, delta=0.7), [x, y], {"delta": 0.7})
case("smoothL1", lambda a, b, r: F.smooth_l1_loss(a, b, reduction=r, beta=0.5), [x, y], {"beta": 0.5})

# Classes.
logits, labels = real(5, 4), np.array([0, 3, 1, 2, 3], dtype=np.int32)
ignored = np.array([0, -100, 1, 2, -100], dtype=np.int32)
first = np.array([0, 3, 1, 0, 3], dtype=np.int32)
weights = [0.5, 1.0, 2.0, 0.25]
w = torch.tensor(weights, dtype=torch.float64)
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, reduction=r), [logits, labels])
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, reduction=r), [logits * 100, labels])
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, reduction=r), [logits, ignored])
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, reduction=r, ignore_index=3), [logits, first], {"ignoreIndex": 3})
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, w, reduction=r), [logits, labels], {"classWeights": weights})
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, reduction=r, label_smoothing=0.1), [logits, labels], {"labelSmoothing": 0.1})
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, w, reduction=r, label_smoothing=0.2), [logits, ignored],
     {"labelSmoothing": 0.2, "classWeights": weights})
case("crossEntropy", lambda a, b, r: F.cross_entropy(a.permute(0, 2, 1), b, reduction=r), [real(2, 3, 4), labels[:4].reshape(2, 2)[:, [0, 1, 1]]])
soft = torch.softmax(torch.tensor(real(5, 4)), 1).numpy()
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, reduction=r), [logits, soft])
case("crossEntropy", lambda a, b, r: F.cross_entropy(a, b, w, reduction=r, label_smoothing=0.1), [logits, soft],
     {"labelSmoothing": 0.1, "classWeights": weights})
case("nll", lambda a, b, r: F.nll_loss(a, b, reduction=r), [logits, ignored])
case("nll", lambda a, b, r: F.nll_loss(a, b, w, reduction=r), [logits, labels], {"classWeights": weights})
case("softmaxFocal", lambda a, b, r: reduced((lambda ce: (1 - torch.exp(-ce)) ** 1.5 * ce)(F.cross_entropy(a, b, reduction="none")), r),
     [logits, labels], {"gamma": 1.5})

# Yes or no.
p, t, factor = real(3, 4, low=0.05, high=0.95), real(3, 4, low=0.0, high=1.0), real(3, 4, low=0.5, high=1.5)
edges, hard = np.array([[0, 1, 0, 1]], dtype=np.float32), np.array([[0, 1, 1, 0]], dtype=np.float32)
case("binaryCrossEntropy", lambda a, b, r: F.binary_cross_entropy(a, b, reduction=r), [p, t], slopes=1)
case("binaryCrossEntropy", lambda a, b, r: F.binary_cross_entropy(a, b, reduction=r), [edges, hard], slopes=1)
case("binaryCrossEntropyWithLogits", lambda a, b, r: F.binary_cross_entropy_with_logits(a, b, reduction=r), [x, t])
case("binaryCrossEntropyWithLogits", lambda a, b, r: F.binary_cross_entropy_with_logits(a, b, reduction=r), [x * 100, t], slopes=1)
case("binaryCrossEntropyWithLogits", lambda a, b, r: F.binary_cross_entropy_with_logits(a, b, reduction=r, pos_weight=torch.tensor(3.0)),
     [x, t], {"positiveWeight": 3})


def focal(a, b, alpha, gamma):
    q = torch.sigmoid(a)
    ce = F.binary_cross_entropy_with_logits(a, b, reduction="none")
    loss = ce * (1 - (q * b + (1 - q) * (1 - b))) ** gamma
    return loss if alpha < 0 else (alpha * b + (1 - alpha) * (1 - b)) * loss


yes = (random.randint(0, 2, (3, 4))).astype(np.float32)
case("sigmoidFocal", lambda a, b, r: reduced(focal(a, b, 0.25, 2), r), [x, yes], slopes=1)
case("sigmoidFocal", lambda a, b, r: reduced(focal(a, b, -1, 1.5), r), [x, t], {"alpha": -1, "gamma": 1.5}, slopes=1)
case("multiLabelSoftMargin", lambda a, b, r: F.multilabel_soft_margin_loss(a, b, reduction=r), [x, yes], slopes=1)

# Distributions.
logs = torch.log_softmax(torch.tensor(real(3, 4)), 1).numpy()
target = soft[:3].copy()
target[0] = [0, 0.5, 0.5, 0]
case("klDivergence", lambda a, b, r: F.kl_div(a, b, reduction=r), [logs, target], slopes=1)
case("klDivergence", lambda a, b, r: F.kl_div(a, b, reduction=r, log_target=True), [logs, logs[::-1].copy()], {"logTarget": True})
counts = np.array([[0, 1, 2, 7], [3, 1, 0, 2], [5, 1, 4, 2]], dtype=np.float32)
case("poissonNll", lambda a, b, r: F.poisson_nll_loss(a, b, reduction=r), [x, counts])
case("poissonNll", lambda a, b, r: F.poisson_nll_loss(a, b, log_input=False, full=True, reduction=r), [p * 5, counts],
     {"logInput": False, "full": True}, slopes=1)
variance = real(3, 4, low=0.1, high=2.0)
variance[0, 0] = 1e-8
case("gaussianNll", lambda a, b, v, r: F.gaussian_nll_loss(a, b, v, reduction=r, eps=1e-2), [x, y, variance], {"epsilon": 1e-2})
case("gaussianNll", lambda a, b, v, r: F.gaussian_nll_loss(a, b, v, reduction=r, full=True), [x, y, real(3, 1, low=0.5, high=2.0)], {"full": True})

# Margins.
a, b, c = real(4, 5), real(4, 5), real(4, 5)
sign = np.array([1, -1, 1, -1], dtype=np.float32)
case("marginRanking", lambda a, b, y, r: F.margin_ranking_loss(a, b, y, margin=0.3, reduction=r), [a[0], b[0], signs(5)], {"margin": 0.3}, slopes=2)
case("hingeEmbedding", lambda a, y, r: F.hinge_embedding_loss(a, y, reduction=r), [x, signs(3, 4)], slopes=1)
case("softMargin", lambda a, y, r: F.soft_margin_loss(a, y, reduction=r), [x, signs(3, 4)], slopes=1)
case("multiMargin", lambda a, b, r: F.multi_margin_loss(a, b, reduction=r), [logits, labels])
case("multiMargin", lambda a, b, r: F.multi_margin_loss(a, b, p=2, margin=0.5, weight=w, reduction=r), [logits, labels],
     {"p": 2, "margin": 0.5, "classWeights": weights})
case("cosineEmbedding", lambda a, b, y, r: F.cosine_embedding_loss(a, b, y, margin=-0.5, reduction=r), [a, b, sign], {"margin": -0.5}, slopes=2)
case("triplet", lambda a, b, c, r: F.triplet_margin_loss(a, b, c, reduction=r), [a, b, c])
case("triplet", lambda a, b, c, r: F.triplet_margin_loss(a, b, c, margin=3, p=3, swap=True, reduction=r), [a, b, c],
     {"margin": 3, "p": 3, "swap": True})


# No counterpart in PyTorch: by their formulas.
def info_nce(q, k, temperature, symmetric):
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    own, similarity = torch.arange(len(q)), q @ k.T / temperature
    asked = F.cross_entropy(similarity, own, reduction="none")
    return (asked + F.cross_entropy(similarity.T, own, reduction="none")) / 2 if symmetric else asked


case("infoNce", lambda q, k, r: reduced(info_nce(q, k, 0.07, False), r), [a, b])
case("infoNce", lambda q, k, r: reduced(info_nce(q, k, 0.5, True), r), [a, b], {"temperature": 0.5, "symmetric": True})
case("dice", lambda q, k, r: reduced(1 - (2 * (q * k).sum(1) + 1) / (q.sum(1) + k.sum(1) + 1), r), [p, yes], slopes=1)

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../trajectories/data/losses.json")
with open(path, "w") as file:
    json.dump(cases, file, separators=(",", ":"))
    file.write("\n")
print(len(cases), "cases,", os.path.getsize(path), "bytes")
