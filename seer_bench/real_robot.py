"""A campaign on a real robot as a protocol: tasks with ordered stages, cases, repeated trials, and how units are named.

Any benchmark may play one. Its protocol has `table` "table4", and `settings` hold a block that says everything a report
must know:

    real_robot:
      aggregation: best_of          # what the repeated trials of a case become: mean, best_of or majority
      tasks:
        - id: flip_white_bowl       # letters, digits, "_" and "-"
          stages: [pick the overturned bowl, place it on the coaster]     # in order
          cases: 15                 # initial states
          trials: 3                 # of each case
        - id: flip_white_bowl_colours
          of: flip_white_bowl       # a variant of that task, played under
          disturbance: bowls of the same shape, size and material in different colours around the white one
          stages: [pick the overturned bowl, place it on the coaster]
          cases: 15
          trials: 3

A unit is one trial, `PROTOCOL:task=ID,case=CC,trial=T`, cases and trials numbered from 0, the case with two digits or
more (`Trial` writes and reads it). Its `UnitResult.subtasks` are the stages that were tried, in order, up to the first
that was not completed: `task` is `stage_id(ID, 1)` ("ID/1") and so on, `instruction` the stage's words. "success" means
that all stages were completed. A void trial leaves no record, or an "error", which a repeated one supersedes.

The facts of the run's last session may hold `real_robot` = {remarks: [sentence, ...]}, which tables show as notes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from seer_bench.contracts import UnitResult
from seer_bench.errors import DamagedRecordError, UsageError
from seer_bench.protocol import EvaluationProtocol

Aggregation = Literal["mean", "best_of", "majority"]

TABLE = "table4"
"""What `EvaluationProtocol.table` holds."""
BLOCK = "real_robot"
"""Key of the block in the protocol's settings."""

_ID = r"[A-Za-z0-9_-]+"
_UNIT = re.compile(rf".+:task=({_ID}),case=(\d+),trial=(\d+)")
_REQUIRED = {"id", "stages", "cases", "trials"}


@dataclass(frozen=True)
class TaskPlan:
    """One task of a campaign, or one variant of a task."""

    id: str
    stages: tuple[str, ...]
    """Their words, in the order in which they are completed."""
    cases: int
    """Initial states."""
    trials: int
    """Of each case."""
    of: str
    """Id of the task that it is a variant of; its own id where it is none."""
    disturbance: str
    """What is changed around the task; "" where nothing is."""


@dataclass(frozen=True)
class Campaign:
    """What a protocol plays on a real robot."""

    aggregation: Aggregation
    tasks: tuple[TaskPlan, ...]

    @classmethod
    def of(cls, protocol: EvaluationProtocol) -> Campaign:
        """Read the block of the protocol's settings.

        Raises:
            UsageError: there is none, or it is not as this module describes; protocol, task and value are named.
        """
        block = protocol.settings.get(BLOCK)
        where = f"{protocol.name}: settings.{BLOCK}"
        if not isinstance(block, Mapping) or set(block) != {"aggregation", "tasks"}:
            raise UsageError(f"{where} needs 'aggregation' and 'tasks', and nothing else.")
        rule = block["aggregation"]
        if rule not in get_args(Aggregation):
            raise UsageError(f"{where}.aggregation is {rule!r}; it is one of {', '.join(get_args(Aggregation))}.")
        if not isinstance(block["tasks"], Sequence) or isinstance(block["tasks"], str) or not block["tasks"]:
            raise UsageError(f"{where}.tasks is no list of tasks.")
        tasks = tuple(_task(raw, f"{where}.tasks[{i}]") for i, raw in enumerate(block["tasks"]))
        names = [task.id for task in tasks]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"{where}.tasks holds '{twice}' twice.")
        return cls(cast("Aggregation", rule), tasks)

    def trials(self) -> tuple[Trial, ...]:
        """Every trial, by task, case and number."""
        return tuple(
            Trial(task.id, case, number)
            for task in self.tasks
            for case in range(task.cases)
            for number in range(task.trials)
        )

    def trial_of(self, result: UnitResult) -> Trial:
        """The trial that a result is of, once it is known to be one of this campaign.

        Raises:
            DamagedRecordError: no such trial is planned, or its stages are not the task's.
        """
        trial = Trial.parse(result.unit_id)
        task = next((task for task in self.tasks if task.id == trial.task), None)
        if task is None or trial.case >= task.cases or trial.number >= task.trials:
            raise DamagedRecordError(f"{result.unit_id}: the protocol plans no such trial.")
        stages = [stage_id(task.id, number) for number in range(1, len(task.stages) + 1)]
        tried = [subtask.task for subtask in result.subtasks]
        if tried != stages[: len(tried)]:
            raise DamagedRecordError(
                f"{result.unit_id}: tried the stages {', '.join(tried)}; those of the task are {', '.join(stages)}."
            )
        if result.outcome == "success" and result.solved < len(task.stages):
            raise DamagedRecordError(
                f"{result.unit_id}: is a success with {result.solved} of {len(task.stages)} stages completed."
            )
        return trial


