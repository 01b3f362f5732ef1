"""`seer-bench real run`: the operator's consoles of a campaign."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from real_robot_benchmark.options import Folder, Host, Operator, Port, Terminal, Web
from seer_bench.cli.console import stdout
from seer_bench.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from real_robot_benchmark.session import Session
    from real_robot_benchmark.web import Address

_DROPPED = "The last press before the interruption did not reach the disk as a whole; it does not count."


def run(
    campaign: Folder,
    operator: Operator = "",
    web: Web = False,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    terminal: Terminal = True,
) -> None:
    """Try trial after trial: a console here, a page for a phone, or both; every press is on the disk at once."""
    from real_robot_benchmark.session import Session
    from real_robot_benchmark.web import Address

    if not web and not terminal:
        raise typer.BadParameter("without the terminal there must be the page: add --web.")
    if not web and (host, port) != ("127.0.0.1", 8765):
        raise typer.BadParameter("--host and --port are the page's: add --web.")
    address = Address(host, port) if web else None
    _check(terminal)
    console = "terminal and web" if web and terminal else "web" if web else "terminal"
    with Session.open(campaign, console=console, operator=operator) as session:
        code = run_consoles(session, terminal=terminal, web=address)
    if code:
        raise typer.Exit(code)


def run_consoles(
    session: Session,
    *,
    terminal: bool = True,
    web: Address | None = None,
    on_stop: Callable[[str], None] | None = None,
    on_alive: Callable[[str], None] | None = None,
    ended: threading.Event | None = None,
) -> int:
    """Open the consoles of a session, and come back when the operator closes them; to be called in the main thread.

    Args:
        session: whose keys are pressed; a driver may press on it at the same time.
        terminal: the console in this terminal.
        web: where the page is served; None for no page.
        on_stop: stops the robot. Called at once with "terminal" or "web", in a thread of the console and without any
            lock; it must come back quickly. None where the harness does not drive: no console shows a stop then.
        on_alive: called with the console's name every half a second while it is open, for a watchdog. The page tells
            only where there is no terminal: a phone that is put away stops no robot that is watched from elsewhere.
        ended: closes the consoles when it is set.

    Returns:
        The exit code: 0, or 130 when a signal closed the terminal's console.

    Raises:
        MissingExtraError: textual, segno, starlette or uvicorn is not installed.
        UsageError: this is no terminal, or the address cannot be served.
    """
    _check(terminal)
    with ExitStack() as stack:
        page = None
        if web is not None:
            from real_robot_benchmark.web import WebConsole

            page = stack.enter_context(
                WebConsole(session, web, on_stop=on_stop, on_alive=None if terminal else on_alive)
            )
        if terminal:
            from real_robot_benchmark.terminal.app import TerminalConsole

            console = TerminalConsole(
                session,
                address="" if page is None else page.url,
                link="" if page is None else page.link,
                notice=_DROPPED if session.dropped else "",
                on_stop=on_stop,
                on_alive=on_alive,
                ended=ended,
            )
            return console.run() or 0
        if page is not None:
            dropped = f"{_DROPPED}\n" if session.dropped else ""
            stdout().print(f"{dropped}Open  {page.link}\nCtrl-C closes the console.", markup=False, soft_wrap=True)
        (ended or threading.Event()).wait()
    return 0


def _check(terminal: bool) -> None:
    """See that this is a terminal, before anything is opened."""
    if not terminal:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("this is no terminal. For the page alone: --web --no-terminal")
    try:
        import segno  # noqa: F401 - only whether they are there
        import textual  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("the console", error.name or "textual", "real") from error
