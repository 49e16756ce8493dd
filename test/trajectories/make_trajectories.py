"""Writes data/*.safetensors: how PyTorch trains small models, in float64 and in float32, from the same weights.

    python3 test/trajectories/make_trajectories.py        (PyTorch 1.13 or later, NumPy; a few seconds)

Parameters are kept in Pollux's layout (conv [O, kH, kW, I], dense [out, in] after an NHWC flatten) and permuted inside
the forward pass, so that autograd gives the gradients in that layout too.

Each file holds
    x, y                      the batches, 4 of 16 samples; step i (from 0) trains on batch i % 4
    start/NAME                parameters before the first step, float32
    gradient/NAME             gradients of the first step, float64
    buffer/NAME               running statistics after the first step, float64
    OPTIMIZER/rate            the learning rate of each of the 20 steps; exact in float32
    OPTIMIZER/loss64, loss32  the loss of each step (mean cross-entropy) in the float64 and in the float32 run
    OPTIMIZER/after1/NAME     parameters after the first step of the float64 run
and, as text metadata, the settings of each optimizer.
"""
import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

STEPS, BATCHES, BATCH, CLASSES = 20, 4, 16, 5

OPTIMIZERS = {
    "sgd": (0.5, dict(), torch.optim.SGD),
    "momentum": (0.1, dict(momentum=0.9), torch.optim.SGD),
    "nesterov": (0.1, dict(momentum=0.9, nesterov=True), torch.optim.SGD),
    "adam": (0.01, dict(), torch.optim.Adam),
    "adamw": (0.01, dict(weight_decay=0.01), torch.optim.AdamW),
}


def conv(x, p, name):
    """x [N, C, H, W]; the weight is stored as [O, kH, kW, I]."""
    return F.conv2d(x, p[name + ".weight"].permute(0, 3, 1, 2), p[name + ".bias"])


def dense(x, p, name):
    return F.linear(x, p[name + ".weight"], p[name + ".bias"])


def norm(x, p, b, name):
    return F.batch_norm(x, b[name + ".runningMean"], b[name + ".runningVariance"], p[name + ".weight"], p[name + ".bias"],
                        training=True, momentum=0.1, eps=1e-5)


