"""Writes data/optimizers.json: how PyTorch's other optimizers train the MLP of make_trajectories.py for 20 steps.

    python3 test/trajectories/make_optimizers.py          (PyTorch 1.13 or later, NumPy; a few seconds)

The weights, the batches and the rates are those of data/mlp.safetensors. For each name: the rate of each step (exact in float32),
and the loss of each step in a float64 and in a float32 run.
"""
import json
import os

import numpy as np
import torch

import make_trajectories as base


class NAdam(torch.optim.Optimizer):
    """NAdam as PyTorch has it from 2.0: 1.13 took mu_product * mu * mu_next where mu_product already holds mu."""

    def __init__(self, parameters, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3):
        super().__init__(parameters, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, product=1.0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
                state["step"] += 1
                t = state["step"]
                grad = p.grad.add(p, alpha=group["weight_decay"])
                mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (t, t + 1))
                state["product"] *= mu
                state["mean"].mul_(beta1).add_(grad, alpha=1 - beta1)
                state["square"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
                denominator = state["square"].div(1 - beta2 ** t).sqrt().add_(group["eps"])
                p.addcdiv_(grad, denominator, value=-group["lr"] * (1 - mu) / (1 - state["product"]))
                p.addcdiv_(state["mean"], denominator, value=-group["lr"] * mu_next / (1 - state["product"] * mu_next))


OPTIMIZERS = {
    "amsgrad": (0.01, dict(amsgrad=True), torch.optim.Adam),
    "amsgrad-decoupled": (0.01, dict(amsgrad=True, weight_decay=0.05), torch.optim.AdamW),
    "nadam": (0.01, dict(weight_decay=0.01), NAdam),
    "radam": (0.02, dict(weight_decay=0.01), torch.optim.RAdam),
    "adamax": (0.02, dict(weight_decay=0.01), torch.optim.Adamax),
    "rmsprop": (0.003, dict(weight_decay=0.01), torch.optim.RMSprop),
    "rmsprop-centered": (0.003, dict(centered=True, momentum=0.5, alpha=0.9), torch.optim.RMSprop),
    "adagrad": (0.05, dict(lr_decay=0.05, weight_decay=0.01, initial_accumulator_value=0.1), torch.optim.Adagrad),
    "adadelta": (1.0, dict(weight_decay=0.01), torch.optim.Adadelta),
    "rprop": (0.01, dict(), torch.optim.Rprop),
}


def main():
    torch.set_num_threads(1)
    base.OPTIMIZERS = OPTIMIZERS
    forward, sample, layers = base.MODELS["mlp"]
    random = np.random.RandomState(0)
    x = random.randn(base.BATCHES, base.BATCH, *sample).astype(np.float32)
    y = (x.reshape(base.BATCHES, base.BATCH, -1) @ random.randn(int(np.prod(sample)), base.CLASSES)).argmax(-1).astype(np.int32)
    start, buffers = base.start_of(layers, random)
    runs = {}
    for name, (rate, _, _) in OPTIMIZERS.items():
        loss64, _ = base.train(forward, x, y, start, buffers, name, torch.float64)
        loss32, _ = base.train(forward, x, y, start, buffers, name, torch.float32)
        runs[name] = {"rate": base.rates_of(rate).tolist(), "loss64": loss64.tolist(), "loss32": loss32.tolist()}
        print(f"{name}: loss {loss64[0]:.4f} to {loss64[-1]:.4f}, float32 at most {np.abs(loss32 - loss64).max():.1e} away")
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    with open(os.path.join(folder, "optimizers.json"), "w") as file:
        json.dump(runs, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
