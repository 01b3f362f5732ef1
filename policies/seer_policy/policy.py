"""The policy `seer`: a checkpoint of Seer's, played through CALVIN's or LIBERO's wrapper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seer_bench import ActionSpec, CheckpointError, Policy, PolicyContext, PolicySpec, UsageError
from seer_bench.contracts import Array, Foresight
from seer_bench.conventions import FieldSpec
from seer_bench_nn.needs import needs_torch

with needs_torch("the policy 'seer'"):
    import torch
    from torch import Tensor

    from seer_bench_nn.assets import default_root, locate, read_manifest
    from seer_bench_nn.clip_image import clip_image, denormalise
    from seer_bench_nn.device import usable_device, usual_batch
    from seer_bench_nn.foreseen import foreseen_images

    from .checkpoint import build_seer, read_checkpoint
    from .config import SeerConfig
    from .fast import FastSeer
    from .losses import FUTURE_STEPS
    from .options import PUBLISHED, SeerOptions, network_of

from .calvin import CalvinWrapper
from .libero import LiberoWrapper
from .quirks import Quirks
from .real import RealWrapper
from .variants import variant

SEER_URL = "https://github.com/OpenRobotLab/Seer"
"""Its README links the trained checkpoints."""


class Wrapper(Protocol):
    """What stands between a benchmark and the network; the attributes of the three that there are."""

    @property
    def cameras(self) -> tuple[str, str]:
        """Fields of the primary and of the wrist camera."""

    @property
    def observations(self) -> Mapping[str, FieldSpec]:
        """What is read of an observation."""

    @property
    def action(self) -> ActionSpec:
        """What an action means."""

    @property
    def actions(self) -> int:
        """How many of the actions that the network predicts at a step are needed."""

    def instruction(self, text: str) -> str:
        """The sentence that the network is told."""

    def reset(self, slots: Sequence[int]) -> None:
        """Forget everything about slots."""

    def frames(self, observations: Mapping[str, Array]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Frames (n, height, width, 3) of the primary and of the wrist camera."""

    def states(self, slots: Sequence[int], observations: Mapping[str, Array]) -> NDArray[np.float32]:
        """Robot states (n, 7 or 8)."""

    def act(self, slots: Sequence[int], arm: NDArray[np.float32], gripper: NDArray[np.float32]) -> Array:
        """Actions (n, 1, 7) from predictions (n, actions, 6) and (n, actions, 1)."""


class SeerPolicy(Policy):
    """A Seer network behind a wrapper.

    Args:
        seer: the network.
        wrapper: of the benchmark that it plays.
        settings: what else shapes its actions, for the run's identity.
        method: what tables call it.
        batch: slots of one call.
        sentence: feature (512,) of an instruction; None: the network's own text encoder gives it.
        image: a camera's frame (height, width, 3), uint8, to what the vision encoder reads.
    """

    def __init__(
        self,
        seer: FastSeer,
        wrapper: Wrapper,
        *,
        settings: Mapping[str, str] | None = None,
        method: str = "Seer",
        batch: int = 1,
        sentence: Callable[[str], Tensor] | None = None,
        image: Callable[[NDArray[np.uint8]], Tensor] = clip_image,
    ) -> None:
        self.spec = PolicySpec(
            observations=dict(wrapper.observations),
            action=wrapper.action,
            batch=batch,
            foresight=wrapper.cameras if seer.model.config.foresight_tokens else (),
            settings=dict(settings or {}),
            arm={"method": method},
        )
        self._seer, self._wrapper = seer, wrapper
        self._sentence = sentence or seer.sentence
        self._image = image
        self._frames: dict[int, list[NDArray[np.uint8]]] = {}
        """The newest frame of both cameras by slot, for `foresee`."""

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A subtask begins: the history of each slot is empty. Nothing is drawn at random."""
        self._wrapper.reset(slots)
        for slot, instruction in zip(slots, instructions, strict=True):
            self._seer.reset(slot, self._sentence(self._wrapper.instruction(instruction)))
            self._frames.pop(slot, None)

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7) of the dtype that the wrapper gives."""
        frames = self._wrapper.frames(observations)
        for slot, *newest in zip(slots, *frames, strict=True):
            self._frames[slot] = [frame.copy() for frame in newest]
        primary, wrist = (torch.stack([self._image(frame) for frame in camera]) for camera in frames)
        states = torch.from_numpy(self._wrapper.states(slots, observations))
        arm, gripper = self._seer.step(slots, primary, wrist, states)
        return self._wrapper.act(slots, arm.numpy(), gripper.numpy())

    def foresee(self, slot: int) -> Foresight | None:
        """What both cameras are expected to see 3 steps after the slot's newest frame; None before its first.

        The pictures (224, 224, 3) show the middle of the frame, which the network sees.
        """
        if slot not in self._frames:
            return None
        patches = self._seer.foresee(slot)
        if patches is None:
            return None
        current = torch.stack([clip_image(frame) for frame in self._frames[slot]])
        pictures = foreseen_images(patches, current, denormalise)
        return Foresight(FUTURE_STEPS, dict(zip(self._wrapper.cameras, pictures, strict=True)))


