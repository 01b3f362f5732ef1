"""What runs in the process of one benchmark's checks."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from seer_bench.registry import load_doctor


def tell(name: str) -> None:
    """Write each finding of a benchmark's checks to stdout as a line of JSON; what simulators print goes to stderr."""
    findings = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for finding in load_doctor(name)():
        findings.write(json.dumps(asdict(finding)) + "\n")
        findings.flush()
