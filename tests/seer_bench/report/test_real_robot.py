"""Campaigns on a real robot, with numbers that were computed by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from seer_bench.contracts import UnitError
from seer_bench.report import build_report, print_report, write_report
from seer_bench.report.paper_figures import load_generalization
from seer_bench.report.real_robot import summarise
from seer_bench.report.score_lines import score_lines
from seer_bench.stats import stratified_mean, wilson
from seer_bench.store import RunWriter, read_run

TASKS = {"flip": 2, "stack": 4}
FLIP = ([2, 2, 0], [1, 1, 1], [2, 0, 0])
STACK = ([4, 4, 4], [3, 0, 2], [4, 0, 4])


def play(fake, write_run, rule, *, name="a", arm=None, **options):
    """A campaign of two small tasks."""
    protocol = fake.robot_protocol(rule, TASKS, cases=3, **options)
    results = [*fake.trials(protocol, "flip", *FLIP), *fake.trials(protocol, "stack", *STACK)]
    return write_run(name, results, fake.make_manifest(protocol, arm=arm or {"demos": "100"}))


def paper_run(fake, write_run, name, *, rule="best_of", solved=15, arm=None, **options):
    """A run of the paper's four tasks; of each the first cases are solved, and the others complete no stage."""
    protocol = fake.robot_protocol(rule, **options)
    results = []
    for plan in protocol.settings["real_robot"]["tasks"]:
        cases = ([len(plan["stages"]) if case < solved else 0] * plan["trials"] for case in range(plan["cases"]))
        results += fake.trials(protocol, plan["id"], *cases)
    manifest = fake.make_manifest(
        protocol, arm=arm or {"demos": "100"}, checkpoint=(f"{name}.pth", name.encode().hex())
    )
    return write_run(name, results, manifest)


def rows_of(table) -> dict:
    return {row[0].text: row for group in table.groups for row in group}


@pytest.mark.parametrize(
    ("rule", "success", "score", "averages"),
    [
        # Cases of flip: 2/3, 0, 1/3 solved, 4/3, 1, 2/3 stages; of stack: 1, 0, 2/3 and 4, 5/3, 8/3.
        ("mean", (1 / 3, 5 / 9), (3, 25 / 3), (4 / 9, 17 / 3)),
        # Best trials: 1, 0, 1 and 2, 1, 2; 1, 0, 1 and 4, 3, 4.
        ("best_of", (2 / 3, 2 / 3), (5, 11), (2 / 3, 8)),
        # Two of three trials: 1, 0, 0 and 2, 1, 0; 1, 0, 1 and 4, 2, 4.
        ("majority", (1 / 3, 2 / 3), (3, 10), (1 / 2, 6.5)),
    ],
)
def test_sr_and_score_by_hand(fake, write_run, rule, success, score, averages):
    summary = summarise([read_run(play(fake, write_run, rule))])
    assert [result.success.value for result in summary.results] == pytest.approx(success)
    assert [result.score.value for result in summary.results] == pytest.approx(score)
    assert (summary.average_success.value, summary.average_score.value) == pytest.approx(averages)
    assert (summary.n, summary.planned, summary.complete, summary.cases) == (18, 18, True, 6)


def test_where_a_case_has_one_value_intervals_are_wilsons_over_the_cases(fake, write_run):
    summary = summarise([read_run(play(fake, write_run, "best_of"))])
    flip = summary.results[0].success
    assert (flip.low, flip.high) == pytest.approx(wilson(successes=2, n=3))
    mean = summary.average_success
    assert (mean.low, mean.high) == pytest.approx(stratified_mean(successes=[2, 2], n=[3, 3]))


def test_trials_of_a_case_that_end_alike_tell_no_more_than_one(fake, write_run):
    summary = summarise([read_run(paper_run(fake, write_run, "a", rule="mean", solved=12))])
    (first, *_) = summary.results
    assert (first.success.low, first.success.high) == pytest.approx(wilson(successes=12, n=15))
    assert first.score.value == pytest.approx(24)
    assert (first.score.low, first.score.high) == pytest.approx([30 * end for end in wilson(successes=12, n=15)])


