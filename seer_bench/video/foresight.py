"""What a policy expected, asked again while its actions are replayed.

The recorded actions are executed, never the policy's new ones, so the film is exact whatever the policy answers; where
the answers differ from the record, the film's note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from seer_bench.contracts import Array, Environment, Foresight, Policy, PolicyContext, StepResult, Subtask, Unit
from seer_bench.conventions import ImageSpec, Interface, check_conventions
from seer_bench.engine.faults import ask
from seer_bench.engine.seeding import derive_seed
from seer_bench.errors import CheckpointError, PolicyError, UsageError
from seer_bench.registry import load_policy
from seer_bench.store import Manifest, checkpoint_sha256
from seer_bench.store.videos import is_shown
from seer_bench.video.picture import Expectation


@dataclass(frozen=True)
class ForesightRequest:
    """With which policy a run's films are made. Its name, options and seed are the run's."""

    checkpoint: Path | None = None
    """The one that the run was made with; None for a policy without weights."""
    device: str = "cpu"
    threads: int | None = None
    """CPU threads of the policy; None for as many as in the run."""

    def check(self, manifest: Manifest) -> None:
        """Refuse another checkpoint than the run's, before anything is loaded from it.

        Raises:
            UsageError: a checkpoint is missing, or there is one too many, or no thread.
            CheckpointError: it is not the one that the run was made with.
        """
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"--threads {self.threads}: at least one is needed.")
        recorded = manifest.checkpoint
        if recorded is None:
            if self.checkpoint is not None:
                raise UsageError(f"--ckpt {self.checkpoint}: the run was made without a checkpoint; leave it out.")
        elif self.checkpoint is None:
            raise UsageError(
                f"--foresight asks the policy once more, so it needs the checkpoint of the run. Add --ckpt PATH, where "
                f"PATH is {recorded.name} with sha256 {recorded.sha256}."
            )
        elif (found := checkpoint_sha256(self.checkpoint)) != recorded.sha256:
            raise CheckpointError(
                f"--ckpt {self.checkpoint}: has sha256 {found}, but the run was made with {recorded.name}, sha256 "
                f"{recorded.sha256}; another checkpoint expected something else. Name that file."
            )

    def load(self, manifest: Manifest, interface: Interface) -> Policy:
        """The policy as the run built it.

        Raises:
            UsageError: it cannot be built, does not fit the benchmark, or foresees no images.
        """
        name, options = manifest.policy.name, manifest.policy.arguments
        path = None if self.checkpoint is None else self.checkpoint.absolute()
        threads = self.threads_of(manifest)
        policy = load_policy(name, PolicyContext(interface, manifest.protocol, path, self.device, threads, options))
        try:
            check_conventions(policy.spec, interface)
            if not policy.spec.foresight:
                raise UsageError(f"--foresight: the policy '{name}' foresees no images; leave the option out.")
        except BaseException:
            policy.close()
            raise
        return policy

    def threads_of(self, manifest: Manifest) -> int:
        """Threads that the policy computes with."""
        return self.threads or manifest.policy.threads


class Onlooker:
    """Shows a policy the replay of one unit as it saw the unit when it played it, and keeps what it foresees.

    Args:
        policy: called with as many rows as in the run, where their number can reach a policy's arithmetic; slot 0 is
            looked at, the others are copies of it.
        env: the simulator that replays the unit.
        unit: what is replayed.
        actions: the recorded actions (T, dim).
        lengths: control steps of each of the unit's subtasks.
        manifest: of the run.
    """

    def __init__(
        self,
        policy: Policy,
        env: Environment,
        unit: Unit,
        actions: Array,
        lengths: Sequence[int],
        manifest: Manifest,
    ) -> None:
        self._policy, self._spec, self._env = policy, policy.spec, env
        self._unit, self._actions, self._lengths = unit, actions, lengths
        self._run_seed = manifest.seed
        alone = policy.spec.placement == "worker" or manifest.policy.fast
        self._slots = list(range(1 if alone else manifest.policy.batch))
        self._begun = False
        self._answer: list[Array] = []
        """Of the last call of `act`: the actions for the steps to come."""
        self._given = 0
        """Actions that the policy has been followed through so far."""
        self._due: dict[int, Foresight] = {}
        """What is foreseen, by the step of the subtask that it is of."""
        self._latest: Foresight | None = None
        self._differs_from: tuple[int, int] | None = None
        """Subtask and step, both counted from 1, at which the policy first answered otherwise than recorded."""
        self._difference = 0.0

    def look(self, subtask: Subtask, steps: int, step: StepResult | None) -> list[Expectation]:
        """Look at the present state of the replay; to be called for every state, in their order.

        Args:
            subtask: the current one, after `steps` control steps.
            steps: 0 for the start state of a unit.
            step: what the last step did; None for the start state.

        Returns:
            What was expected of this state, for every field of `PolicySpec.foresight`; nothing where films have no
            frame.

        Raises:
            PolicyError: the policy failed.
        """
        over = step is not None and step.subtask_over
        shown = over or is_shown(steps, None)
        due = self._due.pop(steps, None)
        following = step.next_subtask if step is not None and over else subtask
        begins = step is None or over
        goes_on = following is not None and self._given < len(self._actions)
        asks = goes_on and (begins or not self._answer)
        seen = self._env.observe(self._spec.observations) if shown or asks else {}
        if following is not None and goes_on:
            if begins:
                self._reset(following)
            at = 0 if begins else steps
            if asks:
                self._ask(following, at, seen)
            self._compare(following, at)
        return [self._expectation(name, due, seen[name]) for name in self._spec.foresight] if shown else []

    def note(self, *, chain: bool) -> str:
        """How the policy's answers compare with the record, in words; empty where all are the same bits."""
        if self._differs_from is None:
            return ""
        subtask, step = self._differs_from
        where = f"step {step} of subtask {subtask}" if chain else f"step {step}"
        return (
            f"(the policy answers otherwise than recorded from {where} on, by up to {self._difference:.2g}: another "
            "device, processor or version)"
        )

    def _reset(self, subtask: Subtask) -> None:
        """Tell the policy of a subtask that begins."""
        slots = self._slots
        if not self._begun:
            ask(lambda: self._policy.begin(slots, [self._unit] * len(slots)))
            self._begun = True
        seed = derive_seed(self._run_seed, self._unit.id, subtask.index)
        sentences, seeds = [subtask.instruction] * len(slots), [seed] * len(slots)
        ask(lambda: self._policy.reset(slots, sentences, seeds))
        self._answer.clear()
        self._due.clear()

    def _ask(self, subtask: Subtask, at: int, seen: dict[str, Array]) -> None:
        """Ask for actions, and for what is foreseen if that will be shown."""
        slots = self._slots
        if self._spec.privileged:
            states = [self._env.state()] * len(slots)
            ask(lambda: self._policy.see(slots, states))
        rows = {name: np.repeat(value[None], len(slots), axis=0) for name, value in seen.items()}
        answer = ask(lambda: self._policy.act(slots, rows))
        shape = (len(slots), self._spec.chunk, self._spec.action.dim)
        if not isinstance(answer, np.ndarray) or answer.shape != shape:
            raise PolicyError(f"act returned {getattr(answer, 'shape', type(answer).__name__)}; {shape} was declared.")
        self._answer = list(answer[0].copy())
        last = self._lengths[subtask.index] if subtask.index < len(self._lengths) else None
        if self._latest is not None and not is_shown(at + self._latest.steps, last):
            return
        foreseen = ask(lambda: self._policy.foresee(slots[0]))
        if foreseen is not None:
            self._latest = self._due[at + foreseen.steps] = self._checked(foreseen)

    def _checked(self, foreseen: Foresight) -> Foresight:
        """Refuse what cannot be shown."""
        if foreseen.steps < 1:
            raise PolicyError(f"foresee returned steps={foreseen.steps}; it must be at least 1.")
        for name in self._spec.foresight:
            image = foreseen.images.get(name)
            if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
                what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
                raise PolicyError(f"foresee returned {what} for '{name}'; a uint8 (height, width, 3) is expected.")
        return foreseen

    def _compare(self, subtask: Subtask, at: int) -> None:
        """Compare the policy's action with the recorded one that is executed in its place."""
        ours, recorded = self._answer.pop(0), self._actions[self._given]
        self._given += 1
        if ours.dtype == recorded.dtype and ours.tobytes() == recorded.tobytes():
            return
        self._differs_from = self._differs_from or (subtask.index + 1, at + 1)
        gap = float(np.abs(ours.astype(np.float64) - recorded.astype(np.float64)).max())
        self._difference = max(self._difference, gap)

    def _expectation(self, name: str, due: Foresight | None, seen: Array) -> Expectation:
        """What is expected of a camera, beside the same part of what it shows."""
        spec = self._spec.observations[name]
        assert isinstance(spec, ImageSpec)  # noqa: S101 - `check_conventions` made sure of it
        now = seen
        if self._latest is not None:
            height, width = self._latest.images[name].shape[:2]
            now = np.asarray(ImageOps.fit(Image.fromarray(seen), (width, height), Image.Resampling.BICUBIC))
        return Expectation(
            field=name,
            foreseen=None if due is None else upright(due.images[name], spec),
            steps=None if self._latest is None else self._latest.steps,
            now=upright(now, spec),
        )


def upright(image: Array, spec: ImageSpec) -> Array:
    """A picture (height, width, 3) of a field as a person would look at it."""
    turned = {"upright": image, "raw": image[::-1], "rot180": image[:, ::-1]}
    return np.ascontiguousarray(turned[spec.orientation])
