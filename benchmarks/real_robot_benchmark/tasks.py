"""Tasks of a real robot as data: what the policy is told, which stages score, how the scene of each case is set up.

A stage counts only together with all stages before it: the score of a trial is how many stages were completed in
their order, and a trial is a success when all of them were. So SR and Score bind one another, as in the paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import yaml

from real_robot_benchmark.reading import Fault, FaultyFileError, Reader, compose
from seer_bench.errors import UnknownNameError

SCHEMA = "seer-bench/real-tasks/1"
AGGREGATIONS = ("mean", "best_of", "majority")
Aggregation = Literal["mean", "best_of", "majority"]
"""How the repeated trials of a case become its result: their mean, the best of them, or what most of them did."""
Disturbances = Literal["none", "only", "both"]
"""Which scenes are played: the undisturbed ones, the disturbed ones, or both."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")
_MOST_STAGES = 9
"""One key a stage."""


@dataclass(frozen=True)
class Disturbance:
    """A change of the scene that tests generalisation."""

    name: str
    setup: str
    """What the operator changes, in words."""


@dataclass(frozen=True)
class Case:
    """One start state of a task; all policies meet the same ones."""

    number: int
    """From 1."""
    setup: str
    """How the objects lie; empty where the file gives a number of cases alone."""


@dataclass(frozen=True)
class RealTask:
    """One task, with or without a disturbance."""

    name: str
    """Part of unit ids; of a disturbed task "TASK-DISTURBANCE"."""
    label: str
    """Heading in tables."""
    instruction: str
    """The sentence that the policy is given."""
    stages: tuple[str, ...]
    """What scores, in order; the last one is the success."""
    setup: str
    """How the scene is set up in every case; may be empty."""
    cases: tuple[Case, ...]
    time_limit_s: int | None
    """Seconds of execution after which the operator ends a trial; None for no limit."""
    disturbances: tuple[Disturbance, ...] = ()
    """Those that the task can be played with; empty for a task that has one."""
    of: str | None = None
    """The undisturbed task's name; None for that task itself."""
    disturbance: Disturbance | None = None
    """What is changed; None for an undisturbed task."""

    def disturbed(self) -> tuple[RealTask, ...]:
        """The task under each of its disturbances."""
        return tuple(
            replace(self, name=f"{self.name}-{change.name}", disturbances=(), of=self.name, disturbance=change)
            for change in self.disturbances
        )

    def scene(self, case: int) -> tuple[str, ...]:
        """What the operator prepares for a case (from 1), a sentence a line."""
        change = f"Disturbance: {self.disturbance.setup}" if self.disturbance else ""
        return tuple(line for line in (self.setup, self.cases[case - 1].setup, change) if line)


@dataclass(frozen=True)
class TaskSet:
    """What a task file holds."""

    name: str
    """Part of the protocol's name."""
    summary: str
    trials: int
    """Repeated trials of every case."""
    aggregation: Aggregation
    paper: bool
    """The tasks, stages and numbers of the paper, so that results stand beside its Table 4."""
    tasks: tuple[RealTask, ...]

    def choose(self, names: Sequence[str], disturbances: Disturbances) -> tuple[RealTask, ...]:
        """The tasks that a campaign plays, in the order of the file.

        Args:
            names: undisturbed names; empty for all.
            disturbances: play the tasks as they are, under their disturbances, or both.

        Raises:
            UnknownNameError: a name is no task.
        """
        known = {task.name: task for task in self.tasks}
        for name in names:
            if name not in known:
                raise UnknownNameError("task", name, known)
        chosen = [task for task in self.tasks if not names or task.name in names]
        plain = chosen if disturbances in ("none", "both") else []
        changed = [variant for task in chosen for variant in task.disturbed()] if disturbances != "none" else []
        return (*plain, *changed)


def load_tasks(path: Path) -> TaskSet:
    """Read a task file.

    Raises:
        FaultyFileError: with every fault and its line.
        UsageError: the file cannot be read.
    """
    root = compose(path)
    reader = Reader()
    tasks = _task_set(reader, root)
    if reader.faults:
        raise FaultyFileError(path, reader.faults, "Mend them and look again with: seer-bench real check " + str(path))
    return tasks


def paper_tasks() -> Path:
    """The file with the tasks of the paper, which is also the one to copy for tasks of your own."""
    return Path(__file__).parent / "data" / "paper.yaml"


