"""NumPy's global random state, which robosuite draws from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def private_numpy_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global random state, and give it back as it was."""
    before = np.random.get_state()  # noqa: NPY002 - the one that robosuite draws from
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
