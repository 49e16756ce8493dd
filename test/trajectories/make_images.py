"""Writes data/images.safetensors: values and gradients of PyTorch's convolutions, poolings and resizings, in float64.

    python3 test/trajectories/make_images.py        (PyTorch 1.13 or later, NumPy; a second)

Each case CASE (see CASES) holds
    CASE/x                    the input, channels last, float32
    CASE/weight, CASE/bias    where the case has them, in Pollux's layout ([out, k.., in / groups]; transposed [in, k.., out / groups])
    CASE/y                    the output, channels last
    CASE/factor               what y is multiplied with in the sum that is differentiated
    CASE/gradient/NAME        gradients of that sum by x, weight and bias
"""
import os

import numpy as np
import torch
import torch.nn.functional as F

from make_trajectories import write_safetensors

IMAGE, LINE = (2, 3, 7, 9), (2, 4, 11)  # [N, C, H, W], [N, C, L]


def unfold(x, **options):
    """Channels last: [N, places, kH * kW * C]; handed on as [N, kH * kW * C, places]."""
    kernel = options["kernel_size"]
    y = F.unfold(x, **options)
    n, _, places = y.shape
    return y.reshape(n, x.shape[1], kernel[0] * kernel[1], places).permute(0, 2, 1, 3).reshape(n, -1, places)


