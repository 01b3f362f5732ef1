"""Tables 3a, 3b and 4, Figures 3 and 5."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UnknownNameError
from seer_bench.report import build_report, print_report, write_report
from seer_bench.report.tables import paper_tables


@pytest.fixture
def report(fake, write_run):
    """Seer, Seer from scratch, both with a tenth of the data, one ablation of either kind, and somebody else's."""
    arms = {
        "seer": ({}, 4),
        "scratch": ({"pretrained": "no"}, 3),
        "fore": ({"pretrained": "no", "l_inv": "no"}, 2),
        "pre": ({"pre_inv": "false"}, 3),
        "tenth": ({"data": "10%"}, 3),
        "tenth-scratch": ({"data": "0.1", "pretrained": "no"}, 1),
    }
    for name, (arm, solved) in arms.items():
        manifest = fake.make_manifest(arm=arm, checkpoint=(f"{name}.pth", name.encode().hex().ljust(64, "0")[:64]))
        write_run(name, [fake.chain(i, solved) for i in range(10)], manifest)
    path = write_run("other", [fake.chain(i, 5) for i in range(10)], fake.make_manifest(policy="theirs"))
    return build_report([path.parent], policies=["seer"])


def layout(table) -> list[list[str]]:
    return [[row[0].text for row in group] for group in table.groups]


def printed(report) -> str:
    console = Console(width=100, file=io.StringIO(), color_system=None)
    print_report(report, console)
    return console.file.getvalue()


def test_runs_of_table_2_fill_the_ablations_too(report):
    assert layout(report.table("table3a").document.tables[0]) == [
        ["neither"],
        ["L_fore", "seer · fore.pth · l_inv=no, pretrained=no"],
        ["L_fore + L_inv", "seer · scratch.pth · pretrained=no"],
    ]
    assert layout(report.table("table3b").document.tables[0]) == [
        ["neither", "seer · scratch.pth · pretrained=no"],
        ["L_fore", "seer · pre.pth · pre_inv=no"],
        ["L_fore + L_inv", "seer · seer.pth"],
    ]
    (hint,) = report.table("table3a").document.hints
    assert hint.startswith("Seer (fine-tuning losses: neither): not run.")
    assert "--arm l_fore=no --arm l_inv=no --arm pretrained=no" in hint


def test_other_arms_stay_in_table_2(report):
    names = {row[0].text for group in report.table("table2").document.tables[0].groups for row in group}
    assert {
        "theirs · epoch_19.pth",
        "seer · tenth.pth · data=10%",
        "seer · fore.pth · l_inv=no, pretrained=no",
    } <= names
    assert len(report.table("table2").rows) == 7
    assert len(report.table("figure3").rows) == 4


def test_the_figure_holds_our_points_and_its_words_beside_ours(report):
    document = report.table("figure3").document
    calvin = document.tables[1]
    rows = [row for group in calvin.groups for row in group]
    assert [[cell.text for cell in row[:6]] for row in rows] == [
        ["Seer", "n/a", "n/a", "n/a", "n/a", "n/a"],
        ["ours", "3.00", "not run", "not run", "not run", "4.00"],
        ["Seer (w/o pretrain)", "n/a", "n/a", "n/a", "n/a", "n/a"],
        ["ours", "1.00", "not run", "not run", "not run", "3.00"],
    ]
    assert any("adds 150 %" in note and "Ours: 200 % (from 200 to 200 %" in note for note in document.notes)
    assert any("adds 187 %" in note and "Ours: not run." in note for note in document.notes)
    on_libero = [hint for hint in document.hints if "on libero with 10%, 20%, 40%, 70%, 100% of the data" in hint]
    assert len(on_libero) == 2
    (seer,) = (hint for hint in document.hints if hint.startswith("Seer on calvin"))
    assert seer.startswith(
        "Seer on calvin with 20%, 40%, 70% of the data: not run. Fill the first with: seer-bench run"
    )
    assert seer.endswith("--arm data=20%; the others with data=40% or data=70%")


def test_a_share_that_the_paper_does_not_have_gets_a_column_and_one_that_cannot_be_gets_none(fake, write_run):
    for name, share in (("a", "25%"), ("b", "200%")):
        path = write_run(name, [fake.chain(i, 2) for i in range(10)], fake.make_manifest(arm={"data": share}))
    report = build_report([path.parent])
    calvin = report.table("figure3").document.tables[1]
    assert [column.heading for column in calvin.columns] == [
        "Series", "10%", "20%", "25%", "40%", "70%", "100%", "Protocol",
    ]  # fmt: skip
    assert [cell.text for cell in calvin.groups[0][0][1:7]] == ["n/a", "n/a", "–", "n/a", "n/a", "n/a"]
    assert [cell.text for cell in calvin.groups[0][1][1:7]] == ["not run"] * 2 + ["2.00"] + ["not run"] * 3
    assert len(report.table("figure3").rows) == 1
    notes = report.table("table2").document.notes
    assert any("No row can have its attributes" in note and "data=200%" in note for note in notes)