def _task_set(reader: Reader, root: yaml.Node) -> TaskSet:
    """The whole file."""
    top = reader.mapping(
        root, "the file", required=("schema", "name", "tasks"), optional=("summary", "trials", "aggregation", "paper")
    )
    schema = reader.text(top.get("schema"), "schema")
    if schema and schema != SCHEMA:
        reader.fault(top["schema"], f"schema is '{schema}', this seer-bench reads '{SCHEMA}'.")
    nodes = reader.sequence(top.get("tasks"), "tasks")
    tasks = tuple(_task(reader, node) for node in nodes)
    _refuse_doubles(reader, [(node, task.name) for node, task in zip(nodes, tasks, strict=True)], "task")
    return TaskSet(
        name=_name(reader, top.get("name"), "name", allow="-"),
        summary=reader.text(top.get("summary"), "summary"),
        trials=reader.number(top.get("trials"), "trials", least=1, most=100),
        aggregation=cast("Aggregation", reader.choice(top.get("aggregation"), "aggregation", AGGREGATIONS, "mean")),
        paper=reader.choice(top.get("paper"), "paper", ("table4",), "") == "table4",
        tasks=tasks,
    )


def _task(reader: Reader, node: yaml.Node) -> RealTask:
    """One entry of `tasks`."""
    optional = ("label", "setup", "time_limit_s", "disturbances")
    entry = reader.mapping(node, "a task", required=("name", "instruction", "stages", "cases"), optional=optional)
    name = _name(reader, entry.get("name"), "a task's name")
    where = f"task '{name}'" if name else "a task"
    nodes = reader.sequence(entry.get("stages"), f"{where}: stages")
    stages = tuple(reader.text(stage, f"{where}: a stage") for stage in nodes)
    _refuse_doubles(reader, list(zip(nodes, stages, strict=True)), f"{where}: stage")
    if len(stages) > _MOST_STAGES:
        reader.fault(entry["stages"], f"{where} has {len(stages)} stages; every one has a key, 1 to {_MOST_STAGES}.")
    changes = reader.sequence(entry.get("disturbances"), f"{where}: disturbances")
    disturbances = tuple(_disturbance(reader, change, where) for change in changes)
    _refuse_doubles(reader, [(n, d.name) for n, d in zip(changes, disturbances, strict=True)], f"{where}: disturbance")
    limit = entry.get("time_limit_s")
    return RealTask(
        name=name,
        label=reader.text(entry.get("label"), f"{where}: label") or name.replace("_", " ").title(),
        instruction=reader.text(entry.get("instruction"), f"{where}: instruction"),
        stages=stages,
        setup=reader.text(entry.get("setup"), f"{where}: setup"),
        cases=_cases(reader, entry.get("cases"), where),
        time_limit_s=None if limit is None else reader.number(limit, f"{where}: time_limit_s", least=1, most=86400),
        disturbances=disturbances,
    )


def _cases(reader: Reader, node: yaml.Node | None, where: str) -> tuple[Case, ...]:
    """A number of cases, or a list of how each is set up."""
    if isinstance(node, yaml.ScalarNode):
        count = reader.number(node, f"{where}: cases (a number, or a list of set-ups)", least=1, most=1000)
        return tuple(Case(number, "") for number in range(1, count + 1))
    items = reader.sequence(node, f"{where}: cases")
    return tuple(Case(i, reader.text(item, f"{where}: case {i}")) for i, item in enumerate(items, start=1))


def _disturbance(reader: Reader, node: yaml.Node, where: str) -> Disturbance:
    """One entry of `disturbances`."""
    entry = reader.mapping(node, f"{where}: a disturbance", required=("name", "setup"))
    name = _name(reader, entry.get("name"), f"{where}: a disturbance's name")
    return Disturbance(name, reader.text(entry.get("setup"), f"{where}: setup of the disturbance '{name}'"))


def _name(reader: Reader, node: yaml.Node | None, what: str, *, allow: str = "") -> str:
    """A name that unit ids can hold."""
    name = reader.text(node, what)
    if node is not None and name and not _NAME.fullmatch(name.replace(allow, "_") if allow else name):
        dash = ", and -" if allow else ""
        reader.fault(node, f"{what} '{name}' must be 1 to 40 small letters, digits and _{dash}, no _ first.")
    return name


def _refuse_doubles(reader: Reader, named: Iterable[tuple[yaml.Node, str]], what: str) -> None:
    """Names that come twice."""
    first: dict[str, int] = {}
    for node, name in named:
        line = node.start_mark.line + 1
        if name and name in first:
            reader.faults.append(Fault(line, f"{what} '{name}' is there already, at line {first[name]}."))
        first.setdefault(name, line)
