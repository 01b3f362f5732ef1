"""A campaign that somebody else wrote down."""

from __future__ import annotations

from pathlib import Path

import pytest

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.exporting import attempts_csv
from real_robot_benchmark.finishing import finish
from real_robot_benchmark.importing import read_csv, write_runs
from real_robot_benchmark.reading import FaultyFileError
from real_robot_benchmark.session import Session
from real_robot_benchmark.tasks import TaskSet, load_tasks
from seer_bench.errors import StoreError, UnknownNameError, UsageError
from seer_bench.store import canonical_lines, read_run
from tests.fakes.kitchen import play


@pytest.fixture
def tasks(task_file: Path) -> TaskSet:
    return load_tasks(task_file)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trials.csv"
    path.write_text(text)
    return path


GOOD = """\
Method,Task,Case,Trial,Score,Success,Comment
seer,Pour Tea,1,1,2,yes,fine
seer,pour_tea,1,2,1,no,
mvp,Washing Up,3,1,0,FALSE,
mvp,wash-up,3,2,3,1,
"""


def test_columns_are_found_by_their_usual_names(tmp_path: Path, tasks: TaskSet) -> None:
    found = read_csv(written(tmp_path, GOOD), tasks)
    assert found.mapping == {
        "policy": "Method", "task": "Task", "case": "Case", "trial": "Trial", "stages": "Score",
        "outcome": "Success", "note": "Comment",
    }  # fmt: skip
    assert [(t.policy, t.task, t.case, t.trial, t.stages) for t in found.trials] == [
        ("seer", "pour_tea", 1, 1, 2), ("seer", "pour_tea", 1, 2, 1),
        ("mvp", "wash_up", 3, 1, 0), ("mvp", "wash_up", 3, 2, 3),
    ]  # fmt: skip
    assert found.policies == ("seer", "mvp")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_windows(tmp_path: Path, tasks: TaskSet, separator: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("\ufeff".encode() + GOOD.replace(",", separator).replace("\n", "\r\n").encode())
    assert len(read_csv(path, tasks).trials) == 4
    path.write_text("policy;task;case;outcome;seconds;;\nseer;pour_tea;1;yes;12,5;;\n")
    assert read_csv(path, tasks).trials[0].seconds == 12.5
    path.write_bytes(GOOD.encode("utf-16"))
    assert len(read_csv(path, tasks).trials) == 4
    path.write_bytes(GOOD.replace("fine", "schön").encode("cp1252"))
    assert read_csv(path, tasks).trials[0].note == "schön"


def test_every_fault_at_once_and_with_its_line(tmp_path: Path, tasks: TaskSet) -> None:
    path = written(
        tmp_path,
        """\
policy,task,case,trial,stages,success
seer,pour_tea,1,1,2,yes
seer,pour_te,1,1,2,yes
seer,pour_tea,1,1,1,no
seer,pour_tea,3,1,1,no
seer,pour_tea,2,x,1,no
seer,pour_tea,2,1,3,yes
seer,pour_tea,2,1,1,yes
seer,pour_tea,2,1,2,no
seer,pour_tea,2,1,,no
seer,pour_tea,2,1,1,perhaps
,pour_tea,2,1,1,no
seer,pour_tea,2
""",
    )
    with pytest.raises(FaultyFileError) as caught:
        read_csv(path, tasks)
    assert [fault.line for fault in caught.value.faults] == list(range(3, 14))
    text = str(caught.value)
    assert "Did you mean 'pour_tea'?" in text
    assert "line 4: seer, pour_tea, case 1, trial 1 is there already, at line 2." in text
    assert "line 5: case '3' is no whole number from 1 to 2" in text
    assert "line 8: says success with 1 of 2 stages" in text
    assert "Nothing was imported" in text


def test_counting_from_zero(tmp_path: Path, tasks: TaskSet) -> None:
    path = written(tmp_path, "policy,task,case,trial,stages,success\nseer,pour_tea,0,0,2,yes\n")
    with pytest.raises(FaultyFileError, match="add --first 0"):
        read_csv(path, tasks)
    (trial,) = read_csv(path, tasks, first=0).trials
    assert (trial.case, trial.trial) == (1, 1)


def test_columns_that_are_missing_unknown_or_named(tmp_path: Path, tasks: TaskSet) -> None:
    path = written(tmp_path, "aufgabe,fall,ok\npour_tea,1,yes\n")
    with pytest.raises(UsageError, match="no column for policy, task, case, outcome among aufgabe, fall, ok"):
        read_csv(path, tasks)
    columns = {"task": "aufgabe", "case": "fall", "outcome": "ok"}
    (trial,) = read_csv(path, tasks, columns=columns, policy="seer").trials
    assert (trial.policy, trial.stages, trial.trial) == ("seer", 2, 1)
    with pytest.raises(UnknownNameError, match="Did you mean 'aufgabe'"):
        read_csv(path, tasks, columns={"task": "aufgabn"})
    with pytest.raises(UnknownNameError, match="field of --map"):
        read_csv(path, tasks, columns={"tasc": "aufgabe"})
    with pytest.raises(UsageError, match="the column 'fall' is given twice"):
        read_csv(path, tasks, columns={**columns, "trial": "fall"}, policy="seer")
    with pytest.raises(UsageError, match="'a' twice"):
        read_csv(written(tmp_path, "a,a\n1,2\n"), tasks)
    with pytest.raises(FaultyFileError, match="no trial below the header"):
        read_csv(written(tmp_path, "policy,task,case,success\n"), tasks)


def test_a_quote_that_is_not_closed_swallows_no_lines(tmp_path: Path, tasks: TaskSet) -> None:
    """Two notes of two lines each, the second one open: every fault at the line where its row begins."""
    header, *lines = GOOD.splitlines()
    lines[0] = 'seer,Pour Tea,9,1,2,yes,"fine\nindeed"'
    lines[2] = 'mvp,Washing Up,3,1,0,FALSE,"never closed'
    with pytest.raises(FaultyFileError) as caught:
        read_csv(written(tmp_path, "\n".join([header, *lines])), tasks)
    assert [fault.line for fault in caught.value.faults] == [2, 5]
    assert "line 5: is no CSV" in str(caught.value)
    with pytest.raises(FaultyFileError, match=r"line 2: is no CSV \(field larger"):
        read_csv(written(tmp_path, f"{header}\nseer,Pour Tea,1,1,2,yes,{'a' * 200_000}\n"), tasks)


def test_a_policy_that_cannot_be_a_row_is_named_with_its_line(tmp_path: Path, tasks: TaskSet) -> None:
    path = written(tmp_path, GOOD.replace("mvp,wash-up", "MVP (ours),wash-up"))
    with pytest.raises(FaultyFileError, match=r"line 5: the policy 'MVP \(ours\)' is no name; names are letters"):
        read_csv(path, tasks)


def test_tasks_that_differ_by_a_sign_are_told_apart_by_their_names(tmp_path: Path, task_file: Path) -> None:
    task_file.write_text(task_file.read_text().replace("name: wash_up\n    label: Washing Up", "name: pourtea"))
    tasks = load_tasks(task_file)
    header, line = "policy,task,case,success\n", "seer,{},1,yes\n"
    found = read_csv(written(tmp_path, header + line.format("pour_tea") + line.format("pourtea")), tasks)
    assert [trial.task for trial in found.trials] == ["pour_tea", "pourtea"]
    with pytest.raises(FaultyFileError, match="unknown task 'Pour-Tea'"):
        read_csv(written(tmp_path, header + line.format("Pour-Tea")), tasks)


def test_runs_say_that_they_were_imported(tmp_path: Path, tasks: TaskSet) -> None:
    found = read_csv(written(tmp_path, GOOD + "seer,pour_tea,2,1,0,void,lamp\n"), tasks)
    out = tmp_path / "runs"
    paths = write_runs(found, tasks, [make_arm("seer"), make_arm("mvp")], out)
    assert [path.name for path in paths] == ["seer", "mvp"]
    run = read_run(paths[0])
    assert [(r.solved, r.outcome) for r in run.results.values()] == [(2, "success"), (1, "failure")]
    remarks = run.sessions[-1].facts["real_robot"]["remarks"]
    assert remarks[0].startswith("Imported from trials.csv (sha256 ")
    assert "stages from 'Score'" in remarks[0]
    assert "nothing is known of order and blinding" in remarks[1]
    assert remarks[2] == "1 void line of the file left out."
    with pytest.raises(StoreError, match="not empty"):
        write_runs(found, tasks, [make_arm("seer")], out)
    with pytest.raises(UsageError, match="holds trial 2 of a case"):
        write_runs(found, tasks, [make_arm("seer")], tmp_path / "other", trials=1)


def test_an_export_can_be_imported(session: Session, tasks: TaskSet, tmp_path: Path) -> None:
    session.start()
    session.void("=HYPERLINK(evil)")
    i = 0
    while session.state.phase != "finished":
        play(session, i % (session.state.stages_total + 1))
        i += 1
    session.close()
    done = finish(session.campaign.path)
    text = attempts_csv(session.campaign, done.state, done.arms)
    assert ",'=HYPERLINK(evil)," in text
    found = read_csv(written(tmp_path, text), tasks)
    assert (len(found.trials), found.void) == (20, 1)
    arms = {arm.label: arm for arm in done.arms.values()}
    paths = write_runs(found, tasks, [arms[label] for label in found.policies], tmp_path / "again")
    for path in paths:
        ours, theirs = read_run(path), read_run(session.campaign.runs / path.name)
        assert ours.manifest.protocol == theirs.manifest.protocol
        for a, b in zip(canonical_lines(ours.results.values()), canonical_lines(theirs.results.values()), strict=True):
            assert a.replace('"seed":0', "") == b.replace(f'"seed":{_seed(b)}', "")


def _seed(line: str) -> str:
    """The seed in a record's line."""
    return line.partition('"seed":')[2].partition(",")[0]
