"""Telling rows apart that would be called the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from seer_bench.report.counts import RunSummary, pairs
from seer_bench.report.document import plain
from seer_bench.store import Manifest

Summary = TypeVar("Summary", bound=RunSummary)


def with_distinct_labels(summaries: Sequence[Summary]) -> list[Summary]:
    """Add to equal labels on one protocol whatever tells the runs apart, and nothing else; the order stays."""
    alike: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for position, summary in enumerate(summaries):
        alike[summary.label, summary.protocol.name].append(position)
    labelled = list(summaries)
    for positions in alike.values():
        for position, summary in zip(positions, _told_apart([summaries[i] for i in positions]), strict=True):
            labelled[position] = summary
    return labelled


def _told_apart(group: Sequence[Summary]) -> list[Summary]:
    """Summaries of one label, with the traits that differ among them in brackets."""
    if len(group) == 1:
        return list(group)
    traits = [_traits(summary.manifest) for summary in group]
    varying = [i for i in range(len(traits[0])) if len({row[i] for row in traits}) > 1]
    if not varying:
        return list(group)
    return [
        replace(summary, label=plain(f"{summary.label} ({', '.join(row[i] for i in varying)})"))
        for summary, row in zip(group, traits, strict=True)
    ]


def _traits(manifest: Manifest) -> tuple[str, ...]:
    """All that can tell two runs of one label apart, worded."""
    checkpoint = manifest.checkpoint.sha256[:8] if manifest.checkpoint else "none"
    return (
        f"seed {manifest.seed}",
        f"checkpoint {checkpoint}",
        f"options {pairs(manifest.policy.options) or 'none'}",
        f"{manifest.policy.distribution} {manifest.policy.version}",
        f"chunk {manifest.policy.chunk}",
        f"{manifest.backend} simulator",
        f"protocol {manifest.protocol.fingerprint[:8]}",
    )
