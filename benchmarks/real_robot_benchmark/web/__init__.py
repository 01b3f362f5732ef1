"""The operator's console as a page for a phone or tablet beside the robot."""

from __future__ import annotations

from real_robot_benchmark.web.access import Address
from real_robot_benchmark.web.serving import WebConsole

__all__ = ["Address", "WebConsole"]
