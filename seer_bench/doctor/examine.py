"""The whole examination: this machine, then every benchmark in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seer_bench.doctor import Finding
from seer_bench.doctor.machine import examine_machine
from seer_bench.errors import UnknownNameError
from seer_bench.registry import DOCTORS, plugins

MACHINE = "machine"
"""The area of findings that belong to no benchmark."""
_TIMEOUT_S = 300.0
_CHILD = (  # looks for modules and plugins where we do
    "import sys; name, sys.path[:] = sys.argv[1], sys.argv[2:]; from seer_bench.doctor.child import tell; tell(name)"
)


def examine(names: Sequence[str], *, results: Path) -> Iterator[tuple[str, Finding]]:
    """Check this machine and some benchmarks, one finding at a time.

    Args:
        names: benchmarks that must work; empty for all that have checks, of which those may be absent that were not
            installed.
        results: the folder that runs are to be written to; it need not exist yet.

    Yields:
        The area, `MACHINE` or the benchmark's name, and a finding.

    Raises:
        UnknownNameError: nothing is registered under a name; before the first finding.
    """
    known = plugins(DOCTORS)
    for name in names:
        if name not in known:
            raise UnknownNameError("benchmark with checks", name, known)
    return _examine(names or sorted(known), named=bool(names), results=results)


def _examine(names: Sequence[str], *, named: bool, results: Path) -> Iterator[tuple[str, Finding]]:
    """As `examine`, for known names."""
    for finding in examine_machine(results):
        yield MACHINE, finding
    for name in names:
        for finding in examine_benchmark(name):
            forgiven = finding.optional and finding.level == "problem" and not named
            yield name, replace(finding, level="warning") if forgiven else finding


def examine_benchmark(name: str, *, timeout: float = _TIMEOUT_S) -> list[Finding]:
    """The findings of one benchmark's checks; how they ended is a finding too, if they did not get through."""
    command = [sys.executable, "-c", _CHILD, name, *sys.path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)  # noqa: S603 - our own code
        told, said, ending = done.stdout, done.stderr, _ending(done.returncode)
    except subprocess.TimeoutExpired as error:
        told, said, ending = error.stdout or b"", b"", f"did not end within {timeout:.0f} s"
    except OSError as error:
        told, said, ending = b"", b"", f"could not be started: {error.strerror}"
    # The last line is torn where the process was killed while it wrote.
    findings = [Finding(**json.loads(line)) for line in told.split(b"\n")[:-1]]
    if ending:
        lines = said.decode(errors="replace").strip().splitlines()
        after = f" after '{findings[-1].subject}'" if findings else ""
        reason = f" ({lines[-1].strip()})" if lines else ""
        text = f"the checks {ending}{after}{reason}"
        findings.append(Finding("checks", "problem", text, f"{sys.executable} -m seer_bench.doctor {name}"))
    return findings


def _ending(code: int) -> str:
    """How a process ended too early; empty where it did not."""
    if code == 0:
        return ""
    if code > 0:
        return f"failed with exit code {code}"
    try:
        return f"crashed by {signal.Signals(-code).name}"
    except ValueError:
        return f"crashed by signal {-code}"
