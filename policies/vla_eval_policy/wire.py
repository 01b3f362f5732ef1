"""The messages of vla-eval's protocol version 1 (source: PyPI vla-eval 0.8.0, `vla_eval.protocol`).

A message is a msgpack map {type, payload, seq, timestamp} in one binary websocket frame. An array is the map
{__ndarray__: true, data, dtype, shape} of booleans, integers or floats. The harness' own client packs pictures as PNG;
an unpacked array is decoded by the same server to the same pixels, and costs less time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from seer_bench import SimulationError

PROTOCOL_VERSION = 1
_NUMERIC = "biuf"


class WireError(SimulationError):
    """A frame that is no message of the protocol: damaged, or of another program."""


@dataclass(frozen=True)
class Message:
    """One message of either side."""

    kind: str
    """"hello", "episode_start", "observation", "action", "episode_end" or "error"."""
    payload: Mapping[str, Any]
    seq: int
    """Counts the client's messages from 1; an answer bears the number of what it answers."""


def pack(message: Message) -> bytes:
    """The bytes of a message; arrays may stand anywhere in its payload."""
    tree = {"type": message.kind, "payload": message.payload, "seq": message.seq, "timestamp": time.time()}
    return msgspec.msgpack.encode(tree, enc_hook=_pack_array)


def unpack(data: object) -> Message:
    """Read a message; raises WireError for anything else."""
    if not isinstance(data, bytes):
        raise WireError("the server sent a text frame instead of a binary one.")
    try:
        tree = _with_arrays(msgspec.msgpack.decode(data))
    except Exception as error:  # damaged bytes raise many kinds
        how = f"{type(error).__name__}: {error}"
        raise WireError(f"the server sent {len(data)} bytes that are no MessagePack ({how}).") from error
    if not isinstance(tree, dict):
        raise WireError(f"the server sent {type(tree).__name__} instead of a map.")
    kind, payload, seq = tree.get("type"), tree.get("payload"), tree.get("seq")
    if not (isinstance(kind, str) and isinstance(payload, dict) and isinstance(seq, int)):
        held = ", ".join(map(str, tree)) or "nothing"
        raise WireError(f"the server sent a map without type, payload and seq; it holds: {held[:500]}.")
    return Message(kind, payload, seq)


def _pack_array(value: object) -> dict[str, Any]:
    """What msgspec does not know, as a map."""
    if isinstance(value, np.ndarray) and value.dtype.kind in _NUMERIC:
        return {"__ndarray__": True, "data": value.tobytes(), "dtype": value.dtype.str, "shape": list(value.shape)}
    raise TypeError(f"{type(value).__name__} cannot be sent to a vla-eval server")


def _with_arrays(tree: Any) -> Any:
    """The tree with arrays in place of the maps that stand for them."""
    if isinstance(tree, list):
        return [_with_arrays(value) for value in tree]
    if not isinstance(tree, dict):
        return tree
    if "__ndarray__" not in tree:
        return {key: _with_arrays(value) for key, value in tree.items()}
    dtype = np.dtype(tree["dtype"])
    if dtype.kind not in _NUMERIC:
        raise WireError(f"an array of dtype {dtype}")
    return np.frombuffer(tree["data"], dtype).reshape(tree["shape"]).copy()
