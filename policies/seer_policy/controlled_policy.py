"""Playing another frozen image encoder under Seer's backbone, see `controlled`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from seer_bench import CheckpointError, Policy, PolicyContext, UnknownNameError, UsageError
from seer_bench_nn.assets import default_root, locate, read_manifest
from seer_bench_nn.device import CUDA_BATCH, usable_device

from .controlled import FrozenEncoder, load_controlled, read_construction
from .fast import FastSeer
from .options import PUBLISHED
from .policy import SeerPolicy, Wrapper, make_wrapper
from .quirks import Quirks

HEAD = {"head": "ours"}
"""Attribute of every row made with such a policy: what stands on the encoder is not its authors'."""
_KEYS = ("encoder", "quirks", "batch")


@dataclass(frozen=True)
class ControlledOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    encoder: Path
    """The frozen encoder's file, as its authors publish it."""
    quirks: Quirks = "upstream"
    """As for Seer and with the same default, so that nothing but the encoder differs; see `quirks.QUIRKS`."""
    batch: int | None = None
    """Slots of one call; None: 16 on a GPU, 1 on the CPU."""

    @classmethod
    def parse(cls, given: Mapping[str, str], policy: str, url: str) -> ControlledOptions:
        """Read what the command line gives to a policy, whose encoder is published at an address.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: a value cannot be, or the encoder is missing.
        """
        for key in given:
            if key not in _KEYS:
                raise UnknownNameError(
                    f"option of the policy '{policy}'", key, _KEYS, "Give it as --policy-arg key=value."
                )
        if "encoder" not in given:
            raise UsageError(
                f"the policy '{policy}' needs the frozen encoder that its checkpoint was trained over: "
                f"--policy-arg encoder=FILE. The files are linked at {url}"
            )
        quirks, batch = given.get("quirks", "upstream"), given.get("batch")
        if quirks not in get_args(Quirks):
            raise UsageError(f"--policy-arg quirks={quirks}: choose {' or '.join(get_args(Quirks))}.")
        if batch is not None and not (batch.isascii() and batch.isdecimal() and int(batch)):
            raise UsageError(f"--policy-arg batch={batch}: give a whole number of at least 1.")
        return cls(Path(given["encoder"]).expanduser(), quirks, int(batch) if batch else None)  # type: ignore[arg-type]


class ControlledPolicy(SeerPolicy):
    """A trained head over a frozen encoder, behind a wrapper; the arguments are as for `SeerPolicy`."""

    def __init__(
        self,
        seer: FastSeer,
        wrapper: Wrapper,
        encoder: FrozenEncoder,
        *,
        settings: Mapping[str, str] | None = None,
        batch: int = 1,
        sentence: Callable[[str], Tensor] | None = None,
    ) -> None:
        named = {"head": "ours: Seer's backbone without foresight", "encoder": encoder.name, **(settings or {})}
        super().__init__(
            seer, wrapper, settings=named, method=encoder.method, batch=batch, sentence=sentence, image=encoder.image
        )
        self.spec = replace(self.spec, arm={**self.spec.arm, **HEAD})


def make_controlled(context: PolicyContext, policy: str, read: Callable[[Path], FrozenEncoder], url: str) -> Policy:
    """Load a trained head and its encoder for the benchmark that `context` describes.

    Args:
        context: as a policy plugin is given it.
        policy: the plugin's name.
        read: builds the encoder from its file.
        url: where such files are published.

    Raises:
        AssetError: the text encoder is not installed.
        CheckpointError: a file is missing, cannot be opened, or belongs to another encoder or benchmark.
        UsageError: the benchmark, an option or the device cannot be used.
    """
    benchmark = context.interface.benchmark
    if benchmark not in PUBLISHED:
        raise UsageError(
            f"the policy '{policy}' does not play the benchmark '{benchmark}'; it plays: {', '.join(PUBLISHED)}."
        )
    options = ControlledOptions.parse(context.options, policy, url)
    if context.checkpoint is None:
        raise CheckpointError(
            f"the policy '{policy}' needs a trained head: --ckpt FILE. None is published; train one with "
            "seer_policy.controlled.controlled_network and save it with save_controlled."
        )
    device = usable_device(context.device, policy)
    made = read_construction(context.checkpoint)
    if made.benchmark != benchmark:
        raise CheckpointError(
            f"{context.checkpoint}: was trained for the benchmark '{made.benchmark}', not for '{benchmark}'."
        )
    clip = locate("clip")
    torch.set_num_threads(context.threads)
    encoder = read(options.encoder)
    network = load_controlled(context.checkpoint, made, encoder, clip=clip)
    wrapper = make_wrapper(benchmark, network.config, options.quirks)
    settings = {
        "encoder_sha256": encoder.sha256,
        "clip": read_manifest(default_root())["clip"].sha256,
        "quirks": options.quirks,
        "device": device.type,
    }
    seer = FastSeer(network, actions=wrapper.actions, device=str(device))
    batch = options.batch or (CUDA_BATCH if device.type == "cuda" else 1)
    return ControlledPolicy(seer, wrapper, encoder, settings=settings, batch=batch)
