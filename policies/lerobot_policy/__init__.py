"""Any pretrained policy of LeRobot: `--policy lerobot --ckpt DIR_OR_HUB_ID`."""

from __future__ import annotations

import random
from importlib.util import find_spec

from seer_bench import MissingExtraError, Policy, PolicyContext


def make_policy(context: PolicyContext) -> Policy:
    """Load a checkpoint; see `policy.build_policy` for what else is raised.

    Raises:
        MissingExtraError: LeRobot is not installed.
    """
    if find_spec("lerobot") is None:
        raise MissingExtraError("the policy 'lerobot'", "lerobot", "lerobot")
    before = random.getstate()
    try:
        from .policy import build_policy
    finally:
        random.setstate(before)  # what LeRobot imports draws numbers while it is imported
    return build_policy(context)
