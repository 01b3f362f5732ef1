"""`<run>/sessions/`: one file for each start of the command, with the facts of its machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seer_bench.errors import StoreError
from seer_bench.store._files import read_bytes, utc_now, write_atomic
from seer_bench.store._json import (
    Json,
    NewerSchemaError,
    check_keys,
    check_schema,
    dump_file,
    parse_object,
    take,
    take_strings,
)

SCHEMA = "seer-bench/session/1"
SESSIONS = "sessions"

_FIELDS = {"schema", "id", "number", "started", "ended", "reason", "simulation", "facts"}


@dataclass(frozen=True)
class Session:
    """One start of the command on one machine."""

    id: str
    """UTC time and a random part, e.g. "20310506T070809Z-1a2b3c"; sorts by time."""
    number: int
    """1 for the first start of the run, 2 for the next: clocks may be put back, and shards have clocks of their own."""
    started: str
    """ISO 8601, UTC."""
    simulation: Mapping[str, str]
    """Simulation fingerprint of this machine; differs from the manifest's only with `--allow-mixed`."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Versions, git commit, command line, host, GPU, renderer: shown, never compared."""
    ended: str | None = None
    """ISO 8601, UTC; None while it runs, and for ever after kill -9."""
    reason: str | None = None
    """Why it ended, e.g. "finished"."""

    def end(self, reason: str) -> Session:
        """The same session, over."""
        return replace(self, ended=utc_now(), reason=reason)


def new_session(number: int, simulation: Mapping[str, str], facts: Mapping[str, Any]) -> Session:
    """A session that starts now."""
    started = utc_now()
    stamp = started.replace("-", "").replace(":", "")
    return Session(f"{stamp}-{secrets.token_hex(3)}", number, started, dict(simulation), dict(facts))


def write_session(run: Path, session: Session) -> None:
    """Write or replace the session's file.

    Raises:
        StoreError: a fact is not JSON, or the file cannot be written.
    """
    tree = {"schema": SCHEMA, **vars(session)}
    try:
        data = dump_file(tree)
    except (TypeError, ValueError) as error:
        raise StoreError(f"session {session.id}: the facts cannot be written as JSON ({error}).") from error
    write_atomic(run / SESSIONS / f"{session.id}.json", data)


def read_sessions(run: Path) -> tuple[list[Session], list[str]]:
    """The sessions of a run in the order of their starts, and in words the files that could not be used.

    Raises:
        DamagedRecordError: a file is of a newer schema.
    """
    sessions: list[Session] = []
    problems: list[str] = []
    for path in sorted((run / SESSIONS).glob("[!.]*.json")):
        try:
            sessions.append(_from_json(parse_object(read_bytes(path), str(path)), str(path)))
        except NewerSchemaError:
            raise
        except StoreError as error:
            problems.append(f"{error} The session is left out; its units still count.")
    return sorted(sessions, key=lambda session: (session.number, session.id)), problems


def _from_json(data: Json, where: str) -> Session:
    """Read what `write_session` wrote."""
    check_schema(data, SCHEMA, where)
    data = {"number": 0, **data}  # of runs that were begun before sessions were numbered
    check_keys(data, _FIELDS, where)
    return Session(
        id=take(data, "id", where, str),
        number=take(data, "number", where, int),
        started=take(data, "started", where, str),
        simulation=take_strings(data, "simulation", where),
        facts=take(data, "facts", where, dict),
        ended=take(data, "ended", where, str, type(None)),
        reason=take(data, "reason", where, str, type(None)),
    )
