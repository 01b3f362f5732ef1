"""The policy `lerobot`: one of LeRobot's policies for every slot, all of them with the same weights in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from seer_bench import (
    CheckpointError,
    ImageSpec,
    InvalidActionError,
    Policy,
    PolicyContext,
    PolicySpec,
)
from seer_bench.contracts import Array
from seer_bench_nn.device import usable_device

from .actions import Gripper, action_spec, check_actions
from .features import read_description
from .hub import origin
from .loading import Loaded, load
from .mapping import InputMapping, make_mapping
from .options import LeRobotOptions
from .random_state import RandomState
from .table import mapping_notes

_METHODS = {"act": "ACT", "diffusion": "Diffusion Policy", "vqbet": "VQ-BeT", "tdmpc": "TD-MPC", "smolvla": "SmolVLA"}
"""What tables call a type; others by LeRobot's own name."""


@dataclass
class _Slot:
    """One episode: LeRobot's policy with its queues, and the random numbers that it draws."""

    loaded: Loaded
    random: RandomState
    instruction: str = field(default="")


class LeRobotPolicy(Policy):
    """LeRobot's `select_action` loop in every slot, with the saved processors around it.

    A slot has a policy of its own, so that whatever LeRobot remembers (queued actions, past observations, temporal
    ensembling, a plan) is its own; weights are shared. Rows are computed one by one.

    Where a type never looks at observations between two predictions, `select_action` is called for a whole chunk at
    once; otherwise at every step.

    Args:
        loaded: the policy.
        spec: what it eats and emits; `spec.chunk` actions are taken of one observation.
        mapping: from fields to its inputs.
        gripper: how it opens and closes the gripper.
    """

    def __init__(self, loaded: Loaded, spec: PolicySpec, mapping: InputMapping, gripper: Gripper) -> None:
        self.spec = spec
        self._loaded, self._mapping, self._gripper = loaded, mapping, gripper
        self._device = next(loaded.policy.parameters()).device
        self._slots: dict[int, _Slot] = {}

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A subtask begins: LeRobot's own reset, and random numbers from the subtask's seed."""
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            loaded = self._slots[slot].loaded if slot in self._slots else self._loaded.twin()
            loaded.policy.reset()
            self._slots[slot] = _Slot(loaded, RandomState.seeded(seed, self._device), instruction)

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, chunk, dim), in the dtype of the postprocessor, float32."""
        rows = [{name: values[i] for name, values in observations.items()} for i in range(len(slots))]
        chunks = [self._play(self._slots[slot], row) for slot, row in zip(slots, rows, strict=True)]
        return np.stack(chunks)

    def _play(self, slot: _Slot, row: Mapping[str, Array]) -> Array:
        """The next chunk of one slot."""
        with slot.random.lent(), torch.inference_mode(), self._precision():
            inputs = slot.loaded.before({**self._inputs(row), "task": [slot.instruction]})
            taken = [slot.loaded.after(slot.loaded.policy.select_action(dict(inputs))) for _ in range(self.spec.chunk)]
        actions: Array = torch.stack([action.cpu() for action in taken]).float().numpy()
        if actions.shape != (self.spec.chunk, 1, self.spec.action.dim):
            raise InvalidActionError(
                f"LeRobot's policy answered with actions of shape {actions.shape[1:]}; (1, {self.spec.action.dim}) is "
                "needed."
            )
        return self._gripper.convert(actions[:, 0], self.spec.action)

    def _inputs(self, row: Mapping[str, Array]) -> dict[str, Tensor]:
        """Inputs with a leading axis of 1, as LeRobot's own evaluation makes them."""
        inputs = {}
        for route in self._mapping.routes:
            if route.source is not None:
                taken = torch.from_numpy(route.source.take(row))
                inputs[route.feature.name] = _picture(taken, route.resize) if route.feature.is_image else taken[None]
        return inputs

    def _precision(self) -> AbstractContextManager[Any]:
        """Automatic mixed precision where the checkpoint asks for it."""
        if getattr(self._loaded.policy.config, "use_amp", False):
            return torch.autocast(self._device.type)
        return nullcontext()

    def try_out(self) -> None:
        """Play one step on grey pictures and vectors of zeros, apart from every slot.

        Raises:
            CheckpointError: LeRobot's policy fails, or answers with what is not finite.
        """
        row = {
            name: np.full((spec.height, spec.width, 3), 128, np.uint8)
            if isinstance(spec, ImageSpec)
            else np.zeros(spec.size)
            for name, spec in self.spec.observations.items()
        }
        slot = _Slot(self._loaded.twin(), RandomState.seeded(0, self._device), "do nothing")
        slot.loaded.policy.reset()
        try:
            actions = self._play(slot, row)
        except Exception as error:
            raise CheckpointError(
                f"LeRobot's policy fails on a first, made-up observation: {type(error).__name__}: {error}"
            ) from error
        if not np.isfinite(actions).all():
            raise CheckpointError("LeRobot's policy answers a first, made-up observation with NaN or infinity.")


def _picture(picture: Tensor, size: tuple[int, int] | None) -> Tensor:
    """A picture (1, 3, height, width), float32 in 0..1, of uint8 (height, width, 3)."""
    scaled = picture.permute(2, 0, 1)[None].contiguous().to(torch.float32) / 255
    if size is None:
        return scaled
    return interpolate(scaled, size, mode="bilinear", align_corners=False, antialias=True)


def build_policy(context: PolicyContext) -> LeRobotPolicy:
    """Load a checkpoint for the benchmark that `context` describes.

    Raises:
        CheckpointError: there is none, or it cannot be used.
        ConventionError: inputs or actions do not fit the benchmark.
        UnknownNameError: an option, an input or a field does not exist.
        UsageError: an option or the device cannot be used.
    """
    options = LeRobotOptions.parse(context.options)
    if context.checkpoint is None:
        raise CheckpointError(
            "the policy 'lerobot' needs a checkpoint: --ckpt DIR, a folder that LeRobot's save_pretrained wrote, or "
            "--ckpt OWNER/NAME@REVISION of the Hugging Face Hub."
        )
    device = usable_device(context.device, "lerobot")
    described = read_description(context.checkpoint)
    action = action_spec(context.interface)
    gripper = Gripper.parse(options.gripper, action)
    mapping = make_mapping(described, context.interface, options.map, resize=options.resize)
    ranges = check_actions(described, action, gripper, ranges=options.ranges)
    torch.set_num_threads(context.threads)
    loaded = load(described, device, action_steps=options.n_action_steps)
    steps = options.n_action_steps or described.action_steps
    settings = {
        "type": described.type,
        "lerobot": version("lerobot"),
        "map": mapping.text,
        "gripper": gripper.text,
        "n_action_steps": str(steps),
        "device": device.type,
    }
    if commit := origin(described.path):
        settings["hub"] = commit
    often = "it observes once for each prediction" if described.looks_once else "it observes every step"
    spec = PolicySpec(
        observations=dict(mapping.observations),
        action=action,
        chunk=steps if described.looks_once else 1,
        settings=settings,
        arm={"method": _METHODS.get(described.type, described.type)},
        notes=(
            *mapping_notes(described, mapping, action, gripper, ranges),
            f"{often}; actions executed of a prediction: {steps}",
        ),
    )
    policy = LeRobotPolicy(loaded, spec, mapping, gripper)
    policy.try_out()
    return policy
