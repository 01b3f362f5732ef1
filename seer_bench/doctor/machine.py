"""Checks of the machine that every benchmark needs."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from seer_bench.doctor import Finding
from seer_bench.engine.facts import cores

FEW_MEMORY = 2_000_000_000
"""Bytes of free memory below which a single worker of a simulator with meshes may not fit."""
LITTLE_DISK = 1_000_000_000
"""Bytes of free disk below which films and actions of a long run may not fit."""
NO_DISK = 50_000_000
"""Bytes of free disk below which a run is pointless."""

_MEMINFO = Path("/proc/meminfo")
_CGROUP = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
_ELSEWHERE = "seer-bench run BENCHMARK --policy POLICY --out DIR"


def examine_machine(results: Path) -> Iterator[Finding]:
    """Versions, processor, memory, disk, GPU, films; `results` is the folder that runs are to be written to."""
    yield Finding("seer-bench", "ok", f"{version('seer-bench')} on Python {platform.python_version()}")
    yield Finding("processor", "ok", f"{cores()} {'core' if cores() == 1 else 'cores'}, {platform.machine()}")
    yield _memory()
    yield _disk(results)
    yield _results(results)
    yield _gpu()
    yield _films()


def _memory() -> Finding:
    """Free memory, the container's limit included."""
    free = free_memory()
    if free is None:
        return Finding("memory", "ok", "unknown: this system does not tell")
    if free >= FEW_MEMORY:
        return Finding("memory", "ok", f"{_giga(free)} free")
    text = f"{_giga(free)} free; a simulator with meshes may take more than that"
    return Finding("memory", "warning", text, "seer-bench run BENCHMARK --policy POLICY --workers 1")


def free_memory() -> int | None:
    """Bytes that can still be taken; None where the system does not tell."""
    try:
        rows = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        free = int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    for limit, used in _CGROUP:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # absent, or "max": no limit
            continue
    return max(0, free)


def _disk(results: Path) -> Finding:
    """Free space where runs are to be written."""
    folder = existing(results)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("disk", "warning", f"{folder}: {error.strerror}", _ELSEWHERE)
    text = f"{_giga(free)} free in {folder}"
    if free >= LITTLE_DISK:
        return Finding("disk", "ok", text)
    return Finding("disk", "problem" if free < NO_DISK else "warning", text, _ELSEWHERE)


def _results(results: Path) -> Finding:
    """Whether a file can be written, locked and made durable where runs are to be written."""
    folder = existing(results)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"seer-bench")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding("results", "problem", f"{folder}: no file can be written: {error.strerror}", _ELSEWHERE)
    return Finding("results", "ok", f"{results} can be written")


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))


def _gpu() -> Finding:
    """NVIDIA GPUs, as their driver tells."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - fixed
    except FileNotFoundError:
        return Finding("gpu", "ok", "none")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("gpu", "warning", f"nvidia-smi does not answer: {error}", "nvidia-smi")
    said = "; ".join((done.stdout if done.returncode == 0 else done.stdout + done.stderr).strip().splitlines())
    if done.returncode != 0:
        return Finding("gpu", "warning", f"nvidia-smi fails: {said}", "nvidia-smi")
    return Finding("gpu", "ok", said or "none")


def _films() -> Finding:
    """The encoder that films need."""
    again = "pip install --force-reinstall imageio-ffmpeg"
    try:
        from imageio_ffmpeg import get_ffmpeg_exe, get_ffmpeg_version

        text = f"ffmpeg {get_ffmpeg_version()} in {get_ffmpeg_exe()}"
    except (ImportError, RuntimeError, OSError) as error:
        return Finding("films", "warning", f"ffmpeg does not work: {error}", again)
    return Finding("films", "ok", text)


def _giga(size: int) -> str:
    """Bytes in gigabytes."""
    return f"{size / 1e9:.1f} GB"
