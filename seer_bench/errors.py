"""Every error that seer-bench raises on purpose.

    SeerBenchError
    ├── UsageError            what was asked for cannot be done (exit code 2)
    │   ├── UnknownNameError      no such policy, benchmark, protocol or unit
    │   ├── MissingExtraError     an optional dependency is not installed
    │   ├── ConventionError       policy and benchmark disagree about an observation or action
    │   ├── CheckpointError       the checkpoint is missing, damaged or of another policy
    │   └── CheckFailedError      a plugin breaks its contract, as `check_policy` found
    ├── AssetError            simulator assets are missing, altered or incomplete (exit code 2)
    ├── StoreError            a run directory cannot be used as asked (exit code 2)
    │   ├── RunMismatchError      it holds another protocol, policy or checkpoint
    │   ├── RunLockedError        another process writes to it
    │   └── DamagedRecordError    a record cannot be trusted
    ├── SimulationError       simulator, renderer or worker failed: an infrastructure error, retried
    └── PolicyError           the policy's own fault: scored as a failure with its reason
        └── InvalidActionError    an action of wrong shape or dtype, or not finite

Messages say what went wrong, where, which value, and the command that comes next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SeerBenchError(Exception):
    """Base class: catch this to catch everything seer-bench raises on purpose."""


class UsageError(SeerBenchError):
    """What was asked for cannot be done as asked."""


class UnknownNameError(UsageError):
    """A name that nothing is registered under; the message offers the closest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        """Say which `kind` of thing `name` was meant to be and which names exist."""
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        parts = [f"unknown {kind} '{name}'."]
        if close:
            parts.append(f"Did you mean {' or '.join(repr(c) for c in close)}?")
        parts.append(f"Known: {', '.join(names) or 'none'}.")
        if hint:
            parts.append(hint)
        super().__init__(" ".join(parts))


class MissingExtraError(UsageError):
    """An optional dependency is needed and not installed; the message holds the pip command."""

    def __init__(self, what: str, module: str, extra: str) -> None:
        """Name what needs `module`, which the distribution's `extra` installs."""
        super().__init__(
            f"{what} needs the package '{module}', which is not installed. "
            f"Install it with: pip install 'seer-bench[{extra}]'"
        )


class ConventionError(UsageError):
    """Policy and benchmark disagree about a field, and no conversion is known."""


class CheckpointError(UsageError):
    """A checkpoint is missing, damaged or belongs to another policy."""


class CheckFailedError(UsageError):
    """A plugin breaks its contract; the message names the rule and what to do."""


class AssetError(SeerBenchError):
    """Simulator assets are missing, altered or incomplete."""


class StoreError(SeerBenchError):
    """A run directory cannot be used as asked."""


class RunMismatchError(StoreError):
    """The run directory holds results of another protocol, policy or checkpoint."""


class RunLockedError(StoreError):
    """Another process is writing to the run directory."""


class DamagedRecordError(StoreError):
    """A record is damaged, of a newer schema, or contradicts another one."""


class SimulationError(SeerBenchError):
    """Simulator, renderer, worker or connection failed; never the policy's fault, so never scored.

    A policy may raise it too, e.g. for a server that does not answer.
    """


class PolicyError(SeerBenchError):
    """The policy's own fault; the unit is scored as a failure with this as its reason."""


class InvalidActionError(PolicyError):
    """An action of wrong shape or dtype, or with a value that is not finite."""
