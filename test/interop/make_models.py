"""Writes data/: small random models in the layouts of Hugging Face and of PyTorch, with what they answer.

    /usr/bin/python3 test/interop/make_models.py        (PyTorch 1.13 or later, NumPy; seconds)

Each model is written out here after the published architecture, in PyTorch's functions, under the names of its published files;
weights are float32 (bfloat16 for one, two shards for another), answers are computed in float64.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "trajectories"))
from make_trajectories import write_safetensors  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
torch.manual_seed(7)


def weights(shapes, scale=0.3):
    return {name: (1 + 0.1 * torch.randn(shape) if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight", "norm.weight", "layernorm.weight", "LayerNorm.weight", "layernorm_before.weight", "layernorm_after.weight")) else scale * torch.randn(shape)) for name, shape in shapes.items()}


def pair(name, out, inside):
    return {name + ".weight": (out, inside), name + ".bias": (out,)}


def norm(name, size):
    return {name + ".weight": (size,), name + ".bias": (size,)}


def attend(q, k, v, heads, causal=False, mask=None):
    """q [B, T, H * D], k and v [B, T, K * D]; mask bool [B, T], true where a key counts."""
    b, t, _ = q.shape
    d = q.shape[2] // heads
    kv = k.shape[2] // d
    q = q.view(b, t, heads, d).transpose(1, 2)
    k, v = (x.view(b, t, kv, d).transpose(1, 2).repeat_interleave(heads // kv, 1) for x in (k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(d)
    if causal:
        scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None, None, :], -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, heads * d)


def dense(p, x, name):
    return F.linear(x, p[name + ".weight"], p.get(name + ".bias"))


def layer_norm(p, x, name, eps):
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], eps)


def gpt2():
    config = dict(model_type="gpt2", vocab_size=40, n_positions=16, n_embd=12, n_layer=2, n_head=3, activation_function="gelu_new", layer_norm_epsilon=1e-5)
    d = config["n_embd"]
    shapes = {"wte.weight": (40, d), "wpe.weight": (16, d), **norm("ln_f", d)}
    for i in range(2):
        h = f"h.{i}."
        shapes |= {**norm(h + "ln_1", d), **norm(h + "ln_2", d), h + "attn.c_attn.weight": (d, 3 * d), h + "attn.c_attn.bias": (3 * d,),
                   h + "attn.c_proj.weight": (d, d), h + "attn.c_proj.bias": (d,), h + "mlp.c_fc.weight": (d, 4 * d), h + "mlp.c_fc.bias": (4 * d,),
                   h + "mlp.c_proj.weight": (4 * d, d), h + "mlp.c_proj.bias": (d,)}
    p = weights(shapes)
    ids = torch.randint(40, (2, 9))

    def forward(p):
        x = p["wte.weight"][ids] + p["wpe.weight"][:9]
        for i in range(2):
            h = f"h.{i}."
            q, k, v = (layer_norm(p, x, h + "ln_1", 1e-5) @ p[h + "attn.c_attn.weight"] + p[h + "attn.c_attn.bias"]).chunk(3, -1)
            x = x + attend(q, k, v, 3, causal=True) @ p[h + "attn.c_proj.weight"] + p[h + "attn.c_proj.bias"]
            y = layer_norm(p, x, h + "ln_2", 1e-5) @ p[h + "mlp.c_fc.weight"] + p[h + "mlp.c_fc.bias"]
            y = 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y ** 3)))
            x = x + y @ p[h + "mlp.c_proj.weight"] + p[h + "mlp.c_proj.bias"]
        return layer_norm(p, x, "ln_f", 1e-5) @ p["wte.weight"].T

    stored = {"transformer." + name: value for name, value in p.items()}
    stored["transformer.h.0.attn.bias"] = torch.ones(1, 1, 16, 16)
    stored["lm_head.weight"] = p["wte.weight"]
    return config, stored, p, forward, dict(ids=ids)


def llama():
    config = dict(model_type="llama", vocab_size=40, max_position_embeddings=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, intermediate_size=24, hidden_act="silu", rms_norm_eps=1e-6, rope_theta=10000.0, tie_word_embeddings=False)
    shapes = {"model.embed_tokens.weight": (40, 16), "model.norm.weight": (16,), "lm_head.weight": (40, 16)}
    for i in range(2):
        h = f"model.layers.{i}."
        shapes |= {h + "self_attn.q_proj.weight": (16, 16), h + "self_attn.k_proj.weight": (8, 16), h + "self_attn.v_proj.weight": (8, 16),
                   h + "self_attn.o_proj.weight": (16, 16), h + "mlp.gate_proj.weight": (24, 16), h + "mlp.up_proj.weight": (24, 16),
                   h + "mlp.down_proj.weight": (16, 24), h + "input_layernorm.weight": (16,), h + "post_attention_layernorm.weight": (16,)}
    p = {name: value.bfloat16().float() for name, value in weights(shapes).items()}
    ids = torch.randint(40, (2, 11))

    def rms(p, x, name):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6) * p[name]

    def rotate(x, heads):
        b, t, size = x.shape
        d = size // heads
        x = x.view(b, t, heads, d)
        angle = torch.arange(t, dtype=x.dtype)[:, None] / 10000.0 ** (torch.arange(0, d, 2, dtype=x.dtype) / d)
        angle = torch.cat([angle, angle], -1)[:, None, :]
        half = torch.cat([-x[..., d // 2:], x[..., :d // 2]], -1)
        return (x * angle.cos() + half * angle.sin()).reshape(b, t, size)

    def forward(p):
        x = p["model.embed_tokens.weight"][ids]
        for i in range(2):
            h = f"model.layers.{i}."
            y = rms(p, x, h + "input_layernorm.weight")
            q, k, v = (dense(p, y, h + f"self_attn.{part}_proj") for part in "qkv")
            x = x + dense(p, attend(rotate(q, 4), rotate(k, 2), v, 4, causal=True), h + "self_attn.o_proj")
            y = rms(p, x, h + "post_attention_layernorm.weight")
            x = x + dense(p, F.silu(dense(p, y, h + "mlp.gate_proj")) * dense(p, y, h + "mlp.up_proj"), h + "mlp.down_proj")
        return dense(p, rms(p, x, "model.norm.weight"), "lm_head")

    return config, p, p, forward, dict(ids=ids)


def bert():
    config = dict(model_type="bert", vocab_size=40, max_position_embeddings=16, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
                  intermediate_size=20, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, id2label={"0": "a", "1": "b", "2": "c"})
    d = 12
    e = "bert.embeddings."
    shapes = {e + "word_embeddings.weight": (40, d), e + "position_embeddings.weight": (16, d), e + "token_type_embeddings.weight": (2, d),
              **norm(e + "LayerNorm", d), **pair("bert.pooler.dense", d, d), **pair("classifier", 3, d)}
    for i in range(2):
        h = f"bert.encoder.layer.{i}."
        for part in ("query", "key", "value"):
            shapes |= pair(h + "attention.self." + part, d, d)
        shapes |= {**pair(h + "attention.output.dense", d, d), **norm(h + "attention.output.LayerNorm", d), **pair(h + "intermediate.dense", 20, d),
                   **pair(h + "output.dense", d, 20), **norm(h + "output.LayerNorm", d)}
    p = weights(shapes)
    ids, types = torch.randint(40, (2, 7)), torch.randint(2, (2, 7))
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])

    def forward(p):
        x = p[e + "word_embeddings.weight"][ids] + p[e + "position_embeddings.weight"][:7] + p[e + "token_type_embeddings.weight"][types]
        x = layer_norm(p, x, e + "LayerNorm", 1e-12)
        for i in range(2):
            h = f"bert.encoder.layer.{i}."
            q, k, v = (dense(p, x, h + "attention.self." + part) for part in ("query", "key", "value"))
            x = layer_norm(p, x + dense(p, attend(q, k, v, 3, mask=mask), h + "attention.output.dense"), h + "attention.output.LayerNorm", 1e-12)
            y = dense(p, F.gelu(dense(p, x, h + "intermediate.dense")), h + "output.dense")
            x = layer_norm(p, x + y, h + "output.LayerNorm", 1e-12)
        forward.states = x
        return dense(p, torch.tanh(dense(p, x[:, 0], "bert.pooler.dense")), "classifier")

    return config, p, p, forward, dict(ids=ids, typeIds=types, mask=mask)


def vit():
    config = dict(model_type="vit", image_size=8, patch_size=4, num_channels=3, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
                  intermediate_size=20, hidden_act="gelu", qkv_bias=True, layer_norm_eps=1e-12, id2label={str(i): str(i) for i in range(5)})
    d = 12
    e = "vit.embeddings."
    shapes = {e + "cls_token": (1, 1, d), e + "position_embeddings": (1, 5, d), e + "patch_embeddings.projection.weight": (d, 3, 4, 4),
              e + "patch_embeddings.projection.bias": (d,), **norm("vit.layernorm", d), **pair("classifier", 5, d)}
    for i in range(2):
        h = f"vit.encoder.layer.{i}."
        for part in ("query", "key", "value"):
            shapes |= pair(h + "attention.attention." + part, d, d)
        shapes |= {**pair(h + "attention.output.dense", d, d), **pair(h + "intermediate.dense", 20, d), **pair(h + "output.dense", d, 20),
                   **norm(h + "layernorm_before", d), **norm(h + "layernorm_after", d)}
    p = weights(shapes)
    images = torch.randn(2, 3, 8, 8)

    def forward(p):
        patches = F.conv2d(images.to(p["classifier.weight"].dtype), p[e + "patch_embeddings.projection.weight"], p[e + "patch_embeddings.projection.bias"], 4)
        x = torch.cat([p[e + "cls_token"].expand(2, 1, d), patches.flatten(2).transpose(1, 2)], 1) + p[e + "position_embeddings"]
        for i in range(2):
            h = f"vit.encoder.layer.{i}."
            y = layer_norm(p, x, h + "layernorm_before", 1e-12)
            q, k, v = (dense(p, y, h + "attention.attention." + part) for part in ("query", "key", "value"))
            x = x + dense(p, attend(q, k, v, 3), h + "attention.output.dense")
            y = layer_norm(p, x, h + "layernorm_after", 1e-12)
            x = x + dense(p, F.gelu(dense(p, y, h + "intermediate.dense")), h + "output.dense")
        return dense(p, layer_norm(p, x, "vit.layernorm", 1e-12)[:, 0], "classifier")

    return config, p, p, forward, dict(images=images.permute(0, 2, 3, 1).contiguous())


def resnet(block, name):
    """The ResNet of Hugging Face: an embedder, stages of layers with shortcuts, a classifier."""
    sizes, depths = ([8, 12] if block == "basic" else [16, 24]), [1, 2]
    config = dict(model_type="resnet", num_channels=3, embedding_size=6, hidden_sizes=sizes, depths=depths, layer_type=block, hidden_act="relu",
                  downsample_in_first_stage=False, id2label={str(i): str(i) for i in range(4)})
    shapes = {}

    def unit(name, out, inside, kernel):
        shapes.update({name + ".convolution.weight": (out, inside, kernel, kernel), name + ".normalization.weight": (out,), name + ".normalization.bias": (out,),
                       name + ".normalization.running_mean": (out,), name + ".normalization.running_var": (out,)})

    unit("resnet.embedder.embedder", 6, 3, 7)
    inside = 6
    plan = []
    for s, (size, depth) in enumerate(zip(sizes, depths)):
        for i in range(depth):
            h = f"resnet.encoder.stages.{s}.layers.{i}."
            stride = 2 if s > 0 and i == 0 else 1
            kernels = [(size, inside, 3, stride), (size, size, 3, 1)] if block == "basic" else \
                [(size // 4, inside, 1, 1), (size // 4, size // 4, 3, stride), (size, size // 4, 1, 1)]
            for j, (out, into, kernel, _) in enumerate(kernels):
                unit(h + f"layer.{j}", out, into, kernel)
            shortcut = inside != size or stride != 1
            if shortcut:
                unit(h + "shortcut", size, inside, 1)
            plan.append((h, kernels, stride, shortcut))
            inside = size
    shapes.update(pair("classifier.1", 4, inside))
    p = weights(shapes)
    for key in p:
        if key.endswith("running_var"):
            p[key] = p[key].abs() + 0.5
        if key.endswith("normalization.weight"):
            p[key] = 1 + 0.1 * torch.randn(p[key].shape)
    images = torch.randn(2, 3, 33, 32)

    def forward(p):
        def unit(x, name, kernel, stride):
            x = F.conv2d(x, p[name + ".convolution.weight"], None, stride, kernel // 2)
            n = name + ".normalization."
            return F.batch_norm(x, p[n + "running_mean"], p[n + "running_var"], p[n + "weight"], p[n + "bias"], False, 0.1, 1e-5)

        x = F.max_pool2d(F.relu(unit(images.to(p["classifier.1.weight"].dtype), "resnet.embedder.embedder", 7, 2)), 3, 2, 1)
        for h, kernels, stride, shortcut in plan:
            y = x
            for j, (_, _, kernel, step) in enumerate(kernels):
                y = unit(y, h + f"layer.{j}", kernel, step)
                if j < len(kernels) - 1:
                    y = F.relu(y)
            x = F.relu(y + (unit(x, h + "shortcut", 1, stride) if shortcut else x))
        return dense(p, x.mean((2, 3)), "classifier.1")

    stored = dict(p)
    stored["resnet.embedder.embedder.normalization.num_batches_tracked"] = torch.tensor(3)
    return config, stored, p, forward, dict(images=images.permute(0, 2, 3, 1).contiguous())


class Mixed(torch.nn.Module):
    """A model of PyTorch's own layers, for its state dictionary."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(2, 6, 3, padding=1)
        self.bn1 = torch.nn.BatchNorm2d(6)
        self.up = torch.nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.fc = torch.nn.Linear(4 * 10 * 8, 12)
        self.lstm = torch.nn.LSTM(12, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(10, 2, 16, dropout=0.0, batch_first=True), 2)
        self.embed = torch.nn.Embedding(7, 10)

    def forward(self, images, ids):
        x = F.relu(self.bn1(self.conv1(images)))
        x = self.fc(self.up(x).flatten(1))
        y, _ = self.lstm(x[:, None, :].repeat(1, 3, 1) + torch.arange(3)[None, :, None])
        return self.encoder(y + self.embed(ids))


