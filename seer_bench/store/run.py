"""Reading run directories, one or many."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from seer_bench.contracts import Array, UnitResult
from seer_bench.errors import StoreError, UnknownNameError, UsageError
from seer_bench.store._files import cannot_read
from seer_bench.store._lock import LOCK
from seer_bench.store.actions import ACTIONS, read_actions
from seer_bench.store.manifest import MANIFEST, Manifest, check_same_run, read_manifest
from seer_bench.store.records import UNITS, prefer, read_records
from seer_bench.store.sessions import SESSIONS, Session, read_sessions

_TRACES = {MANIFEST, UNITS, SESSIONS, ACTIONS, LOCK}
"""Two of these tell a run directory, also a damaged one, from a folder with somebody else's `manifest.json`."""


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
    try:
        manifest = read_manifest(path)
        sessions, problems = read_sessions(path)
        results: dict[str, UnitResult] = {}
        if (path / UNITS).exists():
            records = read_records(path / UNITS)
            results = records.results
            problems += records.problems
        else:
            problems.append(f"{path / UNITS}: is missing, so the run holds no result.")
    except OSError as error:
        raise cannot_read(path, error) from error
    return RunData(path, manifest, tuple(sessions), results, tuple(problems), dict.fromkeys(results, path))


def find_runs(roots: Sequence[Path]) -> list[Path]:
    """Every run directory among `roots` and below them, sorted, each once.

    A run directory holds two of the things that a run leaves, its manifest or its records among them. So one that lost
    either is found as well, and `read_run` can say so. What lies inside one is not searched.

    Raises:
        StoreError: a root is no directory.
    """
    found: dict[Path, Path] = {}
    for root in roots:
        if not root.is_dir():
            raise StoreError(f"{root}: no such directory. Name a run directory, or one that holds runs.")
        for folder, below, files in os.walk(root):
            if _is_run([*files, *below]):
                path = Path(folder)
                found.setdefault(path.resolve(), path)
                below.clear()
    return sorted(found.values())


def _is_run(names: Collection[str]) -> bool:
    """Whether a directory that holds `names` is one that a run made, perhaps damaged since."""
    return len(_TRACES.intersection(names)) > 1 and not {MANIFEST, UNITS}.isdisjoint(names)


def merge_runs(runs: Sequence[RunData], *, allow_mixed: bool = False) -> RunData:
    """Merge the shards of one run; their order does not matter, and errors give way to outcomes.

    Raises:
        UsageError: there is nothing to merge.
        RunMismatchError: they are different runs, or (without `allow_mixed`) of different simulations.
        DamagedRecordError: a unit has two different outcomes.
    """
    if not runs:
        raise UsageError("no run to merge. Name at least one run directory.")
    first, *others = sorted(runs, key=lambda run: run.path)
    if not others:
        return first
    results, origins = dict(first.results), dict(first.origins)
    for run in others:
        check_same_run(first.manifest, run.manifest, run.path, allow_mixed=allow_mixed)
        for unit, result in run.results.items():
            here, there = origins.setdefault(unit, run.origins[unit]), run.origins[unit]
            before = results.setdefault(unit, result)
            if before is not result:
                results[unit] = prefer(before, result, where_a=str(here), where_b=str(there))
                origins[unit] = there if results[unit] is result else here
    sessions = {session.id: session for run in (first, *others) for session in run.sessions}
    return RunData(
        path=first.path,
        manifest=first.manifest,
        sessions=tuple(sessions[key] for key in sorted(sessions)),
        results={unit: results[unit] for unit in sorted(results)},
        problems=tuple(dict.fromkeys(problem for run in (first, *others) for problem in run.problems)),
        origins={unit: origins[unit] for unit in sorted(origins)},
    )
