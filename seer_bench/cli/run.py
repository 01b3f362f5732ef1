"""`seer-bench run`: play a protocol's units with a policy."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import key_values
from seer_bench.cli.options import Backend, Benchmark, Checkpoints, Device, PolicyArg, Protocol, Threads, Trackers
from seer_bench.cli.series import INTERRUPTED, Job, Player, Videos
from seer_bench.errors import UsageError

if TYPE_CHECKING:
    from seer_bench.engine import RunRequest


def run(
    benchmark: Benchmark,
    policy: Annotated[str, typer.Option(help="Policy plugin; see: seer-bench list")],
    ckpt: Checkpoints = None,
    protocol: Protocol = None,
    units: Annotated[str | None, typer.Option(help="Units to play: 17, 0:200 or 0:10,50,990: (all).")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory, of several checkpoints the folder above; results/runs/... if not given."),
    ] = None,
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
    tracker: Trackers = None,
    allow_mixed: Annotated[bool, typer.Option(help="Continue although the simulation differs.")] = False,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="One JSON object a line on stdout; words go to stderr.")
    ] = False,
) -> None:
    """Play every unit that has no outcome yet; the same command again continues.

    Several checkpoints are evaluated one after another, each in a directory of its own: below --out under its name
    without the ending, or in results/runs. One that cannot be used is reported, the others are evaluated all the same,
    and the exit code is 1.
    """
    from seer_bench.engine import Limits, RunRequest, parse_gpus, parse_shard
    from seer_bench.engine.checkpoints import is_pattern

    if foresight and video is Videos.none:
        raise UsageError("--foresight is shown in films, and none are asked for: add --video failed or --video all.")
    request = RunRequest(
        benchmark=benchmark,
        policy=policy,
        out=out or Path(),
        shard=parse_shard(shard, os.environ),
        workers=workers,
        threads=threads,
        egl_devices=parse_gpus(egl_devices),
        limits=Limits(silence=stall_timeout, start=start_timeout, memory=_bytes(worker_memory), policy=policy_timeout),
        fast=fast,
        protocol=protocol,
        units=units,
        seed=seed,
        backend=backend,
        device=device,
        options=key_values(policy_arg or [], "--policy-arg"),
        arm=key_values(arm or [], "--arm"),
        foresight=foresight,
        allow_mixed=allow_mixed,
    )
    player = Player(json_progress=json_progress, videos=video, trackers=tracker or [])
    names = ckpt or []
    if len(names) > 1 or any(not name or is_pattern(name) for name in names):
        code = _play_several(player, request, names, out)
    else:
        path = Path(names[0]) if names else None
        folder = out or default_out(benchmark, policy, protocol, path)
        code = player.play(replace(request, checkpoint=path, out=place(folder, request.shard)))
    if code:
        raise typer.Exit(code)


def _play_several(player: Player, request: RunRequest, names: Sequence[str], out: Path | None) -> int:
    """Evaluate several checkpoints, each in a directory of its own; all that is cheap is checked before the first.

    Names, units and numbers are resolved, every checkpoint is found and hashed, and what the directories hold is looked
    at. A checkpoint is loaded when its turn comes.
    """
    from seer_bench.engine.checkpoints import distinct, find_checkpoints, folders, names_of
    from seer_bench.engine.request import resolve

    resolve(request)
    with player.console.status("reading the checkpoints"):
        weights, notes = distinct(find_checkpoints(names, request.policy))
    whole = default_out(request.benchmark, request.policy, request.protocol, None)
    places = folders(out, "", weights) if out else folders(whole.parent, f"{whole.name}_", weights)
    for note in notes:
        player.say(f"note: {note}")
    places = [folder.absolute() for folder in places]  # a policy may change the working directory
    jobs = [
        Job(name, replace(request, checkpoint=item.path.absolute(), out=place(folder, request.shard)))
        for name, item, folder in zip(names_of(weights), weights, places, strict=True)
    ]
    code = player.play_all(jobs)
    if code != INTERRUPTED:
        player.conclude(places)
    return code


def place(folder: Path, shard: tuple[int, int] | None) -> Path:
    """Where a run writes to: its directory, or that of its shard below it."""
    return folder if shard is None else folder / f"shard-{shard[0]}-of-{shard[1]}"


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
