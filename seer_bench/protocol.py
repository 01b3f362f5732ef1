"""Named evaluation protocols: every number that shapes a score, as data, with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seer_bench.errors import UsageError

_FIELDS = {"name", "benchmark", "summary", "table", "comparable", "settings"}

_LONGEST = 160
"""Characters of a value that `differences` shows: a sentence is shown whole, a long list is not."""


class _Absent:
    """Stands for a value that one side lacks."""

    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


@dataclass(frozen=True)
class EvaluationProtocol:
    """One version of one way to score a policy on a benchmark."""

    name: str
    """E.g. "calvin-abc-d/v1"."""
    benchmark: str
    """Name of the benchmark plugin."""
    summary: str
    """One sentence for lists and tables."""
    table: str
    """Key of the paper's table that its results belong to, e.g. "table2"."""
    comparable: str
    """"yes", or the reason why results do not compare with published numbers."""
    settings: Mapping[str, Any]
    """Every number and choice; JSON values only. Two blocks are read by the harness, for progress and tables:
    `chain` = {count, length, steps_per_subtask} where a unit is a chain of subtasks, or `trials` = {tasks, per_task,
    steps} where it is one rollout of one of several tasks."""

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over name, benchmark and settings; texts do not count."""
        return fingerprint({"name": self.name, "benchmark": self.benchmark, "settings": self.settings})

    @property
    def chain_length(self) -> int:
        """Most subtasks of a unit; 1 where `settings` declares no chains."""
        return int(self._block("chain").get("length", 1))

    @property
    def step_limit(self) -> int | None:
        """Most control steps of a unit; None where `settings` does not declare it."""
        steps = self._block("trials").get("steps", self._block("chain").get("steps_per_subtask"))
        return None if steps is None else self.chain_length * int(steps)

    def _block(self, name: str) -> Mapping[str, Any]:
        """A block of the settings; empty where there is none."""
        block = self.settings.get(name)
        return block if isinstance(block, Mapping) else {}

    def to_json(self) -> dict[str, Any]:
        """The protocol in full, as a manifest keeps it."""
        return {key: getattr(self, key) for key in sorted(_FIELDS)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, source: str) -> EvaluationProtocol:
        """Read what `to_json` or a data file holds.

        Raises:
            UsageError: a field is missing or unknown; `source` is named.
        """
        if missing := _FIELDS - set(data):
            raise UsageError(f"{source}: the protocol lacks {', '.join(sorted(missing))}.")
        if unknown := set(data) - _FIELDS:
            raise UsageError(f"{source}: unknown protocol field {', '.join(sorted(unknown))}.")
        return cls(**data)


def fingerprint(tree: object) -> str:
    """sha256 of a JSON tree in its canonical form (sorted keys, no spaces)."""
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load_protocols(folder: Path) -> dict[str, EvaluationProtocol]:
    """Read every `*.yaml` of a folder, one protocol a file.

    Raises:
        UsageError: a file is not a protocol, or two files hold the same name.
    """
    import yaml

    protocols: dict[str, EvaluationProtocol] = {}
    for path in sorted(folder.glob("*.yaml")):
        protocol = EvaluationProtocol.from_json(yaml.safe_load(path.read_text()), source=path.name)
        if protocol.name in protocols:
            raise UsageError(f"{path.name}: the protocol '{protocol.name}' is defined twice.")
        protocols[protocol.name] = protocol
    return protocols


def differences(ours: object, theirs: object, *, path: str = "") -> list[str]:
    """What differs between two JSON trees, one line a leaf: "physics.variant: 'main' here, 'pinned' there".

    Lists of one length are compared item by item ("subtasks[1].steps: 3 here, 4 there"); of a long value the part
    around the first difference is shown.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        lines = []
        for key in sorted(ours.keys() | theirs.keys()):
            where = f"{path}.{key}" if path else str(key)
            if ours.get(key) is not None or theirs.get(key) is not None:  # None means the same as absent
                lines += differences(ours.get(key, _ABSENT), theirs.get(key, _ABSENT), path=where)
        return lines
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, path=f"{path}[{i}]")]
    if ours == theirs:
        return []
    texts = [repr(ours), repr(theirs)]
    same = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    here, there = (_shorten(text, same) for text in texts)
    return [f"{path}: {here} here, {there} there"]


def _shorten(text: str, around: int) -> str:
    """At most `_LONGEST` characters, the one at `around` among them."""
    if len(text) <= _LONGEST:
        return text
    start = max(0, min(around - _LONGEST // 2, len(text) - _LONGEST))
    end = start + _LONGEST
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