def test_a_relative_improvement_needs_rows_that_compare(fake, write_run):
    tiny = fake.make_protocol("calvin-abc-d/v1-tiny", comparable="other pixels")
    for name, arm in (("a", {"data": "10%"}), ("b", {"data": "10%", "pretrained": "no"})):
        path = write_run(name, [fake.chain(i, 2) for i in range(10)], fake.make_manifest(tiny, arm=arm))
    document = build_report([path.parent]).table("figure3").document
    assert any("adds 150 %" in note and "Ours: not run." in note for note in document.notes)
    assert any("other pixels" in note for note in document.notes)


def test_the_figure_joins_no_two_protocols(fake, write_run):
    one, other = fake.make_protocol(), fake.make_protocol("calvin-abc-d/seer-v1")

    def row(protocol, solved, **arm):
        manifest = fake.make_manifest(protocol, arm={"data": "10%", **arm})
        name = f"{protocol.name.rpartition('/')[2]}-{solved}"
        return write_run(name, [fake.chain(i, solved) for i in range(10)], manifest).parent

    def said(folder):
        notes = build_report([folder]).table("figure3").document.notes
        return next(note for note in notes if "adds 150 %" in note)

    row(one, 4)
    assert said(row(other, 1, pretrained="no")).endswith("Ours: not run.")
    row(other, 3)
    assert "Ours: 200 % (" in said(row(other, 3))
    both = said(row(one, 2, pretrained="no"))
    assert (
        "Ours: 200 % (from 200 to 200 % at the ends of both 95 % intervals) under calvin-abc-d/seer-v1; 100 %" in both
    )
    assert both.endswith("under calvin-abc-d/v1.")


def test_the_real_robot_shows_the_paper_its_audit_and_what_is_missing(report):
    document = report.table("table4").document
    rows = {row[0].text: row for group in document.tables[0].groups for row in group}
    assert len(rows) == 7
    assert {row[4].text for row in rows.values()} == {"not run"}
    wrong = rows["Seer, 100 demos"]
    assert [cell.text for cell in wrong[1:3]] == ["78.4", "39.5"]
    notes = {number: document.notes[number - 1] for number in wrong[0].notes}
    assert any("means 76.7 / 37.8" in note for note in notes.values())
    assert not any("76.7" in document.notes[number - 1] for number in rows["Seer, 20 demos"][0].notes)
    assert "real robot" in document.hints[0]
    assert "seer-bench real plan paper" in document.hints[0]


def test_the_second_figure_lists_disturbances_without_values(report):
    document = report.table("figure5").document
    assert [row[2].text for row in document.tables[0].groups[0]] == ["n/a"] * 4
    assert "not run" in document.hints[0]


def test_every_table_is_written_in_every_format(fake, report, tmp_path):
    files = fake.texts(write_report(report, tmp_path))
    for table in paper_tables():
        assert {f"{table.key}.{kind}" for kind in ("md", "tex", "html", "json", "csv")} <= set(files)
        tree = json.loads(files[f"{table.key}.json"])
        assert {"schema", "table", "notes", "paper", "arms", "runs", "problems", "hints"} <= set(tree)
        assert r"\begin{table}" in files[f"{table.key}.tex"]
        assert table.number in files[f"{table.key}.md"]
    assert r"\caption{CALVIN ABC-D results (Table 2 of the paper)" in files["table2.tex"]
    assert r"\textbf{" in files["table2.tex"]


def test_what_has_no_runs_is_named_in_one_line_each(report):
    text = " ".join(printed(report).split())
    assert "Table 3b: Ablation" in text
    for line in ("Table 1: no runs were found", "Table 4: not run", "Figure 5: not run"):
        assert line in text
    assert "seer-bench report --only KEY" in text
    assert "Flip White Bowl" not in text


def test_without_any_run_the_whole_paper_is_printed(tmp_path):
    text = printed(build_report([tmp_path]))
    assert all(table.number in text for table in paper_tables())
    assert "Flip White Bowl" in text


def test_one_table_alone_is_printed_whole(report):
    text = printed(report.only("table4"))
    assert "Flip White Bowl" in text
    assert "CALVIN" not in text
    assert "Published results" in printed(report.only("table2"))
    assert "Published results" not in printed(report)
    with pytest.raises(UnknownNameError, match="table3a"):
        report.only("table3")


def test_the_command_prints_and_writes_one_table(fake, write_run, tmp_path):
    path = write_run("a", [fake.chain(0, 5)])
    done = CliRunner().invoke(app, ["report", str(path), "--only", "table2", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "LIBERO-LONG" not in done.output
    names = {file.name.split(".")[0] for file in (tmp_path / "out").iterdir() if file.is_file()}
    assert names == {"table2", "table2_tasks", "table2_published"}
    pages = {page.name for page in (tmp_path / "out" / "html").glob("*.html")}
    assert {"index.html", "table1.html", "table2.html", "figure3.html"} <= pages
    wrong = CliRunner().invoke(app, ["report", str(path), "--only", "table9", "--out", str(tmp_path / "out")])
    assert wrong.exit_code != 0
