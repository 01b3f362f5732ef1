"""Checks of what Seer needs: PyTorch, what it computes on, and the files of the frozen encoders."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from seer_bench.doctor import Finding
from seer_bench.errors import SeerBenchError

_INSTALL = "pip install 'seer-bench[policies]'"


def examine() -> Iterator[Finding]:
    """Findings about packages, devices and encoders; without PyTorch about packages alone."""
    missing = False
    for name in ("torch", "safetensors"):
        try:
            yield Finding(name, "ok", f"{name} {version(name)}")
        except PackageNotFoundError:
            missing = True
            yield Finding(name, "problem", "not installed", _INSTALL, optional=True)
    if not missing:
        yield _device()
        yield from _encoders()


def _device() -> Finding:
    """Where the network can run."""
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("device", "ok", f"{names}; choose with --device cuda:0")
    capability = torch.backends.cpu.get_cpu_capability()
    return Finding("device", "ok", f"no GPU that PyTorch can use; on the CPU it computes with {capability}")


def _encoders() -> Iterator[Finding]:
    """The installed files, compared with the hashes that were recorded when they were installed."""
    from seer_bench_nn.assets import ENCODERS, locate, read_manifest

    for encoder in ENCODERS:
        try:
            path = locate(encoder.name)
        except SeerBenchError as error:
            what, _, _ = str(error).partition("\n")
            yield Finding(
                encoder.name,
                "problem",
                what.partition(" Fetch:")[0],
                "seer-bench assets seer --from FILE",
                optional=True,
            )
            continue
        record = read_manifest(path.parent)[encoder.name]
        origin = (
            "as published" if record.published else f"made from {record.source}, whose hash is not the published one"
        )
        yield Finding(encoder.name, "ok", f"{encoder.title} in {path}, {origin}")
