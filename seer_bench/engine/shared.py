"""Memory that workers and the main process share: observations and signs of life.

It is anonymous (unlinked as soon as it is made), so that nothing can be left behind, whatever is killed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np

from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec, ImageSpec


class SharedArray:
    """An array in shared memory; it may be passed to a process that is being spawned."""

    def __init__(self, context: SpawnContext, shape: tuple[int, ...], dtype: str) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        size = max(1, int(np.prod(shape)) * self._dtype.itemsize)
        self._memory: Any = context.RawArray(ctypes.c_byte, size)

    @property
    def array(self) -> Array:
        """The array; every process sees the same memory."""
        count = int(np.prod(self._shape))
        return np.frombuffer(self._memory, self._dtype, count).reshape(self._shape)


class Vitals:
    """Signs of life of one worker process. Every counter has one writer, so that none needs a lock."""

    def __init__(self, context: SpawnContext) -> None:
        self._counts: Any = context.RawArray(ctypes.c_int64, 4)

    def stepped(self) -> None:
        """The worker took a control step."""
        self._counts[0] += 1

    def worked(self) -> None:
        """The worker did something else that takes time: it built a world, or rendered images."""
        self._counts[1] += 1

    def asked(self) -> None:
        """The worker has sent a question to the policy in the main process."""
        self._counts[2] += 1

    def answered(self) -> None:
        """The main process answers a question."""
        self._counts[3] += 1

    @property
    def steps(self) -> int:
        """Control steps so far."""
        return int(self._counts[0])

    @property
    def signs(self) -> int:
        """All that the worker has done; while it stays the same, the worker is silent."""
        return int(sum(self._counts[:3]))

    @property
    def waiting(self) -> bool:
        """The worker waits for the policy, whose time is not the worker's."""
        return bool(self._counts[2] > self._counts[3])


def observation_arrays(context: SpawnContext, fields: Mapping[str, FieldSpec], workers: int) -> dict[str, SharedArray]:
    """For every field an array with a leading axis over workers."""
    return {name: SharedArray(context, (workers, *shape_of(spec)), dtype_of(spec)) for name, spec in fields.items()}


def shape_of(spec: FieldSpec) -> tuple[int, ...]:
    """Shape of one observation of a field."""
    if isinstance(spec, ImageSpec):
        return (spec.height, spec.width, 3) if spec.kind == "rgb" else (spec.height, spec.width)
    return (spec.size,)


def dtype_of(spec: FieldSpec) -> str:
    """Dtype of one observation of a field."""
    if isinstance(spec, ImageSpec):
        return "uint8" if spec.kind == "rgb" else "float32"
    return "float64"
