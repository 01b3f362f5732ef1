"""Films of recorded units, made by replaying their actions: they cost the run nothing and cannot change it."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from seer_bench.contracts import Array, Environment, StepResult, Subtask, SubtaskResult, Unit, UnitResult
from seer_bench.engine import replay, select_units
from seer_bench.errors import PolicyError, SimulationError, StoreError, UsageError
from seer_bench.registry import load_benchmark
from seer_bench.store import RunData, read_run

DEFAULT_SIZE = 320
"""Height of each camera's picture, pixels."""

SMALLEST, LARGEST = 64, 2048
"""Heights that can be asked for, pixels."""

FRAMES_PER_SECOND = 20
EVERY = 3
"""Control steps a frame; with 30 or 20 steps a second the film runs at two or three times the robot's speed."""

HOLD = 10
"""Frames for which the last picture stays."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG)


@dataclass(frozen=True)
class Film:
    """One film that was made, or why it was not."""

    unit: str
    path: Path | None
    """None where no film could be made."""
    note: str
    """Why there is none; else a remark, or nothing."""

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.unit}: {self.path} {self.note}".rstrip() if self.path else f"{self.unit}: {self.note}"


@dataclass(frozen=True)
class FilmPlan:
    """Which units of a run are filmed, and where to."""

    run: RunData
    units: tuple[Unit, ...]
    size: int
    _environment: Callable[[], Environment]

    def make(self) -> Iterator[Film]:
        """Film one unit after another in one environment; one that cannot be filmed does not keep back the others.

        Raises:
            StoreError: a film cannot be written, e.g. because the disk is full.
        """
        folder = self.run.path / "videos"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _cannot_film(folder, error.strerror) from error
        env = self._environment()
        try:
            for unit in self.units:
                path = folder / f"{unit.slug}_{self.size}px.mp4"
                if path.exists():
                    yield Film(unit.id, path, "(there already)")
                else:
                    yield self._make_one(env, unit, path)
        finally:
            env.close()

    def _make_one(self, env: Environment, unit: Unit, path: Path) -> Film:
        """Film a unit, or say why it cannot be filmed."""
        try:
            actions = self.run.actions(unit.id)
        except StoreError as error:
            return Film(unit.id, None, f"not filmed: {error}")
        try:
            chain = self.run.manifest.protocol.chain_length > 1
            film_unit(env, unit, self.run.results[unit.id], actions, path, size=self.size, chain=chain)
        except (SimulationError, PolicyError) as error:
            verify = f"seer-bench verify {self.run.manifest.protocol.benchmark}"
            return Film(unit.id, None, f"not filmed: {error} Check this machine with: {verify}")
        return Film(unit.id, path, "")


def plan_films(path: Path, *, units: str | None, which: Literal["failed", "all"], size: int) -> FilmPlan:
    """Choose the units of a run to film.

    Args:
        path: the run's directory.
        units: as `select_units` reads it; None for all recorded ones.
        which: "failed" leaves out the units that were solved.
        size: height of each camera's picture, pixels.

    Raises:
        StoreError: the run cannot be read, or a unit named in `units` has no outcome.
        UsageError: `units` is no list of units, or `size` is out of range.
    """
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"--size {size}: a picture's height is {SMALLEST} to {LARGEST} pixels.")
    data = read_run(path)
    protocol = data.manifest.protocol
    benchmark = load_benchmark(protocol.benchmark)
    chosen = select_units(benchmark.units(protocol), units)
    played = {unit_id: r for unit_id, r in data.results.items() if r.outcome != "error"}
    if units is not None and which == "all" and (missing := [u.id for u in chosen if u.id not in played]):
        raise StoreError(f"{path}: {missing[0]} has no recorded outcome, so there is nothing to film.")
    wanted = [u for u in chosen if u.id in played and (which == "all" or played[u.id].outcome == "failure")]
    return FilmPlan(
        run=data,
        units=tuple(wanted),
        size=size,
        _environment=lambda: benchmark.make_env(protocol, cameras="any", backend=data.manifest.backend),
    )


def film_unit(
    env: Environment, unit: Unit, result: UnitResult, actions: Array, path: Path, *, size: int, chain: bool
) -> None:
    """Replay a unit and write an mp4 beside `path`, renamed when it is whole.

    Args:
        env: the simulator, of the protocol that the unit was played on.
        unit: what to replay.
        result: how it ended when it was recorded.
        actions: the recorded actions (T, dim).
        path: the film.
        size: height of each camera's picture, pixels.
        chain: a unit may have several subtasks, so captions count them.

    Raises:
        SimulationError: the replay ends otherwise than the record says, so the film would lie.
        StoreError: the film cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.part.mp4")
    played: dict[int, SubtaskResult] = {}
    try:
        with _open_writer(unfinished) as write:
            frame: Array | None = None
            for subtask, steps, step in replay(env, unit, actions):
                over = step is not None and step.subtask_over
                if step is not None:
                    played[subtask.index] = SubtaskResult(subtask.task, subtask.instruction, step.solved, steps)
                if over or steps % EVERY == 0:
                    solved = sum(s.success for s in played.values()) if chain else None
                    facts = caption(unit, subtask, steps, solved, env.renderer)
                    frame = _frame(env.film(size), subtask.instruction, facts, step, size)
                    write(frame)
            for _ in range(HOLD):
                if frame is not None:
                    write(frame)
        # A subtask in which no step was taken, because the policy failed at once, leaves nothing to replay.
        again, recorded = _worded(played.values()), _worded(s for s in result.subtasks if s.steps)
        if again != recorded:
            raise SimulationError(
                f"{unit.id}: the replay gives {again}; the record says {recorded}. This machine or simulator differs "
                "from the one that recorded the run."
            )
        try:
            unfinished.replace(path)
        except OSError as error:
            raise _cannot_film(path, error.strerror) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _worded(subtasks: Iterable[SubtaskResult]) -> str:
    """What happened in each subtask, in words."""
    return ", ".join(f"{s.task} {'solved' if s.success else 'not solved'} in {s.steps}" for s in subtasks) or "nothing"


