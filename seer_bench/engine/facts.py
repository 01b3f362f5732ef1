"""What a session writes down about its machine: shown, never compared."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def machine_facts() -> dict[str, Any]:
    """Command line, host, versions of every installed package, commit of the checkout, GPUs; JSON values."""
    return {
        "command": sys.argv,
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {dist.name: dist.version for dist in sorted(distributions(), key=lambda dist: dist.name)},
        "git_commit": _answer("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"),
        "gpus": _answer("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"),
    }


def cores() -> int:
    """Processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _answer(*command: str) -> str | None:
    """What a program prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
