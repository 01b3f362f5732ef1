"""The device that a policy computes on."""

from __future__ import annotations

import re

import torch

from seer_bench.errors import UsageError


def usable_device(name: str, policy: str) -> torch.device:
    """The device of that name; `policy` says in messages who wants it.

    Raises:
        UsageError: it cannot be had.
    """
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name, re.ASCII)
    if match is None:
        raise UsageError(f"--device {name}: the policy '{policy}' computes on cpu or cuda, e.g. cuda:1.")
    if name != "cpu":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(match[1] or 0) >= count:
            found = f"there are {count}, counted from 0" if count else "PyTorch finds no GPU that it can use here"
            raise UsageError(f"--device {name}: {found}. Choose another, or leave --device out to compute on the CPU.")
    return torch.device(name)


def usual_batch(device: torch.device) -> int:
    """Slots of one call, if the user names no other number: 16 on a GPU, 1 on the CPU."""
    return 16 if device.type == "cuda" else 1
