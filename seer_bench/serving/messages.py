"""What clients send, read from decoded frames: calls of ours over many slots, and single observations of anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from seer_bench.contracts import Array, Unit
from seer_bench.serving.codec import FrameError, pack
from seer_bench.serving.host import Row
from seer_bench.serving.metadata import KEY

_PLAIN_KEYS = ("prompt", "episode_id", "reset", "step", "seed")
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

    client: str
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
        self._before: tuple[object, str] | None = None

    def read(self, message: Mapping[Any, Any]) -> tuple[Row, dict[str, Array]]:
        """The row and the fields, without a leading axis, of an observation."""
        prompt, episode, seed = (message.get(key) for key in ("prompt", "episode_id", "seed"))
        text = prompt if isinstance(prompt, str) else ""
        now = (repr(episode), text)
        starts = now != self._before or bool(message.get("reset", False))
        self._before = now
        fields = {str(k): np.asarray(v) for k, v in message.items() if k not in _PLAIN_KEYS and _is_numeric(v)}
        number = seed if isinstance(seed, int) else 0
        return Row(self.client, 0, reset=(text, number) if starts else None), fields

    def failed(self) -> None:
        """The policy gave no answer: what comes next begins anew."""
        self._before = None


def _is_numeric(value: object) -> bool:
    """Whether a value can be a field."""
    return isinstance(value, (np.ndarray, np.generic, float, int))
