"""Writes data/recurrent.safetensors: values and gradients of PyTorch's recurrent layers, in float64.

    python3 test/trajectories/make_recurrent.py        (PyTorch 1.13 or later, NumPy; a second)

Each case CASE (see CASES) holds
    CASE/x, CASE/h, CASE/c    the input [batch, steps, features] and the first states, float32
    CASE/lengths              int32, where sequences have lengths (the longest being all steps: pack_padded_sequence cuts them)
    CASE/start/NAME           parameters by Pollux's names, float32
    CASE/output, last h and c what comes out: CASE/output, CASE/lastH, CASE/lastC
    CASE/weight/...           what each of these is multiplied with in the sum that is differentiated
    CASE/gradient/NAME        gradients of that sum: of x, h, c and of the parameters
"""
import os

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from make_trajectories import write_safetensors

BATCH, STEPS, FEATURES, HIDDEN = 4, 5, 3, 6
LENGTHS = [2, 5, 1, 4]

CASES = {
    "rnn": (torch.nn.RNN, dict(), None),
    "relu": (torch.nn.RNN, dict(nonlinearity="relu", num_layers=2), LENGTHS),
    "lstm": (torch.nn.LSTM, dict(), None),
    "lstm-deep": (torch.nn.LSTM, dict(num_layers=2, bidirectional=True), LENGTHS),
    "gru": (torch.nn.GRU, dict(bias=False), None),
    "gru-deep": (torch.nn.GRU, dict(num_layers=2, bidirectional=True), LENGTHS),
}


def house_name(name):
    """weight_ih_l0_reverse: reverseLayers.0.inputWeight"""
    kind, part, layer = name.replace("_reverse", "").split("_")
    stack = "reverseLayers" if name.endswith("_reverse") else "layers"
    return f"{stack}.{layer[1:]}.{'input' if part == 'ih' else 'hidden'}{kind.capitalize()}"


def run(layer, x, states, lengths):
    state = tuple(states) if len(states) > 1 else states[0]
    if lengths is None:
        output, last = layer(x, state)
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, last = layer(packed, state)
        output, _ = pad_packed_sequence(output, batch_first=True)
    return [output, *(last if isinstance(last, tuple) else [last])]


def main():
    torch.set_num_threads(1)
    tensors = {}
    for seed, (case, (kind, options, lengths)) in enumerate(CASES.items()):
        random = np.random.RandomState(seed)
        layer = kind(FEATURES, HIDDEN, batch_first=True, **options).double()
        rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
        draw = lambda *shape: random.uniform(-1, 1, shape).astype(np.float32)
        inputs = {"x": draw(BATCH, STEPS, FEATURES)}
        for name in ("h", "c")[:2 if kind is torch.nn.LSTM else 1]:
            inputs[name] = draw(rows, BATCH, HIDDEN)
        for name, parameter in layer.named_parameters():
            value = draw(*parameter.shape) / np.float32(HIDDEN ** 0.5)
            parameter.data = torch.tensor(value, dtype=torch.float64)
            tensors[f"{case}/start/{house_name(name)}"] = value
        given = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in inputs.items()}
        results = dict(zip(("output", "lastH", "lastC"), run(layer, given["x"], [v for k, v in given.items() if k != "x"], lengths)))
        weights = {name: draw(*result.shape) for name, result in results.items()}
        sum((result * torch.tensor(weights[name], dtype=torch.float64)).sum() for name, result in results.items()).backward()
        tensors.update({f"{case}/{name}": value for name, value in inputs.items()})
        tensors.update({f"{case}/{name}": value.detach().numpy() for name, value in results.items()})
        tensors.update({f"{case}/weight/{name}": value for name, value in weights.items()})
        tensors.update({f"{case}/gradient/{name}": value.grad.numpy() for name, value in given.items()})
        tensors.update({f"{case}/gradient/{house_name(name)}": value.grad.numpy() for name, value in layer.named_parameters()})
        if lengths is not None:
            tensors[f"{case}/lengths"] = np.array(lengths, dtype=np.int32)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    write_safetensors(os.path.join(folder, "recurrent.safetensors"), tensors, {"torch": torch.__version__})


if __name__ == "__main__":
    main()
