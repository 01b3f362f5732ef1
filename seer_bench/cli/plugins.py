"""`seer-bench list`: what is installed."""

from __future__ import annotations

from rich.table import Table

from seer_bench.cli.console import stdout
from seer_bench.cli.protocol import print_protocols


def list_plugins() -> None:
    """Print the installed policies, benchmarks, trackers and protocols."""
    from seer_bench.registry import BENCHMARKS, POLICIES, TRACKERS, plugins

    console = stdout()
    table = Table("kind", "name", "from", box=None, pad_edge=False)
    for kind, group in (("policy", POLICIES), ("benchmark", BENCHMARKS), ("tracker", TRACKERS)):
        for info in sorted(plugins(group).values(), key=lambda info: info.name):
            table.add_row(kind, info.name, f"{info.distribution} {info.version}")
    console.print(table)
    console.print()
    print_protocols(console)
