"""Rows of ours beside the paper's: verdicts, differences, the best, and what is missing."""

from __future__ import annotations

import pytest

from seer_bench.report import build_report, report_json
from seer_bench.report.arms import arm_of_paper
from seer_bench.report.missing import Wanted, missing_hints


def rows_of(table) -> dict:
    return {row[0].text: row for group in table.groups for row in group}


@pytest.fixture(scope="module")
def report(fake, write_shared):
    """Complete runs of two arms of the paper: one that agrees in Avg. Len., one that is far above the print."""
    protocol = fake.make_protocol(count=100)
    # 94, 88, 80, 72 and 64 of 100 chains reach 1 to 5 subtasks, so Avg. Len. is 3.98, as printed.
    solved = [5] * 64 + [4] * 8 + [3] * 8 + [2] * 8 + [1] * 6 + [0] * 6
    write_shared("seer", [fake.chain(i, s) for i, s in enumerate(solved)], fake.make_manifest(protocol))
    scratch = fake.make_manifest(protocol, arm={"pretrained": "no"})
    path = write_shared("scratch", [fake.chain(i, 5) for i in range(100)], scratch)
    return build_report([path.parent], policies=["seer", "expert"])


def test_every_cell_has_verdict_and_difference(report):
    rows = rows_of(report.table("table2").document.tables[0])
    seer = rows["seer · epoch_19.pth"]
    assert [(cell.verdict, cell.difference) for cell in seer[1:6]] == [
        ("agrees", "−0.4"),
        ("agrees", "+0.8"),
        ("agrees", "+0.1"),
        ("agrees", "−0.2"),
        ("agrees", "−0.3"),
    ]
    assert seer[-2].text == "agrees (0.00)"
    scratch = rows["seer · epoch_19.pth · pretrained=no"]
    assert (scratch[1].verdict, scratch[1].difference) == ("differs", "+7.0")
    assert scratch[-2].text == "differs (+1.36)"
    assert rows["GR-1"][-2].text == "not run"
    assert rows["Seer"][-2].text == "–"


def test_rows_follow_the_row_of_the_paper_that_they_answer(report):
    groups = report.table("table2").document.tables[0].groups
    assert [[row[0].text for row in group] for group in groups[-2:]] == [
        ["Seer (w/o pretrain)", "seer · epoch_19.pth · pretrained=no"],
        ["Seer", "seer · epoch_19.pth"],
    ]


def test_json_holds_the_verdict_of_every_cell(report):
    arms = {arm["paper_row"]: arm for arm in report_json(report)["tables"]["table2"]["arms"]}
    value = arms["Seer (w/o pretrain)"]["values"]["average_length"]
    assert (value["verdict"], value["reason"], value["difference"]) == ("differs", "", pytest.approx(1.36))
    rate = arms["Seer"]["values"]["rate_2"]
    assert (rate["value"], rate["verdict"], rate["difference"]) == (0.88, "agrees", pytest.approx(0.008))


def test_the_best_is_marked_among_rows_that_compare_alone(report, fake, write_run):
    best = [row[6].text for row in rows_of(report.table("table2").document.tables[0]).values() if row[6].best]
    assert best == ["5.00"]
    protocol = fake.make_protocol(count=1)
    path = write_run("expert", [fake.chain(0, 5)], fake.make_manifest(protocol, policy="expert", privileged=True))
    rows = rows_of(build_report([path]).table("table2").document.tables[0])
    assert [name for name, row in rows.items() if row[6].best] == ["Seer"]


def test_ours_of_two_protocols_are_not_ranked_with_one_another(fake, write_run):
    for name, solved in (("calvin-abc-d/v1", 4), ("calvin-abc-d/seer-v1", 5)):
        for policy, less in (("good", 0), ("poor", 1)):
            manifest = fake.make_manifest(fake.make_protocol(name, count=1), policy=policy)
            path = write_run(f"{policy}{solved}", [fake.chain(0, solved - less)], manifest)
    groups = build_report([path.parent]).table("table2").document.tables[0].groups
    best = [(row[0].text.split()[0], row[-1].text) for group in groups for row in group if row[6].best]
    assert best == [("good", "calvin-abc-d/seer-v1"), ("good", "calvin-abc-d/v1")]


def test_a_run_under_another_protocol_stands_beside_the_row_and_does_not_fill_it(fake, write_run):
    tiny = fake.make_protocol("calvin-abc-d/v1-tiny", comparable="other pixels")
    report = build_report([write_run("tiny", [fake.chain(0, 5)], fake.make_manifest(tiny))], policies=["seer"])
    document = report.table("table2").document
    assert [(row[0].text, row[-2].text) for row in document.tables[0].groups[5]] == [
        ("Seer", "not run"),
        ("seer · epoch_19.pth", "not comparable"),
    ]
    assert any(hint.startswith("Seer: not run. Fill it with:") for hint in document.hints)


def test_published_results_are_a_table_a_protocol_with_ours_beside_them(report):
    tables = [table for table in report.table("table2").document.tables if table.page]
    assert len(tables) > 3
    ours = {table.title: [row[0].text for group in table.groups[1:] for row in group] for table in tables}
    assert [bool(rows) for rows in ours.values()] == [True] + [False] * (len(tables) - 1)
    assert not any(cell.best for table in tables for group in table.groups for row in group for cell in row)


def test_missing_rows_name_the_command_that_fills_them_and_what_it_needs():
    wanted = [
        Wanted(name, arm_of_paper(name), "calvin", "calvin-abc-d/v1")
        for name in ("Seer (w/o pretrain)", "GR-1", "SuSIE", "RoboFlamingo")
    ]
    seer, absent, unknown = missing_hints(wanted, ["seer"])
    assert seer == (
        "Seer (w/o pretrain): not run. Fill it with: seer-bench run calvin --policy seer --protocol calvin-abc-d/v1 "
        "--ckpt CHECKPOINT --arm pretrained=no"
    )
    assert absent == (
        "GR-1: not run. Policies not installed: gr1 (installed are: seer). A plugin called gr1 would fill GR-1 with: "
        "seer-bench run calvin --policy gr1 --protocol calvin-abc-d/v1 --ckpt CHECKPOINT --arm method=GR-1"
    )
    assert unknown == (
        "SuSIE, RoboFlamingo: not run. No policy plugin is known; one of your own, POLICY, would fill SuSIE with: "
        "seer-bench run calvin --policy POLICY --protocol calvin-abc-d/v1 --ckpt CHECKPOINT --arm method=SuSIE"
    )
    assert not any("Fill it with" in hint for hint in missing_hints(wanted, []))
    third_party = missing_hints(wanted[2:3], ["SuSIE"])
    assert "--policy SuSIE" in third_party[0]
