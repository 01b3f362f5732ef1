"""The rules of `check_policy` about what a policy answers and on what that depends."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from seer_bench._rehearsal import STEPS, Rehearsal, same, seeded
from seer_bench.contracts import Array, Policy
from seer_bench.errors import CheckFailedError

Told = Callable[[str, str], None]
"""Hears of each rule that passed, and what was found."""

_MANY_STEPS = 12
"""Steps of the plays that a short one could not stand for, so that a short history fills and slides."""
_ROUNDING = 0.02
"""How far actions of a batch may lie from those of single rows, as a part of the largest: low precision, no more."""

_RESET = (
    "after a reset with the same sentence, seed and observations the actions differ",
    "let reset forget everything about a slot, and take the new sentence and seed",
)
_DRAW = "draw every random number from a generator started in reset from the slot's seed"


class PolicyRules:
    """What two fresh instances answer: its form, and on what it depends. In an order in which each fault is named."""

    def __init__(self, first: Policy, second: Policy, told: Told, *, threads: int) -> None:
        self.first, self.second, self.told, self.threads = first, second, told, threads
        self.spec = pickle.loads(pickle.dumps(first.spec))  # noqa: S301 - our own bytes
        self.wanted: dict[int, Array] = {}
        """Actions (steps, chunk, dim) of the first instance for a content, played alone."""

    def check(self) -> None:
        """All rules, under one global random state but where another one is the question."""
        with seeded(0), threadpool_limits(self.threads):
            self._check()

    def _check(self) -> None:
        """All rules."""
        self._form()
        self._determinism()
        self._slots()
        self._reset()
        self._global_states()
        self._instances()
        self._arrays()
        self._thread()
        if self.first.spec.foresight:
            self._foresight()
        if self.first.spec.batch > 1:
            self._batch()
        if self.first.spec != self.spec:
            raise CheckFailedError("spec: it changed while the policy was played; set it once, when building it.")

    def _form(self) -> None:
        """The first play, which the others are compared with."""
        self.wanted[0] = Rehearsal(self.first, guarded=True).play([0], steps=_MANY_STEPS)[0]
        self.wanted[1] = Rehearsal(self.first, guarded=True).play([1], slots=[2])[0]
        form = f"(n, {self.first.spec.chunk}, {self.first.spec.action.dim}) {self.wanted[0].dtype}"
        arm, gripper = self.wanted[0][..., :-1], self.wanted[0][..., -1]
        values = f"arm {_range(arm)}, gripper {_range(gripper)}"
        self.told("form", f"{form}, finite ({values}); inputs and global random states are left alone")

    def _determinism(self) -> None:
        """Instances differ in nothing."""
        found = Rehearsal(self.second).play([0], steps=_MANY_STEPS)
        why = "two instances with the same seed and observations give different actions"
        self._demand(found, [0], "determinism", why, _DRAW)
        self.told("determinism", "two instances give the same actions")
        self._demand(Rehearsal(self.first).play([0]), [0], "reset", *_RESET)

    def _global_states(self) -> None:
        """What a global random generator would draw does not matter."""
        with seeded(1):
            found = Rehearsal(self.first).play([0])
        why = "the actions depend on the state of random, numpy.random or torch"
        self._demand(found, [0], "global random state", why, _DRAW)
        self.told("randomness", "depends on no global random state")

    def _slots(self) -> None:
        """A slot knows nothing of another one, nor its own number."""
        hint = "keep what a slot remembers under its number, and nothing else"
        found = Rehearsal(self.first).play([0], slots=[11])
        self._demand(found, [0], "slots", "the actions in slot 11 are not those in slot 0", hint)
        why = "the actions in a slot change when another slot is begun and played in between"
        self._demand(_in_turns((Rehearsal(self.first), 4), (Rehearsal(self.first), 9)), [0, 1], "slots", why, hint)
        self.told("slots", "independent of one another and of their numbers")

    def _reset(self) -> None:
        """Nothing of what was played before is left."""
        rehearsal = Rehearsal(self.first)
        rehearsal.play([1], slots=[6], steps=_MANY_STEPS)
        self._demand(rehearsal.play([0], slots=[6]), [0], "reset", *_RESET)
        rehearsal.play([1], slots=[6], steps=2)
        rehearsal.start([6], [0], begin=False)
        found = np.stack([rehearsal.act([6], [0], step)[0] for step in range(STEPS)])
        if type(self.first).begin is Policy.begin:
            why, hint = _RESET
            self._demand([found], [0], "reset", f"{why} (the second subtask of a unit)", hint)
        elif not same(found, self.wanted[0][:STEPS]):  # what `begin` clears may belong to the unit
            self.told("memory", "a subtask depends on those before it in its unit; is that meant?")
        self.told("reset", "forgets what a slot has seen and been told")

    def _instances(self) -> None:
        """Nothing is kept in the class or the module."""
        found = _in_turns((Rehearsal(self.first), 0), (Rehearsal(self.second), 0))
        why = "the actions change when another instance is played in between"
        self._demand(
            found, [0, 1], "instances", why, "keep what it remembers in the instance, not in the class or module"
        )
        self.told("instances", "share nothing")

    def _arrays(self) -> None:
        """No array is shared with the caller."""
        found = Rehearsal(self.first, overwrite=True).play([0])
        why = "the actions change when the arrays given to act are overwritten after the call"
        self._demand(found, [0], "observations", why, "copy what a history keeps")
        found = Rehearsal(self.first, scribble=True).play([0])
        why = "later actions change when the array that act returned is overwritten"
        self._demand(found, [0], "actions", why, "return a copy")
        self.told("arrays", "none is shared with the caller")

    def _foresight(self) -> None:
        """Looking ahead changes nothing."""
        found = Rehearsal(self.first, peek=True).play([0])
        self._demand(found, [0], "foresight", "foresee changes later actions", "let it only look")
        self.told("foresight", "has the declared images and changes nothing")

    def _thread(self) -> None:
        """The engine calls a policy from a thread of its own."""
        with ThreadPoolExecutor(1) as thread:
            try:
                found = thread.submit(self._play_limited).result()
            except CheckFailedError as error:
                raise CheckFailedError(
                    f"thread: called from another thread than the one that built it, {error}. Settings such as "
                    "torch.set_grad_enabled(False) hold in one thread only: use `with torch.inference_mode():` in act."
                ) from error
        why = "the actions differ in another thread than the one that built it"
        self._demand(found, [0], "thread", why, "set nothing that holds in one thread only")
        self.told("thread", "may be called from another one")

    def _play_limited(self) -> list[Array]:
        """In another thread, which some libraries give its own number of threads."""
        with threadpool_limits(self.threads):
            return Rehearsal(self.first).play([0])

    def _batch(self) -> None:
        """A batch is a loop of single calls, up to rounding."""
        size = self.first.spec.batch
        slots = [3 + 2 * row for row in range(size)]
        for turn in (1, 0):  # the second time every slot has a past
            contents = [(row + turn) % 2 for row in range(size)]
            for content, found in zip(contents, self._shuffled(slots, contents), strict=True):
                wanted = self.wanted[content][:STEPS]
                if np.abs(found - wanted).max() > _ROUNDING * max(1.0, float(np.abs(wanted).max())):
                    raise CheckFailedError(
                        f"batch={size}: a batch is not a loop of single calls: {difference(found, wanted)}. Go by the "
                        "slot numbers in every call; their order and count change."
                    )
        self.told("batch", f"{size} slots a call are a loop of single ones, up to rounding")

    def _shuffled(self, slots: Sequence[int], contents: Sequence[int]) -> list[Array]:
        """Actions of every slot, when the slots come in another order and number at every step."""
        rehearsal, rows = Rehearsal(self.first), list(range(len(slots)))
        rehearsal.start(slots, contents)
        steps: list[list[Array]] = [[] for _ in rows]
        for step, calls in enumerate(([rows], [rows[::-1]], [rows[1::2], rows[::2]])):
            for call in calls:
                answers = rehearsal.act([slots[row] for row in call], [contents[row] for row in call], step)
                for row, actions in zip(call, answers, strict=True):
                    steps[row].append(actions)
        return [np.stack(actions) for actions in steps]

    def _demand(self, found: Sequence[Array], contents: Sequence[int], rule: str, why: str, hint: str) -> None:
        """Refuse actions that differ from the first ones for the contents."""
        for actions, content in zip(found, contents, strict=True):
            wanted = self.wanted[content][: len(actions)]
            if not same(actions, wanted):
                raise CheckFailedError(f"{rule}: {why}: {difference(actions, wanted)}; {hint}.")


def difference(found: Array, wanted: Array) -> str:
    """Where two plays (steps, chunk, dim) first differ, and the values."""
    if found.dtype != wanted.dtype:
        return f"{found.dtype} instead of {wanted.dtype}"
    step, action, entry = (int(i) for i in np.argwhere(found != wanted)[0])
    return (
        f"step {step}, action {action}, entry {entry} is {found[step, action, entry]:.6g} instead of "
        f"{wanted[step, action, entry]:.6g}"
    )


def _range(values: Array) -> str:
    """The least and the largest of some numbers, by which an author sees a wrong scale."""
    return f"{values.min():.3g} to {values.max():.3g}"


def _in_turns(*players: tuple[Rehearsal, int]) -> list[Array]:
    """What each (rehearsal, slot) answers to its own content; each begins while those before it are under way."""
    answers: list[list[Array]] = [[] for _ in players]
    for turn in range(STEPS + len(players) - 1):
        for content, (rehearsal, slot) in enumerate(players):
            step = turn - content
            if step == 0:
                rehearsal.start([slot], [content])
            if 0 <= step < STEPS:
                answers[content].append(rehearsal.act([slot], [content], step)[0])
    return [np.stack(steps) for steps in answers]
