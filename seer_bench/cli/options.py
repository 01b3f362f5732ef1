"""Options that commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Format(str, Enum):
    """What is printed."""

    table = "table"
    json = "json"


OutputFormat = Annotated[Format, typer.Option(help="table for people, json for scripts.")]
Benchmark = Annotated[str, typer.Argument(help="Benchmark, e.g. calvin.")]
Checkpoint = Annotated[Path | None, typer.Option("--ckpt", help="Checkpoint file or directory of the policy.")]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--ckpt",
        help="Checkpoint file or directory of the policy; several, or a pattern such as 'runs/*.pth', are evaluated "
        "one after another.",
    ),
]
Protocol = Annotated[str | None, typer.Option(help="Protocol; the benchmark's default if not given.")]
Backend = Annotated[str | None, typer.Option(help="Simulation behind the benchmark; its default if not given.")]
Device = Annotated[
    str, typer.Option(help="Device of the policy: cpu, cuda:0, or for a run cuda:0,1 for one policy on each.")
]
Threads = Annotated[int, typer.Option(help="CPU threads of the policy; its arithmetic depends on them.")]
PolicyArg = Annotated[list[str] | None, typer.Option(help="key=value for the policy; may be repeated.")]
Trackers = Annotated[
    list[str] | None,
    typer.Option("--tracker", help="Also send results there: wandb, trackio, mlflow or a plugin; repeatable."),
]
