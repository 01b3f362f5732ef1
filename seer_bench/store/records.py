"""`units.jsonl`: one line an attempt, append-only.

A line counts once its newline is there. An outcome supersedes errors of the same unit, a later error an earlier one,
and two different outcomes of one unit are refused: one of them would be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from seer_bench.contracts import Outcome, SubtaskResult, UnitError, UnitResult
from seer_bench.errors import DamagedRecordError, StoreError
from seer_bench.protocol import differences
from seer_bench.store._files import read_bytes
from seer_bench.store._json import Json, NewerSchemaError, check_keys, check_schema, dump_line, parse_object, take

SCHEMA = "seer-bench/unit/1"
UNITS = "units.jsonl"

_FIELDS = {
    "schema", "unit_id", "attempt", "outcome", "subtasks", "seed", "actions_out_of_range", "actions_sha256", "error",
    "run_info", "initial",
}  # fmt: skip


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

    Raises:
        StoreError: the file cannot be read.
        DamagedRecordError: two different outcomes of one unit, or a line of a newer schema.
    """
    *lines, torn = read_bytes(path).split(b"\n")
    results: dict[str, UnitResult] = {}
    places: dict[str, str] = {}
    attempts: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        place = f"{path}, line {number}"
        try:
            result = from_line(line, where=place)
        except NewerSchemaError:
            raise
        except DamagedRecordError as error:
            problems.append(f"{error} The line is left out.")
            continue
        unit = result.unit_id
        if unit in results:
            standing = prefer(results[unit], result, where_a=places[unit], where_b=place)
            places[unit] = place if standing is result else places[unit]
        else:
            standing, places[unit] = result, place
        results[unit] = standing
        attempts[unit] = max(result.attempt, attempts.get(unit, 0))
    if torn:
        problems.append(
            f"{path}, line {len(lines) + 1}: the last line was cut off while it was written ({len(torn)} bytes, no "
            "newline). It is left out; the same run command plays that unit again."
        )
    ordered = {unit: results[unit] for unit in sorted(results)}
    return Records(ordered, attempts, tuple(problems), end=sum(len(line) + 1 for line in lines))


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
    for i, subtask in enumerate(result.subtasks):
        if subtask.steps < 0:
            return f"subtasks[{i}].steps is {subtask.steps}, expected 0 or more"
        if not subtask.success and i + 1 < len(result.subtasks):
            return f"subtasks[{i + 1}] follows a subtask that failed, which ends a unit"
    kind = result.error.kind if result.error else "null"
    failed_machine, said = kind == "infrastructure_error", f"but outcome is '{result.outcome}'"
    if failed_machine != (result.outcome == "error"):
        return f"error is {kind}, {said}"
    if (result.actions_sha256 is None) != failed_machine:
        return f"actions_sha256 is {'null' if result.actions_sha256 is None else 'given'}, {said}"
    succeeded = result.error is None and all(subtask.success for subtask in result.subtasks)
    if not failed_machine and succeeded != (result.outcome == "success"):
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