def mixed():
    model = Mixed()
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.dtype == torch.float32:
                value.add_(0.1 * torch.rand(value.shape))
    model.eval()
    images, ids = torch.randn(2, 2, 5, 4), torch.randint(7, (2, 3))
    stored = {name: value.clone() for name, value in model.state_dict().items()}
    answers = model.double()(images.double(), ids)
    write_safetensors(os.path.join(HERE, "mixed.safetensors"), {name: value.numpy() for name, value in stored.items()}, {})
    write_safetensors(os.path.join(HERE, "mixed.answers.safetensors"),
                      {"images": images.permute(0, 2, 3, 1).contiguous().numpy(), "ids": ids.int().numpy(), "output": answers.float().detach().numpy()}, {})


def as_bfloat16(path, tensors):
    """A file of bfloat16, which NumPy has not."""
    header, data = {}, b""
    for name, value in tensors.items():
        raw = (value.numpy().view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header[name] = dict(dtype="BF16", shape=list(value.shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    models = dict(gpt2=gpt2(), llama=llama(), bert=bert(), vit=vit(), **{"resnet-basic": resnet("basic", "resnet-basic"), "resnet-bottleneck": resnet("bottleneck", "resnet-bottleneck")})
    for name, (config, stored, p, forward, inputs) in models.items():
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(config, file, indent=1)
        output = forward({key: value.double() for key, value in p.items()})
        answers = {"output": output.float().numpy(), **{key: (value.int() if value.dtype in (torch.int64, torch.bool) else value).numpy() for key, value in inputs.items()}}
        if hasattr(forward, "states"):
            answers["states"] = forward.states.float().numpy()
        write_safetensors(os.path.join(folder, "answers.safetensors"), answers, {})
        if name == "llama":
            as_bfloat16(os.path.join(folder, "model.safetensors"), stored)
        elif name == "bert":
            names = list(stored)
            shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
            for shard, part in shards.items():
                write_safetensors(os.path.join(folder, shard), {key: stored[key].numpy() for key in part}, {})
            with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
                json.dump({"metadata": {}, "weight_map": {key: shard for shard, part in shards.items() for key in part}}, file, indent=1)
        else:
            write_safetensors(os.path.join(folder, "model.safetensors"), {key: value.numpy() for key, value in stored.items()}, {})
    mixed()


if __name__ == "__main__":
    main()
