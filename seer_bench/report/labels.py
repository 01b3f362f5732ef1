"""Telling rows apart that would be called the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from seer_bench.report.arms import arm_of_run
from seer_bench.report.counts import RunSummary
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
    names = dict.fromkeys(name for row in traits for name in row)
    varying = [name for name in names if len({row.get(name) for row in traits}) > 1]
    if not varying:
        return list(group)
    return [
        replace(summary, label=plain(f"{summary.label} ({', '.join(_worded(row, varying))})"))
        for summary, row in zip(group, traits, strict=True)
    ]


def _worded(traits: dict[str, str], names: Sequence[str]) -> list[str]:
    """Some traits in words; one that a run lacks is said to be missing."""
    return [traits.get(name, f"no {name}") for name in names]


def _traits(manifest: Manifest) -> dict[str, str]:
    """All that can tell two runs of one label apart, by name, in words."""
    policy = manifest.policy
    return {
        "seed": f"seed {manifest.seed}",
        "checkpoint": f"checkpoint {manifest.checkpoint.sha256[:8] if manifest.checkpoint else 'none'}",
        **{key: f"{key}={value}" for key, value in sorted(policy.options.items())},
        **{f"setting {key}": f"{key} {value}" for key, value in sorted(policy.settings.items())},
        "version": f"{policy.distribution} {policy.version}",
        "chunk": f"chunk {policy.chunk}",
        "batch": f"batch {policy.batch}",
        "threads": f"{policy.threads} threads",
        "fast": "fast" if policy.fast else "not fast",
        "privileged": "privileged" if policy.privileged else "not privileged",
        "backend": f"{manifest.backend} simulator",
        "protocol": f"protocol {manifest.protocol.fingerprint[:8]}",
        # A label leaves out a method that only spells the policy's name.
        "method": f"method={arm_of_run(manifest).method}",
    }