def flatten(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def mlp(x, p, b):
    return dense(torch.relu(dense(torch.relu(dense(x, p, "dense1")), p, "dense2")), p, "dense3")


def cnn(x, p, b):
    x = F.max_pool2d(torch.relu(conv(x.permute(0, 3, 1, 2), p, "conv")), 2)
    return dense(torch.relu(dense(flatten(x), p, "dense1")), p, "dense2")


def batch_norm_cnn(x, p, b):
    x = F.max_pool2d(torch.relu(norm(conv(x.permute(0, 3, 1, 2), p, "conv1"), p, b, "norm1")), 2)
    return dense(flatten(torch.relu(norm(conv(x, p, "conv2"), p, b, "norm2"))), p, "dense")


def recurrent(p, name, directions):
    """The flat weights of one layer, as torch.lstm and torch.gru take them, and the zeros that it starts from."""
    weights = [p[f"{name}.{where}.0.{kind}"] for where in ("layers", "reverseLayers")[:directions]
               for kind in ("inputWeight", "hiddenWeight", "inputBias", "hiddenBias")]
    return weights, lambda x: torch.zeros(directions, x.shape[0], weights[1].shape[1], dtype=x.dtype)


def lstm(x, p, b):
    weights, zeros = recurrent(p, "lstm", 1)
    _, h, _ = torch.lstm(x, [zeros(x), zeros(x)], weights, True, 1, 0.0, True, False, True)
    return dense(h[0], p, "dense")


def bidirectional_gru(x, p, b):
    weights, zeros = recurrent(p, "gru", 2)
    _, h = torch.gru(x, zeros(x), weights, True, 1, 0.0, True, True, True)
    return dense(torch.cat([h[0], h[1]], -1), p, "dense")


MODELS = {
    "mlp": (mlp, (20,), {"dense1": (32, 20), "dense2": (32, 32), "dense3": (CLASSES, 32)}),
    "cnn": (cnn, (12, 12, 1), {"conv": (8, 3, 3, 1), "dense1": (16, 5 * 5 * 8), "dense2": (CLASSES, 16)}),
    "batch-norm-cnn": (batch_norm_cnn, (12, 12, 1),
                       {"conv1": (8, 3, 3, 1), "norm1": (8,), "conv2": (16, 3, 3, 8), "norm2": (16,), "dense": (CLASSES, 3 * 3 * 16)}),
    "lstm": (lstm, (7, 6), {"lstm": {"gates": 4, "in": 6, "hidden": 12, "directions": 1}, "dense": (CLASSES, 12)}),
    "bidirectional-gru": (bidirectional_gru, (7, 6),
                          {"gru": {"gates": 3, "in": 6, "hidden": 10, "directions": 2}, "dense": (CLASSES, 20)}),
}


def start_of(layers, random):
    """Weights uniform in +-1/sqrt(fan in), as PyTorch's layers draw them; batch norm near the identity."""
    parameters, buffers = {}, {}
    for name, shape in layers.items():
        if isinstance(shape, dict):
            rows, bound = shape["gates"] * shape["hidden"], 1 / np.sqrt(shape["hidden"])
            sizes = {"inputWeight": (rows, shape["in"]), "hiddenWeight": (rows, shape["hidden"]), "inputBias": (rows,), "hiddenBias": (rows,)}
            for where in ("layers", "reverseLayers")[:shape["directions"]]:
                for kind, size in sizes.items():
                    parameters[f"{name}.{where}.0.{kind}"] = random.uniform(-bound, bound, size)
        elif len(shape) == 1:
            parameters[name + ".weight"] = 1 + 0.1 * random.randn(*shape)
            parameters[name + ".bias"] = 0.1 * random.randn(*shape)
            buffers[name + ".runningMean"], buffers[name + ".runningVariance"] = np.zeros(shape), np.ones(shape)
        else:
            bound = 1 / np.sqrt(np.prod(shape[1:]))
            parameters[name + ".weight"] = random.uniform(-bound, bound, shape)
            parameters[name + ".bias"] = random.uniform(-bound, bound, shape[:1])
    to32 = lambda arrays: {name: array.astype(np.float32) for name, array in arrays.items()}
    return to32(parameters), to32(buffers)


def rates_of(base):
    """A rise over five steps, then a slow fall."""
    steps = np.arange(STEPS)
    return (base * np.minimum((steps + 1) / 5, 1) * (1 - steps / 40)).astype(np.float32)


def train(forward, x, y, start, buffers, optimizer, dtype):
    """Losses of all steps, and what the first step left: gradients, parameters, buffers."""
    base, settings, kind = OPTIMIZERS[optimizer]
    p = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in start.items()}
    b = {name: torch.tensor(value, dtype=dtype) for name, value in buffers.items()}
    update = kind(p.values(), lr=base, **settings)
    losses, first = [], {}
    for step, rate in enumerate(rates_of(base)):
        for group in update.param_groups:
            group["lr"] = float(rate)
        update.zero_grad()
        batch = torch.tensor(x[step % BATCHES], dtype=dtype)
        loss = F.cross_entropy(forward(batch, p, b), torch.tensor(y[step % BATCHES], dtype=torch.int64))
        loss.backward()
        update.step()
        losses.append(loss.item())
        if step == 0:
            first = {kind: {name: value.numpy().copy() for name, value in tensors.items()} for kind, tensors in (
                ("gradient", {name: value.grad for name, value in p.items()}),
                ("after1", {name: value.detach() for name, value in p.items()}),
                ("buffer", b))}
    return np.array(losses, dtype=np.float64), first


def write_safetensors(path, tensors, metadata):
    codes = {"float32": "F32", "float64": "F64", "int32": "I32"}
    header, offset = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": codes[array.dtype.name], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def main():
    torch.set_num_threads(1)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    for seed, (model, (forward, sample, layers)) in enumerate(MODELS.items()):
        random = np.random.RandomState(seed)
        x = random.randn(BATCHES, BATCH, *sample).astype(np.float32)
        y = (x.reshape(BATCHES, BATCH, -1) @ random.randn(int(np.prod(sample)), CLASSES)).argmax(-1).astype(np.int32)
        start, buffers = start_of(layers, random)
        tensors = {"x": x, "y": y, **{"start/" + name: value for name, value in start.items()}}
        for optimizer, (base, _, _) in OPTIMIZERS.items():
            loss64, first = train(forward, x, y, start, buffers, optimizer, torch.float64)
            loss32, _ = train(forward, x, y, start, buffers, optimizer, torch.float32)
            for kind in ("gradient", "buffer"):
                tensors.update({kind + "/" + name: value for name, value in first[kind].items()})
            tensors.update({optimizer + "/rate": rates_of(base), optimizer + "/loss64": loss64, optimizer + "/loss32": loss32})
            tensors.update({optimizer + "/after1/" + name: value for name, value in first["after1"].items()})
            drift = np.abs(loss32 - loss64).max()
            print(f"{model} {optimizer}: loss {loss64[0]:.4f} to {loss64[-1]:.4f}, float32 at most {drift:.1e} away")
        settings = {name: json.dumps(options) for name, (_, options, _) in OPTIMIZERS.items()}
        write_safetensors(os.path.join(folder, model + ".safetensors"), tensors, {"torch": torch.__version__, **settings})


if __name__ == "__main__":
    main()
