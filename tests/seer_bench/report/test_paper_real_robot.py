from __future__ import annotations

import copy

import pytest

from seer_bench.errors import UsageError
from seer_bench.report.paper_real_robot import RealRobotScore, load_real_robot_table, parse_real_robot_table

TABLE = {
    "title": "T",
    "metric": "M",
    "score_rule": "stages\nover cases",
    "tasks": [
        {"id": "a", "label": "A", "stages": ["one", "two"]},
        {"id": "b", "label": "B", "stages": ["one", "two", "three"]},
    ],
    "rows": [{"method": "m", "demos": 100, "values": [[80.0, 24.0], [26.7, 26.0]], "avg": [53.4, 25.0]}],
}


def table(cell: list[float] | None = None, average: list[float] | None = None, audit: list[str] | None = None) -> dict:
    tree = copy.deepcopy(TABLE)
    if cell is not None:
        tree["rows"][0]["values"][0] = cell
    if average is not None:
        tree["rows"][0]["avg"] = average
    if audit is not None:
        tree["audit"] = audit
    return tree


def test_table4_holds_the_paper_rows():
    table = load_real_robot_table()
    assert [task.id for task in table.tasks] == ["flip_white_bowl", "stack_cups", "wipe_board", "pick_place_close"]
    assert [len(task.stages) for task in table.tasks] == [2, 4, 3, 3]
    assert [(row.method, row.demos) for row in table.rows] == [
        ("MVP", 100),
        ("MPI", 100),
        ("OpenVLA", 100),
        ("Seer (w/o pretrain)", 20),
        ("Seer", 20),
        ("Seer (w/o pretrain)", 100),
        ("Seer", 100),
    ]
    assert table.rows[0].scores[0] == RealRobotScore(80.0, 24.0)


def test_one_row_of_table4_disagrees_with_its_averages():
    rows = load_real_robot_table().rows
    assert [row.adds_up for row in rows] == [True] * 6 + [False]
    assert rows[-1].average == RealRobotScore(78.4, 39.5)
    assert rows[-1].computed.success == pytest.approx(76.675)
    assert rows[-1].computed.score == 37.75


def test_a_sound_table_is_read():
    parsed = parse_real_robot_table(table(), source="x")
    assert parsed.score_rule == "stages over cases"
    assert parsed.rows[0].adds_up


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": [50.0, 24.0]}, r"x: table4, row 'm' with 100 demos, A: SR 50\.0 is no share of 15 cases"),
        ({"cell": [80.0, 23.0]}, r"12 of 15 cases solved give a whole score from 24 to 27, not 23\.0"),
        ({"cell": [80.0, 28.0]}, r"from 24 to 27, not 28\.0"),
        ({"cell": [80.0, 24.5]}, r"whole score from 24 to 27, not 24\.5"),
        (
            {"average": [53.4, 25.2]},
            r"printed averages 53\.4 / 25\.2, means of its cells 53\.35 / 25\.00",
        ),
        (
            {"average": [54.0, 25.0]},
            r"53\.35 / 25\.00, and 'audit' does not name the row",
        ),
        ({"audit": ["average of (m, 100 demos) disagrees"]}, "but 'audit' says they disagree"),
    ],
)
def test_cells_against_the_rule_and_unnamed_disagreements_are_refused(changes: dict, message: str):
    with pytest.raises(UsageError, match=message):
        parse_real_robot_table(table(**changes), source="x")


def test_a_named_disagreement_is_read():
    parsed = parse_real_robot_table(
        table(average=[60.0, 25.0], audit=["average of (m, 100 demos) disagrees"]), source="x"
    )
    assert not parsed.rows[0].adds_up


def test_missing_cells_rows_and_tasks_are_refused():
    short = table()
    short["rows"][0]["values"].pop()
    with pytest.raises(UsageError, match="1 cells for 2 tasks"):
        parse_real_robot_table(short, source="x")
    for part in ("tasks", "rows"):
        with pytest.raises(UsageError, match="it needs some"):
            parse_real_robot_table({**table(), part: []}, source="x")
