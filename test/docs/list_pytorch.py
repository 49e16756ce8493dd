"""Writes pytorch.json: what PyTorch documents, without in-place forms, copies of views and what is internal."""
import inspect
import json
import os
import re

import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

INTERNAL = re.compile(
    r"_copy$|^_|quantized_|^sparse_bs|^sparse_csc|^has_torch|^handle_torch|^parse_|^import_ir|vital|warn_only|warn_always"
    r"|^(candidate|obj|boolean_dispatch|assert_int_or_pair|merge_type_from_type_comment|unify_type_list|init_num_threads"
    r"|compiled_with_cxx11_abi|as_strided_scatter|empty_strided|conj_physical|is_conj|resolve_conj|resolve_neg|isreal|is_storage"
    r"|is_grad_enabled|is_inference|is_inference_mode_enabled|symeig|hspmm|smm|sspaddmm|unsafe_.*|set_default_tensor_type"
    r"|quantize_per_tensor_dynamic|multi_head_attention_forward|conv_tbc|.*deterministic_.*|Container|NLLLoss2d|Uninitialized.*"
    r"|native_.*|Counter|DFIterDataPipe|DataChunk|DataLoader2|MapDataPipe|Optimizer|upsample_bilinear|upsample_nearest"
    r"|.*_with_indices|clip_grad|clip_grad_norm|fusion|init|memory_format|convert_.*|fuse_.*)$"
)


def functions(module):
    for name in dir(module):
        value = getattr(module, name)
        if callable(value) and not inspect.isclass(value) and name[0].islower() and not name.endswith("_") and value.__doc__:
            yield name


def classes(module):
    return (name for name in dir(module) if inspect.isclass(getattr(module, name)) and name[0].isupper())


layers = (name for name in classes(nn) if not name.startswith("Lazy"))
initialisers = (name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_"))
names = {*functions(torch), *layers, *functions(functional), *initialisers, *dir(nn.utils)}
names |= {*classes(torch.optim), *classes(lr_scheduler), *classes(torch.utils.data)}
kept = sorted(name for name in names if not INTERNAL.search(name))
with open(os.path.join(os.path.dirname(__file__), "pytorch.json"), "w") as file:
    json.dump(kept, file, indent=0)
    file.write("\n")
