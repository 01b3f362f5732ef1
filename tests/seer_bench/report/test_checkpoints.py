"""Several checkpoints of one arm as one row."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from seer_bench.report import build_report, write_report


def checkpoint(number: int) -> tuple[str, str]:
    return (f"epoch_{number}.pth", f"{number:02d}" * 32)


@pytest.fixture(scope="module")
def five(fake, write_shared):
    """Five complete checkpoints of Seer whose average lengths are 1.0, 2.0, 3.0, 4.0 and 5.0 less 0.5."""
    for number in range(5):
        results = [fake.chain(i, number + i % 2) for i in range(10)]
        path = write_shared(f"c{number}", results, fake.make_manifest(checkpoint=checkpoint(number)))
    return build_report([path.parent])


def test_the_best_three_make_the_value_and_the_choice_is_told(five):
    (row,) = five.table("table2").rows
    assert row.summary.label == "seer · best 3 of 5"
    assert [row.runs[i].label for i in row.choice.chosen] == [f"seer · epoch_{i}.pth" for i in (4, 3, 2)]
    assert row.summary.average_length.value == pytest.approx(np.mean([2.5, 3.5, 4.5]))
    assert row.choice.unselected.value == pytest.approx(2.5)
    assert row.summary.average_length.low <= row.summary.average_length.value <= row.summary.average_length.high
    assert [rate.value for rate in row.summary.rates] == pytest.approx([1, 1, 5 / 6, 1 / 2, 1 / 6])
    document = five.table("table2").document
    (note,) = (note for note in document.notes if "best 3 of 5" in note)
    assert "selected on the test set" in note
    assert "Unselected mean over all 5: 2.50 (" in note
    table = next(table for table in document.tables if table.title.startswith("Checkpoints"))
    assert [(row[0].text, row[1].text, row[3].text) for row in table.groups[0]] == [
        ("seer · epoch_0.pth", "0.50", "no"),
        ("seer · epoch_1.pth", "1.50", "no"),
        ("seer · epoch_2.pth", "2.50", "yes"),
        ("seer · epoch_3.pth", "3.50", "yes"),
        ("seer · epoch_4.pth", "4.50", "yes"),
        ("Mean of the best 3", "3.50", "yes"),
        ("Mean of all 5", "2.50", "no"),
    ]


def test_machines_get_the_choice(fake, five, tmp_path):
    files = fake.texts(write_report(five.only("table2"), tmp_path))
    (arm,) = json.loads(files["table2.json"])["arms"]
    assert (arm["paper_row"], len(arm["checkpoints"]), arm["selection"]["made"]) == ("Seer", 5, True)
    assert arm["selection"]["unselected"]["value"] == pytest.approx(2.5)
    line = next(row for row in csv.DictReader(io.StringIO(files["table2.csv"])) if row["paper_row"])
    assert (line["checkpoints"], line["selected"]) == ("5", "3")
    assert float(line["unselected_average_length"]) == pytest.approx(2.5)


def test_up_to_three_checkpoints_are_not_selected(fake, write_run):
    for number in (1, 3):
        results = [fake.chain(i, number) for i in range(10)]
        path = write_run(f"c{number}", results, fake.make_manifest(checkpoint=checkpoint(number)))
    report = build_report([path.parent])
    (row,) = report.table("table2").rows
    assert (row.summary.label, row.summary.average_length.value) == ("seer · mean of 2", 2.0)
    assert any("none was selected" in note for note in report.table("table2").document.notes)


def test_one_checkpoint_says_so_and_a_policy_without_weights_does_not(fake, write_run):
    path = write_run("a", [fake.chain(0, 5)])
    assert any("One checkpoint" in note for note in build_report([path]).table("table2").document.notes)
    path = write_run("b", [fake.chain(0, 5)], fake.make_manifest(policy="expert", checkpoint=None))
    assert not any("One checkpoint" in note for note in build_report([path]).table("table2").document.notes)


def test_only_units_of_all_checkpoints_count(fake, write_run):
    write_run("a", [fake.chain(i, 5) for i in range(4)], fake.make_manifest(checkpoint=checkpoint(1)))
    path = write_run("b", [fake.chain(i, 1) for i in range(2, 6)], fake.make_manifest(checkpoint=checkpoint(2)))
    (row,) = build_report([path.parent]).table("table2").rows
    assert (row.summary.n, row.summary.complete, row.summary.average_length.value) == (2, False, 3.0)


def test_checkpoints_without_a_common_unit_are_left_out_in_words(fake, write_run):
    write_run("a", [fake.chain(0, 5)], fake.make_manifest(checkpoint=checkpoint(1)))
    path = write_run("b", [fake.chain(1, 1)], fake.make_manifest(checkpoint=checkpoint(2)))
    report = build_report([path.parent])
    assert report.table("table2").rows == ()
    assert "No unit has an outcome with all 2 checkpoints" in report.problems[0]


def test_seeds_options_and_attributes_make_arms_of_their_own(fake, write_run):
    for name, more in (("a", {}), ("b", {"seed": 1}), ("c", {"options": {"k": "1"}}), ("d", {"arm": {"data": "10%"}})):
        path = write_run(name, [fake.chain(0, 5)], fake.make_manifest(checkpoint=checkpoint(1), **more))
    report = build_report([path.parent])
    assert [len(row.runs) for row in report.table("table2").rows] == [1, 1, 1, 1]
    assert len({row.summary.label for row in report.table("table2").rows}) == 4


def test_one_checkpoint_under_two_spellings_of_an_arm_counts_once(fake, write_run):
    write_run("a", [fake.chain(0, 5)], fake.make_manifest(arm={"data": "10%"}))
    path = write_run("b", [fake.chain(0, 5)], fake.make_manifest(arm={"data": "0.1"}))
    report = build_report([path.parent])
    assert [len(row.runs) for row in report.table("table2").rows] == [1]
    assert "written otherwise" in report.problems[0]


def test_tasks_are_strata_of_the_choice(fake, write_run):
    protocol = fake.task_protocol()
    for number, solved in enumerate([(1,) * 10, (2,) * 10, (2,) * 9 + (0,), (0,) * 10]):
        manifest = fake.make_manifest(protocol, checkpoint=checkpoint(number))
        path = write_run(f"c{number}", fake.rollouts(*solved), manifest)
    report = build_report([path.parent])
    (row,) = report.table("table1").rows
    assert row.choice.chosen == (1, 2, 0)
    assert row.summary.average.value == pytest.approx((1.0 + 0.9 + 0.5) / 3)
    last = next(score for score in row.summary.tasks if score.task == fake.LIBERO_TASKS[9])
    assert (last.successes, last.attempts) == (3, 6)
    assert row.choice.unselected.value == pytest.approx((0.5 + 1.0 + 0.9 + 0) / 4)
