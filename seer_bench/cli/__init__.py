"""The command `seer-bench`: a module per command group, no logic of its own.

Exit codes:
    0    everything asked for is done
    1    units without an outcome because the infrastructure failed; of several checkpoints one could not be used;
         `reproduce`: an arm could not be played; `verify`: a recording differs; `report`: a run was
         left out or damaged; `status`: a run could not be read; `video`: a unit could not be filmed; `doctor`:
         something has to be mended; `inspect`: the checkpoint cannot be used; `check`: the policy breaks a rule
    2    refused: bad arguments, missing assets, a run directory that does not fit
    3    `verify`: equal up to round-off only, as on another processor
    130  interrupted by Ctrl-C or SIGTERM; the same command continues
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated, NoReturn

import typer

from seer_bench.cli.assets import assets
from seer_bench.cli.bench import bench
from seer_bench.cli.check import check
from seer_bench.cli.commands import CommandsAndPlugins
from seer_bench.cli.compare import compare
from seer_bench.cli.console import fail, open_streams
from seer_bench.cli.doctor import doctor
from seer_bench.cli.export import export
from seer_bench.cli.inspect import inspect
from seer_bench.cli.plan import plan
from seer_bench.cli.plugins import list_plugins
from seer_bench.cli.protocol import protocol
from seer_bench.cli.report import report
from seer_bench.cli.reproduce import reproduce
from seer_bench.cli.run import run
from seer_bench.cli.serve import serve
from seer_bench.cli.status import status
from seer_bench.cli.verify import verify
from seer_bench.cli.video import video
from seer_bench.errors import SeerBenchError

app = typer.Typer(
    name="seer-bench",
    cls=CommandsAndPlugins,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run)
app.command("status")(status)
app.command("report")(report)
app.command("reproduce")(reproduce)
app.command("compare")(compare)
app.command("plan")(plan)
app.command("export")(export)
app.command("video")(video)
app.command("verify")(verify)
app.command("serve")(serve)
app.command("check")(check)
app.command("bench")(bench)
app.command("doctor")(doctor)
app.command("assets")(assets)
app.command("inspect")(inspect)
app.command("list")(list_plugins)
app.add_typer(protocol, name="protocol")


def _print_version(wanted: bool) -> None:
    """Print the version and end, before any command is looked for."""
    if wanted:
        from importlib.metadata import version

        typer.echo(version("seer-bench"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Evaluate robot-manipulation policies on real benchmarks: exact, resumable, honest."""


def _interrupt(*_: object) -> NoReturn:
    """End as Ctrl-C does, so that schedulers that send SIGTERM find a run that is put away."""
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: errors of ours become one message and exit code 2; Ctrl-C and SIGTERM exit code 130."""
    open_streams()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except SeerBenchError as error:
        fail(error)
        sys.exit(2)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # one more, while the interpreter ends, must not change the code
            signal.signal(number, signal.SIG_IGN)