def test_the_papers_own_example_is_counted_as_the_paper_counts(fake, write_run):
    """Flip White Bowl at SR 80.0 is 12 cases of 2 stages: score 24."""
    path = paper_run(fake, write_run, "a", solved=12)
    table = build_report([path]).table("table4")
    average, success, score = table.document.tables[:3]
    name = "seer · a.pth · demos=100"
    assert [cell.text for cell in rows_of(success)[name][1:5]] == ["80.0"] * 4
    assert [cell.counts for cell in rows_of(success)[name][1:5]] == ["12/15"] * 4
    assert [cell.text for cell in rows_of(score)[name][1:5]] == ["24.0", "48.0", "36.0", "36.0"]
    assert [cell.counts for cell in rows_of(score)[name][1:5]] == ["of 30", "of 60", "of 45", "of 45"]
    assert [cell.text for cell in rows_of(average)[name][1:3]] == ["80.0", "36.0"]
    assert rows_of(average)[name][1].counts == "48/60"


def test_ours_stand_behind_their_row_with_a_verdict_on_every_cell(fake, write_run):
    paper_run(fake, write_run, "seer", solved=12)
    paper_run(fake, write_run, "scratch", solved=0, arm={"demos": "20", "pretrained": "no"})
    path = paper_run(fake, write_run, "unknown", solved=12, arm={"method": "Seer"})
    document = build_report([path.parent]).table("table4").document
    groups = [[row[0].text for row in group] for group in document.tables[0].groups]
    assert ["Seer, 100 demos", "seer · seer.pth · demos=100"] in groups
    assert ["Seer (w/o pretrain), 20 demos", "seer · scratch.pth · demos=20, pretrained=no"] in groups
    assert ["seer · unknown.pth"] in groups
    verdicts = {name: row[4].text for name, row in rows_of(document.tables[0]).items()}
    assert verdicts["seer · seer.pth · demos=100"] == "agrees (+1.6)"
    assert verdicts["seer · scratch.pth · demos=20, pretrained=no"] == "differs (−25.0)"
    assert verdicts["seer · unknown.pth"] == "not comparable"
    assert (verdicts["MVP, 100 demos"], verdicts["Seer, 100 demos"]) == ("not run", "–")
    cells = rows_of(document.tables[1])["seer · seer.pth · demos=100"][1:5]
    assert [(cell.verdict, cell.difference) for cell in cells] == [
        ("agrees", "−6.7"),
        ("agrees", "+20.0"),  # 60.0 lies just inside Wilson's 54.8 to 93.0
        ("agrees", "+6.7"),
        ("agrees", "−6.7"),
    ]
    hint, not_public = document.hints
    assert hint.startswith("OpenVLA, 100 demos; Seer, 20 demos; ")
    assert "seer-bench real plan paper" in hint
    assert not_public.startswith("MVP, 100 demos; MPI, 100 demos: not run, and nothing public can fill this: ")


def test_a_head_of_ours_over_anothers_encoder_is_not_the_papers_row(fake, write_run):
    path = paper_run(fake, write_run, "mvp", arm={"method": "MVP", "head": "ours", "demos": "100"})
    (table, *_) = build_report([path]).table("table4").document.tables
    groups = [[(row[0].text, row[4].text) for row in group] for group in table.groups]
    assert [("MVP, 100 demos", "not run")] in groups
    assert groups[-1] == [("seer · mvp.pth · demos=100, head=ours, method=MVP", "not comparable")]


def test_a_partial_campaign_counts_finished_cases_and_compares_with_nothing(fake, write_run):
    protocol = fake.robot_protocol("mean", TASKS, cases=3)
    results = fake.trials(protocol, "flip", [2, 2, 0], [1, 1])
    path = write_run("a", results, fake.make_manifest(protocol, arm={"demos": "100"}))
    void = replace(
        fake.trials(protocol, "flip", [0])[0],
        unit_id=f"{protocol.name}:task=flip,case=02,trial=0",
        outcome="error",
        subtasks=(),
        actions_sha256=None,
        error=UnitError("infrastructure_error", "camera lost"),
    )
    write_run("a", [void], fake.make_manifest(protocol, arm={"demos": "100"}))
    summary = summarise([read_run(path)])
    assert (summary.n, summary.planned, summary.cases, summary.errors) == (5, 18, 1, 1)
    assert summary.results[0].success.value == pytest.approx(2 / 3)
    assert summary.results[1].success is None
    assert summary.average_success is None
    document = build_report([path]).table("table4").document
    notes = " ".join(document.notes)
    assert "Partial: 1 case of 6 are finished" in notes
    assert "Excluded: 1 trial without an outcome, void" in notes
    assert any("13 trials of 18 to go. Go on with the campaign in" in hint for hint in document.hints)
    assert "seer-bench run" not in " ".join(document.hints)


