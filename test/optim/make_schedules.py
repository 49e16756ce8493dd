"""Writes ../trajectories/data/schedules.json: the learning rates of PyTorch's schedulers, step by step.

    python3 test/optim/make_schedules.py        (PyTorch 1.13 or later)
"""
import json
import os

import torch
import torch.optim.lr_scheduler as lr

STEPS = 40
METRICS = [3.0, 2.0, 1.5, 1.5, 1.49999, 1.6, 1.2, 1.3, 1.25, 1.21, 1.2, 1.2, 1.2, 1.2, 1.2, 1.0, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1]


def rates(make, base, metrics=None):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler = make(optimizer)
    found = []
    for step in range(len(metrics) if metrics else STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([metrics[step]] if metrics else []))
    return found


stored = {
    "step": rates(lambda o: lr.StepLR(o, 7, 0.5), 0.1),
    "multiStep": rates(lambda o: lr.MultiStepLR(o, [3, 10, 30], 0.2), 0.1),
    "exponential": rates(lambda o: lr.ExponentialLR(o, 0.9), 0.1),
    "polynomial": rates(lambda o: lr.PolynomialLR(o, 30, 2), 0.1),
    "linear": rates(lambda o: lr.LinearLR(o, 0.25, 1.0, 12), 0.1),
    "cosine": rates(lambda o: lr.CosineAnnealingLR(o, STEPS, 0.01), 0.1),
    "cosineRestarts": rates(lambda o: lr.CosineAnnealingWarmRestarts(o, 5, 2, 0.001), 0.1),
    "oneCycle": rates(lambda o: lr.OneCycleLR(o, 0.1, STEPS, cycle_momentum=False), 0.1),
    "chain": rates(lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.1, 1.0, 8), lr.ExponentialLR(o, 0.9)], [8]), 0.1),
    "multiply": rates(lambda o: lr.ChainedScheduler([lr.StepLR(o, 10, 0.5), lr.ExponentialLR(o, 0.95)]), 0.1),
    "plateau": rates(lambda o: lr.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, min_lr=0.01), 0.1, METRICS),
    "plateauMax": rates(lambda o: lr.ReduceLROnPlateau(o, mode="max", factor=0.1, patience=0, threshold=0.1, threshold_mode="abs"), 0.1, METRICS),
    "metrics": METRICS,
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../trajectories/data/schedules.json")
with open(path, "w") as file:
    json.dump(stored, file, separators=(",", ":"))
    file.write("\n")