def fold(x, **options):
    """x [N, kH * kW * C, places] as Pollux orders it."""
    kernel = options["kernel_size"]
    taps = kernel[0] * kernel[1]
    n, size, places = x.shape
    return F.fold(x.reshape(n, taps, size // taps, places).permute(0, 2, 1, 3).reshape(n, size, places), **options)


# name: (function of x [, weight, bias], shape of x, shape of weight, channels of bias)
CASES = {
    "conv2d-groups": (lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=3), (2, 6, 7, 9), (9, 2, 3, 3), 9),
    "conv2d-depthwise": (lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=2, dilation=2, groups=5), (2, 5, 8, 9), (5, 1, 3, 3), 5),
    "conv2d-multiplier": (lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=3), IMAGE, (6, 1, 3, 3), 6),
    "conv2d-same": (lambda x, w, b: F.conv2d(x, w, b, padding="same", dilation=(1, 3)), IMAGE, (4, 3, 2, 3), 4),
    "conv2d-reflect": (lambda x, w, b: F.conv2d(F.pad(x, (2, 1, 1, 3), mode="reflect"), w, b), IMAGE, (4, 3, 3, 3), 4),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=3, dilation=2, groups=2), LINE, (6, 2, 3), 6),
    "conv1d-causal": (lambda x, w, b: F.conv1d(F.pad(x, (4, 0)), w, b, dilation=2), LINE, (3, 4, 3), 3),
    "conv1d-circular": (lambda x, w, b: F.conv1d(F.pad(x, (2, 2), mode="circular"), w, b), LINE, (3, 4, 5), 3),
    "transpose2d": (lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1), IMAGE, (3, 5, 3, 3), 5),
    "transpose2d-groups": (lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(3, 2), padding=(0, 2), output_padding=(2, 1), dilation=(2, 3), groups=2),
                           (2, 4, 4, 5), (4, 3, 3, 2), 6),
    "transpose2d-wide": (lambda x, w, b: F.conv_transpose2d(x, w, b, stride=1, dilation=3, output_padding=2), (1, 2, 3, 4), (2, 3, 2, 2), 3),
    "transpose1d": (lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=2, output_padding=2, groups=2), LINE, (4, 3, 4), 6),
    "pad-reflect": (lambda x: F.pad(x, (3, 2, 1, 4), mode="reflect"), IMAGE),
    "pad-replicate": (lambda x: F.pad(x, (3, 2, 9, 4), mode="replicate"), IMAGE),
    "pad-circular": (lambda x: F.pad(x, (9, 2, 1, 7), mode="circular"), IMAGE),
    "max2d-ceil": (lambda x: F.max_pool2d(x, (3, 2), stride=(2, 3), padding=1, ceil_mode=True), IMAGE),
    "avg2d-ceil": (lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), (2, 3, 8, 10)),
    "avg2d-ceil-image": (lambda x: F.avg_pool2d(x, 3, stride=2, ceil_mode=True, count_include_pad=False), (2, 3, 8, 10)),
    "avg2d-ceil-dropped": (lambda x: F.avg_pool2d(x, 2, stride=3, padding=1, ceil_mode=True), (2, 3, 6, 7)),
    "max1d": (lambda x: F.max_pool1d(x, 3, stride=2, padding=1), LINE),
    "avg1d": (lambda x: F.avg_pool1d(x, 4, stride=3, padding=2, ceil_mode=True), LINE),
    "adaptive-avg": (lambda x: F.adaptive_avg_pool2d(x, (3, 4)), IMAGE),
    "adaptive-avg-whole": (lambda x: F.adaptive_avg_pool2d(x, (7, 3)), IMAGE),
    "adaptive-avg-larger": (lambda x: F.adaptive_avg_pool2d(x, (9, 5)), IMAGE),
    "adaptive-max": (lambda x: F.adaptive_max_pool2d(x, (3, 4)), IMAGE),
    "adaptive-max-large": (lambda x: F.adaptive_max_pool2d(x, (1, 2)), (1, 2, 17, 35)),
    "adaptive-avg1d": (lambda x: F.adaptive_avg_pool1d(x, 4), LINE),
    "adaptive-max1d": (lambda x: F.adaptive_max_pool1d(x, 7), LINE),
    "lp2d": (lambda x: F.lp_pool2d(x, 2, (2, 3), stride=2), IMAGE),
    "nearest": (lambda x: F.interpolate(x, size=(11, 4), mode="nearest"), IMAGE),
    "nearest-exact": (lambda x: F.interpolate(x, size=(11, 4), mode="nearest-exact"), IMAGE),
    "bilinear": (lambda x: F.interpolate(x, size=(11, 4), mode="bilinear", align_corners=False), IMAGE),
    "bilinear-aligned": (lambda x: F.interpolate(x, size=(11, 4), mode="bilinear", align_corners=True), IMAGE),
    "bilinear-scale": (lambda x: F.interpolate(x, scale_factor=(1.7, 2.6), mode="bilinear", align_corners=False), IMAGE),
    "bicubic": (lambda x: F.interpolate(x, size=(11, 4), mode="bicubic", align_corners=False), IMAGE),
    "bicubic-aligned": (lambda x: F.interpolate(x, scale_factor=2.3, mode="bicubic", align_corners=True), IMAGE),
    "area": (lambda x: F.interpolate(x, size=(5, 4), mode="area"), IMAGE),
    "linear": (lambda x: F.interpolate(x, size=17, mode="linear", align_corners=True), LINE),
    "unfold": (lambda x: unfold(x, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), IMAGE),
    "fold": (lambda x: fold(x, output_size=(7, 9), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), (2, 12, 28)),
    "pixel-shuffle": (lambda x: F.pixel_shuffle(x, 2), (2, 12, 3, 4)),
    "pixel-unshuffle": (lambda x: F.pixel_unshuffle(x, 3), (2, 2, 6, 9)),
}


def last(x):
    """Channels from the second place to the last."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def main():
    torch.set_num_threads(1)
    tensors = {}
    for seed, (case, (function, *shapes)) in enumerate(CASES.items()):
        random = np.random.RandomState(seed)
        given = {}
        for name, shape in zip(("x", "weight", "bias"), shapes):
            value = random.uniform(-1, 1, shape).astype(np.float32)
            if case == "lp2d":
                value = np.abs(value) + np.float32(0.1)
            given[name] = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        y = function(*given.values())
        factor = random.uniform(-1, 1, y.shape).astype(np.float32)
        (y * torch.tensor(factor, dtype=torch.float64)).sum().backward()
        order = lambda array: last(array) if array.ndim > 1 else array
        tensors.update({f"{case}/{name}": order(value.detach().numpy().astype(np.float32)) for name, value in given.items()})
        tensors.update({f"{case}/y": last(y.detach().numpy()), f"{case}/factor": last(factor)})
        tensors.update({f"{case}/gradient/{name}": order(value.grad.numpy()) for name, value in given.items()})
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    write_safetensors(os.path.join(folder, "images.safetensors"), tensors, {"torch": torch.__version__})


if __name__ == "__main__":
    main()
