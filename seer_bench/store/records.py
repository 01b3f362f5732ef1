"""`units.jsonl`: one line an attempt, append-only.

A line counts once its newline is there. An outcome supersedes errors of the same unit, a later error an earlier one,
and two different outcomes of one unit are refused: one of them would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from seer_bench._cycles import no_search_for_cycles
from seer_bench.contracts import Outcome, SubtaskResult, UnitError, UnitResult
from seer_bench.errors import DamagedRecordError, StoreError
from seer_bench.protocol import differences
from seer_bench.store._files import cannot_read
from seer_bench.store._json import Json, NewerSchemaError, check_keys, check_schema, dump_line, parse_object, take

SCHEMA = "seer-bench/unit/1"
UNITS = "units.jsonl"

_SHOWN = 20
"""Damaged lines of one file that are reported one by one."""

_FIELDS = {
    "schema", "unit_id", "attempt", "outcome", "subtasks", "seed", "actions_out_of_range", "actions_sha256", "error",
    "run_info", "initial",
}  # fmt: skip


class _Subtask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `subtasks`, as msgspec checks it."""

    task: str
    instruction: str
    success: bool
    steps: int


class _Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `error` field, as msgspec checks it."""

    kind: Literal["policy_error", "infrastructure_error"]
    message: str


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line, as msgspec checks it: never less strictly than `from_line` does."""

    schema: Literal["seer-bench/unit/1"]
    unit_id: str
    attempt: int
    outcome: Outcome
    subtasks: tuple[_Subtask, ...]
    seed: int
    actions_out_of_range: int
    actions_sha256: str | None
    error: _Error | None
    run_info: dict[str, Any]
    initial: dict[str, Any] = {}


class _Shared(dict[_Subtask, SubtaskResult]):
    """Subtasks of the lines so far, so that equal ones are one object."""

    def __missing__(self, found: _Subtask) -> SubtaskResult:
        made = self[found] = SubtaskResult(found.task, found.instruction, found.success, found.steps)
        return made


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True)
class Records:
    """What a `units.jsonl` says."""

    results: dict[str, UnitResult]
    """The standing result of each unit, sorted by unit id."""
    attempts: dict[str, int]
    """The highest attempt of each unit, superseded ones included."""
    problems: tuple[str, ...]
    """Lines that could not be used, in words."""
    end: int
    """Bytes up to and including the last newline; what follows is a torn line."""


def to_line(result: UnitResult) -> str:
    """One attempt as a line of JSON, without the newline.

    Raises:
        StoreError: a value is not JSON, e.g. a NaN or a NumPy number in `run_info`.
    """
    error = None if result.error is None else dict(vars(result.error))
    rest = {"error": error, "attempt": result.attempt, "run_info": dict(result.run_info)}
    try:
        return dump_line({**_canonical(result), **rest})
    except (TypeError, ValueError) as fault:
        raise StoreError(f"unit '{result.unit_id}': the result cannot be written as JSON ({fault}).") from fault


def from_line(line: bytes, *, where: str = "record") -> UnitResult:
    """Read what `to_line` wrote.

    Raises:
        DamagedRecordError: it is not such a line, one whose fields contradict one another, or one of a newer schema;
            `where` is named.
    """
    data = parse_object(line, where)
    check_schema(data, SCHEMA, where)
    check_keys({"initial": {}, **data}, _FIELDS, where)
    outcome = take(data, "outcome", where, str)
    if outcome not in ("success", "failure", "error"):
        raise DamagedRecordError(f"{where}: outcome is '{outcome}', expected success, failure or error.")
    result = UnitResult(
        unit_id=take(data, "unit_id", where, str),
        attempt=take(data, "attempt", where, int),
        outcome=cast("Outcome", outcome),
        subtasks=tuple(_subtask(item, f"{where}: subtask") for item in take(data, "subtasks", where, list)),
        seed=take(data, "seed", where, int),
        actions_out_of_range=take(data, "actions_out_of_range", where, int),
        actions_sha256=take(data, "actions_sha256", where, str, type(None)),
        error=_error(take(data, "error", where, dict, type(None)), f"{where}: error"),
        run_info=take(data, "run_info", where, dict),
        initial=take({"initial": {}, **data}, "initial", where, dict),
    )
    if contradiction := _contradiction(result):
        raise DamagedRecordError(f"{where}: {contradiction}.")
    return result


def canonical_lines(results: Iterable[UnitResult]) -> list[str]:
    """The results without `run_info` and `attempt`, sorted by unit: two correct runs give the same bytes.

    An outcome is the same whether errors came before it or not, so the number of attempts is left out. So is the text
    of an error, in which a policy may name an address, a time or its slot.
    """
    return [dump_line(_canonical(r)) for r in sorted(results, key=lambda r: r.unit_id)]


def prefer(a: UnitResult, b: UnitResult, *, where_a: str, where_b: str) -> UnitResult:
    """Which of two attempts at one unit stands; the order of the arguments does not matter.

    Raises:
        DamagedRecordError: they are two different outcomes; both places are named.
    """
    if (a.outcome == "error") != (b.outcome == "error"):
        return b if a.outcome == "error" else a
    if a.outcome == "error":
        return max(a, b, key=_order)
    different = differences(_canonical(a), _canonical(b))
    if different:
        raise DamagedRecordError(
            f"unit '{a.unit_id}' has two different outcomes, at {where_a} (here) and at {where_b} (there): "
            f"{'; '.join(different)}. One protocol, policy, checkpoint and seed give one outcome, so one of them is "
            "wrong. Remove the wrong one, or start afresh with another --out."
        )
    return min(a, b, key=_order)


