"""Questions, help, and errors that nobody overlooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from real_robot_benchmark.terminal.big import draw


class Ask(ModalScreen[str | None]):
    """One line of text; None when it is left."""

    AUTO_FOCUS = "Input"

    def __init__(self, title: str, words: str) -> None:
        """Ask for what `title` says; `words` explain."""
        super().__init__()
        self._heading = title
        self._words = words

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(classes="dialog"):
            yield Static(self._heading, classes="title", markup=False)
            yield Static(self._words, markup=False)
            yield Input(max_length=500)
            yield Static("enter keeps it · escape leaves", classes="soft", markup=False)

    def type_early(self, text: str) -> None:
        """Take what was typed before the line had the focus."""
        self.query_one(Input).insert_text_at_cursor(text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the text back; an empty one is none."""
        if event.value.strip():
            self.dismiss(event.value.strip())


class Confirm(ModalScreen[bool]):
    """A yes or a no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)"),
        Binding("n", "dismiss(False)"),
    ]

    def __init__(self, title: str, words: str) -> None:
        """Ask `title`; `words` explain."""
        super().__init__()
        self._heading = title
        self._words = words

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(classes="dialog"):
            yield Static(self._heading, classes="title", markup=False)
            yield Static(self._words, markup=False)
            yield Static("y yes · n no · escape leaves", classes="soft", markup=False)


class Tell(ModalScreen[None]):
    """Lines to read; any key closes it, so that none slips through to the trial."""

    def __init__(self, title: str, lines: Sequence[str | Text], *, tight: bool = False) -> None:
        """Show `lines` under a title; `tight` leaves no room around them."""
        super().__init__(classes="tight" if tight else "")
        self._heading = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(classes="dialog"):
            yield Static(self._heading, classes="title", markup=False)
            for line in self._lines:
                yield Static(line, markup=False)
            yield Static("any key closes this", classes="soft", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Close; the key means nothing else."""
        event.stop()
        self.dismiss(None)


class Lost(ModalScreen[None]):
    """A press that is not on the disk; only enter (and escape) closes it, so that it is read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "dismiss(None)")]

    def __init__(self, words: str, title: str = "NOT RECORDED") -> None:
        """Show why."""
        super().__init__(classes="lost")
        self._heading = title
        self._words = words

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(classes="dialog"):
            yield Static("\n".join(draw(self._heading)), markup=False)
            yield Static("")
            yield Static(self._words, markup=False)
            yield Static("enter closes this; behind it stands what is on the disk", classes="soft", markup=False)
