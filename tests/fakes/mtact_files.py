"""Small networks of MT-ACT and of MiniLM with random weights, and files of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from mtact_policy.checkpoint import save_checkpoint
from mtact_policy.config import MtactConfig
from mtact_policy.embodiments import EMBODIMENTS
from mtact_policy.model import Mtact
from mtact_policy.statistics import Statistics
from seer_bench_nn.minilm import VOCABULARY, WEIGHTS, MiniLm

Module = TypeVar("Module", bound=nn.Module)
SENTENCE_DIM = 64
PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "instruction",
    "push",
    "##ed",
    "##es",
    "the",
    "un",
    "##want",
    "0",
    "1",
    ".",
]


def drawn(build: Callable[[], Module], seed: int = 3) -> Module:
    """A network in evaluation mode with random weights and statistics, always the same; random states stay."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build().eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
            for name, buffer in network.named_buffers():
                if name.endswith("running_mean"):
                    buffer.copy_(0.1 * torch.randn_like(buffer))
                if name.endswith("running_var"):
                    buffer.copy_(0.5 + torch.rand_like(buffer))
    return network


def tiny_config(benchmark: str = "libero", **changes: object) -> MtactConfig:
    small = {"hidden_dim": 32, "feed_forward": 48, "heads": 2, "encoder_layers": 2, "decoder_layers": 2, "chunk": 4}
    small |= {"sentence_dim": SENTENCE_DIM, "latent_dim": 4, "channels": (4, 8, 8, 16)}
    return EMBODIMENTS[benchmark].config(**small | {"image_height": 40, "image_width": 70} | changes)


def tiny_network(benchmark: str = "libero", **changes: object) -> Mtact:
    return drawn(lambda: Mtact(tiny_config(benchmark, **changes)))


def made_up_statistics(config: MtactConfig) -> Statistics:
    rng = np.random.default_rng(5)
    scale = rng.uniform(0.1, 2, config.state_dim), rng.uniform(0.1, 2, config.action_dim)
    return Statistics.of(*(rng.normal(1, s, (50, len(s))) for s in scale))


def write_checkpoint(path: Path, benchmark: str, **changes: object) -> Path:
    model = tiny_network(benchmark, **changes)
    save_checkpoint(path, model, made_up_statistics(model.config), benchmark)
    return path


def write_minilm(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VOCABULARY).write_text("\n".join(PIECES) + "\n")
    model = drawn(lambda: MiniLm(len(PIECES), 16, SENTENCE_DIM, 96, 2))
    extra = {"pooler.dense.weight": torch.zeros(2, 2), "embeddings.position_ids": torch.arange(16)}
    save_file(model.state_dict() | extra, folder / WEIGHTS)
    return folder