def read_records(path: Path) -> Records:
    """Read a `units.jsonl`; a line that cannot be used is reported in `problems`, and the others still count.

    Equal subtasks are one object in memory, and the file is read line by line, so that a million units fit.

    Raises:
        StoreError: the file cannot be read.
        DamagedRecordError: two different outcomes of one unit, or a line of a newer schema.
    """
    results: dict[str, UnitResult] = {}
    attempts: dict[str, int] = {}
    lines: dict[str, int] = {}
    shared = _Shared()
    problems: list[str] = []
    damaged = end = 0
    try:
        with path.open("rb") as file, no_search_for_cycles():
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    problems.append(
                        f"{path}, line {number}: the last line was cut off while it was written ({len(line)} bytes, "
                        "no newline). It is left out; the same run command plays that unit again."
                    )
                    break
                end += len(line)
                try:
                    result = _from_usual_line(line, shared) or from_line(line[:-1], where=f"{path}, line {number}")
                except NewerSchemaError:
                    raise
                except DamagedRecordError as error:
                    damaged += 1
                    if damaged <= _SHOWN:
                        problems.append(f"{error} The line is left out.")
                    continue
                unit = result.unit_id
                before = results.setdefault(unit, result)
                if before is result:
                    attempts[unit], lines[unit] = result.attempt, number
                    continue
                here, there = f"{path}, line {lines[unit]}", f"{path}, line {number}"
                results[unit] = prefer(before, result, where_a=here, where_b=there)
                attempts[unit] = max(result.attempt, attempts[unit])
                if results[unit] is result:
                    lines[unit] = number
    except OSError as error:
        raise cannot_read(path, error) from error
    if damaged > _SHOWN:
        problems.append(f"{path}: {damaged - _SHOWN:,} further lines are as damaged as these and left out.")
    ordered = {unit: results[unit] for unit in sorted(results)}
    return Records(ordered, attempts, tuple(problems), end)


def _from_usual_line(line: bytes, shared: _Shared) -> UnitResult | None:
    """What `from_line` gives, some ten times faster; None for whatever is left to it to read or to refuse."""
    try:
        data = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return None
    subtasks = tuple(map(shared.__getitem__, data.subtasks))
    result = UnitResult(
        data.unit_id,
        data.attempt,
        data.outcome,
        subtasks,
        data.seed,
        data.actions_out_of_range,
        data.actions_sha256,
        None if data.error is None else UnitError(data.error.kind, data.error.message),
        data.run_info,
        data.initial,
    )
    return None if _contradiction(result) else result


def _canonical(result: UnitResult) -> Json:
    """Everything about a unit that two correct runs share."""
    initial = {"initial": dict(result.initial)} if result.initial else {}
    return {
        "schema": SCHEMA,
        "unit_id": result.unit_id,
        "outcome": result.outcome,
        "subtasks": [dict(vars(subtask)) for subtask in result.subtasks],
        "seed": result.seed,
        "actions_out_of_range": result.actions_out_of_range,
        "actions_sha256": result.actions_sha256,
        "error": None if result.error is None else {"kind": result.error.kind},
        **initial,
    }


def _order(result: UnitResult) -> tuple[int, str]:
    """A total order of attempts that does not depend on where they were read."""
    return result.attempt, to_line(result)


def _contradiction(result: UnitResult) -> str:
    """The field that no attempt can have beside the others, in words; empty where there is none."""
    if result.attempt < 1:
        return f"attempt is {result.attempt}, expected 1 or more"
    over = False
    for i, subtask in enumerate(result.subtasks):
        if over:
            return f"subtasks[{i}] follows a subtask that failed, which ends a unit"
        if subtask.steps < 0:
            return f"subtasks[{i}].steps is {subtask.steps}, expected 0 or more"
        over = not subtask.success
    usual = "failure" if over else "success"
    if result.error is None and result.actions_sha256 is not None and result.outcome == usual:
        return ""
    kind = result.error.kind if result.error else "null"
    failed_machine, said = kind == "infrastructure_error", f"but outcome is '{result.outcome}'"
    if failed_machine != (result.outcome == "error"):
        return f"error is {kind}, {said}"
    if (result.actions_sha256 is None) != failed_machine:
        return f"actions_sha256 is {'null' if result.actions_sha256 is None else 'given'}, {said}"
    if not failed_machine and (result.error is None and not over) != (result.outcome == "success"):
        return f"outcome is '{result.outcome}', but error is {kind} and {result.solved} of {len(result.subtasks)} " + (
            "attempted subtasks were solved"
        )
    return ""


def _subtask(data: object, where: str) -> SubtaskResult:
    """One entry of `subtasks`."""
    if not isinstance(data, dict):
        raise DamagedRecordError(f"{where}: {data!r} is not an object.")
    check_keys(data, {"task", "instruction", "success", "steps"}, where)
    return SubtaskResult(
        task=take(data, "task", where, str),
        instruction=take(data, "instruction", where, str),
        success=take(data, "success", where, bool),
        steps=take(data, "steps", where, int),
    )


def _error(data: Json | None, where: str) -> UnitError | None:
    """The `error` field."""
    if data is None:
        return None
    check_keys(data, {"kind", "message"}, where)
    kind = take(data, "kind", where, str)
    if kind not in ("policy_error", "infrastructure_error"):
        raise DamagedRecordError(f"{where}: kind is '{kind}', expected policy_error or infrastructure_error.")
    return UnitError(kind, take(data, "message", where, str))