def _cannot_film(path: Path, reason: str | None) -> StoreError:
    """What to say when a film cannot be written."""
    run = path.parent if path.name == "videos" else path.parent.parent
    return StoreError(
        f"{path}: cannot be written: {reason or 'unknown reason'}. The records are not affected. Make room, or make it "
        f"writable, and repeat: seer-bench video {shlex.quote(str(run))}"
    )


@contextmanager
def _open_writer(path: Path) -> Iterator[Callable[[Array], None]]:
    """An H.264 film that plays everywhere; the yielded function adds one frame, and the first one sets the size.

    Raises:
        StoreError: the film could not be written whole.
    """
    films: list[subprocess.Popen[bytes]] = []

    def write(frame: Array) -> None:
        if not films:
            films.append(_start_ffmpeg(path, *frame.shape[:2]))
        pipe = films[0].stdin
        assert pipe is not None  # noqa: S101 - it is a pipe, for the type checker
        try:
            pipe.write(np.ascontiguousarray(frame).data)
        except OSError as error:  # it ended before the film did, and says why
            raise _cannot_film(path, _end_ffmpeg(films[0])) from error

    try:
        yield write
        if films and (reason := _end_ffmpeg(films[0])):
            raise _cannot_film(path, reason)
    finally:
        for film in films:
            if film.poll() is None:
                film.kill()
            with suppress(OSError, ValueError):
                film.communicate()


def _start_ffmpeg(path: Path, height: int, width: int) -> subprocess.Popen[bytes]:
    """The encoder, reading RGB frames; not through `imageio_ffmpeg.write_frames`, which hides how it ended."""
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        path.open("wb").close()
    except OSError as error:
        raise _cannot_film(path, error.strerror) from error
    picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FRAMES_PER_SECOND)]
    coding = ["-an", "-c:v", "libx264", "-crf", "15", "-pix_fmt", "yuv420p"]
    command = [get_ffmpeg_exe(), "-y", "-v", "error", *picture, "-i", "-", *coding, str(path)]
    pipe = subprocess.PIPE
    # In a session of its own, so that Ctrl-C reaches us alone.
    return subprocess.Popen(command, stdin=pipe, stderr=pipe, start_new_session=True)  # noqa: S603 - no shell


def _end_ffmpeg(film: subprocess.Popen[bytes]) -> str:
    """End a film; why it is not whole, or nothing."""
    try:
        _, said = film.communicate()
    except OSError:
        said = b""
    if film.returncode == 0:
        return ""
    lines = said.decode(errors="replace").strip().splitlines()
    known = next((line for line in lines if any(os.strerror(code) in line for code in _DISK_ERRORS)), "")
    return (known or (lines[-1] if lines else f"ffmpeg ended with code {film.returncode}")).rstrip(".")


def caption(unit: Unit, subtask: Subtask, steps: int, solved: int | None, renderer: str) -> str:
    """Where a film is; of a chain with the subtask's number and how many are `solved`. Long names come last."""
    number = "" if solved is None else f"{subtask.index + 1}: "
    count = "" if solved is None else f"{solved} solved  "
    return f"{unit.slug}  step {steps}  {count}{renderer}  {number}{subtask.task}"


def _frame(pictures: Mapping[str, Array], sentence: str, facts: str, step: StepResult | None, size: int) -> Array:
    """All cameras side by side over a caption: sentence, facts, and how the subtask ended."""
    picture = np.concatenate(list(pictures.values()), axis=1)
    line = max(12, size // 20)
    strip = Image.new("RGB", (picture.shape[1], 2 * (line * 9 // 4)), (16, 18, 22))
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(line)
    verdict, colour = "", (170, 176, 186)
    if step is not None and step.subtask_over:
        verdict, colour = ("solved", (110, 220, 130)) if step.solved else ("not solved", (255, 110, 100))
    margin, width = line // 2, strip.width - line
    draw.text((margin, margin), fit(sentence, font, width), fill=(240, 240, 240), font=font)
    ending = f"  {verdict}" if verdict else ""
    draw.text(
        (margin, line * 2),
        fit(facts, font, width - font.getlength(ending)) + ending,
        fill=colour,
        font=font,
    )
    stacked = np.concatenate([picture, np.asarray(strip)], axis=0)
    return stacked[: stacked.shape[0] // 2 * 2, : stacked.shape[1] // 2 * 2]


def fit(text: str, font: Font, width: float) -> str:
    """As much of a text as fits into `width` pixels, cut text ending with "..."."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..." if text else ""
