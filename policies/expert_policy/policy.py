"""The policy that plans from the simulator's state and follows its plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from seer_bench import ActionSpec, Policy, PolicyError, PolicySpec, SimulatorState
from seer_bench.contracts import Array

from .controller import Controller, Follower
from .plan import Attempt, Planner

_NUDGE = 0.006
"""Metres, largest displacement of a retry along each axis."""


@dataclass
class _Slot:
    """What the policy knows about one environment."""

    rng: np.random.Generator
    follower: Follower
    attempts: int = 0
    title: str = ""
    """Which try the current plan is."""
    state: SimulatorState | None = field(default=None, repr=False)

    def plan(self, planner: Planner, state: SimulatorState) -> None:
        """Plan on from `state`; a retry is displaced a little, so that it is no repetition."""
        x, y, z = self.rng.uniform(-_NUDGE, _NUDGE, 3) if self.attempts else np.zeros(3)
        plan = planner(state, Attempt(self.attempts, (float(x), float(y), float(z))))
        self.title = "preparing" if plan.preparation else f"try {self.attempts + 1}"
        self.attempts += not plan.preparation
        self.follower.follow(plan)


class ExpertPolicy(Policy):
    """Solves a benchmark's tasks by scripted plans; reads `SimulatorState` and nothing else.

    Args:
        action: the benchmark's action convention.
        planners: how to solve each task, by its name.
        follower: makes what follows the plans through such actions.

    Raises:
        ConventionError: the benchmark takes other actions than the expert emits.
    """

    def __init__(
        self,
        action: ActionSpec,
        planners: Mapping[str, Planner],
        follower: Callable[[ActionSpec], Follower] = Controller,
    ) -> None:
        follower(action)  # refuses what it cannot emit
        self._follower = follower
        self.spec = PolicySpec(
            observations={}, action=action, chunk=1, privileged=True, placement="worker", arm={"method": "Expert"}
        )
        self._planners = planners
        self._slots: dict[int, _Slot] = {}

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Begin a subtask in each slot; the seed decides how retries differ from the first attempt."""
        for slot, seed in zip(slots, seeds, strict=True):
            self._slots[slot] = _Slot(np.random.default_rng(seed), self._follower(self.spec.action))

    def see(self, slots: Sequence[int], states: Sequence[SimulatorState]) -> None:
        """Take the state that the next `act` answers."""
        for slot, state in zip(slots, states, strict=True):
            self._slots[slot].state = state

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float64.

        Raises:
            PolicyError: the current task has no planner, or `see` was not called.
        """
        return np.stack([self._act(self._slots[slot]) for slot in slots])[:, None]

    def explain(self, slot: int) -> str | None:
        """Which try it is and where its plan is, e.g. "try 1: waypoint 2 of 5, to (...) m, gripper open"."""
        memory = self._slots[slot]
        return f"{memory.title}: {memory.follower.doing}" if memory.follower.doing else None

    def _act(self, slot: _Slot) -> Array:
        """The next action (7,) of one slot; plans anew when the last plan has ended."""
        state = slot.state
        if state is None:
            raise PolicyError("the expert was asked to act before it saw a state; call see() before act().")
        slot.state = None
        action = slot.follower.act(state)
        if action is None:
            slot.plan(self._planner(state.task), state)
            action = slot.follower.act(state)
        if action is None:
            raise PolicyError(f"the expert's plan for '{state.task}' is empty.")
        return action

    def _planner(self, task: str) -> Planner:
        """How to solve a task; raises PolicyError."""
        if task not in self._planners:
            raise PolicyError(f"the expert has no plan for '{task}'; it knows: {', '.join(self._planners)}.")
        return self._planners[task]
