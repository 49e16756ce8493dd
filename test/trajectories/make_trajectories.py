"""Writes data/*.safetensors: how PyTorch trains small models, in float64 and in float32, from the same weights.

    python3 test/trajectories/make_trajectories.py [MODEL...]        (PyTorch 1.13 or later, NumPy; a few seconds)

Parameters are kept in Pollux's layout (conv [O, kH, kW, I], dense [out, in] after an NHWC flatten) and permuted inside
the forward pass, so that autograd gives the gradients in that layout too.

Each file holds
    x, y                      the batches, 4 of 16 samples; step i (from 0) trains on batch i % 4
    start/NAME                parameters before the first step, float32
    gradient/NAME             gradients of the first step, float64
    buffer/NAME               running statistics after the first step, float64
    OPTIMIZER/rate            the learning rate of each of the 20 steps; exact in float32
    OPTIMIZER/loss64, loss32  the loss of each step (mean cross-entropy; of the vae the negative evidence bound, its y being noise) in the float64 and in the float32 run
    OPTIMIZER/after1/NAME     parameters after the first step of the float64 run
and, as text metadata, the settings of each optimizer.
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

STEPS, BATCHES, BATCH, CLASSES, LATENT = 20, 4, 16, 5, 4

OPTIMIZERS = {
    "sgd": (0.5, dict(), torch.optim.SGD),
    "momentum": (0.1, dict(momentum=0.9), torch.optim.SGD),
    "nesterov": (0.1, dict(momentum=0.9, nesterov=True), torch.optim.SGD),
    "adam": (0.01, dict(), torch.optim.Adam),
    "adamw": (0.01, dict(weight_decay=0.01), torch.optim.AdamW),
}


def conv(x, p, name, stride=1, padding=0):
    """x [N, C, H, W]; the weight is stored as [O, kH, kW, I]."""
    return F.conv2d(x, p[name + ".weight"].permute(0, 3, 1, 2), p[name + ".bias"], stride, padding)


def transposed(x, p, name, **options):
    """x [N, C, H, W]; the weight is stored as [I, kH, kW, O]."""
    return F.conv_transpose2d(x, p[name + ".weight"].permute(0, 3, 1, 2), p[name + ".bias"], **options)


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


def group_norm_cnn(x, p, b):
    def group_norm(x, name):
        return F.group_norm(x, 4, p[name + ".weight"], p[name + ".bias"])

    x = F.avg_pool2d(F.silu(group_norm(conv(x.permute(0, 3, 1, 2), p, "conv1"), "group1")), 2)
    return dense(flatten(F.silu(group_norm(conv(x, p, "conv2"), "group2"))), p, "dense")


def resnet(x, p, b):
    """With silu: of thousands of relus one has its kink between the two precisions, now and then."""
    def block(x, name, stride):
        y = F.silu(norm(conv(x, p, name + ".conv1", stride, 1), p, b, name + ".norm1"))
        y = norm(conv(y, p, name + ".conv2", 1, 1), p, b, name + ".norm2")
        return F.silu(y + (conv(x, p, name + ".shortcut", stride) if stride > 1 else x))

    x = F.silu(norm(conv(x.permute(0, 3, 1, 2), p, "stem", 1, 1), p, b, "norm"))
    return dense(block(block(x, "block1", 1), "block2", 2).mean((2, 3)), p, "dense")


def vae(x, p, b):
    """Logits of the pixels, mean and logarithm of the variance; `noise` is the batch's y."""
    h = flatten(torch.relu(conv(x.permute(0, 3, 1, 2), p, "conv", 2, 1)))
    mean, log_variance = dense(h, p, "mean"), dense(h, p, "logVariance")

    def decode(noise):
        z = dense(mean + (log_variance / 2).exp() * noise, p, "dense").relu()
        h = transposed(z.reshape(-1, 4, 4, 6).permute(0, 3, 1, 2), p, "up1", stride=2, padding=1, output_padding=1).relu()
        return transposed(h, p, "up2", padding=1).permute(0, 2, 3, 1)

    return decode, mean, log_variance


