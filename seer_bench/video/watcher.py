"""What a replay measures while a subtask breaks: distances from the simulator's state, and the policy's own words."""

from __future__ import annotations

from collections import deque

import numpy as np

from seer_bench.contracts import Array, Environment, Policy, PolicyContext, SimulatorState, StepResult, Subtask, Unit
from seer_bench.conventions import Interface
from seer_bench.engine.faults import ask
from seer_bench.engine.seeding import derive_seed
from seer_bench.errors import PolicyError, SeerBenchError
from seer_bench.registry import load_policy
from seer_bench.store import Manifest
from seer_bench.store.videos import Trace, is_shown

_DIGITS = 4
"""Decimals that are kept: a tenth of a millimetre."""


class Narrator:
    """Asks a privileged policy without weights the same questions again and notes what it says it is about.

    The recorded actions are executed, never the policy's new ones; once those differ it is not quoted any further.
    """

    def __init__(self, policy: Policy, run_seed: int) -> None:
        self._policy, self._run_seed = policy, run_seed
        self.close = policy.close

    def begin(self, env: Environment, unit: Unit, actions: Array) -> None:
        """A unit is replayed; `actions` (T, dim) are the recorded ones."""
        self._env, self._unit = env, unit
        self._recorded = deque(actions)
        self._answer: deque[Array] = deque()
        self.said: list[tuple[int, str]] = []
        self.note = ""
        self._policy.begin([0], [unit])

    def follow(self, subtask: Subtask, steps: int) -> None:
        """Ask what the policy is about in the step after `steps` ones of a subtask; nothing is asked after a fault."""
        if self.note or not self._recorded:
            return
        try:
            self._follow(subtask, steps)
        except PolicyError as error:
            self.note = f"The policy, asked again, failed at step {steps + 1}: {error}"

    def _follow(self, subtask: Subtask, steps: int) -> None:
        """As `follow`; raises PolicyError."""
        if steps == 0:
            self._answer.clear()
            self.said.clear()
            seed = derive_seed(self._run_seed, self._unit.id, subtask.index)
            ask(lambda: self._policy.reset([0], [subtask.instruction], [seed]))
        if not self._answer:
            state = self._env.state()
            ask(lambda: self._policy.see([0], [state]))
            self._answer.extend(ask(lambda: self._policy.act([0], {}))[0].copy())
        if not np.array_equal(self._answer.popleft(), self._recorded.popleft()):
            self.note = (
                f"The policy answers otherwise than recorded from step {steps + 1} on and is quoted up to there."
            )
            return
        text = ask(lambda: self._policy.explain(0))
        if text and (not self.said or self.said[-1][1] != text):
            self.said.append((steps, text))


def load_narrator(manifest: Manifest, interface: Interface) -> Narrator | None:
    """The policy that can say what it was about; None where it has nothing to say, needs weights or looks at images."""
    if not manifest.policy.privileged or manifest.checkpoint is not None:
        return None
    policy_id = manifest.policy
    context = PolicyContext(interface, manifest.protocol, None, "cpu", policy_id.threads, policy_id.arguments)
    try:
        policy = load_policy(policy_id.name, context)
    except SeerBenchError:  # it is not installed here; the clip is whole without its words
        return None
    if policy.spec.observations or type(policy).explain is Policy.explain:
        policy.close()
        return None
    return Narrator(policy, manifest.seed)


class Watcher:
    """Measures one subtask of a replayed unit; `look` is called after every step.

    Args:
        env: the simulator that replays the unit.
        broken: position of the subtask.
        narrator: also asked; None leaves that out.
    """

    def __init__(self, env: Environment, broken: int, narrator: Narrator | None) -> None:
        self._env, self.broken, self._narrator = env, broken, narrator
        self._states: list[tuple[int, SimulatorState]] = []

    def look(self, subtask: Subtask, steps: int, step: StepResult | None) -> None:
        """Take the state after `steps` steps of a subtask; `step` is None for the start state."""
        if step is not None and step.subtask_over:
            if step.next_subtask is None:  # the unit is over, and its state is not to be had any more
                return
            subtask, steps = step.next_subtask, 0
        if subtask.index == self.broken and is_shown(steps, None):
            self._states.append((steps, self._env.state()))
        if self._narrator is not None:
            self._narrator.follow(subtask, steps)

    def trace(self, unit_id: str, actions_sha256: str) -> Trace:
        """Everything that was measured."""
        first = self._states[0][1]
        bodies, joints = sorted(first.bodies), sorted(first.joints)
        states = [state for _, state in self._states]
        said = () if self._narrator is None else tuple(self._narrator.said)
        return Trace(
            unit_id=unit_id,
            actions_sha256=actions_sha256,
            subtask=self.broken,
            steps=tuple(steps for steps, _ in self._states),
            near={b: tuple(_distance(s.bodies[b].position, s.tcp_position) for s in states) for b in bodies},
            moved={b: tuple(_distance(s.bodies[b].position, first.bodies[b].position) for s in states) for b in bodies},
            joints={j: tuple(round(float(s.joints[j] - first.joints[j]), _DIGITS) for s in states) for j in joints},
            plan=said,
            note="" if self._narrator is None else self._narrator.note,
        )


def _distance(a: Array, b: Array) -> float:
    """Metres between two points (3,)."""
    return round(float(np.linalg.norm(np.asarray(a) - np.asarray(b))), _DIGITS)
