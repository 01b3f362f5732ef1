"""Reading run directories, one or many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from seer_bench.contracts import Array, UnitResult
from seer_bench.errors import StoreError, UnknownNameError, UsageError
from seer_bench.store._lock import LOCK
from seer_bench.store.actions import ACTIONS, read_actions
from seer_bench.store.manifest import MANIFEST, Manifest, check_same_run, read_manifest
from seer_bench.store.records import UNITS, prefer, read_records
from seer_bench.store.sessions import SESSIONS, Session, read_sessions

_BESIDE_MANIFEST = {UNITS, SESSIONS, ACTIONS, LOCK}
"""One of these tells a run directory, also a damaged one, from a folder with somebody else's `manifest.json`."""


@dataclass(frozen=True)
class RunData:
    """What one run directory holds, or several that were merged."""

    path: Path
    """The run directory; after a merge the first of them by name."""
    manifest: Manifest
    sessions: tuple[Session, ...]
    """In the order of their starts, after a merge by time. Their `simulation` differs only where somebody continued or
    merged with `--allow-mixed`."""
    results: dict[str, UnitResult]
    """The standing result of each unit, sorted by unit id; errors among them."""
    problems: tuple[str, ...]
    """Records that could not be used, in words."""
    origins: dict[str, Path]
    """The run directory that each result was read from."""

    def actions(self, unit_id: str) -> Array:
        """The executed actions (T, dim) of a unit's standing result, in their recorded dtype.

        Raises:
            UnknownNameError: the unit has no result.
            StoreError: the unit ended in an error, or its file is missing.
            DamagedRecordError: the file is not the recorded one.
        """
        if unit_id not in self.results:
            raise UnknownNameError("recorded unit", unit_id, self.results)
        return read_actions(self.origins[unit_id], self.results[unit_id])


def read_run(path: Path) -> RunData:
    """Read a run directory, also while somebody writes to it.

    Raises:
        StoreError: it is no run directory.
        DamagedRecordError: its manifest cannot be read, its records contradict one another, or a newer seer-bench
            wrote it. Anything smaller is reported in `RunData.problems`.
    """
    if not (path / MANIFEST).is_file():
        raise StoreError(f"{path}: no run directory (it has no {MANIFEST}). Name one that `seer-bench run` made.")
    manifest = read_manifest(path)
    sessions, problems = read_sessions(path)
    results: dict[str, UnitResult] = {}
    if (path / UNITS).exists():
        records = read_records(path / UNITS)
        results = records.results
        problems += records.problems
    else:
        problems.append(f"{path / UNITS}: is missing, so the run holds no result.")
    return RunData(path, manifest, tuple(sessions), results, tuple(problems), dict.fromkeys(results, path))


def find_runs(roots: Sequence[Path]) -> list[Path]:
    """Every run directory among `roots` and below them, sorted, each once.

    A run directory holds `manifest.json` and something else that a run leaves; one whose `units.jsonl` is gone is
    found as well, so that `read_run` can say so. What lies inside one is not searched.

    Raises:
        StoreError: a root is no directory.
    """
    found: dict[Path, Path] = {}
    for root in roots:
        if not root.is_dir():
            raise StoreError(f"{root}: no such directory. Name a run directory, or one that holds runs.")
        for folder, below, files in os.walk(root):
            if MANIFEST in files and not _BESIDE_MANIFEST.isdisjoint([*files, *below]):
                path = Path(folder)
                found.setdefault(path.resolve(), path)
                below.clear()
    return sorted(found.values())


def merge_runs(runs: Sequence[RunData], *, allow_mixed: bool = False) -> RunData:
    """Merge the shards of one run; their order does not matter, and errors give way to outcomes.

    Raises:
        UsageError: there is nothing to merge.
        RunMismatchError: they are different runs, or (without `allow_mixed`) of different simulations.
        DamagedRecordError: a unit has two different outcomes.
    """
    if not runs:
        raise UsageError("no run to merge. Name at least one run directory.")
    return reduce(lambda a, b: _merge(a, b, allow_mixed=allow_mixed), sorted(runs, key=lambda run: run.path))


def _merge(a: RunData, b: RunData, *, allow_mixed: bool) -> RunData:
    """Merge `b` into `a`."""
    check_same_run(a.manifest, b.manifest, b.path, allow_mixed=allow_mixed)
    results = dict(a.results)
    origins = dict(a.origins)
    for unit, result in b.results.items():
        there = b.origins[unit]
        if unit in results:
            result = prefer(results[unit], result, where_a=str(origins[unit]), where_b=str(there))
            there = origins[unit] if result is results[unit] else there
        results[unit], origins[unit] = result, there
    sessions = {session.id: session for session in (*a.sessions, *b.sessions)}
    return RunData(
        path=a.path,
        manifest=a.manifest,
        sessions=tuple(sessions[key] for key in sorted(sessions)),
        results={unit: results[unit] for unit in sorted(results)},
        problems=tuple(dict.fromkeys(a.problems + b.problems)),
        origins={unit: origins[unit] for unit in sorted(origins)},
    )
