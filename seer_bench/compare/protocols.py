"""Whether two arms were scored alike, and if not, in what words."""

from __future__ import annotations

import shlex

from seer_bench.compare.arm import ComparedArm
from seer_bench.errors import UsageError
from seer_bench.protocol import differences

_MOST = 20
"""Differences that are listed; the rest is counted."""


def check_same_protocol(a: ComparedArm, b: ComparedArm) -> None:
    """Refuse arms of different protocols.

    Raises:
        UsageError: naming what differs, and what would make them comparable.
    """
    ours, theirs = a.protocol, b.protocol
    if ours.fingerprint == theirs.fingerprint:
        return
    if ours.benchmark != theirs.benchmark:
        raise UsageError(
            f"{a.letter} was played on '{ours.benchmark}' ({ours.name}) and {b.letter} on '{theirs.benchmark}' "
            f"({theirs.name}): other tasks and other robots, so there is no difference between the arms to speak of. "
            "Play both on one benchmark."
        )
    lines = differences(dict(ours.settings), dict(theirs.settings))
    listed = [f"  {line}" for line in lines[:_MOST]]
    if len(lines) > _MOST:
        listed.append(f"  and {len(lines) - _MOST} more")
    if ours.name == theirs.name:
        what = f"{a.letter} and {b.letter} were played on two versions of {ours.name}"
    else:
        what = f"{a.letter} was played on {ours.name} and {b.letter} on {theirs.name}"
    raise UsageError(
        f"{what}, so their scores do not compare: a difference could come from the protocols as well as from the arms. "
        f"What differs (here: {a.letter}, there: {b.letter}):\n"
        + "\n".join(listed)
        + f"\nThey compare once both were played on one protocol, e.g. {b.letter} as well with:\n"
        f"  {_again(a, b)}"
    )


def _again(a: ComparedArm, b: ComparedArm) -> str:
    """The command that plays B on A's protocol, as far as B's manifest knows it."""
    manifest = b.checkpoints[0].manifest
    command = ["seer-bench", "run", a.protocol.benchmark, "--policy", manifest.policy.name]
    command += ["--protocol", a.protocol.name]
    if manifest.checkpoint is not None:
        command += ["--ckpt", manifest.checkpoint.name]
    if manifest.seed:
        command += ["--seed", str(manifest.seed)]
    for option, values in (("--policy-arg", manifest.policy.arguments), ("--arm", manifest.arm)):
        for key, value in sorted(values.items()):
            command += [option, f"{key}={value}"]
    return shlex.join([*command, "--out", "DIRECTORY"])
