"""The screen of the operator: what is tried, how the scene is set up, and a key for everything that can happen.

It holds nothing of its own: a key is pressed on the session, which puts it on the disk, and the screen is then drawn
anew from the session's view.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState, PressError
from real_robot_benchmark.terminal import panels
from real_robot_benchmark.terminal.dialogs import Ask, Confirm, Lost, Tell
from real_robot_benchmark.terminal.style import STYLE
from seer_bench.errors import SeerBenchError

BY = "terminal"
_TICK_S = 0.2
_ALIVE_S = 0.5
_KEYS = {**{str(n): str(n) for n in range(1, 10)}, **{key: key for key in "sftup"}, "space": "space", "enter": "enter"}
"""Keys of the keyboard that are pressed without a text."""
_QUESTIONS = {
    "v": ("Void: why?", "The attempt does not count and is repeated. The reason stays in the record."),
    "n": ("Note", "It is kept with this trial."),
    "e": ("Void an earlier trial: number and reason", 'E.g. "37 the camera had moved". It is repeated next.'),
}


class Pressed(Message):
    """Somebody pressed a key, here or at another console."""


class TerminalConsole(App[int]):
    """The operator's console in a terminal."""

    CSS = STYLE
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "leave", priority=True),
        Binding("escape", "escape", priority=True),  # before any dialog: it stops the robot
    ]

    def __init__(
        self,
        session: Session,
        *,
        address: str = "",
        link: str = "",
        notice: str = "",
        on_stop: Callable[[str], None] | None = None,
        on_alive: Callable[[str], None] | None = None,
        ended: threading.Event | None = None,
    ) -> None:
        """Make a console.

        Args:
            session: whose keys are pressed; other consoles of this process may share it.
            address: of the web page, without a token; "" where there is none.
            link: what a phone opens first; it may hold a token.
            notice: shown until the first press.
            on_stop: stops the robot; called with who pressed. None where there is none to stop.
            on_alive: called with "terminal" every half a second while the console is open.
            ended: closes the console when it is set.
        """
        super().__init__()
        self.title = "seer-bench"
        self._session = session
        self._address = address
        self._link = link
        self._on_stop = on_stop
        self._on_alive = on_alive
        self._ended = ended
        self._seen = session.number
        self._notice = notice
        self._unsubscribe: Callable[[], None] = lambda: None

    # --- showing -----------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Lay the screen out: 24 lines are enough, what is left over goes to the two columns."""
        yield Static(id="top")
        yield Static(id="big")
        yield Static(id="numbers")
        yield Static(id="instruction", markup=False)
        with Horizontal(id="columns"):
            with VerticalScroll(id="scene", can_focus=False):
                yield Static(id="scene-text")
            with VerticalScroll(id="stages", can_focus=False):
                yield Static(id="stages-text")
        yield Static(id="message")
        yield Static(id="next")
        yield Static(id="progress")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Follow the session, the clock and the signals that end a process."""

        def pressed(_: CampaignState) -> None:
            self.post_message(Pressed())  # from any thread

        self._unsubscribe = self._session.subscribe(pressed)
        self.set_interval(_TICK_S, self._tick)
        if (alive := self._on_alive) is not None:
            self.set_interval(_ALIVE_S, lambda: alive(BY))
        if self.is_headless:
            return
        self.set_interval(_ALIVE_S, self._watch_line)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                asyncio.get_running_loop().add_signal_handler(number, self._end_by_signal)

    def on_unmount(self) -> None:
        """Follow the session no more."""
        self._unsubscribe()

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.draw_all()

    def on_pressed(self) -> None:
        """Somebody pressed a key."""
        self.draw_all()

    def _tick(self) -> None:
        """The clock, and whether somebody closes the console."""
        if self._ended is not None and self._ended.is_set():
            self.exit(0)
        elif self._session.state.ticking:
            self.draw_all()

    def _watch_line(self) -> None:
        """A terminal that is gone without a signal, e.g. below nohup, ends the console too."""
        line = select.poll()
        if sys.__stdin__ is not None:
            line.register(sys.__stdin__.fileno(), 0)
        if line.poll(0):
            self._end_by_signal()

    def draw_all(self) -> None:
        """Draw everything from the session."""
        self._seen = self._session.number  # first: with a newer view a press is refused, never misunderstood
        view = self._session.view()
        base, width = self.screen_stack[0], self.size.width - 2
        parts: dict[str, Text | Table] = {
            "top": panels.top(view, self._session.campaign.path.name, self._address, width),
            "big": panels.big(view, width),
            "numbers": panels.numbers(view, width),
            "instruction": Text(f"“{view.instruction}”" if view.instruction else "", "italic"),
            "scene-text": panels.scene(view),
            "stages-text": panels.stages(view),
            "message": panels.message(view, self._notice),
            "next": panels.upcoming(view, width),
            "progress": panels.progress(view, width),
            "keys": panels.keys(view, width, robot=self._on_stop is not None),
        }
        for name, content in parts.items():
            base.query_one(f"#{name}", Static).update(content)
        list_of_stages, done = base.query_one("#stages"), sum(stage.done for stage in view.stages)
        list_of_stages.scroll_to(y=list_of_stages.max_scroll_y * done / max(1, len(view.stages) - 1), animate=False)
        base.set_classes(f"{view.phase} {'paused' if view.paused else ''} {view.result or ''}")

    # --- pressing ----------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """What a key does: the session says which are possible."""
        if len(self.screen_stack) > 1:
            if isinstance(self.screen, Ask) and event.is_printable and event.character:
                self.screen.type_early(event.character)  # its line keeps what is typed into it to itself
            return
        event.prevent_default()  # or the dialog that this key opens would be asked for the same key
        key = event.character if event.character in ("?",) else event.key
        if key in _KEYS:
            self._press(_KEYS[key])
        elif key in _QUESTIONS:
            self._ask(key)
        elif key in ("up", "down"):
            self.query_one("#scene").scroll_relative(y=1 if key == "down" else -1, animate=False)
        elif key == "q":
            self.action_leave()
        elif key == "w" and self._address:
            self.push_screen(Tell("The console as a page", panels.link(self._address, self._link), tight=True))
        elif key == "?":
            self.push_screen(Tell("Keys", panels.help_lines(robot=self._on_stop is not None)))

    def _press(self, key: str, text: str = "", trial: int | None = None, seen: int | None = None) -> None:
        """Press a key; it is on the disk before anything on the screen changes."""
        self._notice = ""
        seen = self._seen if seen is None else seen
        try:
            if trial is None:
                self._session.press(key, text, by=BY, seen=seen)
            else:
                self._session.void(text, trial=trial, by=BY, seen=seen)
        except PressError as error:
            self._notice = str(error)
        except SeerBenchError as error:
            self.push_screen(Lost(str(error)))
        self.draw_all()

    def _ask(self, key: str) -> None:
        """Ask for the text that a key needs, then press it on what was seen when the question came up."""
        view, seen = self._session.view(), self._seen
        possible = {known.key for known in view.keys}
        if key == "e" and view.phase != "running" and view.done:
            possible.add("e")
        if key not in possible:
            self._notice = f"'{key}' is not possible now."
            self.draw_all()
            return

        def answer(text: str | None) -> None:
            if text is None:
                return
            if key != "e":
                self._press(key, text, seen=seen)
                return
            number, _, reason = text.partition(" ")
            if number.isdecimal() and reason.strip():
                self._press("v", reason.strip(), trial=int(number), seen=seen)
            else:
                self._notice = f"'{text}' is not the number of a trial and a reason; nothing was recorded."
                self.draw_all()

        self.push_screen(Ask(*_QUESTIONS[key]), answer)

    def action_escape(self) -> None:
        """Stop the robot, where there is one; then leave the dialog, where there is one."""
        if self._on_stop is not None:
            self._stop(BY)
        elif len(self.screen_stack) > 1:
            self.screen.dismiss(None)

    def _end_by_signal(self) -> None:
        """Somebody ends the process, or the line to the terminal broke."""
        if self._on_stop is not None:
            self._stop("signal")
        self.exit(130)

    def _stop(self, by: str) -> None:
        """Stop the robot; nothing is checked before."""
        assert self._on_stop is not None  # noqa: S101 - asked before
        try:
            self._on_stop(by)
        except Exception as error:  # whatever it is, the operator must know at once
            self.push_screen(Lost(f"STOP failed: {error}. Use the stop button of the robot itself.", "NOT STOPPED"))
            return
        self._notice = "STOP was sent to the robot."
        self.draw_all()
        if len(self.screen_stack) > 1:
            self.screen.dismiss(None)

    def action_leave(self) -> None:
        """Ask, then close the console."""
        if any(isinstance(screen, Confirm) for screen in self.screen_stack):
            return
        running = self._session.state.phase == "running"
        words = "The running trial is left paused. " if running else ""
        question = Confirm("Close the console?", f"{words}Everything is on the disk; the same command goes on here.")

        def answer(yes: bool | None) -> None:
            if yes:
                self.exit(0)

        self.push_screen(question, answer)
