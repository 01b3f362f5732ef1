"""seer-bench: an evaluation harness for robot-manipulation policies.

The public API is what this module exports; everything is imported on first use, so that `import seer_bench` stays
cheap and pulls in no simulator, no network library and no scipy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seer_bench._gymnasium import register_environments

if TYPE_CHECKING:
    from seer_bench.checks import check_policy as check_policy
    from seer_bench.contracts import Benchmark as Benchmark
    from seer_bench.contracts import BodyState as BodyState
    from seer_bench.contracts import Environment as Environment
    from seer_bench.contracts import Foresight as Foresight
    from seer_bench.contracts import Policy as Policy
    from seer_bench.contracts import PolicyContext as PolicyContext
    from seer_bench.contracts import SimulatorState as SimulatorState
    from seer_bench.contracts import StepResult as StepResult
    from seer_bench.contracts import Subtask as Subtask
    from seer_bench.contracts import SubtaskResult as SubtaskResult
    from seer_bench.contracts import Unit as Unit
    from seer_bench.contracts import UnitError as UnitError
    from seer_bench.contracts import UnitResult as UnitResult
    from seer_bench.conventions import ActionSpec as ActionSpec
    from seer_bench.conventions import ImageSpec as ImageSpec
    from seer_bench.conventions import Interface as Interface
    from seer_bench.conventions import PolicySpec as PolicySpec
    from seer_bench.conventions import VectorSpec as VectorSpec
    from seer_bench.engine import Limits as Limits
    from seer_bench.engine import RunOutcome as RunOutcome
    from seer_bench.engine import RunRequest as RunRequest
    from seer_bench.engine import run as run
    from seer_bench.errors import AssetError as AssetError
    from seer_bench.errors import CheckFailedError as CheckFailedError
    from seer_bench.errors import CheckpointError as CheckpointError
    from seer_bench.errors import ConventionError as ConventionError
    from seer_bench.errors import DamagedRecordError as DamagedRecordError
    from seer_bench.errors import InvalidActionError as InvalidActionError
    from seer_bench.errors import MissingExtraError as MissingExtraError
    from seer_bench.errors import PolicyError as PolicyError
    from seer_bench.errors import RunLockedError as RunLockedError
    from seer_bench.errors import RunMismatchError as RunMismatchError
    from seer_bench.errors import SeerBenchError as SeerBenchError
    from seer_bench.errors import SimulationError as SimulationError
    from seer_bench.errors import StoreError as StoreError
    from seer_bench.errors import UnknownNameError as UnknownNameError
    from seer_bench.errors import UsageError as UsageError
    from seer_bench.policy_args import PolicyArgs as PolicyArgs
    from seer_bench.protocol import EvaluationProtocol as EvaluationProtocol
    from seer_bench.report import build_report as build_report
    from seer_bench.store import read_run as read_run

_EXPORTS = {
    "seer_bench.checks": ("check_policy",),
    "seer_bench.contracts": (
        "Benchmark",
        "BodyState",
        "Environment",
        "Foresight",
        "Policy",
        "PolicyContext",
        "SimulatorState",
        "StepResult",
        "Subtask",
        "SubtaskResult",
        "Unit",
        "UnitError",
        "UnitResult",
    ),
    "seer_bench.conventions": ("ActionSpec", "ImageSpec", "Interface", "PolicySpec", "VectorSpec"),
    "seer_bench.engine": ("Limits", "RunOutcome", "RunRequest", "run"),
    "seer_bench.errors": (
        "AssetError",
        "CheckFailedError",
        "CheckpointError",
        "ConventionError",
        "DamagedRecordError",
        "InvalidActionError",
        "MissingExtraError",
        "PolicyError",
        "RunLockedError",
        "RunMismatchError",
        "SeerBenchError",
        "SimulationError",
        "StoreError",
        "UnknownNameError",
        "UsageError",
    ),
    "seer_bench.policy_args": ("PolicyArgs",),
    "seer_bench.protocol": ("EvaluationProtocol",),
    "seer_bench.report": ("build_report",),
    "seer_bench.store": ("read_run",),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import an export on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'seer_bench' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__


register_environments()
