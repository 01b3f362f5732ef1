"""NumPy's global random state, which robosuite draws from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

RandomState: TypeAlias = Any
"""What `numpy.random.get_state` returns."""


@contextmanager
def private_numpy_random(start: int | RandomState) -> Iterator[None]:
    """Let NumPy's global random state begin with a seed, or where it once was, and give it back as it was."""
    before = np.random.get_state()  # noqa: NPY002 - the one that robosuite draws from
    if isinstance(start, int):
        np.random.seed(start)  # noqa: NPY002
    else:
        np.random.set_state(start)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def numpy_random_state() -> RandomState:
    """Where NumPy's global random numbers are now."""
    return np.random.get_state()  # noqa: NPY002
