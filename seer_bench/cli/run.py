"""`seer-bench run`: play a protocol's units with a policy."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import key_values, stderr, stdout, take_stdout
from seer_bench.cli.options import Backend, Benchmark, Checkpoint, Device, PolicyArg, Protocol, Threads
from seer_bench.errors import UsageError

if TYPE_CHECKING:
    from seer_bench.monitor import Monitor


class Videos(str, Enum):
    """Which units are filmed after a run."""

    failed = "failed"
    all = "all"
    none = "none"


def run(
    benchmark: Benchmark,
    policy: Annotated[str, typer.Option(help="Policy plugin; see: seer-bench list")],
    ckpt: Checkpoint = None,
    protocol: Protocol = None,
    units: Annotated[str | None, typer.Option(help="Units to play: 17, 0:200 or 0:10,50,990: (all).")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; results/runs/... if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the run; policies draw from it.")] = 0,
    video: Annotated[Videos, typer.Option(help="Units to film afterwards, by exact replay.")] = Videos.none,
    foresight: Annotated[
        bool, typer.Option("--foresight", help="Also film what the policy expected to see; with --video.")
    ] = False,
    backend: Backend = None,
    workers: Annotated[int | None, typer.Option(help="Environments side by side; one a core if not given.")] = None,
    shard: Annotated[
        str | None, typer.Option(help="i/n: this n-th of the units; RANK and WORLD_SIZE serve too.")
    ] = None,
    device: Device = "cpu",
    threads: Threads = 1,
    egl_devices: Annotated[str | None, typer.Option(help="GPUs that render, dealt out to workers: 0,1.")] = None,
    worker_memory: Annotated[
        str | None, typer.Option(help="Memory a worker may use, e.g. 4G; no limit if not given.")
    ] = None,
    stall_timeout: Annotated[
        float, typer.Option(help="Seconds without a step after which a worker is killed.")
    ] = 120.0,
    start_timeout: Annotated[
        float, typer.Option(help="Seconds until the first unit of a worker has begun; then it is killed.")
    ] = 300.0,
    policy_timeout: Annotated[
        float, typer.Option(help="Seconds that one call of a policy in the main process may take before the run ends.")
    ] = 600.0,
    fast: Annotated[bool, typer.Option(help="Batch without padding or checks; outcomes may depend on timing.")] = False,
    policy_arg: PolicyArg = None,
    arm: Annotated[list[str] | None, typer.Option(help="key=value that names the row in tables; repeatable.")] = None,
    allow_mixed: Annotated[bool, typer.Option(help="Continue although the simulation differs.")] = False,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="One JSON object a line on stdout; words go to stderr.")
    ] = False,
) -> None:
    """Play every unit that has no outcome yet; the same command again continues."""
    from seer_bench.engine import Limits, RunRequest, parse_gpus, parse_shard
    from seer_bench.engine import run as play_run
    from seer_bench.report import JsonMonitor, monitor_for, print_summary

    if foresight and video is Videos.none:
        raise UsageError("--foresight is shown in films, and none are asked for: add --video failed or --video all.")
    part = parse_shard(shard, os.environ)
    folder = out or default_out(benchmark, policy, protocol, ckpt)
    request = RunRequest(
        benchmark=benchmark,
        policy=policy,
        out=folder if part is None else folder / f"shard-{part[0]}-of-{part[1]}",
        shard=part,
        workers=workers,
        threads=threads,
        egl_devices=parse_gpus(egl_devices),
        limits=Limits(silence=stall_timeout, start=start_timeout, memory=_bytes(worker_memory), policy=policy_timeout),
        fast=fast,
        protocol=protocol,
        checkpoint=ckpt,
        units=units,
        seed=seed,
        backend=backend,
        device=device,
        options=key_values(policy_arg or [], "--policy-arg"),
        arm=key_values(arm or [], "--arm"),
        foresight=foresight,
        allow_mixed=allow_mixed,
    )
    if json_progress:
        monitor: Monitor = JsonMonitor(take_stdout())
        console = stderr()
    else:
        console = stdout()
        monitor = monitor_for(console)
    outcome = play_run(request, monitor)
    with suppress(OSError, SystemExit):  # nobody reads stdout any more (of a broken pipe rich makes a SystemExit)
        print_summary(outcome.request.out, console, interrupted=outcome.interrupted)
        if outcome.gave_up is not None:
            console.print(f"stopped: {outcome.gave_up}", markup=False, soft_wrap=True)
    if outcome.interrupted:
        raise typer.Exit(130)
    if video is not Videos.none and outcome.played:
        from seer_bench.cli.video import film_run
        from seer_bench.engine.request import devices
        from seer_bench.video import ForesightRequest

        asked = outcome.request
        again = ForesightRequest(asked.checkpoint, devices(device)[0], threads) if foresight else None
        film_run(asked.out, units=outcome.played, which=video.value, size=None, foresight=again, console=console)
    if outcome.errors or outcome.gave_up is not None:
        raise typer.Exit(1)


def _bytes(text: str | None) -> int | None:
    """Bytes from "4G", "512M" or a plain number; raises typer.BadParameter."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.strip().upper())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no amount of memory; write 4G or 512M.", param_hint="--worker-memory")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2] or " "))


def default_out(benchmark: str, policy: str, protocol: str | None, ckpt: Path | None) -> Path:
    """Where a run goes when `--out` is not given: one directory a protocol, policy and checkpoint."""
    from seer_bench.registry import find_protocol, load_benchmark

    parts = [find_protocol(load_benchmark(benchmark), protocol).name.replace("/", "-"), policy]
    if ckpt is not None:
        parts.append(ckpt.stem)
    return Path("results/runs") / "_".join(parts)
