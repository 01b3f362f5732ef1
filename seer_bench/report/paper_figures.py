"""Figures 3 and 5 of the paper: what captions and prose say of them; curves and bars are pictures in the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from seer_bench.errors import UsageError
from seer_bench.report.paper_real_robot import load_real_robot_table
from seer_bench.report.paper_tables import SOURCE, load_entry

_GAIN = "relative_improvement_over_scratch_percent"
_NEEDED = "fraction_needed_to_beat_previous_best"


@dataclass(frozen=True)
class RelativeGain:
    """What pre-training adds at one amount of data, as the prose says."""

    benchmark: str
    fraction: float
    """Share of the benchmark's demonstrations that were trained on, in (0, 1]."""
    percent: float
    """Gain over training from scratch, percent of the latter."""


@dataclass(frozen=True)
class FractionNeeded:
    """How much data the pre-trained policy needs to pass the best earlier method, as the prose says."""

    benchmark: str
    fraction: float
    """Share of the benchmark's demonstrations, in (0, 1]."""


@dataclass(frozen=True)
class DataEfficiency:
    """Figure 3: success against the amount of data. The points of its curves are not legible, so there are none."""

    title: str
    fractions: tuple[float, ...]
    """Shares of the demonstrations, rising."""
    metrics: Mapping[str, str]
    """What is drawn for each benchmark, e.g. {"calvin": "avg_len"}."""
    series: tuple[str, ...]
    """The methods that have a curve."""
    gains: tuple[RelativeGain, ...]
    needed: tuple[FractionNeeded, ...]


@dataclass(frozen=True)
class Disturbance:
    """What was changed around one task of the real robot."""

    task: str
    """Id of a task of Table 4."""
    words: str


@dataclass(frozen=True)
class Generalization:
    """Figure 5: the real robot under disturbances. Its bars are not legible, so there are no numbers."""

    title: str
    disturbances: tuple[Disturbance, ...]


@cache
def load_data_efficiency() -> DataEfficiency:
    """The packaged Figure 3; raises UsageError as `parse_data_efficiency`."""
    return parse_data_efficiency(load_entry("figure3"), source=SOURCE)


@cache
def load_generalization() -> Generalization:
    """The packaged Figure 5; raises UsageError as `parse_generalization`."""
    tasks = frozenset(task.id for task in load_real_robot_table().tasks)
    return parse_generalization(load_entry("figure5"), tasks=tasks, source=SOURCE)


def parse_data_efficiency(data: Mapping[str, Any], *, source: str) -> DataEfficiency:
    """Read Figure 3: fractions must rise to 1, statements must speak of its benchmarks and fractions.

    Raises:
        UsageError: naming `source` and the entry.
    """
    where = f"{source}: figure3"
    fractions = tuple(data["fractions"])
    if list(fractions) != sorted(set(fractions)) or not fractions or fractions[0] <= 0 or fractions[-1] != 1:
        raise UsageError(f"{where} has the fractions {fractions}; they must rise, from above 0 to 1.")
    _check_illegible(where, data)
    gains, needed = [], []
    for statement in data["statements"]:
        benchmark = statement["benchmark"]
        fraction = statement.get("fraction", statement.get(_NEEDED))
        if benchmark not in data["benchmarks"] or fraction not in fractions:
            raise UsageError(f"{where}: {dict(statement)} speaks of a benchmark or fraction that is not drawn.")
        if set(statement) == {"benchmark", "fraction", _GAIN}:
            gains.append(RelativeGain(benchmark, fraction, float(statement[_GAIN])))
        elif set(statement) == {"benchmark", _NEEDED}:
            needed.append(FractionNeeded(benchmark, fraction))
        else:
            raise UsageError(f"{where}: {dict(statement)} is neither a gain nor a fraction that is needed.")
    metrics = MappingProxyType(dict(data["benchmarks"]))
    return DataEfficiency(data["title"], fractions, metrics, tuple(data["series"]), tuple(gains), tuple(needed))


def parse_generalization(data: Mapping[str, Any], *, tasks: frozenset[str], source: str) -> Generalization:
    """Read Figure 5: every one of `tasks` must have exactly one disturbance.

    Raises:
        UsageError: naming `source` and the tasks.
    """
    where = f"{source}: figure5"
    _check_illegible(where, data)
    for entry in data["disturbances"]:
        if set(entry) != {"task", "disturbance"}:  # an unquoted comma splits a text into keys
            raise UsageError(f"{where}: {dict(entry)} needs 'task' and 'disturbance' alone; quote texts with commas.")
    named = [entry["task"] for entry in data["disturbances"]]
    if sorted(named) != sorted(tasks):
        raise UsageError(f"{where} disturbs {', '.join(named)}; the tasks of Table 4 are {', '.join(sorted(tasks))}.")
    return Generalization(
        data["title"], tuple(Disturbance(entry["task"], entry["disturbance"]) for entry in data["disturbances"])
    )


def _check_illegible(where: str, data: Mapping[str, Any]) -> None:
    """Refuse numbers: nothing here would show them."""
    if data["values"] is not None:
        raise UsageError(f"{where} has values, and this version reads none; its source is a picture.")
