"""The policy `gr1`: a snapshot of GR-1's, played through CALVIN's wrapper.

As in the published `evaluation/calvin_evaluation.py`: the network sees the last ten frames since the subtask began,
predicts one action a step, and nothing is averaged or carried out blindly. One thing differs on purpose: on a GPU,
published code encodes sentences with CLIP in half precision; here all is float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from seer_bench import CheckpointError, Policy, PolicyArgs, PolicyContext, PolicySpec, UsageError
from seer_bench.contracts import Array, Foresight
from seer_bench_nn.needs import needs_torch

with needs_torch("the policy 'gr1'"):
    import torch
    from torch import Tensor

    from seer_bench_nn.assets import default_root, locate, read_manifest
    from seer_bench_nn.device import usable_device, usual_batch
    from seer_bench_nn.foreseen import foreseen_images

    from .checkpoint import GR1_URL, Snapshot, build_gr1, read_snapshot
    from .config import Gr1Config
    from .fast import FastGr1
    from .images import denormalise, gr1_image
    from .losses import FUTURE_STEPS

from .calvin import ACTION, HAND, OBSERVATIONS, STATIC, actions, states


class Gr1Policy(Policy):
    """A GR-1 network behind CALVIN's wrapper.

    Args:
        gr1: the network.
        settings: what else shapes its actions, for the run's identity.
        batch: slots of one call.
        sentence: feature (512,) of an instruction; None: the network's own text encoder gives it.
        foresight: whether the network has learned to foresee images.
        notes: lines that a run shows before it begins.
    """

    def __init__(
        self,
        gr1: FastGr1,
        *,
        settings: Mapping[str, str] | None = None,
        batch: int = 1,
        sentence: Callable[[str], Tensor] | None = None,
        foresight: bool = True,
        notes: Sequence[str] = (),
    ) -> None:
        self.spec = PolicySpec(
            observations=dict(OBSERVATIONS),
            action=ACTION,
            batch=batch,
            foresight=(STATIC, HAND) if foresight else (),
            settings=dict(settings or {}),
            arm={"method": "GR-1"},
            notes=tuple(notes),
        )
        self._gr1, self._sentence = gr1, sentence or gr1.sentence
        self._seen: dict[int, Tensor] = {}
        """The newest images of both cameras (2, 3, 224, 224) by slot, for `foresee`."""

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A subtask begins: the history of each slot is empty. Nothing is drawn at random."""
        for slot, instruction in zip(slots, instructions, strict=True):
            self._gr1.reset(slot, self._sentence(instruction))
            self._seen.pop(slot, None)

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float32."""
        static, hand = (torch.stack([gr1_image(frame) for frame in observations[camera]]) for camera in (STATIC, HAND))
        arm, gripper = self._gr1.step(slots, static, hand, torch.from_numpy(states(observations)))
        self._seen.update(zip(slots, torch.stack([static, hand], dim=1), strict=True))
        return actions(arm.numpy(), gripper.numpy())

    def foresee(self, slot: int) -> Foresight | None:
        """What both cameras are expected to see 3 steps after the slot's newest frame; None before its first.

        The pictures (224, 224, 3) show the whole frame.
        """
        if not self.spec.foresight or slot not in self._seen:
            return None
        pictures = foreseen_images(self._gr1.foresee(slot), self._seen[slot], denormalise)
        return Foresight(FUTURE_STEPS, dict(zip((STATIC, HAND), pictures, strict=True)))


def make_policy(context: PolicyContext) -> Policy:
    """Load a snapshot; only CALVIN is played.

    The benchmark, options and device are checked before any weights are read.

    Raises:
        AssetError: a frozen encoder is neither in the snapshot nor installed.
        CheckpointError: there is no snapshot, it cannot be opened, or it does not fit the network.
        UsageError: the benchmark, an option or the device cannot be used.
    """
    benchmark = context.interface.benchmark
    if benchmark != "calvin":
        raise UsageError(f"the policy 'gr1' does not play the benchmark '{benchmark}'; it plays: calvin.")
    batch = PolicyArgs("gr1", context.options, ("batch",)).whole("batch", None)
    path = _checkpoint_path(context)
    device = usable_device(context.device, "gr1")
    snapshot = read_snapshot(path, Gr1Config())
    files = {name: None if held else locate(name) for name, held in (("mae", snapshot.mae), ("clip", snapshot.clip))}
    torch.set_num_threads(context.threads)
    model = build_gr1(snapshot, Gr1Config(), **files)
    settings = {"mae": _origin("mae", snapshot), "clip": _origin("clip", snapshot), "device": device.type}
    return Gr1Policy(
        FastGr1(model, device=str(device)),
        settings=settings,
        batch=batch or usual_batch(device),
        foresight=snapshot.foresight,
        notes=_notes(snapshot),
    )


def _notes(snapshot: Snapshot) -> list[str]:
    """What of the snapshot is not used, if anything."""
    if not snapshot.unread:
        return []
    first, more = ", ".join(snapshot.unread[:4]), "" if len(snapshot.unread) <= 4 else ", ..."
    return [
        f"{snapshot.path}: {len(snapshot.unread)} tensors are left out, as in the published code, whose network does "
        f"not have them: {first}{more}"
    ]


def _origin(encoder: str, snapshot: Snapshot) -> str:
    """Where a frozen encoder is from, for the run's identity: the snapshot, or an installed file's sha256."""
    held = snapshot.mae if encoder == "mae" else snapshot.clip
    return "in the snapshot" if held else read_manifest(default_root())[encoder].sha256


def _checkpoint_path(context: PolicyContext) -> Path:
    """The snapshot that was given; raises CheckpointError where none was."""
    if context.checkpoint is None:
        raise CheckpointError(
            f"the policy 'gr1' needs a snapshot: --ckpt FILE. Trained ones are linked in the README of {GR1_URL}; the "
            "image and text encoders that they may need besides are installed with: seer-bench assets gr1"
        )
    return context.checkpoint
