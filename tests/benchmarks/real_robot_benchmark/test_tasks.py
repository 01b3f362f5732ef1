"""Task files: what they give, and every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from real_robot_benchmark.reading import FaultyFileError
from real_robot_benchmark.tasks import load_tasks, paper_tasks
from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.report.paper_figures import load_generalization
from seer_bench.report.paper_real_robot import CASES, load_real_robot_table


def test_the_papers_tasks_are_those_of_its_table_and_figure() -> None:
    tasks = load_tasks(paper_tasks())
    printed = load_real_robot_table().tasks
    assert [(t.name, t.label, t.stages) for t in tasks.tasks] == [(t.id, t.label, t.stages) for t in printed]
    assert {len(task.cases) for task in tasks.tasks} == {CASES}
    assert tasks.trials == 3
    changes = {(task.name, task.disturbances[0].setup) for task in tasks.tasks}
    assert changes == {(entry.task, entry.words) for entry in load_generalization().disturbances}
    for task in tasks.tasks:
        assert len({case.setup for case in task.cases}) == CASES, "two cases of one start state are one case"


def test_what_a_file_gives(task_file: Path) -> None:
    tasks = load_tasks(task_file)
    pour, wash = tasks.tasks
    assert (tasks.name, tasks.trials, tasks.aggregation, tasks.paper) == ("kitchen", 2, "majority", False)
    assert (pour.label, wash.label) == ("Pour Tea", "Washing Up")
    assert pour.scene(2) == ("Pot on the left.", "Cup at the back.")
    assert wash.scene(3) == ()
    assert (pour.time_limit_s, wash.time_limit_s) == (60, None)


def test_disturbed_tasks_are_tasks_of_their_own(task_file: Path) -> None:
    tasks = load_tasks(task_file)
    assert [t.name for t in tasks.choose((), "none")] == ["pour_tea", "wash_up"]
    (dark,) = tasks.choose((), "only")
    assert (dark.name, dark.of, dark.stages) == ("pour_tea-dark", "pour_tea", tasks.tasks[0].stages)
    assert dark.scene(1)[-1] == "Disturbance: lights off"
    assert [t.name for t in tasks.choose(("pour_tea",), "both")] == ["pour_tea", "pour_tea-dark"]
    with pytest.raises(UnknownNameError, match="Did you mean 'pour_tea'"):
        tasks.choose(("pour_te",), "none")


def test_every_fault_at_once_and_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text(
        """\
schema: seer-bench/real-tasks/1
name: Kitchen!
trials: many
agregation: mean
tasks:
  - name: pour_tea
    instruction: 7
    stages: [lift, lift]
    cases: 0
  - name: pour_tea
    instruction: pour
    stages: []
    cases: [in front, ""]
    time_limit_s: -3
"""
    )
    with pytest.raises(FaultyFileError) as caught:
        load_tasks(path)
    found = {(fault.line, fault.text.split(".")[0][:60]) for fault in caught.value.faults}
    assert {line for line, _ in found} == {2, 3, 4, 7, 8, 9, 10, 12, 13, 14}
    text = str(caught.value)
    assert "Did you mean 'aggregation'?" in text
    assert "line 10: task 'pour_tea' is there already, at line 6" in text
    assert f"seer-bench real check {path}" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a: [1", "line 1: not YAML"),
        ("a: 1\n\tb: 2", "line 2: not YAML"),
        ("- 1\n- 2\n", "line 1: the file must be a mapping"),
        ("schema: seer-bench/real-tasks/9\nname: x\ntasks: []\n", "this seer-bench reads"),
        ("name: x\n", "lacks 'tasks'"),
        ("a: 1\nb: bell\x07\n", "line 2: holds the control character 0x07"),
        (f"schema: x\ntrials: {'9' * 5000}\n", r"line 2: trials must be a whole number from 1 to 100, not 9{40}\."),
        ("schema: x\ntrials: !!int many\n", "line 2: trials must be a whole number from 1 to 100, not many"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(FaultyFileError, match=words):
        load_tasks(path)


def test_a_stage_needs_a_key(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    stages = ", ".join(f"stage {i}" for i in range(10))
    path.write_text(
        "schema: seer-bench/real-tasks/1\nname: x\ntasks:\n"
        f"  - {{name: t, instruction: do, cases: 1, stages: [{stages}]}}\n"
    )
    with pytest.raises(FaultyFileError, match="line 4: task 't' has 10 stages"):
        load_tasks(path)


def test_a_missing_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_tasks(tmp_path / "nowhere.yaml")
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: rinc\xe9\n")
    with pytest.raises(FaultyFileError, match="line 2: is not UTF-8"):
        load_tasks(path)
