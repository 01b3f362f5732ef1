"""The contract between a run and what tracks it."""

from __future__ import annotations

import platform
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from seer_bench.contracts import UnitResult
from seer_bench.errors import MissingExtraError
from seer_bench.protocol import fingerprint
from seer_bench.store import Manifest
from seer_bench.trackers.scores import Progress, Summary

_ID_LENGTH = 16
"""Hexadecimal digits of an id; 64 bits keep the runs of one project apart."""


@dataclass(frozen=True)
class TrackedRun:
    """The run directory that is played, and what to call it."""

    manifest: Manifest
    """As the directory holds it."""
    path: Path
    """The run directory, absolute."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits: equal whenever this directory is continued, different for every other one.

        It derives from the manifest and the directory's own name, so that a run may be moved but not renamed.
        """
        directory = {"run": self.manifest.identity, "created": self.manifest.created, "name": self.path.name}
        return fingerprint(directory)[:_ID_LENGTH]

    @property
    def group(self) -> str:
        """16 hexadecimal digits that the shards of one run, and repetitions of it, have in common."""
        return self.manifest.identity[:_ID_LENGTH]

    @property
    def name(self) -> str:
        """For people; not unique, e.g. "seer epoch_19.pth on calvin-abc-d/v1"."""
        checkpoint = self.manifest.checkpoint
        weights = "" if checkpoint is None else f" {checkpoint.name}"
        return f"{self.manifest.policy.name}{weights} on {self.manifest.protocol.name}"

    @property
    def config(self) -> dict[str, str | int | bool]:
        """What was run, flat: protocol and its fingerprint, policy, checkpoint, arm, seed, versions, directory.

        Keys are stable; those of mappings are "arm/KEY", "option/KEY", "setting/KEY" and "simulation/KEY".
        """
        manifest, policy, checkpoint = self.manifest, self.manifest.policy, self.manifest.checkpoint
        flat: dict[str, str | int | bool] = {
            "benchmark": manifest.protocol.benchmark,
            "protocol": manifest.protocol.name,
            "protocol_fingerprint": manifest.protocol.fingerprint,
            "backend": manifest.backend,
            "policy": policy.name,
            "policy_version": f"{policy.distribution} {policy.version}",
            "privileged": policy.privileged,
            "checkpoint": "none" if checkpoint is None else checkpoint.name,
            "checkpoint_sha256": "none" if checkpoint is None else checkpoint.sha256,
            "seed": manifest.seed,
            "chunk": policy.chunk,
            "batch": policy.batch,
            "threads": policy.threads,
            "fast": policy.fast,
            "seer_bench": version("seer-bench"),
            "python": platform.python_version(),
            "host": platform.node(),
            "run_directory": str(self.path),
            "created": manifest.created,
        }
        mappings = {
            "arm": manifest.arm,
            "option": policy.options,
            "setting": policy.settings,
            "simulation": manifest.simulation,
        }
        return flat | {f"{kind}/{key}": value for kind, pairs in mappings.items() for key, value in pairs.items()}


class Tracker(ABC):
    """Somewhere that results are sent to.

    It is built in the main process, where a missing library is refused (`require`), pickled, and used in a process of
    its own: `start` once, `result` after every attempt, `finish` once. So heavy imports belong into `start`, and no
    method needs to hurry or to catch anything. The first exception ends the tracking, is shown to the user once, and
    changes nothing about the run. What it prints is kept in `tracker-NAME.log` in the run directory if it fails.
    """

    @abstractmethod
    def start(self, run: TrackedRun) -> str | None:
        """Begin to track a run, or continue where `run.id` is known from an earlier session.

        Returns:
            Where people find it, e.g. an address; shown once. None for nothing to show.
        """

    @abstractmethod
    def result(self, result: UnitResult, progress: Progress) -> None:
        """Take an attempt at a unit, which may have ended in an error, and the state of the run with it."""

    @abstractmethod
    def finish(self, summary: Summary) -> None:
        """Take the final values of all that the run directory holds; nothing follows, unless the run is continued.

        Not called where the main process is killed.
        """


def require(module: str) -> None:
    """Refuse to begin without a library that our extra of the same name installs; nothing is imported.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        found = find_spec(module) is not None
    except ValueError:  # what the import system says of a module without a spec
        found = False
    if not found:
        raise MissingExtraError(f"--tracker {module}", module, module)
