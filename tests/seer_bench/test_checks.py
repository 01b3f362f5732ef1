from __future__ import annotations

import importlib.util
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from seer_bench import (
    CheckFailedError,
    ConventionError,
    EvaluationProtocol,
    Interface,
    PolicyContext,
    PolicySpec,
    UsageError,
    VectorSpec,
    check_policy,
)
from seer_bench.registry import find_protocol, load_benchmark
from tests.fakes import mutants
from tests.fakes.mutants import ACTION, FAULTY, FIELDS, SOUND, ClearsAtUnitsOnly, Matmul, Sound

PROTOCOL = EvaluationProtocol("made-up/v1", "made up", "adding numbers", "table2", "yes", {})
CONTEXT = PolicyContext(Interface("made up", {**FIELDS, "pose": VectorSpec(4, "made up")}, ACTION), PROTOCOL)
EXAMPLES = Path(__file__).parents[2] / "examples"


def told(policy, context=CONTEXT, **options) -> dict[str, str]:
    rules: dict[str, str] = {}
    check_policy(policy, context, told=rules.__setitem__, **options)
    return rules


@pytest.mark.parametrize("policy", SOUND, ids=lambda policy: policy.__name__)
def test_a_sound_policy_passes(policy):
    before = np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002 - looked at
    rules = told(policy)
    assert {"building", "spec", "form", "determinism", "slots", "reset", "instances", "arrays", "thread"} <= set(rules)
    assert ("batch" in rules) == ("bits" in rules) == (policy is not mutants.Single)
    assert before == (np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())  # noqa: NPY002


@pytest.mark.parametrize(("policy", "rule"), FAULTY.items(), ids=[policy.__name__ for policy in FAULTY])
def test_each_fault_is_named(policy, rule):
    grad = torch.is_grad_enabled()
    try:
        with pytest.raises(CheckFailedError, match=f"^({rule})"):
            check_policy(policy, CONTEXT)
    finally:
        torch.set_grad_enabled(grad)


def test_where_and_what_differs_is_said():
    with pytest.raises(CheckFailedError, match=r"step \d, action \d, entry \d is [-\d.]+ instead of [-\d.]+; "):
        check_policy(mutants.KeepsHistory, CONTEXT)


class Raises(Sound):
    def act(self, slots, observations):
        return np.linalg.inv(np.zeros((2, 2)))  # raised in NumPy, the fault of this line


class Tensors(Sound):
    def act(self, slots, observations):
        return torch.tensor(super().act(slots, observations))


class Flat(Sound):
    def act(self, slots, observations):
        return super().act(slots, observations)[:, 0]


class TakesNoSeeds(Sound):
    def reset(self, slots, instructions):
        """As in other harnesses."""


class Listed(Sound):
    def reset(self, slots, instructions, seeds):
        for slot in slots:
            ["one", "two"][slot]
        super().reset(slots, instructions, seeds)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Raises, r"LinAlgError: Singular matrix \(.*test_checks\.py, line \d+, in act\)$"),
        (Tensors, r"Tensor; return a NumPy array of shape .*, e\.g\. with \.detach\(\)\.cpu\(\)\.numpy\(\)\.$"),
        (Flat, r"the axis of the chunk is missing: actions\[:, None\] if it is 1\.$"),
        (TakesNoSeeds, r"4 were given; it is called as reset\(slots, instructions, seeds\)$"),
        (Listed, r"IndexError.*, in reset\); a slot is any number, so keep what it remembers in a dictionary$"),
    ],
)
def test_a_beginners_mistake_is_answered_with_where_and_what_to_do(policy, words):
    with pytest.raises(CheckFailedError, match=words):
        check_policy(policy, CONTEXT)


def test_the_range_of_actions_is_told():
    assert re.search(r"\(arm \S+ to \S+, gripper \S+ to \S+\)", told(Sound)["form"])


@pytest.mark.parametrize(
    ("factory", "rule"),
    [
        (lambda context: Sound, "building: the factory built"),
        (lambda context: 1 / 0, "building: it failed: ZeroDivisionError"),
        (type("Bare", (Sound,), {"__init__": lambda self, context: None}), "spec: the policy has none"),
    ],
)
def test_what_cannot_be_built_is_named(factory, rule):
    with pytest.raises(CheckFailedError, match=rule):
        check_policy(factory, CONTEXT)


