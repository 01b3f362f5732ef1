"""What counts as identical, round-off and different."""

from __future__ import annotations

import numpy as np
import pytest

from calvin_benchmark.verify.compare import GROWN, ONSET, Comparison
from calvin_benchmark.verify.recording import RecordError

STEPS = np.linspace(0.1, 1, 50).reshape(10, 5)


def _verdict(comparison: Comparison):
    return comparison.verdict("record", "kind")


def _later(size: float, step: int):
    changed = STEPS.copy()
    changed[step] += size
    return changed


def test_equal_bits_are_identical():
    comparison = Comparison()
    comparison.numbers("x", STEPS, STEPS.copy())
    assert (_verdict(comparison).status, _verdict(comparison).largest) == ("identical", 0.0)


def test_nothing_compared_is_never_identical():
    assert _verdict(Comparison()).status == "different"
    skipped = Comparison()
    skipped.skip("no renderer")
    assert (_verdict(skipped).status, _verdict(skipped).detail) == ("skipped", "no renderer")


def test_empty_arrays_are_nothing():
    comparison = Comparison()
    comparison.numbers("x", np.zeros((0, 3)), np.zeros((0, 3)))
    assert _verdict(comparison).status == "different"


def test_a_small_beginning_that_grows_is_round_off():
    comparison = Comparison()
    grown = _later(ONSET / 10, 3)
    grown[7] += 0.5
    with comparison.unit("rollout 4"):
        comparison.numbers("x", STEPS, grown)
    verdict = _verdict(comparison)
    assert verdict.status == "round-off"
    assert verdict.largest == pytest.approx(0.5)
    assert "rollout 4: x differs from step 3 on, by 1e-10" in verdict.detail


def test_a_large_beginning_is_different_though_another_unit_begins_small():
    comparison = Comparison()
    for name, size in (("small", 1e-12), ("large", 1e-6)):
        with comparison.unit(name):
            comparison.numbers("x", STEPS, _later(size, 2))
    verdict = _verdict(comparison)
    assert verdict.status == "different"
    assert verdict.detail.startswith("large: x differs from step 2 on")
    assert verdict.detail.endswith("; 1 more differ")


@pytest.mark.parametrize(("step", "status"), [(2, "different"), (3, "round-off"), (8, "round-off")])
def test_contact_counts_may_follow_numbers_but_not_lead(step, status):
    counts = np.zeros((10, 2), dtype=int)
    other = counts.copy()
    other[step:] = 1
    comparison = Comparison()
    with comparison.unit("rollout 0"):
        comparison.numbers("x", STEPS, _later(1e-12, 3))
        comparison.numbers("n", counts, other, role="follower")
    assert _verdict(comparison).status == status


def test_outcomes_are_never_round_off():
    comparison = Comparison()
    with comparison.unit("chain 0"):
        comparison.numbers("x", STEPS, _later(1e-12, 3))
        comparison.outcome("result", 5, 4)
    assert _verdict(comparison).status == "different"
    assert "result: recorded 5, got 4" in _verdict(comparison).detail


@pytest.mark.parametrize(("role", "bound"), [("alone", ONSET), ("final", GROWN)])
def test_numbers_without_history_are_bounded(role, bound):
    for size, status in ((bound / 2, "round-off"), (bound * 2, "different")):
        comparison = Comparison()
        comparison.numbers("x", np.zeros(4), np.full(4, size), role=role)
        assert _verdict(comparison).status == status


def test_on_the_same_processor_nothing_is_round_off():
    comparison = Comparison(same_processor=True)
    comparison.numbers("x", STEPS, _later(1e-15, 3))
    assert _verdict(comparison).status == "different"


def test_negative_zero_has_other_bits():
    comparison = Comparison()
    comparison.numbers("x", np.array([0.0]), np.array([-0.0]))
    assert (_verdict(comparison).status, _verdict(comparison).largest) == ("round-off", 0.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_different(value):
    comparison = Comparison()
    comparison.numbers("x", np.full((2, 1), value), np.full((2, 1), value if np.isnan(value) else 1.0))
    assert _verdict(comparison).status == "different"


def test_a_fault_of_the_record_ends_its_unit_alone():
    comparison = Comparison()
    with comparison.unit("bad"):
        raise RecordError("file.npz has no array 'x'")
    with comparison.unit("good"):
        comparison.numbers("x", STEPS, STEPS)
    verdict = _verdict(comparison)
    assert (verdict.status, verdict.detail) == ("different", "bad: file.npz has no array 'x'")
    assert "50 numbers" in verdict.compared


@pytest.mark.parametrize(("pixels", "status"), [(0, "identical"), (5, "round-off"), (500, "different")])
def test_few_pixels_are_round_off(pixels, status):
    image = np.zeros((100, 100), dtype=np.uint8)
    other = image.copy()
    other.ravel()[:pixels] = 200
    comparison = Comparison()
    comparison.picture("rgb", image, other)
    assert _verdict(comparison).status == status
