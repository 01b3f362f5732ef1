"""How Seer plays a real robot: what it reads of an observation, and what its predictions become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seer_bench import ActionSpec, ImageSpec, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec
from seer_bench_nn.ensembling import TEMPERATURE, TemporalEnsemble

from .quirks import Quirks, in_force

OBSERVATIONS: Mapping[str, FieldSpec] = {
    "rgb_primary": ImageSpec(480, 640),
    "rgb_wrist": ImageSpec(480, 640),
    "robot_state": VectorSpec(7, "base: tcp_xyz[m] tcp_euler_xyz[rad] gripper_open(1 or -1)"),
}
ACTION = ActionSpec(
    kind="cartesian_rel",
    dim=7,
    frame="tool, composed on the right of the last target pose",
    translation_scale=0.02,
    rotation_scale=0.05,
    rotation="euler_xyz",
    gripper_open=1,
)


class RealWrapper:
    """Between a real robot and the network, as in upstream's `real_controller/controller.py` and `deploy.py`.

    Temporal ensembling is switched on there but never told the time step, so that of the predicted actions only the
    nearest is taken; "fixed" averages as on LIBERO.

    Args:
        actions: actions T that the network predicts a step.
        quirks: "upstream" or "fixed", see `quirks.QUIRKS`.
        temperature: of the ensemble, see `TemporalEnsemble`.
    """

    cameras = ("rgb_primary", "rgb_wrist")
    """Fields of the primary and of the wrist camera."""
    observations = OBSERVATIONS
    action = ACTION

    def __init__(self, *, actions: int = 3, quirks: Quirks = "upstream", temperature: float = TEMPERATURE) -> None:
        self.actions = 1 if "inert-ensembling" in in_force(quirks, "real_robot") else actions
        self._ensemble = TemporalEnsemble(self.actions, temperature=temperature, zero_means_empty=False)

    def instruction(self, text: str) -> str:
        """The sentence that the network is told: all of it."""
        return text

    def reset(self, slots: Sequence[int]) -> None:
        """A trial begins: what was predicted is forgotten."""
        self._ensemble.reset(slots)

    def frames(self, observations: Mapping[str, Array]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Frames of the primary and of the wrist camera, uint8 (n, 480, 640, 3)."""
        return observations["rgb_primary"], observations["rgb_wrist"]

    def states(self, slots: Sequence[int], observations: Mapping[str, Array]) -> NDArray[np.float32]:
        """States (n, 7): position in metres, Euler angles in radians, 1 for an open gripper and -1 for a closed one."""
        return observations["robot_state"].astype(np.float32)

    def act(self, slots: Sequence[int], arm: NDArray[np.float32], gripper: NDArray[np.float32]) -> Array:
        """Actions (n, 1, 7), float64, from predictions of the newest step.

        Args:
            slots: the n slots; what is predicted is remembered for each.
            arm: (n, T, 6).
            gripper: probability (n, T, 1) that the gripper shall open.
        """
        actions = self._ensemble.average(slots, np.concatenate([arm, gripper], axis=2))
        actions[:, 6] = np.where(actions[:, 6] > 0.5, 1.0, -1.0)
        return actions[:, None]
