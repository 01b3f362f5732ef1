from __future__ import annotations

import importlib.util
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from seer_bench import (
    ActionSpec,
    CheckFailedError,
    ConventionError,
    EvaluationProtocol,
    Interface,
    Policy,
    PolicyContext,
    PolicySpec,
    VectorSpec,
    check_policy,
)

FIELDS = {"total": VectorSpec(1, "sum so far")}
ACTION = ActionSpec("tally", 2, "none", None, None, None, 1)
PROTOCOL = EvaluationProtocol("tally/v1", "tally", "adding numbers", "table2", "yes", {})
CONTEXT = PolicyContext(Interface("tally", FIELDS, ACTION), PROTOCOL)


class History(Policy):
    """Keeps the contract: the mean of what the slot has seen, plus a number drawn from its seed."""

    def __init__(self, context: PolicyContext, **spec: object) -> None:
        self.spec = PolicySpec(FIELDS, ACTION, **spec)
        self.seen: dict[int, list[np.ndarray]] = {}
        self.rng: dict[int, np.random.Generator] = {}

    def reset(self, slots, instructions, seeds):
        for slot, seed in zip(slots, seeds, strict=True):
            self.seen[slot], self.rng[slot] = [], np.random.default_rng(seed)

    def act(self, slots, observations):
        return np.stack([self.one(slot, observations["total"][row]) for row, slot in enumerate(slots)])

    def one(self, slot, total):
        self.seen[slot].append(total.copy())
        return np.full((1, 2), np.mean(self.seen[slot]) + self.rng[slot].uniform())


class Forgetless(History):
    def reset(self, slots, instructions, seeds):
        for slot, seed in zip(slots, seeds, strict=True):
            if slot not in self.seen:
                super().reset([slot], instructions, [seed])


class SharedHistory(History):
    def reset(self, slots, instructions, seeds):
        super().reset(slots, instructions, seeds)
        self.seen = defaultdict(lambda row=[]: row)  # one list for all


class Keeper(History):
    def one(self, slot, total):
        self.seen[slot].append(total)
        return np.full((1, 2), np.mean(self.seen[slot]))


class Entropy(History):
    def __init__(self, context):
        super().__init__(context)
        self.own = np.random.default_rng().uniform()

    def one(self, slot, total):
        return np.full((1, 2), self.own)


def altered(change) -> type[Policy]:
    """`History` with its answer changed by `change(answer, total)`."""

    class Altered(History):
        def act(self, slots, observations):
            return change(super().act(slots, observations), observations["total"])

    return Altered


def spoil(answer, total):
    total += 1
    return answer


def roll_dice(answer, total):
    random.random()
    return answer


def roll_numpy_dice(answer, total):
    np.random.uniform()  # noqa: NPY002 - the fault
    return answer


def fail(answer, total):
    raise RuntimeError("weights on fire")


def wander(answer, total):
    return answer.astype(np.float32) if total[0, 0] > 0 else answer


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (altered(lambda answer, total: answer[0]), "shape: act returned"),
        (altered(lambda answer, total: answer.tolist()), "shape: act returned list"),
        (altered(lambda answer, total: answer.astype(int)), "dtype: act returned int64"),
        (altered(wander), "dtype: act changed it"),
        (altered(lambda answer, total: answer * np.nan), "finite: "),
        (altered(spoil), "observations: act changed 'total' in place"),
        (altered(roll_dice), "global random state: .* random"),
        (altered(roll_numpy_dice), "global random state: .* numpy.random"),
        (altered(fail), "act: it failed .* weights on fire"),
        (Forgetless, "reset: "),
        (SharedHistory, "slots: "),
        (Keeper, "observations: .* overwritten"),
        (Entropy, "determinism: "),
        (lambda context: History, "the factory built"),
        (lambda context: History(context, chunk=2), "shape: "),
    ],
)
def test_each_fault_is_named(policy, rule):
    with pytest.raises(CheckFailedError, match=rule):
        check_policy(policy, CONTEXT)


def test_a_spec_that_cannot_be_pickled_is_named():
    class Layout(str):
        __slots__ = ()

        def __reduce__(self):
            raise TypeError("no way")

    def build(context):
        policy = History(context)
        policy.spec = PolicySpec({"total": VectorSpec(1, Layout("sum so far"))}, ACTION)
        return policy

    with pytest.raises(CheckFailedError, match="spec: it cannot be pickled"):
        check_policy(build, CONTEXT)


def test_conventions_are_part_of_the_check():
    with pytest.raises(ConventionError, match="batch=0"):
        check_policy(lambda context: History(context, batch=0), CONTEXT)


def test_a_policy_that_keeps_the_contract_passes():
    check_policy(History, CONTEXT)
    check_policy(lambda context: History(context, batch=4), CONTEXT)


def test_a_privileged_policy_is_checked_as_far_as_it_can_be():
    check_policy(lambda context: History(context, privileged=True), CONTEXT)


def test_rows_that_see_their_neighbours_are_refused_only_in_strict_mode():
    class Leaky(History):
        def act(self, slots, observations):
            return super().act(slots, observations) + observations["total"].sum()

    def build(context):
        return Leaky(context, batch=3)

    with pytest.raises(CheckFailedError, match="batch=3: a row's actions change with its neighbours"):
        check_policy(build, CONTEXT)
    check_policy(build, CONTEXT, strict=False)


@pytest.mark.usefixtures("tally")
@pytest.mark.parametrize(("name", "options"), [("random", {}), ("add", {}), ("add", {"batch": "3", "chunk": "2"})])
def test_plugins_are_found_by_name_and_pass(name, options):
    from tally_plugins import ACTION, FIELDS

    check_policy(name, PolicyContext(Interface("tally", FIELDS, ACTION), PROTOCOL, options=options))


def test_the_example_passes():
    path = Path(__file__).parents[2] / "examples" / "hello_policy" / "hello_policy.py"
    spec = importlib.util.spec_from_file_location("hello_policy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    interface = Interface("calvin", module.SPEC.observations, module.SPEC.action)
    check_policy(module.HelloPolicy, PolicyContext(interface, PROTOCOL))
