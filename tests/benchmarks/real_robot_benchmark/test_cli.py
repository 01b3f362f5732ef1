"""`seer-bench real`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from real_robot_benchmark.arms import parse_arms
from real_robot_benchmark.cli import app
from real_robot_benchmark.session import Session
from seer_bench.errors import CheckpointError, SeerBenchError, UnknownNameError, UsageError
from seer_bench.report.arms import Arm, arm_of_paper
from tests.fakes.kitchen import Clock, play

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command in an empty folder; exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, typed: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)
        if isinstance(result.exception, SeerBenchError):  # `seer_bench.cli.main` makes this a message and code 2
            return 2, f"{result.output}\n{result.exception}"
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


def test_a_campaign_from_plan_to_export(call: Call, task_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"weights")
    code, text = call(
        "plan", task_file, "--policies", "seer/20=a.pth", "--policies", "openvla", "--arm", "demos=20",
        "--blind", "--seed", 3, "--out", "c",
    )  # fmt: skip
    assert code == 0, text
    assert "20 trials: 2 tasks x 2 to 3 cases x 2 trials x 2 policies" in text
    assert "tamper-evident only" in text
    assert "seer/20 with a.pth (sha256 " in text
    assert "beside the row 'Seer, 20 demos' of Table 4" in text
    assert "Go on with: seer-bench real run c" in text
    with Session.open(Path("c"), console="terminal", clock=Clock()) as session:
        for _ in range(5):
            play(session, 2)
    code, text = call("status", "c")
    assert code == 0
    assert "c: 5 of 20 trials are done." in text
    assert "Blind: the key is sealed." in text
    assert f"head {session.head}" in text
    assert "openvla" not in text
    code, text = call("finish", "c", "--partial")
    assert code == 2
    assert "--unblind-early" in text
    code, text = call("export", "c", "--out", "blind.csv")
    assert {line.split(",")[1] for line in Path("blind.csv").read_text().splitlines()[1:]} == {"A", "B"}
    with Session.open(Path("c"), console="terminal", clock=Clock()) as session:
        while session.state.phase != "finished":
            play(session, 2)
    code, text = call("finish", "c")
    assert code == 0
    assert "seer/20: 10 trials, c/runs/seer-20" in text
    assert "seer-bench report c/runs" in text
    call("export", "c", "--out", "open.csv")
    assert {line.split(",")[1] for line in Path("open.csv").read_text().splitlines()[1:]} == {"seer/20", "openvla"}


def test_check(call: Call, task_file: Path) -> None:
    code, text = call("check", task_file)
    assert code == 0
    assert "kitchen: 2 trials a case" in text
    assert "disturbance dark: lights off" in text
    task_file.write_text(task_file.read_text().replace("cases: 3", "case: 3"))
    code, text = call("check", task_file)
    assert code == 2
    assert "line 18: a task has no 'case'. Did you mean 'cases'?" in text
    assert call("check", "paper")[0] == 0


def test_a_second_plan_in_one_folder_is_refused(call: Call, task_file: Path) -> None:
    assert call("plan", task_file, "--policies", "seer", "--out", "c")[0] == 0
    code, text = call("plan", task_file, "--policies", "seer", "--out", "c")
    assert code == 2
    assert "a plan is never changed" in text


@pytest.mark.parametrize("change", ["order", "tasks", "arms", "trials"])
def test_an_altered_plan_is_refused(call: Call, task_file: Path, change: str) -> None:
    call("plan", task_file, "--policies", "seer", "--policies", "mvp", "--out", "c")
    if change == "tasks":
        tasks = Path("c/tasks.yaml")
        tasks.write_text(tasks.read_text().replace("fill the cup", "spill the tea"))
    else:
        plan = json.loads(Path("c/campaign.json").read_text())
        if change == "order":
            plan["order"][0] = plan["order"][1]
        else:
            plan[change] = "nonsense"
        Path("c/campaign.json").write_text(json.dumps(plan))
    code, text = call("status", "c")
    assert code == 2
    words = {"tasks": "was changed after", "order": "the order was altered"}
    assert words.get(change, "is no plan") in text


def test_a_plan_that_was_exchanged_under_its_log_is_found(call: Call, task_file: Path) -> None:
    call("plan", task_file, "--policies", "seer", "--policies", "mvp", "--out", "c")
    with Session.open(Path("c"), console="terminal", clock=Clock()) as session:
        play(session, 1)
    plan = Path("c/campaign.json")
    plan.write_text(plan.read_text().replace('"seed": 0', '"seed": 1'))
    code, text = call("status", "c")
    assert code == 2
    assert "line 1" in text


def test_a_passphrase_from_a_file(call: Call, task_file: Path) -> None:
    Path("secret").write_text("tea at five\n")
    Path("wrong").write_text("tea at six\n")
    options = ("--policies", "seer", "--policies", "mvp", "--task", "pour_tea", "--trials", 1)
    code, text = call("plan", task_file, *options, "--passphrase-file", "secret", "--out", "c")
    assert code == 2
    assert "add --blind" in text
    code, text = call("plan", task_file, *options, "--blind", "--passphrase-file", "secret", "--out", "c")
    assert "Without the passphrase nobody can open it" in text
    with Session.open(Path("c"), console="terminal", clock=Clock()) as session:
        while session.state.phase != "finished":
            play(session, 1)
    code, text = call("finish", "c")
    assert code == 2
    assert "--passphrase-file FILE" in text
    assert "passphrase is wrong" in call("finish", "c", "--passphrase-file", "wrong")[1]
    assert call("status", "c")[1].count("the key is sealed") == 1, "a wrong guess opens nothing"
    code, text = call("finish", "c", "--passphrase-file", "secret")
    assert code == 0
    assert "Blind: the key was opened after the last of 4 trials." in text


def test_import_shows_before_it_writes(call: Call, task_file: Path) -> None:
    Path("t.csv").write_text("policy,task,case,stages,success,weather\nseer,pour_tea,1,1,no,rain\n")
    arguments = ("import", "t.csv", "--tasks", task_file, "--out", "runs")
    code, text = call(*arguments, typed="n\n")
    assert code == 2
    assert "stages   <- column 'stages'" in text
    assert "ignored: weather" in text
    assert "line 2: seer, pour_tea, case 1, trial 1: failure, 1 of 2 stages" in text
    assert not Path("runs").exists()
    assert call(*arguments)[0] == 2, "silence is no consent"
    assert not Path("runs").exists()
    code, text = call(*arguments, "--yes")
    assert code == 0
    assert Path("runs/seer/manifest.json").exists()


def test_export_of_table_4(call: Call, task_file: Path) -> None:
    call("plan", task_file, "--policies", "seer", "--out", "c")
    code, text = call("export", "c", "--out", "t.tex")
    assert code == 2
    assert "seer-bench real finish c" in text
    with Session.open(Path("c"), console="terminal", clock=Clock()) as session:
        play(session, 2)
    call("finish", "c", "--partial")
    assert call("export", "c", "--out", "t.tex")[0] == 0
    assert r"\toprule" in Path("t.tex").read_text()
    assert call("export", "c", "--out", "t.csv", "--rows", "table4")[0] == 0
    assert Path("t.csv").read_text().startswith(("method,", "label,"))
    assert call("export", "c", "--out", "t.docx")[0] == 2


def test_arms(tmp_path: Path) -> None:
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"weights")
    one, other, third, fourth, fifth = parse_arms(
        [f"seer/a={weights}", "seer/b", "mvp", "mpi/theirs", "octo"],
        ["demos=20", "seer/b:pretrained=no", "mpi/theirs:head="],
        ["seer/a:x=1"],
    )
    assert (one.policy, one.label, one.distribution) == ("seer", "seer/a", "seer-bench")
    assert one.checkpoint is not None
    assert one.checkpoint.name == "w.pth"
    assert (dict(one.attributes), dict(one.options)) == ({"method": "Seer", "demos": "20"}, {"x": "1"})
    assert other.attributes["pretrained"] == "no"
    assert (third.distribution, dict(third.attributes)) == (
        "seer-bench",
        {"method": "MVP", "head": "ours", "demos": "20"},
    )
    assert Arm.of(fourth.attributes) == arm_of_paper("MPI", demos="20")
    assert (fifth.distribution, dict(fifth.attributes)) == ("not installed", {"demos": "20"})
    for texts, words in (
        (["seer", "seer"], "cannot be told apart"),
        (["seer/a", "seer-a"], "cannot be told apart"),
        (["a b"], "is no name"),
        (["seer="], "names no checkpoint"),
        ([], "no policy"),
    ):
        with pytest.raises(UsageError, match=words):
            parse_arms(texts)
    with pytest.raises(CheckpointError):
        parse_arms(["seer=/nowhere.pth"])
    with pytest.raises(UnknownNameError, match="Did you mean 'seer'"):
        parse_arms(["seer"], ["sear:demos=20"])
    with pytest.raises(UsageError, match="given twice"):
        parse_arms(["seer"], ["demos=20", "seer:demos=100"])
    with pytest.raises(UsageError, match="demos is a number"):
        parse_arms(["seer"], ["demos=many"])
