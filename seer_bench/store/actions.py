"""`<run>/actions/`: the executed actions of every unit, so that any unit can be replayed exactly."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from seer_bench.contracts import Array, Unit, UnitResult
from seer_bench.errors import DamagedRecordError, StoreError
from seer_bench.store._files import read_bytes, write_atomic

ACTIONS = "actions"

_SAFE_NAME = re.compile(r"[A-Za-z0-9_=+,-][A-Za-z0-9_=+,.-]{0,199}")


def actions_sha256(actions: Array) -> str:
    """sha256 over dtype (with byte order), shape and bytes in C order."""
    digest = hashlib.sha256(f"{actions.dtype.str} {actions.shape}\n".encode())
    digest.update(actions.tobytes())
    return digest.hexdigest()


def actions_path(run: Path, unit_id: str) -> Path:
    """Where a unit's actions are kept: `<run>/actions/<slug>.npy`.

    Raises:
        StoreError: the unit's slug is no plain file name.
    """
    slug = Unit(unit_id, 0).slug
    if not _SAFE_NAME.fullmatch(slug):
        raise StoreError(
            f"unit '{unit_id}': its last part '{slug}' cannot be a file name. "
            "Unit ids look like 'protocol/v1:chain=0417', with at most 200 letters, digits and _ = + , . - behind the "
            "colon."
        )
    return run / ACTIONS / f"{slug}.npy"


def check_unit_ids(unit_ids: Iterable[str]) -> None:
    """Refuse units that could not be kept apart.

    Raises:
        StoreError: a slug is no plain file name, or two units share one (or one but for upper and lower case, which
            some file systems do not tell apart).
    """
    taken: dict[str, str] = {}
    for unit_id in unit_ids:
        name = actions_path(Path(), unit_id).name.lower()
        if name in taken:
            raise StoreError(
                f"units '{taken[name]}' and '{unit_id}': both would keep their actions in {ACTIONS}/{name}. What "
                "follows the last colon must be another for every unit of a protocol."
            )
        taken[name] = unit_id


def write_actions(run: Path, result: UnitResult, actions: Array) -> None:
    """Keep the executed actions (T, dim) of an attempt; the dtype stays as it is.

    Raises:
        StoreError: they are not a floating array of two axes, not those that `result` was made from, or cannot be
            written.
    """
    path = actions_path(run, result.unit_id)
    if actions.ndim != 2 or not np.issubdtype(actions.dtype, np.floating):
        raise StoreError(
            f"unit '{result.unit_id}': actions are {actions.dtype} {actions.shape}, expected a floating dtype (T, dim)."
        )
    if (found := actions_sha256(actions)) != result.actions_sha256:
        raise StoreError(
            f"unit '{result.unit_id}': the actions have the sha256 {found}, the result says {result.actions_sha256}."
        )
    buffer = io.BytesIO()
    npy.write_array(buffer, actions, allow_pickle=False)
    write_atomic(path, buffer.getvalue())


def read_actions(run: Path, result: UnitResult) -> Array:
    """The executed actions (T, dim) of an attempt, in the dtype in which they reached the simulator.

    Raises:
        StoreError: the attempt has none, or the file is missing.
        DamagedRecordError: the file is not the one that was recorded.
    """
    path = actions_path(run, result.unit_id)
    if result.actions_sha256 is None:
        raise StoreError(f"unit '{result.unit_id}': attempt {result.attempt} ended in an error and has no actions.")
    data = io.BytesIO(read_bytes(path))
    try:
        # Not np.load: it would also open an archive or a pickle that took the file's place.
        actions: Array = npy.read_array(data, allow_pickle=False)
        found = actions_sha256(actions)
    except Exception as error:  # NumPy parses a damaged header as Python and fails in a dozen ways
        raise _damaged(path, result.actions_sha256, f"no readable array ({error})") from error
    if found != result.actions_sha256:
        raise _damaged(path, result.actions_sha256, f"sha256 {found}")
    return actions


def _damaged(path: Path, recorded: str, found: str) -> DamagedRecordError:
    """What to say about a file that is not the recorded one."""
    return DamagedRecordError(
        f"{path}: holds {found}, recorded was sha256 {recorded}. The scores are not affected; to replay the unit, "
        "restore the file or run the unit again under another --out."
    )
