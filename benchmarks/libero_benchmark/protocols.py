"""The benchmark's protocols, read from `data/protocols/`, and the start of each of their trials."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.protocol import EvaluationProtocol, load_protocols

from .fixtures import FixturePose

DEFAULT_PROTOCOL = "libero-long/v1"


@lru_cache(maxsize=1)
def all_protocols() -> dict[str, EvaluationProtocol]:
    """All protocols by name."""
    return load_protocols(Path(__file__).parent / "data" / "protocols")


def load_protocol(name: str) -> EvaluationProtocol:
    """The protocol of that name; raises UnknownNameError."""
    protocols = all_protocols()
    if name not in protocols:
        raise UnknownNameError("LIBERO protocol", name, protocols)
    return protocols[name]


@dataclass(frozen=True)
class FixtureRule:
    """Where the fixtures of a trial stand, and what upstream's reset draws from."""

    seed: int | None
    """Of NumPy's global random state. Upstream's reset places the fixtures that are not listed; what else it draws, the
    initial state replaces, but the solver's warm start keeps a trace of it in the last bits. None: random numbers go on
    where the construction of a new environment, seeded with `construction_seed`, ended."""
    poses: Mapping[str, FixturePose]
    """Listed fixtures, by upstream's name."""


def fixture_rule(protocol: EvaluationProtocol, *, suite: str, task: int, trial: int) -> FixtureRule:
    """Where fixtures stand in a trial: as the protocol lists them, else drawn from the trial's number.

    Raises:
        UsageError: the installed list is not the one that the protocol names.
    """
    rule = protocol.settings["fixtures"]
    if "list" not in rule or suite != protocol.settings["suite"]:
        return FixtureRule(trial, {})
    rows = _listed(rule["list"], rule["list_sha256"], protocol.name).get(task, ({},))
    return FixtureRule(None if _seeds_construction(protocol) else rule["seed"], rows[trial % len(rows)])


def construction_seed(protocol: EvaluationProtocol) -> int:
    """The seed under which a world is built; of no consequence unless the protocol seeds before that."""
    return int(protocol.settings["fixtures"]["seed"]) if _seeds_construction(protocol) else 0


def _seeds_construction(protocol: EvaluationProtocol) -> bool:
    """Whether upstream sets the seed before it builds the environment, which draws too, and not before the reset."""
    return bool(protocol.settings["fixtures"]["seeded"] == "before construction")


@lru_cache(maxsize=8)
def _listed(name: str, sha256: str, protocol: str) -> dict[int, tuple[dict[str, FixturePose], ...]]:
    """Poses by task: one row for all trials, or one row a trial."""
    text = files(__package__).joinpath("data", "fixtures", name).read_bytes()
    found = hashlib.sha256(text).hexdigest()
    if found != sha256:
        raise UsageError(
            f"{protocol} names fixture poses of sha256 {sha256}, but those installed have {found}. "
            "Reinstall seer-bench."
        )
    tasks = json.loads(text)["tasks"]
    return {
        int(task): tuple(
            {fixture: FixturePose.from_json(pose, where=f"{name}, task {task}") for fixture, pose in row.items()}
            for row in rows
        )
        for task, rows in tasks.items()
    }
