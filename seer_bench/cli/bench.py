"""`seer-bench bench`: how fast this machine is, and how many workers it should be given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seer_bench.cli.console import key_values, stdout
from seer_bench.cli.options import Backend, Benchmark, Checkpoint, Device, PolicyArg, Protocol, Threads

if TYPE_CHECKING:
    from seer_bench.engine.bench import Bench, PolicySpeed


def bench(
    benchmark: Benchmark,
    policy: Annotated[
        str | None, typer.Option(help="Policy plugin; without one, the environment alone and no cameras.")
    ] = None,
    ckpt: Checkpoint = None,
    protocol: Protocol = None,
    seconds: Annotated[float, typer.Option(help="Length of each measurement.")] = 10.0,
    workers: Annotated[int | None, typer.Option(help="The most workers to try; the cores if not given.")] = None,
    like: Annotated[Path | None, typer.Option(help="A run whose mean steps a unit the estimate also takes.")] = None,
    backend: Backend = None,
    device: Device = "cpu",
    threads: Threads = 1,
    policy_arg: PolicyArg = None,
) -> None:
    """Measure environment and policy apart, recommend --workers and estimate the time of the full protocol."""
    from seer_bench.engine.bench import Bench, BenchRequest, expectations, recommended
    from seer_bench.report.bench import curve, time_lines

    console = stdout()
    measured = Bench(
        BenchRequest(
            benchmark=benchmark,
            protocol=protocol,
            policy=policy,
            checkpoint=ckpt,
            backend=backend,
            device=device,
            threads=threads,
            options=key_values(policy_arg or [], "--policy-arg"),
            seconds=seconds,
            workers=workers,
            like=like,
        )
    )
    try:
        used = _policy_speed(measured, console)
        player = f"the policy {policy}" if policy and not measured.in_main else "zero actions"
        cameras = "cameras on" if measured.cameras else "no cameras"
        _say(console, f"environment of {measured.protocol.name}, {player}, {cameras}:")
        with console.status("measuring the environment"):
            environments = list(measured.environments())
    finally:
        measured.close()
    found = expectations(environments, used)
    rows = [(e.workers, (e.steps_per_second, x.steps_per_second)) for e, x in zip(environments, found, strict=True)]
    console.print(curve("workers", ("environment steps/s", "run at most, steps/s"), rows))
    best = recommended(found)
    _say(console, f"\nrecommended: --workers {best.workers} ({best.steps_per_second:,.0f} steps/s)")
    for line in time_lines(measured.protocol, len(measured.units), best.steps_per_second, measured.like):
        _say(console, line)


def _policy_speed(measured: Bench, console: Console) -> PolicySpeed | None:
    """Measure the policy and print its curve; its call with the batch that a strict run uses."""
    from seer_bench.report.bench import curve

    with console.status("measuring the policy"):
        speeds = list(measured.policies())
        batch, why = measured.batch()
    if not speeds:
        if measured.in_main:
            _say(
                console, "the policy reads the simulator's state, so it cannot be measured alone; it is left out below"
            )
        return None
    _say(console, "policy, on made-up observations:")
    rows = [(speed.batch, (1000 * speed.seconds_per_call, speed.steps_per_second)) for speed in speeds]
    console.print(curve("batch", ("ms a call", "policy steps/s"), rows))
    note = f" ({why})" if why else ""
    _say(console, f"a strict run calls it with batch {batch}{note}\n")
    return next(speed for speed in speeds if speed.batch == batch)


def _say(console: Console, text: str) -> None:
    """Print plain words."""
    console.print(text, markup=False, soft_wrap=True)
