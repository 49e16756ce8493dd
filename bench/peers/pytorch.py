"""PyTorch as a program of the benchmark (bench/serve.ts says what a program owes), run as its users run it at its best:
channels last, the fused or batched optimizer, eager and compiled. Every variant that works is tried; the fastest is measured.
"""
import json
import os
import statistics
import sys
import time

import torch
import torch.nn as nn

WORKLOAD, PRECISION = sys.argv[1], sys.argv[2]
AUTOCAST = PRECISION == "bfloat16"


def optimizers(kind, **settings):
    """The ways this PyTorch can run an optimizer on the CPU, as functions of the parameters."""
    for options in (dict(fused=True), dict(foreach=True), dict()):
        def make(parameters, options=options):
            optimizer = kind(parameters, **settings, **options)
            return optimizer
        try:  # older versions refuse `fused` on the CPU, some only at the first step
            probe = torch.ones(2, requires_grad=True)
            probe.grad = torch.ones(2)
            make([probe]).step()
        except (RuntimeError, TypeError, ValueError):
            continue
        yield "+".join(options) or "plain", make


def compilers():
    """Eager, and torch.compile where there is one. It fails at its first call where it has no compiler."""
    yield "eager", lambda module: module
    if hasattr(torch, "compile"):
        yield "compiled", torch.compile


def mnist_cnn():
    batch = 128
    x = (torch.arange(batch * 28 * 28) * 2654435761 % 2**32 / 2**32).float().reshape(batch, 1, 28, 28)
    y = torch.arange(batch) % 10
    for layout_name, layout in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
        for compiler, wrap in compilers():
            for name, make in optimizers(torch.optim.Adam, lr=1e-3):
                torch.manual_seed(0)
                model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                      nn.Linear(32 * 13 * 13, 64), nn.ReLU(), nn.Linear(64, 10)).to(memory_format=layout)
                optimizer, forward, image = make(model.parameters()), wrap(model), x.contiguous(memory_format=layout)

                def step():
                    optimizer.zero_grad(set_to_none=True)
                    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=AUTOCAST):
                        loss = nn.functional.cross_entropy(forward(image), y)
                    loss.backward()
                    optimizer.step()
                    return loss

                yield f"{layout_name}, {compiler}, {name} Adam", step


def train(kind, make_model, x, y, **settings):
    """Steps of cross-entropy on one batch, for each way to run the model and the optimizer."""
    for compiler, wrap in compilers():
        for name, make in optimizers(kind, **settings):
            torch.manual_seed(0)
            model = make_model()
            optimizer, forward = make(model.parameters()), wrap(model)

            def step():
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=AUTOCAST):
                    loss = nn.functional.cross_entropy(forward(x).flatten(0, -2), y)
                loss.backward()
                optimizer.step()
                return loss

            yield f"{compiler}, {name} {kind.__name__}", step


class LanguageModel(nn.Module):
    def __init__(self, words, size, layers, length):
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.norm1 = nn.ModuleList([nn.LayerNorm(size) for _ in range(layers)])
        self.norm2 = nn.ModuleList([nn.LayerNorm(size) for _ in range(layers)])
        self.project = nn.ModuleList([nn.Linear(size, 3 * size) for _ in range(layers)])
        self.out = nn.ModuleList([nn.Linear(size, size) for _ in range(layers)])
        self.feed = nn.ModuleList([nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))
                                   for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, words)
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1))

    def attend(self, q, k, v):
        if hasattr(nn.functional, "scaled_dot_product_attention"):
            return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return ((q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5 + self.mask).softmax(-1) @ v

    def forward(self, ids):
        x = self.embedding(ids)
        batch, length, size = x.shape
        for norm1, project, out, norm2, feed in zip(self.norm1, self.project, self.out, self.norm2, self.feed):
            q, k, v = project(norm1(x)).view(batch, length, 3, 4, size // 4).permute(2, 0, 3, 1, 4)
            x = x + out(self.attend(q, k, v).transpose(1, 2).reshape(batch, length, size))
            x = x + feed(norm2(x))
        return self.head(self.norm(x))


def transformer():
    batch, length, size, layers, words = 16, 128, 256, 4, 5000
    ids = torch.arange(batch * length) * 2654435761 % words
    yield from train(torch.optim.AdamW, lambda: LanguageModel(words, size, layers, length), ids.reshape(batch, length),
                     (ids + 1) % words, lr=1e-3, weight_decay=0.01)


class Classifier(nn.Module):
    def __init__(self, words, size, units, classes):
        super().__init__()
        self.embedding, self.head = nn.Embedding(words, size), nn.Linear(units, classes)
        self.lstm = nn.LSTM(size, units, batch_first=True)

    def forward(self, ids):
        return self.head(self.lstm(self.embedding(ids))[0][:, -1])


def recurrent():
    batch, length, size, units, words, classes = 32, 100, 128, 256, 5000, 5
    ids = torch.arange(batch * length) * 2654435761 % words
    yield from train(torch.optim.Adam, lambda: Classifier(words, size, units, classes), ids.reshape(batch, length),
                     torch.arange(batch) % classes, lr=1e-3)


def optimizer_update():
    for name, make in optimizers(torch.optim.AdamW, lr=1e-3, weight_decay=0.01):
        parameter = torch.zeros(50_000_000, requires_grad=True)
        parameter.grad = torch.full_like(parameter, 1e-3)
        optimizer = make([parameter])

        def step():
            optimizer.step()
            return parameter[0]

        yield f"{name} AdamW", step


def time_steps(step, count):
    times, result = [], None
    for _ in range(count):
        start = time.perf_counter()
        result = step()
        times.append((time.perf_counter() - start) * 1e3)
    return times, result


def best(variants):
    """(name, step) of the variant with the least median of 5 steps, after 2 to warm up."""
    name, step, least = None, None, float("inf")
    for candidate, run in variants:
        try:
            time_steps(run, 2)
            took = statistics.median(time_steps(run, 5)[0])
        except Exception as error:  # a variant that this version or machine cannot run is no variant
            print(f"{candidate}: {error}", file=sys.stderr)
            continue
        if took < least:
            name, step, least = candidate, run, took
    return name, step


def main():
    torch.set_num_threads(int(os.environ.get("POLLUX_THREADS") or os.cpu_count()))
    workloads = {"mnist-cnn": mnist_cnn, "transformer": transformer, "recurrent": recurrent,
                 "optimizer": optimizer_update}
    if WORKLOAD not in workloads or (AUTOCAST and WORKLOAD == "optimizer"):
        print(json.dumps({"unavailable": f"PyTorch has no program for {WORKLOAD} in {PRECISION}"}), flush=True)
        return
    name, step = best(workloads[WORKLOAD]())
    if step is None:
        print(json.dumps({"unavailable": "no variant runs on this PyTorch"}), flush=True)
        return
    print(json.dumps({"title": f"PyTorch {torch.__version__}, {name}, {torch.get_num_threads()} threads"}), flush=True)
    for line in sys.stdin:
        times, result = time_steps(step, int(line))
        print(json.dumps({"ms": times, "result": float(result)}), flush=True)


if __name__ == "__main__":
    main()
