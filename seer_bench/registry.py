"""Plugins, found through entry points: policies and benchmarks of this package and of anybody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from seer_bench._blame import described
from seer_bench.contracts import Benchmark, Policy, PolicyContext
from seer_bench.conventions import PolicySpec
from seer_bench.doctor import Doctor
from seer_bench.errors import SeerBenchError, UnknownNameError, UsageError
from seer_bench.inspection import Inspector
from seer_bench.protocol import EvaluationProtocol
from seer_bench.verification import AssetInstaller, Verifier

POLICIES = "seer_bench.policies"
BENCHMARKS = "seer_bench.benchmarks"
VERIFIERS = "seer_bench.verifiers"
ASSETS = "seer_bench.assets"
DOCTORS = "seer_bench.doctors"
INSPECTORS = "seer_bench.inspectors"
TRACKERS = "seer_bench.trackers"
COMMANDS = "seer_bench.commands"
CHECKPOINTS = "seer_bench.checkpoints"


@dataclass(frozen=True)
class PluginInfo:
    """Where a plugin comes from."""

    name: str
    distribution: str
    version: str


def plugins(group: str) -> dict[str, PluginInfo]:
    """Installed plugins of a group by name, without importing them."""
    return {ep.name: _info(ep) for ep in entry_points(group=group)}


def load_plugin(group: str, kind: str, name: str) -> Any:
    """Import what is registered as `name` in a group.

    Args:
        group: the entry-point group.
        kind: what messages call a plugin of it, e.g. "policy".
        name: the entry point.

    Raises:
        UnknownNameError: nothing is registered under it.
        MissingExtraError: packages that its import needs are not installed.
        UsageError: it cannot be imported.
    """
    found = {ep.name: ep for ep in entry_points(group=group)}
    if name not in found:
        hint = "List them with: seer-bench list"
        if group == POLICIES:
            hint += f"; one of your own is an entry point of {group} in a package: pip install -e FOLDER"
        raise UnknownNameError(kind, name, found, hint=f"{hint}.")
    try:
        return found[name].load()
    except SeerBenchError:
        raise  # a plugin knows best what it lacks, e.g. MissingExtraError
    except ModuleNotFoundError as error:
        raise UsageError(f"the {kind} '{name}' needs the module '{error.name}', which is not installed.") from error
    except Exception as error:
        info = _info(found[name])
        raise UsageError(
            f"the {kind} '{name}' of {info.distribution} {info.version} cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error


def load_benchmark(name: str) -> Benchmark:
    """Build the benchmark that is registered as `name`.

    Raises:
        UnknownNameError: nothing is registered under it.
        MissingExtraError: packages that its import needs are not installed.
    """
    factory: Callable[[], Benchmark] = load_plugin(BENCHMARKS, "benchmark", name)
    return factory()


def load_policy(name: str, context: PolicyContext) -> Policy:
    """Build the policy that is registered as `name`.

    Raises:
        UnknownNameError: nothing is registered under it.
        MissingExtraError: packages that its import needs are not installed.
        CheckpointError: the policy refuses the checkpoint.
        UsageError: it cannot be imported or built, or is no policy.
    """
    factory: Callable[[PolicyContext], Policy] = load_plugin(POLICIES, "policy", name)
    try:
        policy = factory(context)
    except SeerBenchError:
        raise
    except Exception as error:
        raise UsageError(f"the policy '{name}' could not be built: {described(error)}") from error
    if not isinstance(policy, Policy):
        raise UsageError(f"the plugin '{name}' built {type(policy).__name__}, which is no seer_bench.Policy.")
    if not isinstance(getattr(policy, "spec", None), PolicySpec):
        raise UsageError(f"the policy '{name}' has no `spec`; set it to a seer_bench.PolicySpec.")
    return policy


def import_policy(name: str) -> None:
    """Import the code of the policy `name` without building it, to see whether it could be; raises as `load_policy`."""
    load_plugin(POLICIES, "policy", name)


def load_verifier(name: str) -> Verifier:
    """Build what verifies `name`; raises as `load_benchmark` does."""
    factory: Callable[[], Verifier] = load_plugin(VERIFIERS, "verifier", name)
    return factory()


def load_assets(name: str) -> AssetInstaller:
    """The function that installs the files of `name`; raises as `load_benchmark` does."""
    installer: AssetInstaller = load_plugin(ASSETS, "asset set", name)
    return installer


def load_doctor(name: str) -> Doctor:
    """The function that checks what the benchmark `name` needs; raises as `load_benchmark` does."""
    doctor: Doctor = load_plugin(DOCTORS, "benchmark with checks", name)
    return doctor


def load_inspector(name: str) -> Inspector:
    """The function that looks into checkpoints of the policy `name`; raises as `load_benchmark` does."""
    inspector: Inspector = load_plugin(INSPECTORS, "policy with checkpoints", name)
    return inspector


def load_fetcher(name: str) -> Callable[[str], Path]:
    """The function that brings checkpoints of the policy `name` here; raises as `load_benchmark` does.

    It takes what `--ckpt` says where that is no path on this machine, e.g. "owner/name", and returns the file or folder
    that it fetched, the same one for the same contents. It raises CheckpointError where it cannot.
    """
    fetcher: Callable[[str], Path] = load_plugin(CHECKPOINTS, "policy that fetches checkpoints", name)
    return fetcher


def load_commands(name: str) -> Any:
    """The `typer.Typer` with the commands of the plugin `name`; raises as `load_benchmark` does."""
    return load_plugin(COMMANDS, "command", name)


def find_protocol(benchmark: Benchmark, name: str | None) -> EvaluationProtocol:
    """The protocol of that name, or the benchmark's default.

    Raises:
        UnknownNameError: the benchmark has no such protocol.
    """
    protocols = benchmark.protocols()
    wanted = name or benchmark.default_protocol
    if wanted not in protocols:
        raise UnknownNameError(f"{benchmark.name} protocol", wanted, protocols)
    return protocols[wanted]


def _info(ep: EntryPoint) -> PluginInfo:
    """Name and version of the distribution that declares an entry point."""
    dist = ep.dist
    return PluginInfo(ep.name, dist.name if dist else "unknown", dist.version if dist else "unknown")
