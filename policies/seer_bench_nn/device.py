"""The device that a policy computes on."""

from __future__ import annotations

import torch

from seer_bench.errors import UsageError

CUDA_BATCH = 16
"""Slots of one call on a GPU, if the user names no other number."""


def usable_device(name: str, policy: str) -> torch.device:
    """The device of that name; `policy` says in messages who wants it.

    Raises:
        UsageError: it cannot be had.
    """
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: the policy '{policy}' computes on cpu or cuda.")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= count:
            found = f"there are {count}, counted from 0" if count else "PyTorch finds no GPU that it can use here"
            raise UsageError(f"--device {name}: {found}. Choose another, or leave --device out to compute on the CPU.")
    return torch.device(name)
