"""Clips of failures: the subtask that broke, with what the replay can measure beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from PIL import Image
from threadpoolctl import threadpool_limits

from seer_bench.contracts import Environment, Unit
from seer_bench.errors import InvalidActionError, SimulationError, StoreError
from seer_bench.registry import load_benchmark
from seer_bench.store import RunData
from seer_bench.store.videos import clip_files, read_trace, write_trace
from seer_bench.video.encoder import SMALL, cannot_film
from seer_bench.video.films import Film, film_unit
from seer_bench.video.watcher import Narrator, Watcher, load_narrator

SIZE = 256
"""Height of each camera's picture in a clip, pixels."""


def make_clips(run: RunData, units: Sequence[str]) -> Iterator[Film]:
    """Film the broken subtask of failed units, one after another; clips that are there already are not made again.

    Args:
        run: what holds the units; after a merge each clip is kept in the directory that its unit was read from.
        units: ids of failed units.

    Yields:
        One film a unit; one that cannot be made says why, and does not keep back the others.

    Raises:
        StoreError: a clip cannot be written, e.g. because the disk is full.
        SeerBenchError: the benchmark or its simulator cannot be had on this machine.
    """
    wanted = []
    for unit_id in units:
        if read_trace(run.origins[unit_id], run.results[unit_id]) is None:
            wanted.append(unit_id)
        else:
            yield Film(unit_id, clip_files(run.origins[unit_id], unit_id).film, "(there already)")
    if not wanted:
        return
    manifest = run.manifest
    benchmark = load_benchmark(manifest.protocol.benchmark)
    by_id = {unit.id: unit for unit in benchmark.units(manifest.protocol)}
    with ExitStack() as closing:
        closing.enter_context(threadpool_limits(manifest.policy.threads))
        narrator = load_narrator(manifest, benchmark.interface(manifest.protocol))
        if narrator is not None:
            closing.callback(narrator.close)
        env = benchmark.make_env(manifest.protocol, cameras="any", backend=manifest.backend)
        closing.callback(env.close)
        for unit_id in wanted:
            yield _make_one(run, env, narrator, by_id[unit_id])


def _make_one(run: RunData, env: Environment, narrator: Narrator | None, unit: Unit) -> Film:
    """Make one clip, or say why there is none."""
    result, folder = run.results[unit.id], run.origins[unit.id]
    broken = next(i for i, subtask in enumerate(result.subtasks) if not subtask.success)
    if not result.subtasks[broken].steps:
        return Film(unit.id, None, "no clip: no step was taken in the broken subtask")
    try:
        actions = run.actions(unit.id)
    except StoreError as error:
        return Film(unit.id, None, f"no clip: {error}")
    if narrator is not None:
        narrator.begin(env, unit, actions)
    watcher = Watcher(env, broken, narrator)
    files = clip_files(folder, unit.id)
    try:
        files.film.parent.mkdir(exist_ok=True)
        files.trace.unlink(missing_ok=True)  # an older one must not vouch for half a clip
        chain = run.manifest.protocol.chain_length > 1
        look = watcher.look
        picture = film_unit(
            env, unit, result, actions, files.film, size=SIZE, chain=chain, first=broken, quality=SMALL, watch=look
        )
        if picture is not None:
            Image.fromarray(picture).save(files.picture, quality=85)
        write_trace(folder, watcher.trace(unit.id, result.actions_sha256 or ""))
    except (SimulationError, InvalidActionError) as error:
        verify = f"seer-bench verify {run.manifest.protocol.benchmark}"
        return Film(unit.id, None, f"no clip: {error} Check this machine with: {verify}")
    except OSError as error:
        raise cannot_film(files.film, error.strerror) from error
    return Film(unit.id, files.film, "")
