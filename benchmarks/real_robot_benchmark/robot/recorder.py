"""Films of every camera and the executed actions of one attempt, written beside the control loop."""

from __future__ import annotations

import io
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from real_robot_benchmark.robot.io import Reading
from real_robot_benchmark.robot.rate import HERTZ
from seer_bench.contracts import Array
from seer_bench.errors import StoreError
from seer_bench.store import write_atomic
from seer_bench.store.videos import FRAMES_PER_SECOND
from seer_bench.video.encoder import open_writer

RECORDINGS = "recordings"
"""Folder of all recordings in a campaign's folder."""
ACTIONS = "actions.npy"
_QUEUE = 30
"""Readings that may wait for the encoder: 2 s."""
_SAVE_EVERY = 15
"""Actions after which they are saved: a power cut costs one second."""

_log = logging.getLogger(__name__)


class Recorder:
    """Writes `recordings/NNNN-A/`: `actions.npy` (T, 7) float64, and a film a camera that plays in real time.

    Args:
        folder: the campaign's.
        number: of the trial.
        attempt: of the trial.
        films: whether to film.
        patient: wait for the encoder instead of leaving pictures out; for time that is simulated.
    """

    def __init__(self, folder: Path, number: int, attempt: int, *, films: bool = True, patient: bool = False) -> None:
        self.path = _new_folder(folder / RECORDINGS, f"{number:04d}-{attempt}")
        self._root = folder
        self._films, self._patient = films, patient
        self._actions: list[Array] = []
        self._cameras: set[str] = set()
        self._beats = 0
        self._queue: queue.Queue[tuple[int, Reading | None, Array | None] | None] = queue.Queue(_QUEUE)
        self.left_out = 0
        """Pictures that the encoder was too slow for."""
        self.fault = ""
        """Why something was not recorded."""
        self.save()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def actions(self) -> str:
        """Path of the actions, relative to the campaign."""
        return (self.path / ACTIONS).relative_to(self._root).as_posix()

    @property
    def steps(self) -> int:
        """Executed actions."""
        return len(self._actions)

    def add(self, reading: Reading, action: Array, beats: int = 1) -> None:
        """An executed action, the reading that it answers, and the beats that have passed since the one before."""
        self._actions.append(np.array(action, np.float64))
        self._beats += beats
        self._cameras |= set(reading.cameras) if self._films else set()
        save = np.stack(self._actions) if len(self._actions) % _SAVE_EVERY == 0 else None
        self._put((self._beats, reading if self._films else None, save))

    def close(self) -> None:
        """Finish all files; closing twice is fine."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
            self.save()

    def videos(self) -> dict[str, str]:
        """Camera -> path of its film, relative to the campaign; the films are whole after `close`."""
        folder = self.path.relative_to(self._root).as_posix()
        return {camera: f"{folder}/{camera}.mp4" for camera in sorted(self._cameras)}

    def save(self) -> None:
        """Write the actions so far."""
        self._save(np.stack(self._actions) if self._actions else np.zeros((0, 7)))

    def _put(self, item: tuple[int, Reading | None, Array | None]) -> None:
        """Hand over to the writing thread."""
        if self._patient:
            self._queue.put(item)
            return
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.left_out += 1

    def _save(self, actions: Array) -> None:
        """Write the actions whole, or keep why not."""
        content = io.BytesIO()
        np.save(content, actions)
        try:
            write_atomic(self.path / ACTIONS, content.getvalue())
        except StoreError as error:
            self._report(f"actions: {error}")

    def _run(self) -> None:
        """Write until closed."""
        try:
            with ExitStack() as films:
                self._film(films)
            for part in self.path.glob(".*.mp4"):
                part.rename(part.with_name(part.name.lstrip(".")))
        except Exception as error:
            self._report(f"films: {error}")
            while self._queue.get() is not None:  # so that nobody waits for room
                pass

    def _film(self, open_films: ExitStack) -> None:
        """Write what comes; a picture is repeated so often that the film keeps time."""
        films: dict[str, Callable[[Array], None]] = {}
        written: dict[str, int] = {}
        while (item := self._queue.get()) is not None:
            beats, reading, actions = item
            if actions is not None:
                self._save(actions)
            due = round(beats * FRAMES_PER_SECOND / HERTZ)
            for name, frame in reading.cameras.items() if reading else ():
                if name not in films:
                    films[name] = open_films.enter_context(open_writer(self.path / f".{name}.mp4"))
                for _ in range(due - written.get(name, 0)):
                    films[name](frame.image)
                written[name] = due

    def _report(self, fault: str) -> None:
        """Keep the first fault."""
        self.fault = self.fault or fault
        _log.warning("recording: %s", fault)


def _new_folder(parent: Path, name: str) -> Path:
    """A new folder; raises StoreError."""
    try:
        parent.mkdir(exist_ok=True)
        for number in range(1, 1000):
            path = parent / (name if number == 1 else f"{name}-{number}")
            if not path.exists():
                path.mkdir()
                return path
    except OSError as error:
        raise StoreError(f"{parent}: cannot be written: {error.strerror or error}.") from error
    raise StoreError(f"{parent}: {name} is there a thousand times.")
