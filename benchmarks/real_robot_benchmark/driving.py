"""`seer-bench real drive`: the policies of a campaign move the robot, a person starts and judges the trials."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from real_robot_benchmark.options import Folder, Host, Operator, Port, Terminal, Web
from seer_bench.cli.console import key_values, stdout

if TYPE_CHECKING:
    from real_robot_benchmark.robot.cell import Consoles
    from real_robot_benchmark.robot.driver import Driver
    from real_robot_benchmark.web import Address


def drive(
    campaign: Folder,
    robot: Annotated[str, typer.Option(help="Driver of the robot, e.g. 'simulated'.")],
    robot_arg: Annotated[list[str] | None, typer.Option(help="KEY=VALUE for the driver; repeatable.")] = None,
    limits: Annotated[
        Path | None, typer.Option(help="YAML file with the workspace and further limits; the robot may have its own.")
    ] = None,
    judge_by_simulator: Annotated[
        bool, typer.Option("--judge-by-simulator", help="A simulated robot starts and judges its trials by itself.")
    ] = False,
    deadline: Annotated[float, typer.Option(min=0.05, max=60, help="Seconds that a policy has for an action.")] = 1.0,
    device: Annotated[str, typer.Option(help="Where the policies compute, e.g. cuda:0.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each policy.")] = 1,
    films: Annotated[bool, typer.Option("--films/--no-films", help="Film every camera.")] = True,
    operator: Operator = "",
    web: Web = False,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    terminal: Terminal = True,
    key: Annotated[Path | None, typer.Option(help="The sealed key of a blind campaign, if somebody keeps it.")] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the passphrase of a blind campaign's key.")
    ] = None,
) -> None:
    """Let the policies of a campaign move the robot; any stop, pause or end of a trial halts it at once."""
    from real_robot_benchmark.campaign import Campaign
    from real_robot_benchmark.passphrase import read_passphrase
    from real_robot_benchmark.robot import cell
    from real_robot_benchmark.robot.driver import Driver
    from real_robot_benchmark.robot.drivers import load_robot
    from real_robot_benchmark.robot.io import SimulatedIO
    from real_robot_benchmark.robot.judge import SimulatorJudge
    from real_robot_benchmark.robot.rate import WallClock
    from real_robot_benchmark.robot.safety import load_limits
    from real_robot_benchmark.session import Session
    from real_robot_benchmark.web import Address

    if not (judge_by_simulator or web or terminal):
        raise typer.BadParameter("without the terminal there must be the page: add --web.")
    found = Campaign.load(campaign)
    given = None if limits is None else load_limits(limits)
    secret = read_passphrase(passphrase_file, ask=found.encrypted and found.opened_key() is None)
    machine = load_robot(robot, key_values(robot_arg or [], "--robot-arg"))
    judge = None
    if judge_by_simulator:
        if not isinstance(machine, SimulatedIO):
            raise typer.BadParameter(f"'{robot}' is no simulated robot; a person has to judge.")
        judge = SimulatorJudge(machine)
    elif isinstance(machine, SimulatedIO) and not isinstance(machine.clock, WallClock):
        raise typer.BadParameter("a person judges in real time: add --robot-arg time=real, or --judge-by-simulator.")
    consoles = cell.wait if judge else _consoles(terminal, Address(host, port) if web else None)
    with ExitStack() as closing:
        clock = machine.clock.now if isinstance(machine, SimulatedIO) else time.monotonic
        session = closing.enter_context(Session.open(campaign, console="robot", operator=operator, clock=clock))
        arms = session.policy_key(secret, key)
        policies = cell.make_policies(session, arms, machine, device=device, threads=threads)
        for policy in policies.values():
            closing.callback(policy.close)
        thread = closing.enter_context(cell.ControlThread())
        rig = closing.enter_context(cell.connected(machine, given, thread, deadline=deadline))
        driver = Driver(session, rig, policies, judge=judge, films=films)
        code = cell.run(driver, thread, rig, consoles)
        state = session.state
    following = "finish" if state.done == state.total else "status"
    text = f"{state.done} of {state.total} trials are done. Go on with: seer-bench real {following} {campaign}"
    stdout().print(text, markup=False, soft_wrap=True)
    if code:
        raise typer.Exit(code)


def _consoles(terminal: bool, web: Address | None) -> Consoles:
    """The operator's consoles, with a stop on each."""
    from real_robot_benchmark.running import run_consoles

    def serve(driver: Driver, ended: threading.Event) -> int:
        return run_consoles(
            driver.session, terminal=terminal, web=web, on_stop=driver.stop, on_alive=driver.alive, ended=ended
        )

    return serve