@dataclass(frozen=True, order=True)
class Trial:
    """One unit of a campaign."""

    task: str
    case: int
    """From 0."""
    number: int
    """From 0."""

    def unit_id(self, protocol: str) -> str:
        """E.g. "real-robot/seer-v1:task=stack_cups,case=03,trial=1"."""
        return f"{protocol}:task={self.task},case={self.case:02d},trial={self.number}"

    @classmethod
    def parse(cls, unit_id: str) -> Trial:
        """Read what `unit_id` wrote; raises DamagedRecordError for any other form, since it could be a second name."""
        match = _UNIT.fullmatch(unit_id)
        trial = cls(match[1], int(match[2]), int(match[3])) if match else None
        if trial is None or trial.unit_id(unit_id.rpartition(":")[0]) != unit_id:
            raise DamagedRecordError(f"'{unit_id}' is no trial; those are called PROTOCOL:task=ID,case=03,trial=1.")
        return trial


def stage_id(task: str, number: int) -> str:
    """How a stage is called in the records; `number` counts from 1."""
    return f"{task}/{number}"


def aggregate(values: Sequence[int], rule: Aggregation) -> tuple[float, ...]:
    """What the trials of one case count as: all of them for a mean, else the one value that stands for the case.

    Args:
        values: one a trial, at least one: completed stages, or 1 for a success and 0 for a failure.
        rule: "best_of" takes the highest; "majority" the highest that more than half of the trials reach, so that of
            an even number a tie counts as not reached.
    """
    if rule == "mean":
        return tuple(float(value) for value in values)
    falling = sorted(values, reverse=True)
    return (float(falling[0] if rule == "best_of" else falling[len(values) // 2]),)


def _task(raw: object, where: str) -> TaskPlan:
    """One entry of the tasks."""
    if not isinstance(raw, Mapping) or not set(raw) >= _REQUIRED or set(raw) - _REQUIRED - {"of", "disturbance"}:
        raise UsageError(f"{where} needs {', '.join(sorted(_REQUIRED))}, and may have 'of' and 'disturbance'.")
    name, of, disturbance = raw["id"], raw.get("of", raw["id"]), raw.get("disturbance", "")
    if not all(isinstance(text, str) and re.fullmatch(_ID, text) for text in (name, of)):
        raise UsageError(f"{where}: 'id' and 'of' are letters, digits, '_' and '-', not {name!r} and {of!r}.")
    if not isinstance(disturbance, str):
        raise UsageError(f"{where}.disturbance is {disturbance!r}; it is a text.")
    for key in ("cases", "trials"):
        if type(raw[key]) is not int or raw[key] < 1:
            raise UsageError(f"{where}.{key} is {raw[key]!r}; it is a whole number above 0.")
    return TaskPlan(name, _stages(raw["stages"], where), raw["cases"], raw["trials"], of, disturbance)


def _stages(raw: Any, where: str) -> tuple[str, ...]:
    """The texts of the stages, each another one."""
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw or not all(isinstance(s, str) for s in raw):
        raise UsageError(f"{where}.stages is {raw!r}; it is a list of texts.")
    if len(set(raw)) < len(raw):
        raise UsageError(f"{where}.stages holds a stage twice; give each a text of its own.")
    return tuple(raw)
