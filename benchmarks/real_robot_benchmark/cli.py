"""`seer-bench real`: trials on a real robot, from the tasks to the report."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from real_robot_benchmark.driving import drive
from real_robot_benchmark.passphrase import read_passphrase
from real_robot_benchmark.running import run
from seer_bench.cli.console import key_values, stdout

app = typer.Typer(help="Trials on a real robot: plan, run, score.", no_args_is_help=True, add_completion=False)

Tasks = Annotated[str, typer.Argument(help="YAML file with the tasks, or 'paper' for those of the paper.")]
Folder = Annotated[Path, typer.Argument(help="Folder of the campaign, made by: seer-bench real plan")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File whose first line is the passphrase; asked for where it is needed.")
]


class Aggregation(str, Enum):
    """How the repeated trials of a case become its result."""

    mean = "mean"
    best_of = "best_of"
    majority = "majority"


class GroupBy(str, Enum):
    """What stays together in the order."""

    task = "task"
    nothing = "nothing"


class Disturbances(str, Enum):
    """Which scenes are played."""

    none = "none"
    only = "only"
    both = "both"


class Rows(str, Enum):
    """What a row of an exported CSV is."""

    attempts = "attempts"
    table4 = "table4"


@app.command("check")
def check(tasks: Tasks) -> None:
    """Look through a task file: every fault with its line, or what it holds."""
    from real_robot_benchmark.tasks import load_tasks
    from real_robot_benchmark.wording import task_lines

    path = _task_file(tasks)
    _print(f"{path}: no fault.", *task_lines(load_tasks(path)))


@app.command("plan")
def plan(
    tasks: Tasks,
    out: Annotated[Path, typer.Option(help="Folder of the campaign; new or empty.")],
    policies: Annotated[
        list[str],
        typer.Option(help="NAME=CHECKPOINT or NAME; two arms of one policy as seer/20-demos and seer/100-demos."),
    ],
    arm: Annotated[
        list[str] | None, typer.Option(help="LABEL:key=value, or key=value for all: the row in tables, e.g. demos=100.")
    ] = None,
    policy_arg: Annotated[list[str] | None, typer.Option(help="LABEL:key=value for the policy; repeatable.")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, max=100, help="Repetitions of a case; the file's number.")
    ] = None,
    aggregation: Annotated[
        Aggregation | None, typer.Option(help="What the trials of a case become; the file's choice.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; repeatable.")] = None,
    disturbances: Annotated[
        Disturbances, typer.Option(help="Play the tasks as they are, under their disturbances, or both.")
    ] = Disturbances.none,
    group_by: Annotated[
        GroupBy, typer.Option(help="Keep the trials of a task together, or mix all tasks.")
    ] = GroupBy.task,
    seed: Annotated[int, typer.Option(help="Seed of the order; who a letter is does not depend on it.")] = 0,
    blind: Annotated[bool, typer.Option("--blind", help="The operator sees letters; who is who is sealed.")] = False,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase that encrypts the key of a blind campaign.")
    ] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Plan a campaign: every policy on every case, in a random order that treats all alike."""
    from real_robot_benchmark.arms import parse_arms
    from real_robot_benchmark.campaign import Campaign, Choices
    from real_robot_benchmark.tasks import load_tasks
    from real_robot_benchmark.wording import arm_lines, plan_lines

    path = _task_file(tasks)
    found = load_tasks(path)
    arms = parse_arms(policies, arm or [], policy_arg or [])
    if not blind and (passphrase or passphrase_file):
        raise typer.BadParameter("a passphrase seals the key of a blind campaign: add --blind.")
    secret = read_passphrase(passphrase_file, ask=passphrase, confirm=True)
    choices = Choices(
        trials=trials or found.trials,
        aggregation=aggregation.value if aggregation else found.aggregation,
        seed=seed,
        group_by=group_by.value,
        disturbances=disturbances.value,
        only=tuple(task or ()),
    )
    campaign = Campaign.create(out, path, arms, choices, blind=blind, passphrase=secret)
    _print(
        *plan_lines(campaign),
        *arm_lines(arms),
        f"\nGo on with: seer-bench real run {out}",
        f"If seer-bench has a driver for the robot: seer-bench real drive {out} --robot NAME",
    )


@app.command("status")
def status(campaign: Folder) -> None:
    """Print how far a campaign is; nothing is written or held up, and nobody is unblinded."""
    from real_robot_benchmark.campaign import Campaign
    from real_robot_benchmark.wording import status_lines

    _print(*status_lines(Campaign.load(campaign)))