def cross_entropy(outputs, x, y):
    return F.cross_entropy(outputs, torch.tensor(y, dtype=torch.int64))


def evidence(outputs, x, y):
    """The negative lower bound of Kingma and Welling (2014) for each pixel: one draw for each sample, its noise being y."""
    decode, mean, log_variance = outputs
    pixels = F.binary_cross_entropy_with_logits(decode(torch.tensor(y, dtype=x.dtype)), torch.sigmoid(x), reduction="sum")
    divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum()
    return (pixels + divergence) / x.numel()


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


def transformer(x, p, b, pre_norm, causal):
    """Two layers of three heads and a mean over the sequence; normalised before or after each branch."""
    def layer_norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"])

    def attend(x, name):
        q, k, v = (dense(x, p, name + part).unflatten(-1, (3, -1)).transpose(1, 2) for part in (".query", ".key", ".value"))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
        return dense((torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(-2), p, name + ".output")

    def beside(x, name, branch):
        return x + branch(layer_norm(x, name)) if pre_norm else layer_norm(x + branch(x), name)

    x = dense(x, p, "embed")
    for layer in ("encoder.layers.0.", "encoder.layers.1."):
        x = beside(x, layer + "attentionNorm", lambda y: attend(y, layer + "selfAttention"))
        x = beside(x, layer + "feedForwardNorm",
                   lambda y: dense(F.gelu(dense(y, p, layer + "feedForward.up")), p, layer + "feedForward.down"))
    return dense((layer_norm(x, "encoder.norm") if pre_norm else x).mean(1), p, "dense")


def transformer_layers(pre_norm):
    layer = {**{f"selfAttention.{name}": (12, 12) for name in ("query", "key", "value", "output")}, "attentionNorm": (12,),
             "feedForward.up": (16, 12), "feedForward.down": (12, 16), "feedForwardNorm": (12,)}
    layers = {f"encoder.layers.{i}.{name}": shape for i in range(2) for name, shape in layer.items()}
    return {"embed": (12, 6), **layers, **({"encoder.norm": (12,)} if pre_norm else {}), "dense": (CLASSES, 12)}


MODELS = {
    "mlp": (mlp, (20,), {"dense1": (32, 20), "dense2": (32, 32), "dense3": (CLASSES, 32)}),
    "cnn": (cnn, (12, 12, 1), {"conv": (8, 3, 3, 1), "dense1": (16, 5 * 5 * 8), "dense2": (CLASSES, 16)}),
    "batch-norm-cnn": (batch_norm_cnn, (12, 12, 1),
                       {"conv1": (8, 3, 3, 1), "norm1": (8,), "conv2": (16, 3, 3, 8), "norm2": (16,), "dense": (CLASSES, 3 * 3 * 16)}),
    "lstm": (lstm, (7, 6), {"lstm": {"gates": 4, "in": 6, "hidden": 12, "directions": 1}, "dense": (CLASSES, 12)}),
    "bidirectional-gru": (bidirectional_gru, (7, 6),
                          {"gru": {"gates": 3, "in": 6, "hidden": 10, "directions": 2}, "dense": (CLASSES, 20)}),
    "resnet": (resnet, (8, 8, 1),
               {"stem": (8, 3, 3, 1), "norm": (8,),
                "block1.conv1": (8, 3, 3, 8), "block1.norm1": (8,), "block1.conv2": (8, 3, 3, 8), "block1.norm2": (8,),
                "block2.conv1": (12, 3, 3, 8), "block2.norm1": (12,), "block2.conv2": (12, 3, 3, 12), "block2.norm2": (12,),
                "block2.shortcut": (12, 1, 1, 8), "dense": (CLASSES, 12)}),
    "vae": (vae, (8, 8, 1),
            {"conv": (6, 3, 3, 1), "mean": (LATENT, 96), "logVariance": (LATENT, 96), "dense": (96, LATENT),
             "up1": (6, 3, 3, 4), "up2": (4, 3, 3, 1)}),
    "transformer-encoder": (lambda x, p, b: transformer(x, p, b, False, False), (7, 6), transformer_layers(False)),
    "causal-transformer": (lambda x, p, b: transformer(x, p, b, True, True), (7, 6), transformer_layers(True)),
    "group-norm-cnn": (group_norm_cnn, (12, 12, 1),
                       {"conv1": (8, 3, 3, 1), "group1": (8,), "conv2": (16, 3, 3, 8), "group2": (16,), "dense": (CLASSES, 3 * 3 * 16)}),
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
            if "encoder" in name or name.startswith("group"):
                continue
            buffers[name + ".runningMean"], buffers[name + ".runningVariance"] = np.zeros(shape), np.ones(shape)
        else:
            bound = 1 / np.sqrt(np.prod(shape[1:]))
            parameters[name + ".weight"] = random.uniform(-bound, bound, shape)
            parameters[name + ".bias"] = random.uniform(-bound, bound, shape[-1:] if name.startswith("up") else shape[:1])
    to32 = lambda arrays: {name: array.astype(np.float32) for name, array in arrays.items()}
    return to32(parameters), to32(buffers)


RATES = {"resnet": 0.2}  # of the usual rate: SGD would leave the region where two precisions stay together


def rates_of(base):
    """A rise over five steps, then a slow fall."""
    steps = np.arange(STEPS)
    return (base * np.minimum((steps + 1) / 5, 1) * (1 - steps / 40)).astype(np.float32)


def train(forward, x, y, start, buffers, optimizer, dtype, loss_of=cross_entropy, scale=1):
    """Losses of all steps, and what the first step left: gradients, parameters, buffers."""
    base, settings, kind = OPTIMIZERS[optimizer]
    p = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in start.items()}
    b = {name: torch.tensor(value, dtype=dtype) for name, value in buffers.items()}
    update = kind(p.values(), lr=base, **settings)
    losses, first = [], {}
    for step, rate in enumerate(rates_of(base * scale)):
        for group in update.param_groups:
            group["lr"] = float(rate)
        update.zero_grad()
        batch = torch.tensor(x[step % BATCHES], dtype=dtype)
        loss = loss_of(forward(batch, p, b), batch, y[step % BATCHES])
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
    codes = {"float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64"}
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
        if len(sys.argv) > 1 and model not in sys.argv[1:]:
            continue
        random = np.random.RandomState(seed)
        x = random.randn(BATCHES, BATCH, *sample).astype(np.float32)
        y = (x.reshape(BATCHES, BATCH, -1) @ random.randn(int(np.prod(sample)), CLASSES)).argmax(-1).astype(np.int32)
        loss_of, scale = cross_entropy, RATES.get(model, 1)
        if model == "vae":
            loss_of, y = evidence, random.randn(BATCHES, BATCH, LATENT).astype(np.float32)
        start, buffers = start_of(layers, random)
        tensors = {"x": x, "y": y, **{"start/" + name: value for name, value in start.items()}}
        for optimizer, (base, _, _) in OPTIMIZERS.items():
            loss64, first = train(forward, x, y, start, buffers, optimizer, torch.float64, loss_of, scale)
            loss32, _ = train(forward, x, y, start, buffers, optimizer, torch.float32, loss_of, scale)
            for kind in ("gradient", "buffer"):
                tensors.update({kind + "/" + name: value for name, value in first[kind].items()})
            tensors.update({optimizer + "/rate": rates_of(base * scale), optimizer + "/loss64": loss64, optimizer + "/loss32": loss32})
            tensors.update({optimizer + "/after1/" + name: value for name, value in first["after1"].items()})
            drift = np.abs(loss32 - loss64).max()
            print(f"{model} {optimizer}: loss {loss64[0]:.4f} to {loss64[-1]:.4f}, float32 at most {drift:.1e} away")
        settings = {name: json.dumps(options) for name, (_, options, _) in OPTIMIZERS.items()}
        write_safetensors(os.path.join(folder, model + ".safetensors"), tensors, {"torch": torch.__version__, **settings})


if __name__ == "__main__":
    main()
