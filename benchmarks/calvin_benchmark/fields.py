"""What an observation of `CalvinEnv` may hold."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from gymnasium import spaces

from seer_bench import UnknownNameError, UsageError

DEFAULT_FIELDS = ("rgb_static", "rgb_gripper", "robot_obs")


def check_fields(fields: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError for anything but a collection of names, UnknownNameError for a name that is not known."""
    if isinstance(fields, str) or not fields:
        raise UsageError(f"fields: give at least one name in a collection, such as ('robot_obs',), not {fields!r}.")
    for field in fields:
        if field not in known:
            raise UnknownNameError("observation field", field, known)


def field_spaces(sizes: dict[str, tuple[int, int]]) -> dict[str, spaces.Box]:
    """The space of every observation field, given the cameras' (width, height)."""
    found: dict[str, spaces.Box] = {}
    for camera, (width, height) in sizes.items():
        found[f"rgb_{camera}"] = spaces.Box(0, 255, (height, width, 3), np.uint8)
        found[f"depth_{camera}"] = spaces.Box(0, np.inf, (height, width), np.float32)
    found["robot_obs"] = spaces.Box(-np.inf, np.inf, (15,), np.float64)
    found["scene_obs"] = spaces.Box(-np.inf, np.inf, (24,), np.float64)
    return found
