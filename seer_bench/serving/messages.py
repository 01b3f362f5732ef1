"""What clients send, read from decoded frames: calls of ours over many slots, and single observations of anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from seer_bench.contracts import Array, Unit
from seer_bench.errors import ConventionError
from seer_bench.serving.codec import FrameError, pack
from seer_bench.serving.host import Row
from seer_bench.serving.metadata import KEY

_PLAIN_KEYS = ("prompt", "episode_id", "reset", "step", "seed", "unit_id", "subtask")
"""Keys of a single observation that are no fields."""


@dataclass(frozen=True)
class Call:
    """A call of seer-bench's client."""

    client: str
    """Chosen by the client, unique."""
    number: int
    """Grows from call to call; the same number is the same call, sent again."""
    rows: tuple[Row, ...]
    observations: Mapping[str, Array]
    """Fields with a leading axis for the rows."""
    leave: bool = False
    """The client is done; its slots are free."""


class _Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A row on the wire: [slot, [unit's id, unit's index] or nil, [instruction, seed] or nil]."""

    slot: int
    begin: tuple[str, int] | None
    reset: tuple[str, int] | None


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """The part of a call under the key "seer_bench"."""

    client: Annotated[str, msgspec.Meta(max_length=100)]  # remembered for long
    call: int
    rows: list[_Row]
    leave: bool = False


def write_call(call: Call) -> bytes:
    """The frame of a call."""
    rows = [(row.slot, row.begin and (row.begin.id, row.begin.index), row.reset) for row in call.rows]
    head = {"client": call.client, "call": call.number, "rows": rows, "leave": call.leave}
    return pack({KEY: head, **call.observations})


def read_call(message: Mapping[Any, Any]) -> Call:
    """The inverse of `write_call`, behind the codec.

    Raises:
        FrameError: it is no call.
    """
    try:
        head = msgspec.convert(message[KEY], _Head)
    except msgspec.ValidationError as error:
        raise FrameError(f"the part '{KEY}' of a call is damaged: {error}.") from error
    rows = tuple(Row(head.client, row.slot, row.begin and Unit(*row.begin), row.reset) for row in head.rows)
    return Call(head.client, head.call, rows, {k: v for k, v in message.items() if k != KEY}, head.leave)


def failure(number: int, kind: str, text: str) -> bytes:
    """The frame that says that a call failed; `kind` is "policy", "forgotten" or "server"."""
    return pack({KEY: {"call": number, "error": kind, "message": text}})


class PlainEpisode:
    """What a client of openpi's is about: one slot for as long as it is connected.

    A subtask begins with the first observation, with "reset": true, and whenever "episode_id" or "prompt" changes.

    Args:
        client: name of the connection.
    """

    def __init__(self, client: str) -> None:
        self.client = client
        self._before: tuple[str | int, str] | None = None

    def read(self, message: Mapping[Any, Any]) -> tuple[Row, dict[str, Array]]:
        """The row and the fields, without a leading axis, of an observation.

        Raises:
            ConventionError: the instruction, or another key that is no field, is of another type.
        """
        text = _read(message, "prompt", "", str, "text")
        episode = _read(message, "episode_id", "", (str, int), "text or a whole number")
        reset = _read(message, "reset", False, (bool, int), "true or false")
        seed = _read(message, "seed", 0, int, "a whole number from 0 to 2^32 - 1")
        if not 0 <= seed < 1 << 32:
            raise ConventionError(f"'seed' is {seed}; it must be a whole number from 0 to 2^32 - 1.")
        starts = (episode, text) != self._before or bool(reset)
        self._before = (episode, text)
        fields = {str(key): _array(value) for key, value in message.items() if key not in _PLAIN_KEYS}
        return Row(self.client, 0, reset=(text, seed) if starts else None), fields

    def failed(self) -> None:
        """The policy gave no answer: what comes next begins anew."""
        self._before = None


def _read(message: Mapping[Any, Any], key: str, default: Any, kinds: type | tuple[type, ...], words: str) -> Any:
    """A value that is no field, which may come as a scalar of NumPy's; raises ConventionError."""
    value = message.get(key)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if value is None:
        return default
    if not isinstance(value, kinds):
        raise ConventionError(f"'{key}' is {type(value).__name__}; it must be {words}.")
    return value


def _array(value: object) -> Any:
    """A number as an array; what is no number stays as it is, for whoever wants it to refuse it by its type."""
    return np.asarray(value) if isinstance(value, (np.generic, float, int)) else value
