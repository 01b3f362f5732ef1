"""How Seer plays LIBERO: what it reads of an observation, and what its predictions become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seer_bench import ActionSpec, ImageSpec, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec
from seer_bench_nn.ensembling import TEMPERATURE, TemporalEnsemble

from .quirks import Quirks, in_force

IMAGES: Mapping[str, FieldSpec] = {
    "rgb_agentview": ImageSpec(128, 128, orientation="raw"),
    "rgb_eye_in_hand": ImageSpec(128, 128, orientation="raw"),
}
VECTORS: Mapping[str, FieldSpec] = {
    "eef_position": VectorSpec(3, "world: gripper site xyz[m]"),
    "eef_euler": VectorSpec(3, "world: hand body fixed-axis Euler xyz[rad]"),
    "eef_axis_angle": VectorSpec(3, "world: hand body axis times angle[rad], angle 0 to 2 pi"),
    "gripper_qpos": VectorSpec(2, "finger joints[m]: first (0 closed, 0.04 open), second (0 closed, -0.04 open)"),
}
ACTION = ActionSpec(
    kind="cartesian_rel",
    dim=7,
    frame="world, added to the measured pose",
    translation_scale=0.05,
    rotation_scale=0.5,
    rotation="rotation_vector",
    gripper_open=-1,
)
_RESET_COMMAND = -1.0
"""What a network without finger positions is told of the gripper before the first action."""


class LiberoWrapper:
    """Between LIBERO and the network, as in upstream's `utils/eval_utils_libero.py`.

    The network sees the pose of the hand and either both finger positions or the last gripper command, -1 or 1. What
    it predicted for the present step at this and earlier steps is averaged; for the gripper that is the probability,
    before the threshold.

    That the first decision of a trial sees a stale frame, and that the simulation settles for five steps, is not done
    here: it is the protocol's, libero-long/seer-v1.

    Args:
        actions: actions T that the network predicts a step.
        finger_widths: whether it was trained on finger positions.
        quirks: "upstream" or "fixed", see `quirks.QUIRKS`.
        temperature: of the ensemble, see `TemporalEnsemble`.
    """

    cameras = ("rgb_agentview", "rgb_eye_in_hand")
    """Fields of the primary and of the wrist camera."""
    action = ACTION

    def __init__(
        self, *, actions: int = 3, finger_widths: bool, quirks: Quirks = "upstream", temperature: float = TEMPERATURE
    ) -> None:
        kept = in_force(quirks, "libero")
        self.actions = actions
        self._pose = ("eef_position", "eef_euler" if "euler-state" in kept else "eef_axis_angle")
        self._widths = finger_widths
        read = (*self._pose, "gripper_qpos") if finger_widths else self._pose
        self.observations: Mapping[str, FieldSpec] = {**IMAGES, **{name: VECTORS[name] for name in read}}
        self._ensemble = TemporalEnsemble(actions, temperature=temperature, zero_means_empty="zero-means-empty" in kept)
        self._commands: dict[int, float] = {}
        """The last gripper command of each slot."""

    def instruction(self, text: str) -> str:
        """The sentence that the network is told: all of it."""
        return text

    def reset(self, slots: Sequence[int]) -> None:
        """A trial begins: what was predicted and commanded is forgotten."""
        self._ensemble.reset(slots)
        self._commands.update(dict.fromkeys(slots, _RESET_COMMAND))

    def frames(self, observations: Mapping[str, Array]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Frames of the primary and of the wrist camera, uint8 (n, height, width, 3), the bottom row first."""
        return observations["rgb_agentview"], observations["rgb_eye_in_hand"]

    def states(self, slots: Sequence[int], observations: Mapping[str, Array]) -> NDArray[np.float32]:
        """States (n, 8) with finger positions, else (n, 7): metres, radians, metres or the last gripper command."""
        fed_back = np.array([[self._commands[slot]] for slot in slots])
        gripper = observations["gripper_qpos"] if self._widths else fed_back
        pose = [observations[name] for name in self._pose]
        return np.concatenate([*pose, gripper], axis=1).astype(np.float32)

    def act(self, slots: Sequence[int], arm: NDArray[np.float32], gripper: NDArray[np.float32]) -> Array:
        """Actions (n, 1, 7), float64, from predictions of the newest step.

        Args:
            slots: the n slots; what is predicted is remembered for each.
            arm: (n, T, 6).
            gripper: probability (n, T, 1) that the gripper shall close.
        """
        actions = self._ensemble.average(slots, np.concatenate([arm, gripper], axis=2))
        actions[:, 6] = np.where(actions[:, 6] > 0.5, 1.0, -1.0)
        self._commands.update(zip(slots, actions[:, 6].tolist(), strict=True))
        return actions[:, None]
