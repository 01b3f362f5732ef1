"""Which units of a run are filmed, and the filming of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from threadpoolctl import threadpool_limits

from seer_bench.contracts import Array, Environment, Policy, StepResult, Subtask, SubtaskResult, Unit, UnitResult
from seer_bench.conventions import Interface
from seer_bench.engine import replay, select_units
from seer_bench.errors import InvalidActionError, PolicyError, SimulationError, StoreError, UsageError
from seer_bench.registry import load_benchmark
from seer_bench.store import RunData, read_run
from seer_bench.store.videos import is_shown
from seer_bench.video.encoder import FINE, cannot_film, open_writer
from seer_bench.video.foresight import ForesightRequest, Onlooker
from seer_bench.video.picture import HOLD, LARGEST, SMALLEST, caption, draw_frame


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
    foresight: ForesightRequest | None
    """Show what the policy expected; None for films of what happened alone."""
    _environment: Callable[[], Environment]
    _interface: Interface

    def make(self) -> Iterator[Film]:
        """Film one unit after another in one environment; one that cannot be filmed does not keep back the others.

        Raises:
            UsageError: the policy whose foresight is to be shown cannot be built, or has none.
            StoreError: a film cannot be written, e.g. because the disk is full.
        """
        manifest = self.run.manifest
        with ExitStack() as closing:
            policy: Policy | None = None
            if self.foresight is not None:
                policy = self.foresight.load(manifest, self._interface)
                closing.callback(policy.close)
                closing.enter_context(threadpool_limits(self.foresight.threads_of(manifest)))
            folder = self.run.path / "videos"
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise cannot_film(folder, error.strerror) from error
            env = self._environment()
            closing.callback(env.close)
            for unit in self.units:
                suffix = "" if policy is None else "_foresight"
                path = folder / f"{unit.slug}_{self.size}px{suffix}.mp4"
                if path.exists():
                    yield Film(unit.id, path, "(there already)")
                else:
                    yield self._make_one(env, policy, unit, path)

    def _make_one(self, env: Environment, policy: Policy | None, unit: Unit, path: Path) -> Film:
        """Film a unit, or say why it cannot be filmed."""
        try:
            actions = self.run.actions(unit.id)
        except StoreError as error:
            return Film(unit.id, None, f"not filmed: {error}")
        manifest, result = self.run.manifest, self.run.results[unit.id]
        chain = manifest.protocol.chain_length > 1
        onlooker = None
        if policy is not None:
            lengths = [subtask.steps for subtask in result.subtasks]
            onlooker = Onlooker(policy, env, unit, actions, lengths, manifest)
        try:
            film_unit(env, unit, result, actions, path, size=self.size, chain=chain, onlooker=onlooker)
        except (SimulationError, InvalidActionError) as error:
            verify = f"seer-bench verify {manifest.protocol.benchmark}"
            return Film(unit.id, None, f"not filmed: {error} Check this machine with: {verify}")
        except (PolicyError, MemoryError) as error:
            return Film(unit.id, None, f"not filmed: the policy, asked again, failed: {error}")
        return Film(unit.id, path, "" if onlooker is None else onlooker.note(chain=chain))


def plan_films(
    path: Path,
    *,
    units: str | None,
    which: Literal["failed", "all"],
    size: int,
    foresight: ForesightRequest | None = None,
) -> FilmPlan:
    """Choose the units of a run to film.

    Args:
        path: the run's directory.
        units: as `select_units` reads it; None for all recorded ones.
        which: "failed" leaves out the units that were solved.
        size: height of each camera's picture, pixels.
        foresight: also show what the policy expected; asks the policy once more.

    Raises:
        StoreError: the run cannot be read, or a unit named in `units` has no outcome.
        UsageError: `units` is no list of units, `size` is out of range, or the checkpoint is not the run's.
    """
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"--size {size}: a picture's height is {SMALLEST} to {LARGEST} pixels.")
    data = read_run(path)
    if foresight is not None:
        foresight.check(data.manifest)
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
        foresight=foresight,
        _environment=lambda: benchmark.make_env(protocol, cameras="any", backend=data.manifest.backend),
        _interface=benchmark.interface(protocol),
    )


def film_unit(
    env: Environment,
    unit: Unit,
    result: UnitResult,
    actions: Array,
    path: Path,
    *,
    size: int,
    chain: bool,
    onlooker: Onlooker | None = None,
    first: int = 0,
    quality: int = FINE,
    watch: Callable[[Subtask, int, StepResult | None], None] = lambda *_: None,
) -> Array | None:
    """Replay a unit and write an mp4 beside `path`, renamed when it is whole.

    Args:
        env: the simulator, of the protocol that the unit was played on.
        unit: what to replay.
        result: how it ended when it was recorded.
        actions: the recorded actions (T, dim).
        path: the film.
        size: height of each camera's picture, pixels.
        chain: a unit may have several subtasks, so captions count them.
        onlooker: says what the policy expected; None leaves that out.
        first: position of the subtask with which the film begins.
        quality: as `open_writer` takes it.
        watch: called after every step with the subtask, the steps taken in it and the step's result, which is None
            for the start state.

    Returns:
        The last picture (height, width, 3), uint8; None where nothing was shown.

    Raises:
        SimulationError: the replay ends otherwise than the record says, so the film would lie.
        PolicyError: the policy that the onlooker asks failed.
        StoreError: the film cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.part.mp4")
    played: dict[int, SubtaskResult] = {}
    try:
        with open_writer(unfinished, quality) as write:
            frame: Array | None = None
            for subtask, steps, step in replay(env, unit, actions):
                if step is not None:
                    played[subtask.index] = SubtaskResult(subtask.task, subtask.instruction, step.solved, steps)
                watch(subtask, steps, step)
                expected = [] if onlooker is None else onlooker.look(subtask, steps, step)
                over = step is not None and step.subtask_over
                if subtask.index >= first and is_shown(steps, steps if over else None):
                    solved = sum(s.success for s in played.values()) if chain else None
                    facts = caption(unit, subtask, steps, solved, env.renderer)
                    frame = draw_frame(env.film(size), expected, subtask.instruction, facts, step, size)
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
            raise cannot_film(path, error.strerror) from error
        return frame
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _worded(subtasks: Iterable[SubtaskResult]) -> str:
    """What happened in each subtask, in words."""
    return ", ".join(f"{s.task} {'solved' if s.success else 'not solved'} in {s.steps}" for s in subtasks) or "nothing"
