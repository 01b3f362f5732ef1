"""What may go wrong with a robot, on purpose: for the simulated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from seer_bench.errors import UnknownNameError, UsageError


@dataclass(frozen=True)
class Faults:
    """None by default; numbers of commands count from 1 over the life of the robot."""

    camera_delay_s: float = 0.0
    """Age of every picture when it is read."""
    drop_every: int = 0
    """Of so many pictures of a camera one never arrives, and the one before it is given again."""
    refuse_at: int = 0
    """The robot itself refuses this command."""
    lose_at: int = 0
    """The connection is lost with this command, for good."""
    hang_at: int = 0
    """With this command the driver does not come back for `hang_s` seconds."""
    hang_s: float = 5.0

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Faults:
        """From options of the driver; raises UsageError."""
        known = {field.name: float if field.name.endswith("_s") else int for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in options.items():
            if name not in known:
                raise UnknownNameError("option of the simulated robot", name, known)
            try:
                values[name] = known[name](text)
            except ValueError as error:
                raise UsageError(f"--robot-arg {name}={text}: is no number.") from error
            if values[name] < 0:
                raise UsageError(f"--robot-arg {name}={text}: is below 0.")
        return cls(**values)
