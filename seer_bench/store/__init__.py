"""A run directory: a manifest, append-only records and the executed actions.

<run>/manifest.json         what was run: protocol, policy, checkpoint, seed; written once
<run>/sessions/<id>.json    each start of the command: time, versions, machine
<run>/units.jsonl           one line an attempt at a unit
<run>/actions/<slug>.npy    the executed actions of a unit, (T, dim)
<run>/videos/               films and clips, made afterwards by replay
<run>/.lock                 held by the one process that writes
"""

from __future__ import annotations

from seer_bench.store._files import write_atomic
from seer_bench.store._lock import RunLock, is_being_written
from seer_bench.store.actions import actions_path, actions_sha256, check_unit_ids, read_actions
from seer_bench.store.export import export
from seer_bench.store.manifest import (
    CheckpointId,
    Manifest,
    PolicyId,
    check_same_run,
    checkpoint_sha256,
    identity_differences,
    read_manifest,
    simulation_differences,
)
from seer_bench.store.records import Records, canonical_lines, from_line, read_records, to_line
from seer_bench.store.run import RunData, find_runs, merge_runs, read_run
from seer_bench.store.sessions import Session
from seer_bench.store.writer import RunWriter

__all__ = [
    "CheckpointId",
    "Manifest",
    "PolicyId",
    "Records",
    "RunData",
    "RunLock",
    "RunWriter",
    "Session",
    "actions_path",
    "actions_sha256",
    "canonical_lines",
    "check_same_run",
    "check_unit_ids",
    "checkpoint_sha256",
    "export",
    "find_runs",
    "from_line",
    "identity_differences",
    "is_being_written",
    "merge_runs",
    "read_actions",
    "read_manifest",
    "read_records",
    "read_run",
    "simulation_differences",
    "to_line",
    "write_atomic",
]
