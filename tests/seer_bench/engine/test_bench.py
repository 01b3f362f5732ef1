from __future__ import annotations

from pathlib import Path

import pytest

from seer_bench import CheckpointError, RunRequest, UnknownNameError, UsageError, run
from seer_bench.engine.bench import (
    Bench,
    BenchRequest,
    EnvironmentSpeed,
    Expectation,
    PolicySpeed,
    doubling,
    expectations,
    recommended,
)
from seer_bench.errors import PolicyError, SimulationError

pytestmark = pytest.mark.usefixtures("tally")


class Silent:
    """A monitor that looks away."""

    def __getattr__(self, name):
        return lambda *_: None


def bench(**changes: object) -> Bench:
    return Bench(BenchRequest(**({"benchmark": "tally", "seconds": 0.05, "workers": 2} | changes)))


def test_environments_are_measured_with_one_worker_and_with_more():
    speeds = list(bench().environments())
    assert [speed.workers for speed in speeds] == [1, 2]
    assert all(speed.steps_per_second > 100 for speed in speeds)


def test_a_policy_that_lives_in_the_workers_plays_itself():
    measured = bench(policy="add", options={"placement": "worker"}, workers=1)
    assert not measured.in_main
    assert list(measured.policies()) == []
    assert len(list(measured.environments())) == 1
    faulty = bench(policy="add", options={"placement": "worker", "fault": "raise"}, workers=1)
    with pytest.raises(SimulationError, match="weights on fire"):
        list(faulty.environments())


@pytest.mark.parametrize("fault", ["raise", "cancelled"])
def test_a_policy_that_fails_ends_the_measurement_in_words(fault):
    with pytest.raises(PolicyError, match=r"weights on fire|CancelledError"):
        list(bench(policy="add", options={"fault": fault}).policies())


def test_a_policy_in_main_is_measured_up_to_its_batch():
    measured = bench(policy="add", options={"batch": "6", "chunk": "2"})
    speeds = list(measured.policies())
    assert [speed.batch for speed in speeds] == [1, 2, 4, 6]
    assert all(speed.seconds_per_call > 0 for speed in speeds)
    assert speeds[-1].steps_per_second == pytest.approx(12 / speeds[-1].seconds_per_call)
    assert measured.batch() == (6, "")


def test_a_batch_that_a_run_would_not_use_is_not_counted_on():
    size, why = bench(policy="add", options={"batch": "3", "fault": "neighbours"}).batch()
    assert size == 1
    assert "neighbours" in why


def test_an_environment_that_dies_is_an_error_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("TALLY_FAULTS", str(tmp_path))
    (tmp_path / "0.advance.exit.0").touch()
    with pytest.raises(SimulationError, match="died while it was measured"):
        list(bench(workers=1).environments())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"benchmark": "tallly"}, UnknownNameError),
        ({"policy": "ad"}, UnknownNameError),
        ({"backend": "other"}, UnknownNameError),
        ({"seconds": 0.0}, UsageError),
        ({"workers": 0}, UsageError),
        ({"checkpoint": Path("nowhere.pth")}, CheckpointError),
    ],
)
def test_bad_requests_are_refused(changes, error):
    with pytest.raises(error):
        bench(**changes)


def test_a_run_of_another_protocol_gives_no_estimate(tmp_path):
    run(RunRequest("tally", "add", tmp_path / "r", units="0", protocol="tally/v2"), Silent())
    assert bench(protocol="tally/v2", like=tmp_path / "r").like.path == tmp_path / "r"
    with pytest.raises(UsageError, match=r"is a run of tally/v2, measured is tally/v1.*limit: 5 here, 9 there"):
        bench(like=tmp_path / "r")


def test_without_a_policy_to_wait_for_the_environments_decide():
    speeds = [EnvironmentSpeed(1, 100.0), EnvironmentSpeed(2, 190.0), EnvironmentSpeed(4, 195.0)]
    found = expectations(speeds, None)
    assert [e.steps_per_second for e in found] == [100.0, 190.0, 195.0]
    assert recommended(found).workers == 2


def test_workers_wait_for_the_policy_whose_calls_come_one_at_a_time():
    speeds = [EnvironmentSpeed(w, 100.0 * w) for w in (1, 2, 4, 8)]
    # 10 ms of physics and 10 ms of policy a step: 50 steps/s a worker, at most 100 with one row a call.
    found = expectations(speeds, PolicySpeed(batch=1, seconds_per_call=0.01, chunk=1))
    assert [e.steps_per_second for e in found] == pytest.approx([50, 100, 100, 100])
    assert recommended(found) == Expectation(2, pytest.approx(100))
    batched = expectations(speeds, PolicySpeed(batch=4, seconds_per_call=0.01, chunk=1))
    assert [e.steps_per_second for e in batched] == pytest.approx([50, 100, 200, 400])


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (6, [1, 2, 4, 6])]
)
def test_sizes_double_and_end_with_the_most(most, sizes):
    assert doubling(most) == sizes
