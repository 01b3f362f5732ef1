"""Playing another frozen image encoder under Seer's backbone, see `controlled`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from seer_bench import CheckpointError, Policy, PolicyArgs, PolicyContext, UsageError
from seer_bench_nn.assets import default_root, locate, read_manifest
from seer_bench_nn.device import usable_device, usual_batch

from .controlled import FrozenEncoder, load_controlled, read_head
from .fast import FastSeer
from .options import PUBLISHED
from .policy import SeerPolicy, Wrapper, make_wrapper
from .quirks import Quirks

HEAD = {"head": "ours"}
"""Attribute of every row made with such a policy: what stands on the encoder is not its authors'."""


@dataclass(frozen=True)
class ControlledOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    encoder: Path | None = None
    """The frozen encoder's file, as its authors publish it."""
    quirks: Quirks = "upstream"
    """As for Seer and with the same default, so that nothing but the encoder differs; see `quirks.QUIRKS`."""
    batch: int | None = None
    """Slots of one call; None: 16 on a GPU, 1 on the CPU."""

    @classmethod
    def parse(cls, given: Mapping[str, str], policy: str) -> ControlledOptions:
        """Read what the command line gives to a policy.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: a value cannot be.
        """
        args = PolicyArgs(policy, given, [field.name for field in fields(cls)])
        encoder = args.text("encoder", None)
        return cls(
            encoder=Path(encoder).expanduser() if encoder else None,
            quirks=args.choice("quirks", cls.quirks, get_args(Quirks)),
            batch=args.whole("batch", None),
        )


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
    options = ControlledOptions.parse(context.options, policy)
    device = usable_device(context.device, policy)
    if context.checkpoint is None or options.encoder is None:
        raise CheckpointError(
            f"the policy '{policy}' needs --ckpt HEAD, a policy head of your own training (nobody publishes one; "
            "docs/encoders.md says how to train it), and --policy-arg encoder=FILE, the frozen encoder that it was "
            f"trained over, linked at {url}"
        )
    head = read_head(context.checkpoint)
    if head.made.benchmark != benchmark:
        raise CheckpointError(
            f"{head.path}: was trained for the benchmark '{head.made.benchmark}', not for '{benchmark}'."
        )
    clip = locate("clip")
    torch.set_num_threads(context.threads)
    encoder = read(options.encoder)
    network = load_controlled(head, encoder, clip=clip)
    wrapper = make_wrapper(benchmark, network.config, options.quirks)
    settings = {
        "encoder_sha256": encoder.sha256,
        "clip": read_manifest(default_root())["clip"].sha256,
        "quirks": options.quirks,
        "device": device.type,
    }
    seer = FastSeer(network, actions=wrapper.actions, device=str(device))
    batch = options.batch or usual_batch(device)
    return ControlledPolicy(seer, wrapper, encoder, settings=settings, batch=batch)
