"""`seer-bench protocol`: which there are, what one holds, and how two of them differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seer_bench.cli.console import stdout

if TYPE_CHECKING:
    from seer_bench.contracts import Benchmark
    from seer_bench.protocol import EvaluationProtocol

protocol = typer.Typer(help="Protocols: which there are, what one holds, how two differ.", no_args_is_help=True)


@protocol.command("list")
def list_protocols() -> None:
    """Print the protocols of every installed benchmark."""
    print_protocols(stdout())


def print_protocols(console: Console) -> None:
    """One line a protocol, by benchmark; one whose packages are missing says so."""
    from seer_bench.errors import MissingExtraError
    from seer_bench.registry import BENCHMARKS, load_benchmark, plugins

    for number, name in enumerate(sorted(plugins(BENCHMARKS))):
        if number:
            console.print()
        console.print(f"protocols of {name}:", markup=False)
        try:
            for found in load_benchmark(name).protocols().values():
                console.print(f"  {found.name:<27} {found.summary}", markup=False, soft_wrap=True)
        except MissingExtraError as error:
            console.print(f"  {error}", markup=False)


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
