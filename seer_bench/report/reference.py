"""Loading published results of other policies, checked against their own arithmetic when they are read.

Nothing in these files is measured by this project. A number that nobody saw stays None; a row whose printed numbers
contradict each other is kept as printed, says so in its file, and carries the contradiction in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.report import arithmetic
from seer_bench.report.reference_rows import (
    HOW,
    ChainResult,
    ReferenceGroup,
    ReferenceRow,
    ReferenceSource,
    ReferenceTable,
    ResultT,
    SuiteMeans,
    TaskResult,
    Verification,
)

_FOLDER = "published"
_TASKS = 10
_HEAD = ("kind", "benchmark", "title", "groups", "rows")
_GROUP = ("summary", "protocols", "units", "steps")
_ROW = ("method", "comparable", "cameras", "depth", "extra_data", "checkpoints", "source", "verified")
_CHAINS = ("rates", "average_length")
_TASK = ("average", "trials", "seeds")
_SUITES = ("spatial", "object", "goal", "long", "average")


def reference_keys() -> tuple[str, ...]:
    """Names of the packaged files, e.g. ("calvin-abc-d", "libero-long")."""
    folder = files("seer_bench.report") / _FOLDER
    return tuple(sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml")))


@cache
def load_chain_reference(key: str) -> ReferenceTable[ChainResult]:
    """The packaged table of chains called `key`; raises as `parse_chain_reference`, or UnknownNameError."""
    return parse_chain_reference(key, _load(key))


@cache
def load_task_reference(key: str) -> ReferenceTable[TaskResult]:
    """The packaged table of tasks called `key`; raises as `parse_task_reference`, or UnknownNameError."""
    return parse_task_reference(key, _load(key))


def parse_chain_reference(key: str, data: Mapping[str, Any]) -> ReferenceTable[ChainResult]:
    """Read a table of chains: rates must fall, and an average length must be the sum of its rates within rounding.

    A row whose printed average length is not that sum must say `disagrees: true`, and only such a row may.

    Raises:
        UsageError: naming the file, the row, and the key or the two values.
    """
    groups = _groups(key, data, kind="chains")
    rows = []
    for where, raw in _rows(key, data, required=_CHAINS, optional=("plus_minus", "disagrees")):
        result = ChainResult(
            rates=tuple(_number(where, raw, "rates", rate, most=100) for rate in raw["rates"]),
            average_length=_field(where, raw, "average_length", most=len(raw["rates"])),
            plus_minus=_field(where, raw, "plus_minus"),
        )
        rows.append(
            _row(where, raw, groups, result, _contradiction(where, result, disagrees=raw.get("disagrees") is True))
        )
    return ReferenceTable(key, data["benchmark"], data["title"], groups, tuple(rows))


def parse_task_reference(key: str, data: Mapping[str, Any]) -> ReferenceTable[TaskResult]:
    """Read a table of tasks: averages must be the means of the tasks, and of the suites, within rounding.

    Raises:
        UsageError: naming the file, the row, and the key or the two values.
    """
    groups = _groups(key, data, kind="tasks")
    rows = []
    for where, raw in _rows(key, data, required=_TASK, optional=("plus_minus", "tasks", "suites")):
        average = _field(where, raw, "average", most=100)
        result = TaskResult(
            average=average,
            tasks=_tasks(where, raw, average),
            suites=_suites(where, raw, average),
            plus_minus=_field(where, raw, "plus_minus"),
            trials=_count(where, raw, "trials"),
            seeds=_count(where, raw, "seeds"),
        )
        rows.append(_row(where, raw, groups, result, None))
    return ReferenceTable(key, data["benchmark"], data["title"], groups, tuple(rows))


def _load(key: str) -> Mapping[str, Any]:
    """One packaged file."""
    if key not in reference_keys():
        raise UnknownNameError("table of published results", key, reference_keys())
    text = (files("seer_bench.report") / _FOLDER / f"{key}.yaml").read_text(encoding="utf-8")
    data: Mapping[str, Any] = yaml.safe_load(text)
    return data


def _check_keys(where: str, raw: object, required: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """`raw`, refused unless it is a mapping with every required key and no unknown one."""
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where} is {raw!r}; it needs the keys {', '.join(required)}.")
    missing = [name for name in required if name not in raw]
    unknown = [str(name) for name in raw if name not in required and name not in optional]
    if missing or unknown:
        known = ", ".join((*required, *optional))
        wrong = [f"lacks {', '.join(missing)}"] if missing else []
        wrong += [f"has the unknown {', '.join(unknown)}"] if unknown else []
        raise UsageError(f"{where} {' and '.join(wrong)}; its keys are {known}.")
    return raw


def _groups(key: str, data: Mapping[str, Any], *, kind: str) -> tuple[ReferenceGroup, ...]:
    """The groups of a file whose head is in order."""
    _check_keys(f"{key}.yaml", data, _HEAD)
    if data["kind"] != kind:
        raise UsageError(f"{key}.yaml holds a table of {data['kind']}, not of {kind}.")
    groups = []
    for name, raw in data["groups"].items():
        where = f"{key}.yaml, group '{name}'"
        _check_keys(where, raw, _GROUP)
        counts = (_count(where, raw, "units"), _count(where, raw, "steps"))
        groups.append(ReferenceGroup(name, raw["summary"], tuple(raw["protocols"]), *counts))
    return tuple(groups)


def _rows(
    key: str, data: Mapping[str, Any], *, required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every row with the words that name it in a message; keys are checked, and a method may stand there once."""
    seen = set()
    for number, raw in enumerate(data["rows"], start=1):
        name = raw.get("method") if isinstance(raw, Mapping) else None
        where = f"{key}.yaml, row {number}" + (f" '{name}'" if name else "")
        _check_keys(where, raw, (*_ROW, *required), (*optional, "note"))
        if name in seen:
            raise UsageError(f"{where} repeats a method; say in brackets what sets the two apart.")
        seen.add(name)
        yield where, raw