@app.command("finish")
def finish(
    campaign: Folder,
    partial: Annotated[bool, typer.Option("--partial", help="Make runs although trials are open.")] = False,
    unblind_early: Annotated[
        bool, typer.Option("--unblind-early", help="Open the key although trials are open; every report says so.")
    ] = False,
    key: Annotated[Path | None, typer.Option(help="The sealed key, where somebody else kept it.")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Open the key, on record, and make a run directory for each policy."""
    from real_robot_benchmark import finishing
    from real_robot_benchmark.campaign import Campaign
    from real_robot_benchmark.wording import finish_lines

    found = Campaign.load(campaign)
    secret = None
    if found.encrypted and found.opened_key() is None:  # nobody is asked for a passphrase in vain
        finishing.refuse_open(found, found.state(), partial=partial, unblind_early=unblind_early)
        secret = read_passphrase(passphrase_file, ask=True)
    done = finishing.finish(campaign, partial=partial, unblind_early=unblind_early, passphrase=secret, key_file=key)
    _print(*finish_lines(done))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header and a line a trial.")],
    tasks: Annotated[str, typer.Option(help="YAML file with the tasks, or 'paper'.")],
    out: Annotated[Path, typer.Option(help="Folder for the run directories; new or empty.")],
    map: Annotated[list[str] | None, typer.Option(help="FIELD=COLUMN, where a column has another name.")] = None,
    policy: Annotated[str | None, typer.Option(help="Policy of all lines, for a file that does not say.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="LABEL:key=value, or key=value for all: the row in tables.")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, max=100, help="Repetitions of a case; the most found.")] = None,
    aggregation: Annotated[
        Aggregation | None, typer.Option(help="What the trials of a case become; the task file's choice.")
    ] = None,
    first: Annotated[int, typer.Option(min=0, max=1, help="The file counts cases and trials from 0 or 1.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Import as shown, without asking.")] = False,
) -> None:
    """Turn a CSV of trials into runs; the columns and the first lines are shown before anything is written."""
    from real_robot_benchmark.arms import parse_arms
    from real_robot_benchmark.importing import read_csv, write_runs
    from real_robot_benchmark.tasks import load_tasks
    from real_robot_benchmark.wording import import_lines

    found = load_tasks(_task_file(tasks))
    content = read_csv(file, found, columns=key_values(map or [], "--map"), policy=policy, first=first)
    arms = parse_arms(content.policies, arm or [])
    _print(*import_lines(content, found))
    if not yes and not _confirm("Import it so?"):
        _print("Nothing was imported. Other columns: --map FIELD=COLUMN. As shown: --yes.")
        raise typer.Exit(2)
    paths = write_runs(content, found, arms, out, trials=trials, aggregation=aggregation.value if aggregation else None)
    _print(*(f"written: {path}" for path in paths), f"Report them with: seer-bench report {out}")


@app.command("export")
def export(
    campaign: Folder,
    out: Annotated[Path, typer.Option(help="File to write: .csv, or .tex for Table 4.")],
    rows: Annotated[Rows, typer.Option(help="Of a .csv: a row an attempt, or Table 4.")] = Rows.attempts,
) -> None:
    """Write every attempt as CSV, or Table 4 as CSV or LaTeX; policies stay letters while a campaign is blind."""
    from real_robot_benchmark.campaign import Campaign
    from real_robot_benchmark.exporting import attempts_csv, table4
    from seer_bench.store import write_atomic

    if out.suffix not in (".csv", ".tex"):
        raise typer.BadParameter(f"{out}: name a .csv or a .tex file.", param_hint="--out")
    found = Campaign.load(campaign)
    if out.suffix == ".tex" or rows is Rows.table4:
        text = table4(found.runs, latex=out.suffix == ".tex")
    else:
        text = attempts_csv(found, found.state(), found.opened_key())
    write_atomic(out, text.encode())
    _print(f"written: {out}")


def _task_file(name: str) -> Path:
    """The file that is meant."""
    from real_robot_benchmark.tasks import paper_tasks

    return paper_tasks() if name == "paper" and not Path(name).exists() else Path(name)


def _confirm(question: str) -> bool:
    """Ask, and take silence (no keyboard) as a no."""
    try:
        return bool(typer.confirm(question))
    except typer.Abort:
        return False


def _print(*lines: str) -> None:
    """Print lines as they are."""
    stdout().print("\n".join(lines), markup=False, soft_wrap=True)


app.command("run")(run)
app.command("drive")(drive)
