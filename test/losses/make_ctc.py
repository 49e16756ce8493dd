"""Writes ../fixtures/ctc.json: PyTorch's CTC loss of logits and its gradients on them, in float64.

    python3 test/losses/make_ctc.py        (PyTorch 1.13 or later; a second)
"""
import json
import os

import torch
import torch.nn.functional as F

torch.manual_seed(3)
cases = []
for steps, classes, targets, inputs, lengths, blank, zero in (
    (6, 4, [[1, 2, 2], [3, 3, 1]], [6, 5], [3, 2], 0, False),
    (12, 5, [[0, 1, 1, 3], [2, 0, 0, 0], [3, 0, 1, 0]], [12, 9, 7], [4, 1, 3], 4, False),
    (3, 3, [[1, 1, 2], [2, 1, 1]], [3, 3], [3, 2], 0, True),  # the first does not fit: it takes a blank between equal labels
):
    logits = (torch.randn(len(targets), steps, classes, dtype=torch.float64) * 1.5).float().double().requires_grad_(True)
    for reduction in ("mean", "sum", "none"):
        logits.grad = None
        loss = F.ctc_loss(logits.log_softmax(-1).transpose(0, 1), torch.tensor(targets), torch.tensor(inputs), torch.tensor(lengths),
                          blank=blank, reduction=reduction, zero_infinity=zero)
        loss.sum().backward()
        cases.append({"shape": list(logits.shape), "logits": logits.flatten().tolist(), "targets": targets, "inputs": inputs, "lengths": lengths,
                      "blank": blank, "zeroInfinity": zero, "reduction": reduction, "loss": loss.flatten().tolist(),
                      "gradient": [float("%.10g" % x) for x in logits.grad.flatten()]})
with open(os.path.join(os.path.dirname(__file__), "../fixtures/ctc.json"), "w") as file:
    json.dump(cases, file)
