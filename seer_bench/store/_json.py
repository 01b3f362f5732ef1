"""Reading JSON that somebody else may have written, cut or edited."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from seer_bench.errors import DamagedRecordError

Json = dict[str, Any]

_LONGEST = 120
"""Characters of a damaged value that a message shows, and digits of a version that can be meant."""


class NewerSchemaError(DamagedRecordError):
    """The record is whole, but only a newer seer-bench can read it."""


def dump_line(tree: object) -> str:
    """JSON on one line, the same bytes for the same tree: ASCII, sorted keys, no spaces."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def dump_file(tree: object) -> bytes:
    """JSON for a file that people read."""
    return (json.dumps(tree, sort_keys=True, indent=2, allow_nan=False) + "\n").encode()


def parse_object(text: bytes, where: str) -> Json:
    """Parse one JSON object; DamagedRecordError says where it is not one."""
    try:
        data = json.loads(text.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedRecordError(f"{where}: not readable as JSON ({error}).") from error
    if not isinstance(data, dict):
        raise DamagedRecordError(f"{where}: holds a JSON {type(data).__name__}, not an object.")
    return data


def check_schema(data: Json, expected: str, where: str) -> None:
    """Refuse another schema or version, telling a newer one ("name/2") from anything else."""
    found = data.get("schema")
    if found == expected:
        return
    name, _, version = expected.rpartition("/")
    if isinstance(found, str):
        found_name, _, found_version = found.rpartition("/")
        newer = found_version.isdecimal() and len(found_version) < _LONGEST and int(found_version) > int(version)
        if found_name == name and newer:
            raise NewerSchemaError(
                f"{where}: schema '{found}' is newer than '{expected}', the newest that this seer-bench reads. "
                "Update it with: pip install --upgrade seer-bench"
            )
    raise DamagedRecordError(f"{where}: schema is {_shown(found)}, expected '{expected}'.")


def check_keys(data: Json, expected: set[str], where: str) -> None:
    """Refuse missing and unknown fields."""
    if missing := expected - set(data):
        raise DamagedRecordError(f"{where}: lacks {', '.join(sorted(missing))}.")
    if unknown := set(data) - expected:
        raise DamagedRecordError(f"{where}: unknown field {_shown(', '.join(sorted(unknown)), str)}.")


def take(data: Json, key: str, where: str, *types: type) -> Any:
    """The value of a field, of exactly one of `types` (so that `true` is no integer)."""
    if key not in data:
        raise DamagedRecordError(f"{where}: lacks {key}.")
    value = data[key]
    if type(value) not in types:
        wanted = " or ".join(t.__name__ for t in types)
        raise DamagedRecordError(f"{where}: {key} is {_shown(value)}, expected {wanted}.")
    return value


def take_strings(data: Json, key: str, where: str) -> dict[str, str]:
    """A field that maps names to strings."""
    values: dict[str, str] = take(data, key, where, dict)
    return {name: take(values, name, f"{where}: {key}", str) for name in values}


def _shown(value: object, text: Callable[[object], str] = repr) -> str:
    """A value for a message, cut where it is long."""
    shown = text(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown):,} characters)"


def _no_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(f"{name} is no JSON value")
