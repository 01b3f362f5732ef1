"""Trackers that write to a file in the run directory, and trackers that misbehave; imported by their processes too."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from seer_bench.trackers import Progress, Summary, TrackedRun, Tracker

NOTEBOOK = "notebook.jsonl"


@dataclass
class Notebook(Tracker):
    """Writes what it is told; `vice` misbehaves in the call `at`."""

    at: str = ""
    vice: str = ""

    def start(self, run: TrackedRun) -> str | None:
        self.path = run.path / NOTEBOOK
        self._write("start", id=run.id, group=run.group, name=run.name, config=run.config, folder=str(Path.cwd()))
        return f"in {NOTEBOOK}"

    def result(self, result, progress: Progress) -> None:
        self._write("result", unit=result.unit_id, outcome=result.outcome, numbers=progress.numbers)

    def finish(self, summary: Summary) -> None:
        self._write("finish", complete=summary.complete, numbers=summary.numbers)

    def _write(self, call: str, **facts) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"call": call, **facts}) + "\n")
        if call == self.at:
            os.write(1, b"about to misbehave\n")
            VICES[self.vice]()


def fail() -> None:
    raise ConnectionError("the server\nis away")


VICES = {
    "fail": fail,
    "hang": lambda: time.sleep(3600),
    "dawdle": lambda: time.sleep(1.5),
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(7),
}


class Stubborn(Notebook):
    """Has a thread that keeps its process from ending."""

    def finish(self, summary: Summary) -> None:
        import threading

        super().finish(summary)
        threading.Thread(target=time.sleep, args=(3600,)).start()


class NoTracker:
    """Implements nothing."""


class Unpicklable(Notebook):
    def __init__(self) -> None:
        super().__init__()
        self.lock = lambda: None


def failing() -> Notebook:
    """What the entry point `failing` builds."""
    return Notebook("result", "fail")


def unbuildable() -> Notebook:
    raise ValueError("no such place")