def test_conventions_are_part_of_the_check():
    with pytest.raises(ConventionError, match="batch=0"):
        check_policy(lambda context: Sound(context, batch=0), CONTEXT)


def test_what_is_drawn_while_libraries_are_imported_is_not_the_policys_fault():
    imported: list[object] = []

    def build(context):
        if not imported:
            imported.append(random.random())
        return Sound(context)

    check_policy(build, CONTEXT)


def test_made_up_quaternions_are_rotations():
    class Turned(Sound):
        def __init__(self, context):
            self.spec = PolicySpec({"turn": VectorSpec(4, "world: hand body quaternion xyzw")}, ACTION)

        def reset(self, slots, instructions, seeds):
            pass

        def act(self, slots, observations):
            assert np.linalg.norm(observations["turn"], axis=1) == pytest.approx(1)
            return observations["turn"][:, None].astype(np.float32)

    interface = Interface("made up", {"turn": VectorSpec(4, "world: hand body quaternion xyzw")}, ACTION)
    check_policy(Turned, PolicyContext(interface, PROTOCOL))


def test_a_privileged_policy_is_checked_as_far_as_it_can_be():
    class Privileged(Sound):
        def __init__(self, context):
            super().__init__(context)
            object.__setattr__(self.spec, "privileged", True)

    rules = told(Privileged)
    assert "privileged" in rules
    assert "form" not in rules


def test_rounding_in_a_batch_is_refused_only_in_strict_mode():
    class Rounding(Sound):
        def act(self, slots, observations):
            found = super().act(slots, observations)
            return found + np.float32(1e-5) * found.sum()

    with pytest.raises(CheckFailedError, match="batch=4: a row's actions change with its neighbours"):
        check_policy(Rounding, CONTEXT)
    assert "bits" not in told(Rounding, strict=False)
    assert "batch" in told(Matmul, strict=False)


def test_memory_of_a_unit_is_allowed_and_said():
    assert "is that meant?" in told(ClearsAtUnitsOnly)["memory"]
    assert "memory" not in told(Sound)


def test_looking_ahead_must_not_change_anything():
    assert "foresight" in told(mutants.Foresees)
    with pytest.raises(CheckFailedError, match="foresight: foresee changes later actions"):
        check_policy(mutants.ForeseesAndDraws, CONTEXT)


@pytest.mark.usefixtures("tally")
@pytest.mark.parametrize(("name", "options"), [("random", {}), ("add", {}), ("add", {"batch": "3", "chunk": "2"})])
def test_plugins_are_found_by_name_and_pass(name, options):
    from tally_plugins import ACTION, FIELDS

    rules = told(name, PolicyContext(Interface("tally", FIELDS, ACTION), PROTOCOL, options=options))
    assert "options" in rules


@pytest.mark.usefixtures("tally")
def test_a_plugin_that_takes_any_option_is_named(tmp_path):
    from tally_plugins import ACTION, FIELDS

    context = PolicyContext(Interface("tally", FIELDS, ACTION), PROTOCOL)
    with pytest.raises(UsageError, match="weighted needs a checkpoint"):
        check_policy("weighted", context)
    (tmp_path / "light").write_text("1")
    with pytest.raises(CheckFailedError, match="options: --policy-arg no_such_option=1"):
        check_policy("weighted", PolicyContext(context.interface, PROTOCOL, tmp_path / "light"))


@pytest.mark.parametrize(
    ("benchmark", "module", "policy"),
    [("calvin", "hello_policy", "HelloPolicy"), ("libero", "hello_libero", "HelloLibero")],
)
def test_the_examples_pass(benchmark, module, policy):
    spec = importlib.util.spec_from_file_location(module, EXAMPLES / module / f"{module}.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    played = load_benchmark(benchmark)
    protocol = find_protocol(played, None)
    check_policy(getattr(example, policy), PolicyContext(played.interface(protocol), protocol))
