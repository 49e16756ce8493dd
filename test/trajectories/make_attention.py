"""Writes data/attention.safetensors: outputs and input gradients of PyTorch's attention layers, in float64, by Pollux's names.

    python3 test/trajectories/make_attention.py        (PyTorch 1.13 or later, NumPy; a second)

For each case NAME: NAME/in/X inputs, NAME/state/PATH weights (float32), NAME/y the output and NAME/gradient/X the gradient of
sum(y * NAME/weight) (float64).
"""
import os
import sys

import numpy as np
import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from make_trajectories import write_safetensors  # noqa: E402

SIZE, HEADS, BATCH, FROM, TO = 8, 2, 2, 5, 7


def projections(prefix, layer):
    state = {}
    weights = layer.in_proj_weight.chunk(3) if layer.in_proj_weight is not None else (
        layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
    for name, weight, bias in zip(("query", "key", "value"), weights, layer.in_proj_bias.chunk(3)):
        state[prefix + name + ".weight"], state[prefix + name + ".bias"] = weight, bias
    state[prefix + "output.weight"], state[prefix + "output.bias"] = layer.out_proj.weight, layer.out_proj.bias
    return state


def pair(name, layer):
    return {name + ".weight": layer.weight, name + ".bias": layer.bias}


def transformer(layer, decoder):
    state = projections("selfAttention.", layer.self_attn)
    state.update(pair("feedForward.up", layer.linear1), **pair("feedForward.down", layer.linear2), **pair("attentionNorm", layer.norm1))
    if not decoder:
        return {**state, **pair("feedForwardNorm", layer.norm2)}
    return {**state, **projections("crossAttention.", layer.multihead_attn), **pair("crossNorm", layer.norm2), **pair("feedForwardNorm", layer.norm3)}


def main():
    torch.manual_seed(4)
    torch.set_num_threads(1)
    x = lambda length, size=SIZE: torch.randn(BATCH, length, size).float()
    padding = torch.tensor([[False] * 4 + [True] * 3, [False] * 7])
    causal = torch.triu(torch.ones(FROM, FROM, dtype=torch.bool), 1)
    bias = torch.randn(FROM, TO).float()
    mha = lambda **options: nn.MultiheadAttention(SIZE, HEADS, batch_first=True, **options)
    encoder = lambda **options: nn.TransformerEncoderLayer(SIZE, HEADS, 12, 0.0, batch_first=True, **options)
    decoder = lambda **options: nn.TransformerDecoderLayer(SIZE, HEADS, 12, 0.0, batch_first=True, **options)
    cases = {
        "self": (mha(), {"query": x(FROM)}, lambda m, i: m(*3 * [i["query"]])[0]),
        "causal": (mha(), {"query": x(FROM)}, lambda m, i: m(*3 * [i["query"]], attn_mask=causal)[0]),
        "padded": (mha(), {"query": x(FROM), "key": x(TO)}, lambda m, i: m(i["query"], i["key"], i["key"], key_padding_mask=padding)[0]),
        "biased": (mha(kdim=6, vdim=4), {"query": x(FROM), "key": x(TO, 6), "value": x(TO, 4)},
                   lambda m, i: m(i["query"], i["key"], i["value"], attn_mask=bias.to(i["query"].dtype))[0]),
        "encoder": (encoder(), {"query": x(FROM)}, lambda m, i: m(i["query"])),
        "encoderPreNorm": (encoder(norm_first=True, activation="gelu"), {"query": x(FROM)}, lambda m, i: m(i["query"], src_mask=causal)),
        "decoder": (decoder(), {"query": x(FROM), "key": x(TO)}, lambda m, i: m(i["query"], i["key"], tgt_mask=causal, memory_key_padding_mask=padding)),
        "decoderPreNorm": (decoder(norm_first=True), {"query": x(FROM), "key": x(TO)}, lambda m, i: m(i["query"], i["key"], tgt_mask=causal)),
    }
    tensors = {"padding": padding.numpy().astype(np.int32), "bias": bias.numpy()}
    for name, (module, inputs, run) in cases.items():
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(parameter + 0.1 * torch.randn_like(parameter))
        kind = type(module)
        state = projections("", module) if kind is nn.MultiheadAttention else transformer(module, kind is nn.TransformerDecoderLayer)
        tensors.update({f"{name}/state/{path}": value.detach().numpy().copy() for path, value in state.items()})
        tensors.update({f"{name}/in/{key}": value.numpy() for key, value in inputs.items()})
        module = module.double().train()
        given = {key: value.double().requires_grad_() for key, value in inputs.items()}
        y = run(module, given)
        weight = torch.randn(y.shape).float()
        (y * weight.double()).sum().backward()
        tensors[f"{name}/weight"], tensors[f"{name}/y"] = weight.numpy(), y.detach().numpy()
        tensors.update({f"{name}/gradient/{key}": value.grad.numpy() for key, value in given.items()})
    write_safetensors(os.path.join(here, "data", "attention.safetensors"), tensors, {"torch": torch.__version__})


if __name__ == "__main__":
    main()
