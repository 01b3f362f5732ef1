"""A GR-1 network so small that it plays in a test."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gr1_policy.config import Gr1Config
from gr1_policy.fast import FastGr1
from gr1_policy.model import Gr1
from gr1_policy.policy import Gr1Policy
from seer_bench import PolicyContext

TINY = Gr1Config(
    history=3,
    hidden_dim=32,
    layers=2,
    heads=4,
    resampler_queries=2,
    resampler_depth=1,
    resampler_heads=2,
    resampler_head_dim=8,
    vision_width=16,
    vision_depth=1,
    vision_heads=2,
    text_layers=1,
    text_vocabulary=2,
)


def tiny_network() -> Gr1:
    """Random weights, always the same ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Gr1(TINY).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def made_up_feature(text: str) -> Tensor:
    """A sentence's feature (512,), which the tiny network's text encoder cannot give."""
    return torch.randn(512, generator=torch.Generator().manual_seed(zlib.crc32(text.encode())))


def tiny_gr1(context: PolicyContext) -> Gr1Policy:
    """Option: batch."""
    torch.set_num_threads(context.threads)
    return Gr1Policy(FastGr1(tiny_network()), batch=int(context.options.get("batch", "1")), sentence=made_up_feature)


def write_snapshot(path: Path, network: Gr1, *, frozen: bool = False, buffers: bool = True) -> Path:
    """A file as the published ones: no prefix, dead weights, and on demand frozen encoders and causal triangles."""
    kept = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if frozen or not name.startswith(("model_clip.", "model_mae."))
    }
    more: dict[str, Any] = {"transformer.wte.weight": torch.zeros(1, network.config.hidden_dim)}
    if frozen:
        more |= {"model_clip.visual.conv1.weight": torch.zeros(2), "model_clip.logit_scale": torch.tensor(4.6)}
    if buffers:
        for i in range(network.config.layers):
            more[f"transformer.h.{i}.attn.bias"] = torch.ones(8, 8, dtype=torch.uint8).tril()[None, None]
            more[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    torch.save({"state_dict": kept | more}, path)
    return path
