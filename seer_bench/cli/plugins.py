"""`seer-bench list`: what is installed."""

from __future__ import annotations

from rich.table import Table

from seer_bench.cli.console import stdout


def list_plugins() -> None:
    """Print the installed policies, benchmarks, trackers and protocols."""
    from seer_bench.errors import MissingExtraError
    from seer_bench.registry import BENCHMARKS, POLICIES, TRACKERS, load_benchmark, plugins

    console = stdout()
    table = Table("kind", "name", "from", box=None, pad_edge=False)
    for kind, group in (("policy", POLICIES), ("benchmark", BENCHMARKS), ("tracker", TRACKERS)):
        for info in sorted(plugins(group).values(), key=lambda info: info.name):
            table.add_row(kind, info.name, f"{info.distribution} {info.version}")
    console.print(table)
    for name in sorted(plugins(BENCHMARKS)):
        console.print(f"\nprotocols of {name}:", markup=False)
        try:
            for protocol in load_benchmark(name).protocols().values():
                console.print(f"  {protocol.name:<27} {protocol.summary}", markup=False, soft_wrap=True)
        except MissingExtraError as error:
            console.print(f"  {error}", markup=False)
