"""The failures of a run as a page shows them: by the task where they broke, each with what can be told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from seer_bench.errors import StoreError
from seer_bench.report.counts import RunSummary
from seer_bench.report.document import plain
from seer_bench.report.pages.charts import action_tracks, tracks
from seer_bench.report.pages.details import Failure, RunDetails, read_details, round_robin
from seer_bench.report.pages.svg import Svg
from seer_bench.report.records import csv_text
from seer_bench.store.actions import read_actions
from seer_bench.store.videos import Series, Trace, begins_at, clip_files, clips_of, films_of, read_trace

LISTED = 10
"""Failures of one task that are listed; all that are kept stand in the CSV file."""
CHARTED = 40
"""Failures of one run whose actions are drawn, clips or not."""
CLIPS = 36
"""Clips and films of one run that a report shows."""

_BODIES = 4
"""Bodies that one chart of distances shows."""
_MOVED = 0.005
"""Metres or radians below which nothing has moved."""


@dataclass(frozen=True)
class Clip:
    """A moving picture of a failure."""

    film: Path
    picture: Path | None
    """Shown before it plays, and in print; None where there is none."""
    begins: float
    """Second at which the broken subtask begins."""
    trace: Trace | None
    """What was measured; None for a film of the whole unit."""


@dataclass(frozen=True)
class Entry:
    """One failure in detail."""

    failure: Failure
    clip: Clip | None
    actions: Svg | None
    without: str
    """Why there is no chart of the actions."""
    near: Svg | None
    moved: Svg | None
    joints: Svg | None
    still: bool
    """It was measured that nothing moved."""
    plan: tuple[tuple[str, str], ...]
    """Steps, and what the policy said it was about."""


@dataclass(frozen=True)
class Section:
    """All that broke at one task."""

    task: str
    broken: int
    attempts: int
    faults: int
    entries: tuple[Entry, ...]
    """In detail."""
    listed: tuple[Failure, ...]
    """In one line each."""
    more: int
    """Neither; the CSV file has them, or the first of them."""


def units_to_film(summary: RunSummary, count: int) -> list[str]:
    """Ids of the failed units whose clips show most: one of each task in turn, those in which a step was taken."""
    details = read_details(summary)
    failures = () if details is None else round_robin(details.groups)
    return [failure.result.unit_id for failure in islice((f for f in failures if f.steps), count)]


def build_gallery(details: RunDetails) -> tuple[Section, ...]:
    """The sections of a run's page of failures, those with most failures first."""
    clips = _find_clips(details)
    charted = [*(f for f in round_robin(details.groups) if f.slug in clips)]
    firsts = [group.failures[0] for group in details.groups if group.failures]
    shown = {f.slug for f in charted} | {f.slug for f in firsts[: max(0, CHARTED - len(charted))]}
    sections = []
    for group in details.groups:
        entries = [_entry(f, clips.get(f.slug), details) for f in group.failures if f.slug in shown]
        listed = [f for f in group.failures if f.slug not in shown][:LISTED]
        more = group.broken - len(entries) - len(listed)
        sections.append(
            Section(group.task, group.broken, group.attempts, group.faults, tuple(entries), tuple(listed), more)
        )
    return tuple(sections)


def failures_csv(details: RunDetails) -> str:
    """One line a failure that is kept."""
    lines = [
        {
            "unit": failure.result.unit_id,
            "task": failure.task,
            "position": failure.position + 1,
            "instruction": failure.sentence,
            "steps": failure.steps,
            "steps_before": failure.steps_before,
            "policy_error": failure.fault,
            "run": str(failure.origin),
        }
        for group in details.groups
        for failure in group.failures
    ]
    columns = ["unit", "task", "position", "instruction", "steps", "steps_before", "policy_error", "run"]
    return csv_text(columns, lines)


def _find_clips(details: RunDetails) -> Mapping[str, Clip]:
    """Clips and films that are there, by the unit's slug, at most `CLIPS`."""
    there = {path: (films_of(path), clips_of(path)) for path in details.summary.paths}
    found: dict[str, Clip] = {}
    for failure in round_robin(details.groups):
        if len(found) == CLIPS:
            break
        films, clips = there[failure.origin]
        trace = read_trace(failure.origin, failure.result) if failure.slug in clips else None
        if trace is not None:
            files = clip_files(failure.origin, failure.result.unit_id)
            found[failure.slug] = Clip(files.film, files.picture, 0.0, trace)
        elif film := films.get(failure.slug):
            begins = begins_at(failure.result.subtasks[: failure.position])
            found[failure.slug] = Clip(film, None, begins, None)
    return found


def _entry(failure: Failure, clip: Clip | None, details: RunDetails) -> Entry:
    """Everything about one failure."""
    trace = clip.trace if clip else None
    last = failure.steps
    actions, without = _actions(failure, details)
    near = None if trace is None else _chart("Distance from the gripper", _nearest(trace.near), trace, last, " cm", 100)
    moved = None if trace is None else _chart("Displacement", _changed(trace.moved), trace, last, " cm", 100)
    joints = None if trace is None else _chart("Change of joints", _changed(trace.joints), trace, last, "", 1)
    return Entry(
        failure=failure,
        clip=clip,
        actions=actions,
        without=without,
        near=near,
        moved=moved,
        joints=joints,
        still=trace is not None and moved is None and joints is None,
        plan=() if trace is None else _plan(trace, last),
    )


def _actions(failure: Failure, details: RunDetails) -> tuple[Svg | None, str]:
    """A chart of the broken subtask's actions, or why there is none."""
    if not failure.steps:
        return None, "No step of this subtask is recorded."
    try:
        actions = read_actions(failure.origin, failure.result)[failure.steps_before :]
    except StoreError as error:
        return None, plain(f"No actions: {error}")
    if not len(actions):
        return None, "No actions are recorded for this subtask."
    settings = details.summary.protocol.settings.get("action")
    kind = str(settings.get("kind", "")) if isinstance(settings, Mapping) else ""
    return action_tracks(actions, kind), ""


def _chart(title: str, series: Series, trace: Trace, last: int, unit: str, scale: float) -> Svg | None:
    """Some of what was measured; None where there is nothing."""
    if not series:
        return None
    scaled = {name: [scale * value for value in values] for name, values in series.items()}
    return tracks(scaled, trace.steps, label=title, unit=unit, last=last)


def _nearest(series: Series) -> Series:
    """The bodies that the gripper came closest to."""
    names = sorted(series, key=lambda name: (min(series[name], default=0.0), name))[:_BODIES]
    return {name: series[name] for name in names}


def _changed(series: Series) -> Series:
    """What changed most, of that which changed at all."""
    most = {name: max(map(abs, values), default=0.0) for name, values in series.items()}
    names = sorted((name for name in series if most[name] > _MOVED), key=lambda name: (-most[name], name))
    return {name: series[name] for name in names[:_BODIES]}


def _plan(trace: Trace, last: int) -> tuple[tuple[str, str], ...]:
    """What the policy said, each with the steps from the first to the last one for which it held."""
    starts = [start for start, _ in trace.plan]
    ends = [*starts[1:], last][: len(starts)]
    texts = [text for _, text in trace.plan]
    return tuple((f"{a + 1}–{max(b, a + 1)}", text) for a, b, text in zip(starts, ends, texts, strict=True))
