"""The drivers that are installed: entry points of the group `seer_bench.robots`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from real_robot_benchmark.robot.io import RobotIO
from seer_bench.errors import SeerBenchError, UnknownNameError, UsageError

ROBOTS = "seer_bench.robots"


def load_robot(name: str, options: Mapping[str, str]) -> RobotIO:
    """Build the driver that is registered as `name`; it is not connected yet.

    Raises:
        UnknownNameError: nothing is registered under it.
        UsageError: it cannot be imported or built.
    """
    found = {entry.name: entry for entry in entry_points(group=ROBOTS)}
    if name not in found:
        raise UnknownNameError(
            "robot", name, found, hint=f"A driver is registered under the entry point group '{ROBOTS}'."
        )
    try:
        factory: Callable[[Mapping[str, str]], RobotIO] = found[name].load()
        return factory(options)
    except SeerBenchError:
        raise
    except Exception as error:
        raise UsageError(f"the robot '{name}' could not be built: {type(error).__name__}: {error}") from error