def _row(
    where: str, raw: Mapping[str, Any], groups: Sequence[ReferenceGroup], result: ResultT, discrepancy: str | None
) -> ReferenceRow[ResultT]:
    """One row around its checked numbers."""
    if raw["comparable"] not in (group.key for group in groups):
        raise UnknownNameError(f"group in {where}", raw["comparable"], (group.key for group in groups))
    source = _check_keys(f"{where}, source,", raw["source"], ("title", "where", "table"))
    verified = _check_keys(f"{where}, verified,", raw["verified"], ("how", "seen"))
    if verified["how"] not in HOW:
        raise UsageError(f"{where} is verified by '{verified['how']}'; it must be one of {', '.join(HOW)}.")
    if (verified["how"] == "memory") == bool(verified["seen"]):
        raise UsageError(f"{where} must name where its numbers were seen, unless it is from memory.")
    return ReferenceRow(
        method=raw["method"],
        result=result,
        comparable=raw["comparable"],
        cameras=None if raw["cameras"] is None else tuple(raw["cameras"]),
        depth=raw["depth"],
        extra_data=raw["extra_data"],
        checkpoints=raw["checkpoints"],
        source=ReferenceSource(source["title"], source["where"], source["table"]),
        verified=Verification(verified["how"], tuple(verified["seen"])),
        note=raw.get("note"),
        discrepancy=discrepancy,
    )


def _contradiction(where: str, result: ChainResult, *, disagrees: bool) -> str | None:
    """The contradiction of a row that declares one; a row must declare one if, and only if, it has one."""
    rise = arithmetic.first_rise(result.rates)
    if rise is not None:
        raise UsageError(f"{where}: rate {rise + 1} exceeds the one before it ({result.rates}); rates can only fall.")
    rates, printed = arithmetic.complete(result.rates), result.average_length
    if rates is None or printed is None:
        found = None
    else:
        computed, slack = arithmetic.average_length(rates), arithmetic.length_slack(len(rates))
        words = f"the printed average length is {printed:.2f}, the printed rates sum to {computed:.3f}"
        found = None if arithmetic.agrees(printed, computed, slack) else words
    if found and not disagrees:
        raise UsageError(f"{where}: {found}. If its source prints it so, mark the row with 'disagrees: true'.")
    if disagrees and not found:
        raise UsageError(f"{where} is marked 'disagrees', but its numbers agree; drop the mark.")
    return found


def _tasks(where: str, raw: Mapping[str, Any], average: float | None) -> tuple[float | None, ...] | None:
    """The rates of the tasks, checked against their mean."""
    if raw.get("tasks") is None:
        return None
    tasks = tuple(_number(where, raw, "tasks", rate, most=100) for rate in raw["tasks"])
    if len(tasks) != _TASKS:
        raise UsageError(f"{where} has {len(tasks)} tasks; LIBERO-LONG has {_TASKS}.")
    _check_mean(f"{where}, tasks", average, tasks)
    return tasks


def _suites(where: str, raw: Mapping[str, Any], average: float | None) -> SuiteMeans | None:
    """The means of the suites, checked against their mean and against the row's own average."""
    if raw.get("suites") is None:
        return None
    where = f"{where}, suites"
    given = _check_keys(where, raw["suites"], _SUITES)
    suites = SuiteMeans(**{name: float(given[name]) for name in _SUITES})
    if suites.long != average:
        raise UsageError(f"{where} gives {suites.long} for LIBERO-LONG, the row itself {average}.")
    _check_mean(where, suites.average, (suites.spatial, suites.object, suites.goal, suites.long))
    return suites


def _check_mean(where: str, printed: float | None, rates: Sequence[float | None]) -> None:
    """Refuse an average that is not the mean of rates that are all known."""
    known = arithmetic.complete(rates)
    if known is None or printed is None:
        return
    computed, slack = arithmetic.mean(known), 2 * arithmetic.RATE_ROUNDING
    if not arithmetic.agrees(printed, computed, slack):
        raise UsageError(
            f"{where} have the mean {computed:.2f}, the printed average is {printed}; rounding explains {slack}."
        )


def _field(where: str, raw: Mapping[str, Any], name: str, *, most: float = float("inf")) -> float | None:
    """The number called `name`, or None where the row has none."""
    return _number(where, raw, name, raw.get(name), most=most)


def _number(where: str, raw: Mapping[str, Any], name: str, value: object, *, most: float) -> float | None:
    """A number from 0 to `most`, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        limit = f"a number from 0 to {most:g}" if most < float("inf") else "a number that is not negative"
        raise UsageError(f"{where} has {name}: {raw[name]!r}; {value!r} is not {limit}.")
    return float(value)


def _count(where: str, raw: Mapping[str, Any], name: str) -> int | None:
    """A positive whole number, or None."""
    value = raw[name]
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise UsageError(f"{where} has {name}: {value!r}; it must be a positive whole number or null.")
    return None if value is None else int(value)
