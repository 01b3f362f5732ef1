from __future__ import annotations

from dataclasses import replace

import pytest

from seer_bench.report.audit import (
    Claim,
    audit_claims,
    audit_paper,
    audit_real_robot,
    audit_repeats,
    audit_task_table,
    footnotes,
)
from seer_bench.report.paper_real_robot import RealRobotScore, load_real_robot_table
from seer_bench.report.paper_tables import (
    PaperTask,
    PaperTaskRow,
    PaperTaskTable,
    load_ablation_table,
    load_chain_table,
    load_task_table,
)


def test_the_paper_has_these_inconsistencies_and_no_others():
    assert [(f.key, f.row, f.printed, f.computed) for f in audit_paper()] == [
        ("table1", "MTACT", "mean of 3 checkpoints", "steps of 1/20"),
        ("table1", "MPI", "66.6, 86.6, 96.6, 56.6, 86.6", "66.7, 86.7, 96.7, 56.7, 86.7"),
        ("table1", "OpenVLA", "mean of 3 checkpoints", "steps of 1/20"),
        ("table4", "MPI", "48.4", "48.3"),
        ("table4", "Seer", "78.4 / 39.5", "76.7 / 37.8"),
        ("table4", None, "15 x 3 trials", "steps of 1/15"),
        ("table4", None, "43 %", "39 %"),
    ]


def test_every_footnote_about_numbers_says_the_printed_and_the_computed_value():
    numbers = [finding for finding in audit_paper() if finding.printed[0].isdigit() and "trials" not in finding.printed]
    assert len(numbers) == 4
    for finding in numbers:
        assert finding.printed in finding.text
        assert finding.computed in finding.text


def test_footnotes_are_found_by_table():
    assert footnotes("table2") == footnotes("table3a") == footnotes("table3b") == ()
    assert len(footnotes("table1")) == 3
    assert any("78.4 / 39.5" in text and "46 of 60 cases, 151 stages" in text for text in footnotes("table4"))


def test_a_corrected_table4_has_no_finding_about_averages():
    table = load_real_robot_table()
    rows = tuple(replace(row, average=RealRobotScore(*_exact(row))) for row in table.rows)
    assert [f.row for f in audit_real_robot(replace(table, rows=rows))] == [None]


def _exact(row) -> tuple[float, float]:
    cases = [round(cell.success * 15 / 100) for cell in row.scores]
    return round(100 * sum(cases) / 60, 1), row.computed.score


def test_cells_in_steps_of_trials_are_no_finding():
    table = load_real_robot_table()
    row = table.rows[0]
    cell = RealRobotScore(82.2, row.scores[0].score)  # 37 of 45
    rows = (replace(row, scores=(cell, *row.scores[1:])),)
    assert not [f for f in audit_real_robot(replace(table, rows=rows)) if "whole number" in f.text]


def test_cut_rates_and_coarse_steps_are_told_apart_from_sound_rows():
    def audit(*rates: float | None) -> list[str]:
        tasks = tuple(PaperTask(str(i), str(i)) for i in range(len(rates)))
        row = PaperTaskRow("m", None, rates)
        return [f.computed for f in audit_task_table(PaperTaskTable("t", "T", "M", tasks, (row,)))]

    assert audit(66.7, 50.0) == []
    assert audit(66.6, 50.0) == ["66.7"]
    assert audit(65.0, None) == ["steps of 1/20"]


def test_an_ablation_that_differs_from_table2_is_found():
    table, ablation = load_chain_table("table2"), load_ablation_table("table3b")
    assert audit_repeats(table, [load_ablation_table("table3a"), ablation]) == ()
    wrong = replace(ablation, rows=(*ablation.rows[:-1], replace(ablation.rows[-1], average_length=3.97)))
    (finding,) = audit_repeats(table, [wrong])
    assert (finding.key, finding.row) == ("table3b", "Seer")
    assert "3.97" in finding.text
    assert "3.98" in finding.text


@pytest.mark.parametrize(("computed", "found"), [(13.45, 0), (13.5, 0), (13.6, 1), (12.4, 1)])
def test_claims_are_held_to_their_own_rounding(computed: float, found: int):
    findings = audit_claims([Claim("t", "gain", 13, computed, " %", 0)])
    assert len(findings) == found


def test_claims_about_legible_tables_hold():
    assert load_task_table("table1").rows[-1].average == 87.7
    assert not [f for f in audit_paper() if f.key == "table2"]
