"""`seer-bench check`: whether a policy keeps the contract that exact and repeatable results rest on."""

from __future__ import annotations

from typing import Annotated

import typer

from seer_bench.cli.console import stdout
from seer_bench.cli.context import policy_context
from seer_bench.cli.options import Benchmark, Checkpoint, Device, PolicyArg, Protocol, Threads

_NOTES = ("memory", "privileged")
"""What is no rule kept, and no fault."""


def check(
    benchmark: Benchmark,
    policy: Annotated[str, typer.Option(help="Policy plugin; see: seer-bench list")],
    ckpt: Checkpoint = None,
    protocol: Protocol = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Rows of a batch may differ by rounding, as in a fast run.")
    ] = False,
    device: Device = "cpu",
    threads: Threads = 1,
    policy_arg: PolicyArg = None,
) -> None:
    """Play a policy on made-up observations and print every rule that it keeps; exit code 1 at the first it breaks.

    No simulator is needed. Policies are built here as for a run, and once more in another process.
    """
    from rich.text import Text

    from seer_bench.checks import check_policy
    from seer_bench.errors import CheckFailedError, ConventionError

    context = policy_context(policy, benchmark, protocol, ckpt, device=device, threads=threads, policy_arg=policy_arg)
    console = stdout()
    console.print(f"{policy} on {context.protocol.name}", style="bold", markup=False)

    def told(rule: str, what: str) -> None:
        level = ("note     ", "yellow") if rule in _NOTES else ("ok       ", "green")
        console.print(Text.assemble("  ", level, f"{rule:<12} {what}"), soft_wrap=True)

    try:
        check_policy(policy, context, strict=not fast, fresh_process=True, told=told)
    except (CheckFailedError, ConventionError) as error:
        console.print(Text.assemble("  ", ("problem  ", "bold red"), str(error)), soft_wrap=True)
        if isinstance(error, ConventionError):
            hint = (
                f"what the benchmark gives, as a policy declares it: seer-bench protocol show {context.protocol.name}"
            )
            console.print(f"           {hint}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
