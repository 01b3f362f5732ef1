"""`seer-bench protocol`: what a protocol holds, and how two of them differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import stdout

if TYPE_CHECKING:
    from seer_bench.contracts import Benchmark
    from seer_bench.protocol import EvaluationProtocol

protocol = typer.Typer(help="What a protocol holds, and how two of them differ.", no_args_is_help=True)


@protocol.command("show")
def show(name: Annotated[str, typer.Argument(help="Protocol, e.g. calvin-abc-d/v1.")]) -> None:
    """Print every number of a protocol, and the conventions to copy into a policy's spec."""
    import yaml

    benchmark, found = _find(name)
    interface = benchmark.interface(found)
    lines = [f"{found.name}  {found.summary}", f"fingerprint {found.fingerprint}", ""]
    lines += [yaml.safe_dump(dict(found.settings), sort_keys=False).rstrip(), "", "observations:"]
    lines += [f"  {field!r}: {spec!r}" for field, spec in interface.observations.items()]
    lines += ["action:", f"  {interface.action!r}"]
    stdout().print("\n".join(lines), markup=False, soft_wrap=True)


@protocol.command("diff")
def diff(
    first: Annotated[str, typer.Argument(help="Protocol.")], second: Annotated[str, typer.Argument(help="Protocol.")]
) -> None:
    """Print every number in which two protocols differ."""
    from seer_bench.protocol import differences

    ours, theirs = _find(first)[1], _find(second)[1]
    lines = differences(dict(ours.settings), dict(theirs.settings)) or ["no difference"]
    stdout().print(f"here: {first}, there: {second}", *lines, sep="\n", markup=False, soft_wrap=True)


def _find(name: str) -> tuple[Benchmark, EvaluationProtocol]:
    """A protocol of any installed benchmark; raises UnknownNameError."""
    from seer_bench.errors import UnknownNameError
    from seer_bench.registry import BENCHMARKS, load_benchmark, plugins

    known: dict[str, tuple[Benchmark, EvaluationProtocol]] = {}
    for benchmark in map(load_benchmark, sorted(plugins(BENCHMARKS))):
        known |= {key: (benchmark, value) for key, value in benchmark.protocols().items()}
    if name not in known:
        raise UnknownNameError("protocol", name, known)
    return known[name]
