"""A privileged policy of a simulated benchmark, speaking as policies of a real robot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from real_robot_benchmark.robot.conventions import INTERFACE, between, pose
from seer_bench.contracts import Array, Policy, SimulatorState, Unit
from seer_bench.conventions import ActionSpec, PolicySpec
from seer_bench.errors import ConventionError

ACCUMULATED = "world, added to the accumulated target pose"
"""Frame of the actions that can be translated: fixed-axis Euler angles and positions added to the target's."""


class TranslatedPolicy(Policy):
    """Turns actions that are added to a simulator's target pose into motions in the tool's frame.

    A motion that one action of a real robot cannot ask for is shortened, not bent: the inner policy looks at the target
    again at the next step, and asks for the rest.

    Args:
        inner: a privileged policy, one action a call.

    Raises:
        ConventionError: its actions are of another kind.
    """

    def __init__(self, inner: Policy) -> None:
        self._scales = check_accumulated(inner.spec.action)
        if inner.spec.chunk != 1:
            raise ConventionError(f"the policy gives {inner.spec.chunk} actions a call; only 1 can be translated.")
        self._inner = inner
        self._states: dict[int, SimulatorState] = {}
        self._seeds: dict[int, int] = {}
        self._tasks: dict[int, str] = {}
        self.spec = PolicySpec(observations={}, action=INTERFACE.action, privileged=True, settings=inner.spec.settings)

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """As the inner policy."""
        self._inner.begin(slots, units)

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:  # noqa: ARG002
        """An attempt begins; the inner policy goes by the simulator's task, not by the sentence."""
        self._seeds.update(zip(slots, seeds, strict=True))
        for slot in slots:
            self._tasks.pop(slot, None)

    def see(self, slots: Sequence[int], states: Sequence[SimulatorState]) -> None:
        """Take the states; the inner policy is reset where another subtask has begun."""
        for slot, state in zip(slots, states, strict=True):
            if self._tasks.get(slot) != state.task:
                self._inner.reset([slot], [state.task], [self._seeds[slot]])
                self._tasks[slot] = state.task
            self._states[slot] = state
        self._inner.see(slots, states)

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float64."""
        answer = self._inner.act(slots, observations)
        return np.stack([self._translate(self._states[slot], answer[i, 0]) for i, slot in enumerate(slots)])[:, None]

    def close(self) -> None:
        """Close the inner policy."""
        self._inner.close()

    def _translate(self, state: SimulatorState, action: Array) -> Array:
        """One action (7,)."""
        metres, radians = self._scales
        last = pose(state.target_position, state.target_euler)
        following = pose(state.target_position + action[:3] * metres, state.target_euler + action[3:6] * radians)
        motion = between(last, following, 1.0 if action[6] > 0 else -1.0)
        motion[:6] /= max(1.0, float(np.abs(motion[:6]).max()))
        return motion


def check_accumulated(action: ActionSpec) -> tuple[float, float]:
    """Metres and radians for a value of 1 of actions that are added to the target pose.

    Raises:
        ConventionError: they are of another kind.
    """
    metres, radians = action.translation_scale, action.rotation_scale
    kind = (action.kind, action.frame, action.rotation, action.gripper_open, action.dim)
    if kind != ("cartesian_rel", ACCUMULATED, "euler_xyz", 1, 7) or metres is None or radians is None:
        raise ConventionError(
            f"actions of kind '{action.kind}' in the frame '{action.frame}' cannot be translated to a real robot's; "
            f"those in the frame '{ACCUMULATED}' can, as on CALVIN."
        )
    return metres, radians
