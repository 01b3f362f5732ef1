"""Films of recorded units, made by replaying their actions: they cost the run nothing and cannot change it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from seer_bench.contracts import Array, Environment, StepResult, Subtask, Unit, UnitResult
from seer_bench.engine import replay, select_units
from seer_bench.errors import SimulationError, StoreError
from seer_bench.registry import load_benchmark
from seer_bench.store import RunData, read_run

DEFAULT_SIZE = 320
"""Height of each camera's picture, pixels."""

FRAMES_PER_SECOND = 20
EVERY = 3
"""Control steps a frame; with 30 steps a second the film runs at twice the robot's speed."""

HOLD = 10
"""Frames for which the last picture stays."""


@dataclass(frozen=True)
class Film:
    """One film that was made, or why it was not."""

    unit: str
    path: Path | None
    note: str

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
        """Film one unit after another in one environment."""
        folder = self.run.path / "videos"
        folder.mkdir(exist_ok=True)
        env = self._environment()
        try:
            for unit in self.units:
                path = folder / f"{unit.slug}_{self.size}px.mp4"
                if path.exists():
                    yield Film(unit.id, path, "(there already)")
                    continue
                result = self.run.results[unit.id]
                film_unit(env, unit, result, self.run.actions(unit.id), path, size=self.size)
                yield Film(unit.id, path, "")
        finally:
            env.close()


def plan_films(path: Path, *, units: str | None, which: Literal["failed", "all"], size: int) -> FilmPlan:
    """Choose the units of a run to film.

    Args:
        path: the run's directory.
        units: as `select_units` reads it; None for all recorded ones.
        which: "failed" leaves out the units that were solved.
        size: height of each camera's picture, pixels.

    Raises:
        StoreError: the run cannot be read, or a unit named in `units` has no outcome.
        UsageError: `units` is no list of units.
    """
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


def film_unit(env: Environment, unit: Unit, result: UnitResult, actions: Array, path: Path, *, size: int) -> None:
    """Replay a unit and write an mp4 beside `path`, renamed when it is whole.

    Raises:
        SimulationError: the replay ends otherwise than the record says, so the film would lie.
    """
    unfinished = path.with_name(f".{path.name}.part.mp4")
    solved: list[bool] = []
    try:
        with _open_writer(unfinished) as write:
            frame: Array | None = None
            for subtask, steps, step in replay(env, unit, actions):
                over = step is not None and step.subtask_over
                if step is not None and over:
                    solved.append(step.solved)
                if over or steps % EVERY == 0:
                    frame = _frame(env, unit, subtask, steps, step, solved, size)
                    write(frame)
            for _ in range(HOLD):
                if frame is not None:
                    write(frame)
        recorded = [s.success for s in result.subtasks]
        if result.error is None and solved != recorded:
            raise SimulationError(
                f"{unit.id}: the replay solves {solved}, the record says {recorded}; this machine or simulator differs "
                f"from the one that recorded the run. Compare with: seer-bench verify {unit.id.split('-')[0]}"
            )
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _open_writer(path: Path) -> Iterator[Callable[[Array], None]]:
    """An H.264 film that plays everywhere; the yielded function adds one frame, and the first one sets the size."""
    import imageio_ffmpeg

    streams: list[Generator[None, Array | None, None]] = []

    def write(frame: Array) -> None:
        if not streams:
            height, width = frame.shape[:2]
            stream = imageio_ffmpeg.write_frames(
                str(path), (width, height), fps=FRAMES_PER_SECOND, codec="libx264", quality=7, macro_block_size=2
            )
            stream.send(None)
            streams.append(stream)
        streams[0].send(np.ascontiguousarray(frame))

    try:
        yield write
    finally:
        for stream in streams:
            stream.close()


def _frame(
    env: Environment, unit: Unit, subtask: Subtask, steps: int, step: StepResult | None, solved: list[bool], size: int
) -> Array:
    """All cameras side by side over a caption: unit, sentence, subtask, step, and how it ended."""
    pictures = list(env.film(size).values())
    picture = np.concatenate(pictures, axis=1)
    line = max(12, size // 20)
    caption = Image.new("RGB", (picture.shape[1], 2 * (line * 9 // 4)), (16, 18, 22))
    draw = ImageDraw.Draw(caption)
    font = ImageFont.load_default(line)
    over = step is not None and step.subtask_over
    verdict, colour = "", (170, 176, 186)
    if step is not None and over:
        verdict, colour = ("solved", (110, 220, 130)) if step.solved else ("not solved", (255, 110, 100))
    marks = f"{sum(solved)} solved"
    draw.text((line // 2, line // 2), textwrap.shorten(subtask.instruction, 70), fill=(240, 240, 240), font=font)
    draw.text(
        (line // 2, line * 2),
        f"{unit.slug}  {subtask.index + 1}: {subtask.task}  step {steps}  {marks}  {env.renderer}  {verdict}",
        fill=colour,
        font=font,
    )
    stacked = np.concatenate([picture, np.asarray(caption)], axis=0)
    return stacked[: stacked.shape[0] // 2 * 2, : stacked.shape[1] // 2 * 2]
