"""Under which versions, processor and arithmetic the networks are compared."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import PIL
import torch

_CPU_INFO = Path("/proc/cpuinfo")


def facts() -> dict[str, str]:
    """Name and value of everything that may change the last digits."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "python": platform.python_version(),
        "processor": f"{_processor()} ({platform.machine()})",
        "arithmetic": f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads, on the CPU",
    }


def _processor() -> str:
    """The processor's model, as the operating system tells it."""
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