def test_aggregation_and_other_tasks_are_said(fake, write_run):
    path = play(fake, write_run, "best_of", name="best")
    paper_run(fake, write_run, "ten", cases=10)
    paper_run(fake, write_run, "mean", rule="mean", arm={"demos": "20"})
    document = build_report([path.parent]).table("table4").document
    notes = " ".join(document.notes)
    assert "Aggregation over 3 trials a case: best_of, the best trial of each case." in notes
    assert "Aggregation over 3 trials a case: mean" in notes
    assert "Not comparable with the paper's rows: other tasks than the paper's" in notes
    assert "10 cases instead of 15 of every task" in notes
    assert rows_of(document.tables[0])["seer · ten.pth · demos=100"][4].text == "not comparable"
    own = next(table for table in document.tables if "does not have" in table.title)
    assert [[cell.text for cell in row[:4]] for row in own.groups[0]] == [
        ["flip", "66.7", "5.0", "3"],
        ["stack", "66.7", "11.0", "3"],
    ]


def test_remarks_of_the_last_session_are_notes(fake, write_run):
    path = play(fake, write_run, "mean")
    manifest = read_run(path).manifest
    with RunWriter.open(path, manifest) as writer:
        writer.start_session({"real_robot": {"remarks": ["3 trials were voided and repeated."]}})
    assert "3 trials were voided and repeated." in build_report([path]).table("table4").document.notes


def test_checkpoints_of_one_arm_become_one_row(fake, write_run):
    for index, solved in enumerate((3, 6, 9, 12)):
        path = paper_run(fake, write_run, f"epoch{index}", rule="mean", solved=solved)
    document = build_report([path.parent]).table("table4").document
    row = rows_of(document.tables[0])["seer · best 3 of 4 · demos=100"]
    assert [cell.text for cell in row[1:4]] == ["60.0", "27.0", "180"]  # 9 of 15 cases, 9 / 15 of 45 stages
    assert rows_of(document.tables[1])["Mean of all 4"][1].text == "50.0"
    assert any("unselected mean over all 4: 50.0" in note for note in document.notes)


def test_strange_trials_are_left_out_in_words(fake, write_run):
    protocol = fake.robot_protocol("mean", TASKS, cases=3)
    bad = replace(fake.trials(protocol, "flip", [2])[0], unit_id="real-robot/v1:task=flip,case=9,trial=0")
    path = write_run("a", [bad], fake.make_manifest(protocol))
    assert "is no trial" in build_report([path]).problems[0]


@pytest.fixture(scope="module")
def disturbed(fake, write_shared):
    """Seer on two disturbed tasks, one as the paper's and one of our own making, and an arm without any."""
    words = {entry.task: entry.words for entry in load_generalization().disturbances}
    own = {"stack_cups": words["stack_cups"], "wipe_board": "a wet board"}
    paper_run(fake, write_shared, "seer", solved=12, disturbed=own)
    return build_report([paper_run(fake, write_shared, "calm", solved=3, arm={"demos": "20"}).parent])


def test_disturbed_tasks_are_figure_5_and_the_others_table_4(disturbed):
    assert [row.summary.n for row in disturbed.table("table4").rows] == [180, 180]
    (row,) = disturbed.table("figure5").rows
    assert (row.summary.n, row.summary.planned, row.summary.complete) == (30, 30, True)
    document = disturbed.table("figure5").document
    verdicts = {row[0].text: row[3].text for row in document.tables[0].groups[0]}
    assert verdicts == {
        "Flip White Bowl": "not run",
        "Stack Cups": "not comparable",
        "Wipe Board": "not comparable",
        "Pick, Place, Close": "not run",
    }
    groups = document.tables[1].groups
    assert [[row[0].text for row in group] for group in groups] == [
        ["Stack Cups", "seer · seer.pth · demos=100"],
        ["Wipe Board", "seer · seer.pth · demos=100"],
    ]
    assert [cell.text for cell in groups[0][1][1:5]] == ["80.0", "48.0", "80.0", "15"]
    notes = [[document.notes[number - 1] for number in group[1][0].notes] for group in groups]
    assert not any("a wet board" in note for note in notes[0])
    assert "wipe_board_disturbed: a wet board." in notes[1]
    assert "One trial a case, so nothing was aggregated." in notes[0]


