"""A Seer network so small that it plays in a test."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor

from seer_bench import PolicyArgs, PolicyContext
from seer_policy.calvin import CalvinWrapper
from seer_policy.config import SeerConfig, TextConfig, VisionConfig
from seer_policy.fast import FastSeer
from seer_policy.libero import LiberoWrapper
from seer_policy.model import Seer
from seer_policy.policy import SeerPolicy


def tiny_network(**sizes: int | bool) -> Seer:
    """A network of three time steps with random weights, always the same ones."""
    config = SeerConfig(
        **{"history": 3, "hidden_dim": 32, "layers": 2, "heads": 2, "resampler_queries": 2, "foresight_tokens": 1}
        | sizes,
        vision=VisionConfig(32, 1, 2),
        text=TextConfig(layers=1, vocabulary=2),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Seer(config).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def made_up_feature(text: str) -> Tensor:
    """A sentence's feature (512,), which the tiny network's text encoder cannot give."""
    return torch.randn(512, generator=torch.Generator().manual_seed(zlib.crc32(text.encode())))


def tiny_seer(context: PolicyContext) -> SeerPolicy:
    """Options: batch, and quirks as Seer has them."""
    torch.set_num_threads(context.threads)
    given = PolicyArgs("tiny-seer", context.options, ("batch", "quirks"))
    quirks, batch = given.text("quirks", "upstream"), given.whole("batch", 1)
    calvin = "rgb_static" in context.interface.observations
    network = tiny_network(finger_widths=not calvin)
    wrapper = CalvinWrapper(quirks=quirks) if calvin else LiberoWrapper(finger_widths=True, quirks=quirks)
    seer = FastSeer(network, actions=wrapper.actions)
    return SeerPolicy(seer, wrapper, settings={"quirks": quirks}, batch=batch, sentence=made_up_feature)
