"""What counts as identical, round-off and different."""

from __future__ import annotations

import numpy as np
import pytest

from seer_bench.verification import EXIT_CODES
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError
from seer_bench.verification.round_off import Bounds

BOUNDS = Bounds(onset=1e-9, grown=1e-3, pixel_share=1e-3)

STEPS = np.linspace(0.1, 1, 50).reshape(10, 5)


def _verdict(comparison: Comparison):
    return comparison.verdict("record", "kind")


def _later(size: float, step: int):
    changed = STEPS.copy()
    changed[step] += size
    return changed


def test_equal_bits_are_identical():
    comparison = Comparison(BOUNDS)
    comparison.numbers("x", STEPS, STEPS.copy())
    assert (_verdict(comparison).status, _verdict(comparison).largest) == ("identical", 0.0)


def test_nothing_compared_is_never_identical():
    assert _verdict(Comparison(BOUNDS)).status == "different"
    skipped = Comparison(BOUNDS)
    skipped.skip("no renderer")
    assert (_verdict(skipped).status, _verdict(skipped).detail) == ("skipped", "no renderer")


def test_empty_arrays_are_nothing():
    comparison = Comparison(BOUNDS)
    comparison.numbers("x", np.zeros((0, 3)), np.zeros((0, 3)))
    assert _verdict(comparison).status == "different"


def test_a_small_beginning_that_grows_is_round_off():
    comparison = Comparison(BOUNDS)
    grown = _later(BOUNDS.onset / 10, 3)
    grown[7] += 0.5
    with comparison.unit("rollout 4"):
        comparison.numbers("x", STEPS, grown)
    verdict = _verdict(comparison)
    assert verdict.status == "round-off"
    assert verdict.largest == pytest.approx(0.5)
    assert "rollout 4: x differs from step 3 on, by 1e-10" in verdict.detail


def test_a_large_beginning_is_different_though_another_unit_begins_small():
    comparison = Comparison(BOUNDS)
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
    comparison = Comparison(BOUNDS)
    with comparison.unit("rollout 0"):
        comparison.numbers("x", STEPS, _later(1e-12, 3))
        comparison.numbers("n", counts, other, role="follower")
    assert _verdict(comparison).status == status


@pytest.mark.parametrize(
    ("size", "step", "status"), [(2e-7, 1, "round-off"), (1e-5, 1, "different"), (1, 3, "round-off")]
)
def test_numbers_of_single_precision_may_differ_by_more_or_follow_others(size, step, status):
    comparison = Comparison(BOUNDS)
    with comparison.unit("episode 0"):
        comparison.numbers("x", STEPS, _later(1e-12, 3))
        comparison.numbers("quaternion", STEPS, _later(size, step), role="single")
    assert _verdict(comparison).status == status


def test_outcomes_are_never_round_off():
    comparison = Comparison(BOUNDS)
    with comparison.unit("chain 0"):
        comparison.numbers("x", STEPS, _later(1e-12, 3))
        comparison.outcome("result", 5, 4)
    assert _verdict(comparison).status == "different"
    assert "result: recorded 5, got 4" in _verdict(comparison).detail


@pytest.mark.parametrize(("role", "bound"), [("alone", BOUNDS.onset), ("final", BOUNDS.grown)])
def test_numbers_without_history_are_bounded(role, bound):
    for size, status in ((bound / 2, "round-off"), (bound * 2, "different")):
        comparison = Comparison(BOUNDS)
        comparison.numbers("x", np.zeros(4), np.full(4, size), role=role)
        assert _verdict(comparison).status == status


def test_on_the_same_processor_nothing_is_round_off():
    comparison = Comparison(None)
    comparison.numbers("x", STEPS, _later(1e-15, 3))
    assert _verdict(comparison).status == "different"


def test_negative_zero_has_other_bits():
    comparison = Comparison(BOUNDS)
    comparison.numbers("x", np.array([0.0]), np.array([-0.0]))
    assert (_verdict(comparison).status, _verdict(comparison).largest) == ("round-off", 0.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_different(value):
    comparison = Comparison(BOUNDS)
    comparison.numbers("x", np.full((2, 1), value), np.full((2, 1), value if np.isnan(value) else 1.0))
    assert _verdict(comparison).status == "different"


def test_a_fault_of_the_record_ends_its_unit_alone():
    comparison = Comparison(BOUNDS)
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
    comparison = Comparison(BOUNDS)
    comparison.picture("rgb", image, other)
    assert _verdict(comparison).status == status


@pytest.mark.parametrize(("picture_step", "status"), [(39, "different"), (40, "round-off")])
def test_rows_may_belong_to_other_steps_than_their_number(picture_step, status):
    comparison = Comparison(BOUNDS)
    with comparison.unit("episode"):
        comparison.numbers("x", STEPS, _later(1e-12, 3), steps=range(10, 110, 10))
        comparison.picture("rgb", np.zeros((9, 9), np.uint8), np.ones((9, 9), np.uint8), step=picture_step)
    assert _verdict(comparison).status == status


def test_units_are_told_as_they_begin():
    told: list[tuple[int, int]] = []
    comparison = Comparison(BOUNDS, on_unit=lambda done, total: told.append((done, total)))
    comparison.expect(2)
    for name in "ab":
        with comparison.unit(name):
            comparison.outcome("x", 1, 1)
    assert told == [(0, 2), (1, 2)]


@pytest.mark.parametrize(("size", "status"), [(0.5e-3, "identical"), (2e-3, "different"), (np.nan, "different")])
def test_close_numbers_need_not_be_equal(size, status):
    comparison = Comparison(BOUNDS)
    comparison.close_numbers("x", np.zeros(3), np.array([0, size, 0]), 1e-3)
    assert _verdict(comparison).status == status
    assert _verdict(comparison).largest == (np.inf if np.isnan(size) else size)


def test_outputs_of_a_network_agree_within_the_tolerance_and_are_identical_only_bit_for_bit():
    recorded = np.zeros(3, np.float32)
    for size, status in ((0.0, "identical"), (5e-6, "agrees"), (2e-5, "different"), (np.nan, "different")):
        comparison = Comparison(None)
        comparison.within("arm", recorded, np.array([0, size, 0], np.float32), 1e-5)
        verdict = _verdict(comparison)
        assert verdict.status == status
        assert ("arm within 5.0e-06 of 1e-05 granted" in verdict.detail) == (status == "agrees")
        assert EXIT_CODES[verdict.status] == (1 if status == "different" else 0)


def test_what_is_discrete_is_not_granted_a_tolerance():
    comparison = Comparison(None)
    comparison.within("arm", np.zeros(3), np.full(3, 1e-9), 1e-5)
    comparison.outcome("tokens", 3, 4)
    assert _verdict(comparison).status == "different"


def test_the_worst_of_each_tolerance_is_told():
    comparison = Comparison(None)
    for name, size, tolerance in (("a", 1e-7, 1e-5), ("b", 2e-7, 1e-5), ("c", 1e-3, 1e-2)):
        comparison.within(name, np.zeros(1), np.full(1, size), tolerance)
    assert _verdict(comparison).detail == "b within 2.0e-07 of 1e-05 granted; c within 1.0e-03 of 0.01 granted"


def test_another_shape_or_dtype_never_agrees():
    for got in (np.zeros(2, np.float32), np.zeros(3, np.float64)):
        comparison = Comparison(None)
        comparison.within("arm", np.zeros(3, np.float32), got, 1.0)
        assert _verdict(comparison).status == "different"
