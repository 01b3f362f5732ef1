from __future__ import annotations

import pytest

from seer_bench.errors import DamagedRecordError
from seer_bench.report.chains import summarise
from seer_bench.report.tables import paper_table
from seer_bench.store import read_run


def test_counts_by_hand(fake, write_run):
    results = [
        fake.chain(0, 5),
        fake.chain(1, 3, out_of_range=7),
        fake.chain(2, 0, policy_error=True),
        fake.chain(3, 2),
    ]
    summary = summarise([read_run(write_run("a", results))])
    assert summary.n == 4
    assert [rate.value for rate in summary.rates] == [0.75, 0.75, 0.5, 0.25, 0.25]
    assert summary.average_length.value == 2.5
    assert summary.average_length.low < 2.5 < summary.average_length.high
    # Wilson for 3 of 4 at 95 %, by the closed form: centre 0.6277, half width 0.3270.
    assert summary.rates[0].low == pytest.approx(0.3006, abs=1e-4)
    assert summary.rates[0].high == pytest.approx(0.9544, abs=1e-4)
    assert (summary.policy_errors, summary.actions_out_of_range, summary.errors) == (1, 7, 0)
    assert summary.planned == 10
    assert not summary.complete
    by_task = {score.task: (score.successes, score.attempts) for score in summary.tasks}
    assert by_task == {
        "open_drawer": (3, 4),
        "lift_red_block_table": (3, 3),
        "turn_on_led": (2, 3),
        "push_blue_block_left": (1, 2),
        "close_drawer": (1, 1),
    }


def test_sum_of_rates_is_the_average_length(fake, write_run):
    summary = summarise([read_run(write_run("a", [fake.chain(i, i % 6) for i in range(10)]))])
    assert sum(rate.value for rate in summary.rates) == pytest.approx(summary.average_length.value)
    assert summary.complete


def test_infrastructure_errors_are_excluded_and_bounded(fake, write_run):
    results = [fake.chain(0, 5), fake.chain(1, 1), fake.broken(2)]
    summary = summarise([read_run(write_run("a", results))])
    assert (summary.n, summary.errors, summary.average_length.value) == (2, 1, 3.0)
    # 6 solved of 3 chains if the third had failed at once, 11 of 3 if it had been solved.
    assert summary.average_length_bounds == (pytest.approx(2.0), pytest.approx(11 / 3))


def test_a_single_chain_has_no_interval_of_the_mean(fake, write_run):
    summary = summarise([read_run(write_run("a", [fake.chain(0, 4)]))])
    assert (summary.average_length.value, summary.average_length.low, summary.average_length.high) == (4.0, None, None)


def test_no_outcome_no_summary(fake, write_run):
    assert summarise([read_run(write_run("a", [fake.broken(0)]))]) is None


def test_shards_are_merged(fake, write_run):
    paths = [write_run("s0", [fake.chain(0, 5), fake.broken(1)]), write_run("s1", [fake.chain(1, 1)])]
    summary = summarise([read_run(path) for path in reversed(paths)])
    assert (summary.n, summary.errors, summary.average_length.value) == (2, 0, 3.0)
    assert summary.paths == tuple(sorted(paths))


def test_shards_that_contradict_one_another_are_refused(fake, write_run):
    paths = [write_run("s0", [fake.chain(0, 5)]), write_run("s1", [fake.chain(0, 1)])]
    with pytest.raises(DamagedRecordError):
        summarise([read_run(path) for path in paths])


def test_sessions_of_another_simulation_are_named(fake, write_run):
    write_run("a", [fake.chain(0, 5)])
    other = fake.make_manifest(simulation={"assets": "a1", "physics": "zz"})
    summary = summarise([read_run(write_run("a", [fake.chain(1, 5)], other, allow_mixed=True))])
    assert summary.mixed == ("physics",)


def test_other_chain_lengths_follow_the_protocol(fake, write_run):
    manifest = fake.make_manifest(fake.make_protocol(length=3, count=2))
    summary = summarise([read_run(write_run("a", [fake.chain(0, 3, length=3), fake.chain(1, 0, length=3)], manifest))])
    assert [rate.value for rate in summary.rates] == [0.5, 0.5, 0.5]
    assert (summary.planned, summary.complete) == (2, True)


def test_a_point_for_an_interval_is_explained(fake, write_run):
    alike = summarise([read_run(write_run("a", [fake.chain(i, 5) for i in range(4)]))])
    assert any("ended alike" in note for note in paper_table("table2").run_notes(alike))
    mixed = summarise([read_run(write_run("b", [fake.chain(0, 5), fake.chain(1, 2)]))])
    assert not any("ended alike" in note for note in paper_table("table2").run_notes(mixed))