def test_an_sr_with_a_disturbance_is_not_set_against_one_of_another_rule(fake, write_run, disturbed):
    told = "Undisturbed, a case has 3 trials, made one by 'best_of'; disturbed it has 1 trial."
    assert any(note.startswith(told) for note in disturbed.table("figure5").document.notes)
    mean = fake.robot_protocol("mean", {"stack_cups": 4}, cases=2, disturbed={"stack_cups": "other cups"})
    results = [
        *fake.trials(mean, "stack_cups", [4, 4, 4], [0, 0, 0]),
        *fake.trials(mean, "stack_cups_disturbed", [4], [0]),
    ]
    document = build_report([write_run("mean", results, fake.make_manifest(mean))]).table("figure5").document
    assert not any(note.startswith("Undisturbed, a case has") for note in document.notes)


def test_machines_get_the_real_robot(fake, disturbed, tmp_path):
    keys = ("table4", "figure5")
    files = fake.texts([path for key in keys for path in write_report(disturbed.only(key), tmp_path / key)])
    tree = json.loads(files["table4.json"])
    (arm,) = (arm for arm in tree["arms"] if arm["paper_row"] == "Seer, 100 demos")
    assert arm["values"]["flip_white_bowl_score"]["value"] == 24
    assert arm["values"]["average_success"]["verdict"] == "agrees"
    run = next(run for run in tree["runs"] if "seer.pth" in run["label"])
    assert (run["aggregation"], run["cases"], run["planned_cases"]) == ("best_of", 60, 60)
    assert run["tasks"][0]["task"] == "flip_white_bowl"
    assert (run["tasks"][0]["successes"], run["tasks"][0]["attempts"]) == (12, 15)
    lines = list(csv.DictReader(io.StringIO(files["table4.csv"])))
    ours = next(line for line in lines if line["paper_row"] == "Seer, 100 demos")
    assert (float(ours["stack_cups_success"]), float(ours["stack_cups_score"])) == (0.8, 48)
    assert (ours["aggregation"], ours["average_success_verdict"]) == ("best_of", "agrees")
    (arm,) = json.loads(files["figure5.json"])["arms"]
    assert [(task["task"], task["success"]["value"]) for task in arm["tasks"]] == [
        ("stack_cups_disturbed", 0.8),
        ("wipe_board_disturbed", 0.8),
    ]
    lines = list(csv.DictReader(io.StringIO(files["figure5.csv"])))
    assert [line["label"] for line in lines] == ["paper"] * 4 + ["seer · seer.pth · demos=100"] * 2
    assert (lines[4]["success"], lines[4]["undisturbed_success"], lines[4]["n"]) == ("0.8", "0.8", "15")


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_keeps_its_width_and_cuts_no_name(disturbed, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    print_report(disturbed.only("table4"), console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert re.search(r"seer · seer\.pth", text)


def test_a_few_lines_tell_where_a_campaign_stands(fake):
    protocol = fake.robot_protocol("best_of", TASKS, cases=3)
    results = fake.trials(protocol, "flip", *FLIP)
    assert score_lines(protocol, results) == [
        "cases finished 3/6, trials of a case count as: best_of",
        "  3/3 cases  SR  66.7 %  score   5.0  flip",
    ]
    both = score_lines(protocol, [*results, *fake.trials(protocol, "stack", *STACK)])
    assert both[1].startswith("Avg. SR 66.7 % [")
    assert both[2].startswith("Avg. Score 8.0 [")
    assert score_lines(protocol, [fake.rollout(0, 0, True)])[0].startswith("no score: 'libero-long/seer-v1:task=0")


def test_some_of_the_papers_tasks_compare_with_no_row(fake, write_run):
    protocol = fake.robot_protocol("best_of", {"wipe_board": 3})
    results = fake.trials(protocol, "wipe_board", *[[3, 3, 3]] * 15)
    summary = summarise([read_run(write_run("a", results, fake.make_manifest(protocol, arm={"demos": "100"})))])
    assert summary.unlike_paper == ("1 of the paper's 4 tasks",)
