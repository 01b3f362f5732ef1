"""MessagePack with NumPy arrays, byte for byte as `openpi_client.msgpack_numpy` writes them; nothing is unpickled.

An array is the map `{b"__ndarray__": True, b"data": bytes, b"dtype": "<f4", b"shape": [2, 3]}` in C order, a NumPy
scalar `{b"__npgeneric__": True, b"data": 1.5, b"dtype": "<f4"}`. Only booleans, integers and floats travel.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import numpy as np

from seer_bench.contracts import Array
from seer_bench.errors import SimulationError
from seer_bench.serving.bombs import is_bomb

_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
_DEEPEST = 32
"""Levels of maps and lists; what policies exchange has two or three."""
_LIMIT = 200
"""Characters of a value that a message shows."""


class FrameError(SimulationError):
    """A frame that is not what the protocol says: damaged, cut off, or of another program."""


def pack(tree: Any) -> bytes:
    """Encode maps, lists, texts, numbers, bytes and arrays.

    Raises:
        FrameError: something else, or an array of another kind than boolean, integer or float.
    """
    try:
        return msgspec.msgpack.encode(tree, enc_hook=_pack_numpy)
    except (TypeError, OverflowError) as error:
        raise FrameError(f"this cannot be sent: {error}.") from error


def unpack(frame: bytes) -> Any:
    """Decode what `pack` or openpi's packer wrote; arrays are read-only views of one copy of their bytes.

    Raises:
        FrameError: the frame is no MessagePack, holds very many values, or an array in it contradicts itself.
    """
    if is_bomb(frame):
        raise FrameError(f"a frame of {len(frame)} bytes holds too many values; send arrays instead of lists.")
    try:
        return _unpack_numpy(msgspec.msgpack.decode(frame), _DEEPEST)
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"a frame of {len(frame)} bytes is no MessagePack: {error}.") from error


def _pack_numpy(value: object) -> dict[bytes, object]:
    """The map that stands for an array or a scalar of NumPy."""
    if not isinstance(value, (np.ndarray, np.generic)):
        raise FrameError(f"values of type {type(value).__name__} are not sent; use arrays, numbers, text, maps, lists.")
    if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
        raise FrameError(f"arrays of dtype {value.dtype} are not sent; booleans, integers and floats are.")
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    data = np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    return {b"__ndarray__": True, b"data": data, b"dtype": value.dtype.str, b"shape": value.shape}


def _unpack_numpy(tree: Any, depth: int) -> Any:
    """The tree with arrays in place of the maps that stand for them."""
    if depth == 0:
        raise FrameError(f"a frame holds more than {_DEEPEST} levels of maps and lists.")
    if isinstance(tree, dict):
        if b"__ndarray__" in tree:
            return _array(tree)
        if b"__npgeneric__" in tree:
            return _scalar(tree)
        return {key: _unpack_numpy(value, depth - 1) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_unpack_numpy(value, depth - 1) for value in tree]
    if isinstance(tree, msgspec.msgpack.Ext):
        raise FrameError(f"a frame holds an extension type of MessagePack ({tree.code}), which is not read.")
    return tree


def _array(tree: dict[Any, Any]) -> Array:
    """An array whose bytes, dtype and shape fit one another."""
    data, shape, dtype = tree.get(b"data"), tree.get(b"shape"), _dtype(tree.get(b"dtype"))
    if not isinstance(data, bytes):
        raise FrameError(f"an array's data is {type(data).__name__}; it must be bytes.")
    if not isinstance(shape, list) or len(shape) > 8 or any(type(size) is not int or size < 0 for size in shape):
        raise FrameError(f"an array's shape is {str(shape)[:_LIMIT]}; it must be up to 8 whole numbers from 0.")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise FrameError(f"an array of shape {shape} and dtype {dtype} comes with {len(data)} bytes.")
    try:
        return np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # empty, and beyond all measure in another direction
        raise FrameError(f"an array of shape {shape} cannot be: {error}.") from error


def _scalar(tree: dict[Any, Any]) -> Any:
    """A scalar of NumPy's."""
    dtype, value = _dtype(tree.get(b"dtype")), tree.get(b"data")
    if not isinstance(value, (bool, int, float)):
        raise FrameError(f"a scalar of dtype {dtype} has the value {str(value)[:_LIMIT]!r}.")
    try:
        with np.errstate(over="ignore"):
            return dtype.type(value)
    except (OverflowError, ValueError) as error:
        raise FrameError(f"a scalar of dtype {dtype} has the value {str(value)[:_LIMIT]}.") from error


def _dtype(text: object) -> np.dtype[Any]:
    """A dtype of plain numbers."""
    if not isinstance(text, str) or _DTYPE.fullmatch(text) is None:
        raise FrameError(f"an array's dtype is {str(text)[:_LIMIT]!r}; booleans, integers and floats are read.")
    return np.dtype(text)
