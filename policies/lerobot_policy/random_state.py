"""Random numbers of a slot: LeRobot's policies draw them from the global generators, which are lent to them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass
class RandomState:
    """States of Python's, NumPy's and PyTorch's generators, of the last one also on the GPU that is computed on."""

    of_python: Any
    of_numpy: Any
    of_torch: Tensor
    of_cuda: Tensor | None
    device: torch.device

    @classmethod
    def of(cls, device: torch.device) -> RandomState:
        """The present one."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        legacy = np.random.get_state()  # noqa: NPY002 - the global one, to be put back
        return cls(random.getstate(), legacy, torch.get_rng_state(), cuda, device)

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> RandomState:
        """As LeRobot's `set_seed` leaves it."""
        before = cls.of(device)
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 - the global one, which policies draw from
            torch.manual_seed(seed % 2**63)  # of GPUs as well
            return cls.of(device)
        finally:
            before.restore()

    def restore(self) -> None:
        """Make it the present one."""
        random.setstate(self.of_python)
        np.random.set_state(self.of_numpy)  # noqa: NPY002 - the global one
        torch.set_rng_state(self.of_torch)
        if self.of_cuda is not None:
            torch.cuda.set_rng_state(self.of_cuda, self.device)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The global generators go on from here within, and from where they were afterwards."""
        before = self.of(self.device)
        self.restore()
        try:
            yield
        finally:
            after = self.of(self.device)
            self.of_python, self.of_numpy = after.of_python, after.of_numpy
            self.of_torch, self.of_cuda = after.of_torch, after.of_cuda
            before.restore()
