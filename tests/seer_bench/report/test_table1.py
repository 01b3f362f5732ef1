"""Table 1 on small synthetic runs, in every format."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest
from rich.console import Console

from seer_bench.report import build_report, print_report, write_report
from seer_bench.report.document import marks
from seer_bench.report.paper_tables import load_task_table


@pytest.fixture(scope="module")
def report(fake, tmp_path_factory):
    """A complete privileged run, one with errors, a partial one, and a fast one of another protocol."""
    runs = tmp_path_factory.mktemp("runs")
    seer = fake.task_protocol()
    other = fake.task_protocol("libero-long/openvla-v1", per_task=3, comparable="more rollouts of fewer steps")
    expert = fake.make_manifest(seer, policy="expert", privileged=True, checkpoint=None, backend="pinned")
    fake.write_session(runs / "expert", fake.rollouts(2, 2, 2, 2, 2, 2, 2, 2, 2, 1), expert)
    almost = [r for r in fake.rollouts(*[2] * 10) if "task=9,trial=01" not in r.unit_id]
    fake.write_session(runs / "errors", [*almost, fake.lost(9, 1)], fake.make_manifest(seer))
    partial = fake.make_manifest(seer, policy="gr1", backend="unpinned")
    fake.write_session(runs / "partial", fake.rollouts(2, 1, 0), partial)
    fast = fake.make_manifest(other, policy="vla", fast=True)
    fake.write_session(runs / "fast", fake.rollouts(*[3] * 10, per_task=3), fast)
    return build_report([runs])


@pytest.fixture(scope="module")
def written(fake, report, tmp_path_factory) -> dict[str, str]:
    """File name -> text."""
    return fake.texts(write_report(report.only("table1"), tmp_path_factory.mktemp("report")))


def printed(report, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    print_report(report, console)
    return console.file.getvalue()


def words(text: str) -> str:
    """The letters and digits alone, so that escapes and line breaks do not matter."""
    return re.sub(r"[^a-z0-9]", "", html.unescape(text).lower())


def test_the_papers_tasks_are_liberos(fake):
    assert tuple(task.task for task in load_task_table("table1").tasks) == fake.LIBERO_TASKS


def rows_of(table) -> dict:
    return {row[0].text: row for group in table.groups for row in group}


def test_arms_follow_their_row_of_the_paper_and_the_others_come_after_by_protocol(report):
    for table in report.table("table1").document.tables[:3]:
        *paper, seer, own, other = table.groups
        assert [len(group) for group in paper] == [1] * 5
        assert [row[0].text for row in seer] == ["Seer", "seer · epoch_19.pth"]
        assert [{row[-1].text for row in group} for group in (own, other)] == [
            {"libero-long/seer-v1"},
            {"libero-long/openvla-v1"},
        ]


def test_every_row_has_a_verdict_in_fixed_words(report):
    rows = rows_of(report.table("table1").document.tables[0])
    verdicts = {name: row[3].text for name, row in rows.items()}
    assert verdicts["MTACT"] == "not run"
    assert verdicts["Seer"] == "–"
    assert {verdicts[name] for name in ("expert", "gr1 · epoch_19.pth", "vla · epoch_19.pth")} == {"not comparable"}


def test_cells_hold_rate_counts_and_interval(report):
    average, first, second, *_ = report.table("table1").document.tables
    expert = rows_of(average)["expert"]
    assert (expert[1].text, expert[1].counts, expert[1].detail) == ("95.0", "19/20", "76.4–99.1")
    assert (expert[2].text, expert[2].detail) == ("20", "")
    rows = rows_of(second)
    # Wilson for 1 of 2 at 95 %: 9.45 to 90.55 %.
    assert (rows["expert"][5].text, rows["expert"][5].counts, rows["expert"][5].detail) == ("50.0", "1/2", "9–91")
    gr1 = rows_of(first)["gr1 · epoch_19.pth"]
    assert [cell.text for cell in gr1[1:4]] == ["100.0", "50.0", "0.0"]
    assert [cell.text for cell in gr1[4:6]] == ["–", "–"]


def test_a_partial_run_shows_n_of_n_no_average_and_the_command_that_continues_it(report):
    table = report.table("table1")
    gr1 = rows_of(table.document.tables[0])["gr1 · epoch_19.pth"]
    assert (gr1[1].text, gr1[1].counts, gr1[2].text, gr1[2].detail) == ("–", "3/6", "6", "of 20")
    (hint,) = (hint for hint in table.document.hints if hint.startswith("gr1"))
    assert "14 rollouts of 20 to go" in hint
    assert "seer-bench run libero --policy gr1 --protocol libero-long/seer-v1 --ckpt epoch_19.pth" in hint
    assert "--backend unpinned --out" in hint
    assert not any(hint.startswith("expert") for hint in table.document.hints)


def test_every_note_is_in_every_format(report, written):
    document = report.table("table1").document
    for part in (
        "top-3",
        "not legible",
        "Privileged",
        "Partial",
        "3 of 10 tasks",
        "more rollouts of fewer steps",
        "Fast",
        "Excluded: 1 rollout without an outcome",
        "95.0 % or 100.0 % of the rollouts",
        "backend 'unpinned'",
    ):
        assert any(part in note for note in document.notes), part
    assert not any("'pinned'" in note for note in document.notes)
    texts = {name: written[f"table1.{name}"] for name in ("md", "tex", "html")}
    texts["json"] = json.dumps(json.loads(written["table1.json"]), ensure_ascii=False)
    own = marks(table for table in document.tables if not table.page)
    notes = [document.notes[number - 1] for number in own]
    for name, page in texts.items():
        text = words(page)
        assert all(words(line) in text for line in (*notes, *document.hints)), name
    assert all(words(note) in words(texts["md"]) and words(note) in words(texts["html"]) for note in document.notes)
    for width in (80, 110, 160):
        text, alone = (words(printed(shown, width)) for shown in (report, report.only("table1")))
        assert all(words(note) in text for note in notes)
        assert all(words(note) in alone for note in document.notes)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminal_keeps_its_width_and_shows_intervals_whole(report, width):
    text = printed(report, width)
    assert max(map(len, text.splitlines())) <= width
    for part in ("87.7", "76.4–99.1", "19/20", "34–100", "libero-long/openvla-v1"):
        assert part in text
    assert "Table 2: no runs were found. Add a row" in re.sub(r"\s+", " ", text)


def test_csv_is_numbers(written):
    rows = {(row["method"], row["protocol"]): row for row in csv.DictReader(io.StringIO(written["table1.csv"]))}
    assert float(rows["Seer", "paper"]["average"]) == 0.877
    expert = rows["expert", "libero-long/seer-v1"]
    assert (expert["successes"], expert["n"], expert["planned"], expert["errors"]) == ("19", "20", "20", "0")
    assert float(expert["average_low"]) < 0.95 < float(expert["average_high"])
    assert rows["gr1 · epoch_19.pth", "libero-long/seer-v1"]["average"] == ""
    tasks = list(csv.DictReader(io.StringIO(written["table1_tasks.csv"])))
    assert sum(row["protocol"] == "paper" for row in tasks) == 60
    ours = [row for row in tasks if row["method"] == "expert" and "microwave" in row["task"]]
    assert [(row["successes"], row["attempts"], row["rate"]) for row in ours] == [("1", "2", "0.5")]


def test_json_is_the_documented_tree(fake, written):
    tree = json.loads(written["table1.json"])
    keys = {"schema", "table", "notes", "measures", "paper", "arms", "runs", "published", "problems", "hints"}
    assert set(tree) == keys
    assert tree["paper"][0]["values"][fake.LIBERO_TASKS[3]] == 0.85
    assert tree["paper"][-1]["values"][fake.LIBERO_TASKS[9]] is None
    runs = {run["label"]: run for run in tree["runs"]}
    assert runs["expert"]["values"]["average"]["value"] == pytest.approx(0.95)
    assert runs["gr1 · epoch_19.pth"]["values"]["average"] is None
    seer = runs["seer · epoch_19.pth"]
    assert [seer["solved_if_errors_failed"], seer["solved_if_errors_solved"]] == [0.95, 1.0]
    assert runs["vla · epoch_19.pth"]["policy"]["fast"] is True


def test_latex_breaks_long_headings_and_stays_balanced(written):
    text = written["table1.tex"]
    assert r"\parbox[b]{1.8cm}{\raggedleft Put bowl in drawer and close it}" in text
    assert r"\begin{tabular}[t]{@{}r@{}}50.0 \\ {\scriptsize 1/2} \\ {\scriptsize 9--91}\end{tabular}" in text
    assert r"expert \\ {\scriptsize libero-long/seer-v1}" in text
    depth = 0
    for token in re.findall(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0


def test_strange_tasks_are_left_out_in_words(fake, write_run):
    path = write_run("a", [fake.chain(0, 1, length=1)], fake.make_manifest(fake.task_protocol()))
    report = build_report([path])
    assert report.table("table1").summaries == ()
    assert "'open_drawer' is no task of the table" in report.problems[0]
    assert report.table("table2").document.problems == ()