def make_policy(context: PolicyContext) -> Policy:
    """Load a checkpoint for the benchmark that `context` describes.

    Options, device, sizes and encoders are checked before any weights are read.

    Raises:
        AssetError: a frozen encoder is not installed.
        CheckpointError: there is none, it cannot be opened, or it is of no known size.
        UsageError: the benchmark, an option or the device cannot be used.
    """
    benchmark = context.interface.benchmark
    if benchmark not in PUBLISHED:
        raise UsageError(
            f"the policy 'seer' does not play the benchmark '{benchmark}'; it plays: {', '.join(PUBLISHED)}."
        )
    options = SeerOptions.parse(context.options)
    path = _checkpoint_path(context)
    device = usable_device(context.device, "seer")
    checkpoint = read_checkpoint(path)
    name, config = network_of(checkpoint, benchmark, options)
    encoders = {encoder: locate(encoder) for encoder in ("mae", "clip")}
    torch.set_num_threads(context.threads)
    precision = torch.bfloat16 if options.vit == "bfloat16" else torch.float32
    model = build_seer(checkpoint, config, **encoders, vision_precision=precision)
    wrapper = make_wrapper(benchmark, config, options.quirks)
    seer = FastSeer(model, actions=wrapper.actions, device=str(device), compile=options.compile)
    installed = read_manifest(default_root())
    settings = {
        "variant": name,
        "heads": str(config.heads),
        "gripper": "finger positions" if config.finger_widths else "flag",
        "quirks": options.quirks,
        "vit": options.vit,
        "mae": installed["mae"].sha256,
        "clip": installed["clip"].sha256,
        "device": device.type,
    }
    batch = options.batch or usual_batch(device)
    return SeerPolicy(seer, wrapper, settings=settings, method=variant(name).method, batch=batch)


def make_wrapper(benchmark: str, config: SeerConfig, quirks: Quirks) -> Wrapper:
    """The wrapper of one of the benchmarks in `PUBLISHED`."""
    if benchmark == "calvin":
        return CalvinWrapper(quirks=quirks)
    if benchmark == "real_robot":
        return RealWrapper(actions=config.action_tokens, quirks=quirks)
    return LiberoWrapper(actions=config.action_tokens, finger_widths=config.finger_widths, quirks=quirks)


def _checkpoint_path(context: PolicyContext) -> Path:
    """The checkpoint that was given; raises CheckpointError where none was."""
    if context.checkpoint is None:
        raise CheckpointError(
            "the policy 'seer' needs a checkpoint: --ckpt FILE. Trained ones are linked in the README of "
            f"{SEER_URL}; the image and text encoders that they need besides are installed with: "
            "seer-bench assets seer"
        )
    return context.checkpoint
