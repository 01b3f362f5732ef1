"""What a table still lacks: the rows of the paper without a run, each with the command that fills it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from seer_bench.report.arms import HEAD_OF_OURS, Arm, policy_of
from seer_bench.report.served import SERVED

_SAY_THEIR_METHOD = ("seer", "expert", "random")
"""Policies that bring the attribute "method" along; of others nobody knows."""
NOT_PUBLIC = (
    "not run, and nothing public can fill this: of the policies on these encoders neither code nor weights were "
    "published."
)
"""Why the rows of `HEAD_OF_OURS` stay empty."""


@dataclass(frozen=True)
class Wanted:
    """One row of the paper without a run."""

    label: str
    arm: Arm
    benchmark: str
    """Whose run fills it."""
    protocol: str
    """The protocol whose results compare with the paper's."""
    others: tuple[str, ...] = ()
    """Attributes "key=value" of further rows without a run that differ from this one in that attribute alone."""


def fill(wanted: Wanted, policy: str) -> str:
    """The command that fills a row; CHECKPOINT stands for a path that nobody but the reader knows."""
    command = ["seer-bench", "run", wanted.benchmark, "--policy", policy, "--protocol", wanted.protocol]
    command += ["--ckpt", "CHECKPOINT"]
    own = policy in (wanted.arm.method, *_SAY_THEIR_METHOD)
    attributes = wanted.arm.options if own else {"method": wanted.arm.method, **wanted.arm.options}
    for key, value in sorted(attributes.items()):
        command += ["--arm", f"{key}={value}"]
    return shlex.join(command)


def missing_hints(wanted: Iterable[Wanted], policies: Collection[str]) -> list[str]:
    """One hint a row that an installed policy can fill, then one for each reason why others cannot be filled."""
    hints = []
    encoders: list[Wanted] = []
    absent: dict[str, tuple[Wanted, str]] = {}
    unknown: dict[str, Wanted] = {}
    for row in wanted:
        policy = row.arm.method if row.arm.method in policies else policy_of(row.arm.method)
        if row.arm.method in HEAD_OF_OURS and policy == policy_of(row.arm.method):
            encoders.append(row)
        elif policy is None and (served := SERVED.get(row.arm.method)) and served.benchmark == row.benchmark:
            hints.append(served.hint(row.label, policies))
        elif policy is None:
            unknown[row.label] = row
        elif policy not in policies:
            absent[row.label] = (row, policy)
        else:
            first, rest = ("it", "") if not row.others else ("the first", f"; the others with {_either(row.others)}")
            hints.append(f"{row.label}: not run. Fill {first} with: {fill(row, policy)}{rest}")
    if encoders:
        hints.append(_head_of_ours(encoders, policies))
    installed = f"installed are: {', '.join(sorted(policies))}" if policies else "none is"
    if absent:
        names, (row, policy) = _listed(policy for _, policy in absent.values()), next(iter(absent.values()))
        hints.append(
            f"{_listed(absent)}: not run. Policies not installed: {names} ({installed}). A plugin called {policy} "
            f"would fill {row.label} with: {fill(row, policy)}"
        )
    if unknown:
        row = next(iter(unknown.values()))
        hints.append(
            f"{_listed(unknown)}: not run. No policy plugin is known; one of your own, POLICY, would fill {row.label} "
            f"with: {fill(row, 'POLICY')}"
        )
    return hints


def _head_of_ours(rows: Sequence[Wanted], policies: Collection[str]) -> str:
    """Why rows of methods without a public policy stay empty, and what can stand beside them."""
    text = f"{_listed(row.label for row in rows)}: {NOT_PUBLIC}"
    playable = [row for row in rows if policy_of(row.arm.method) in policies]
    if not playable:
        return text
    row, rest = playable[0], [str(policy_of(row.arm.method)) for row in playable[1:]]
    command = f"seer-bench run {row.benchmark} --policy {policy_of(row.arm.method)} --protocol {row.protocol}"
    return (
        f"{text} A row of its own, marked head=ours, comes from a head of ours over {row.arm.method}'s encoder, which "
        f"has to be trained (docs/encoders.md): {command} --ckpt HEAD --policy-arg encoder=FILE"
        + (f"; likewise with --policy {' or '.join(rest)}" if rest else "")
    )


def _either(texts: Sequence[str]) -> str:
    """The texts as a choice."""
    return " or ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _listed(labels: Iterable[str]) -> str:
    """The labels, each once."""
    return ", ".join(dict.fromkeys(labels))
