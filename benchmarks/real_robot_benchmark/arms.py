"""The policies of a campaign, as the command line names them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from real_robot_benchmark.records import slug
from real_robot_benchmark.seal import Arm
from seer_bench.arms import check_arm
from seer_bench.errors import UnknownNameError, UsageError
from seer_bench.registry import POLICIES, PluginInfo, plugins
from seer_bench.report.arms import HEAD_OF_OURS
from seer_bench.report.paper_real_robot import load_real_robot_table
from seer_bench.store import CheckpointId, checkpoint_sha256

ELSEWHERE = "not installed"
"""Distribution of a policy that runs on another machine."""

LABEL = re.compile(r"[A-Za-z0-9][\w.+-]{0,39}(/[\w.+-]{1,40})?")
LABEL_RULE = (
    "names are letters, digits and . _ + -, one / may stand between the policy and what tells two arms of it apart, as "
    "in seer/20-demos"
)
"""What `LABEL` says, in words."""


def parse_arms(policies: Sequence[str], attributes: Sequence[str] = (), options: Sequence[str] = ()) -> list[Arm]:
    """Read `--policies`, `--arm` and `--policy-arg`.

    Args:
        policies: NAME, NAME=CHECKPOINT, NAME/WORDS or NAME/WORDS=CHECKPOINT; WORDS tell two arms of one policy apart.
        attributes: LABEL:KEY=VALUE; a KEY=VALUE is for all.
        options: the same, for the policies.

    Raises:
        UsageError: a text is of another form, a label comes twice, or attributes fit no row.
        CheckpointError: a checkpoint cannot be read.
    """
    if not policies:
        raise UsageError("no policy. Name at least one: --policies NAME=CHECKPOINT")
    given = [_split(text) for text in policies]
    labels = [label for label, _ in given]
    check_labels(labels)
    told, set_up = _sort(attributes, labels, "--arm"), _sort(options, labels, "--policy-arg")
    installed = plugins(POLICIES)
    return [make_arm(label, path, told[label], set_up[label], installed) for label, path in given]


def make_arm(
    label: str,
    path: str = "",
    attributes: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    installed: Mapping[str, PluginInfo] | None = None,
) -> Arm:
    """One policy; raises as `parse_arms`."""
    policy = label.partition("/")[0]
    info = (installed or {}).get(policy)
    row = {**_usual_row(policy), **(attributes or {})}
    check_arm(row, source=f"--arm {label}:...")
    return Arm(
        label=label,
        policy=policy,
        distribution=info.distribution if info else ELSEWHERE,
        version=info.version if info else "",
        checkpoint=CheckpointId(Path(path).name, checkpoint_sha256(Path(path))) if path else None,
        path=path,
        attributes=row,
        options=dict(options or {}),
    )


def check_labels(labels: Sequence[str]) -> None:
    """Refuse labels that are none, come twice or share a directory; raises UsageError."""
    taken: dict[str, str] = {}
    for label in labels:
        if not LABEL.fullmatch(label):
            raise UsageError(f"--policies: '{label}' is no name; {LABEL_RULE}.")
        name = slug(label).lower()
        if name in taken:
            raise UsageError(
                f"--policies: '{taken[name]}' and '{label}' cannot be told apart. Give two arms of one policy "
                "names such as seer/20-demos and seer/100-demos."
            )
        taken[name] = label


def _usual_row(policy: str) -> dict[str, str]:
    """The method that Table 4 prints for a policy of that name, e.g. "OpenVLA" for "openvla"; nothing for any other.

    MVP and MPI have no published policies, so these names mean the plugins that put a head of ours on their encoders.
    """
    methods = (row.method for row in load_real_robot_table().rows)
    method = next((method for method in methods if method.casefold() == policy.casefold()), None)
    if method is None:
        return {}
    return {"method": method, "head": "ours"} if method in HEAD_OF_OURS else {"method": method}


def _split(text: str) -> tuple[str, str]:
    """Label and checkpoint."""
    label, equals, path = text.partition("=")
    if equals and not path:
        raise UsageError(f"--policies: '{text}' names no checkpoint behind the '='.")
    return label, path


def _sort(texts: Sequence[str], labels: Sequence[str], option: str) -> dict[str, dict[str, str]]:
    """LABEL:KEY=VALUE by label."""
    sorted_out: dict[str, dict[str, str]] = {label: {} for label in labels}
    for text in texts:
        front, equals, value = text.partition("=")
        label, colon, key = front.rpartition(":")
        if not equals or not key:
            raise UsageError(f"{option}: '{text}' is not of the form LABEL:KEY=VALUE, or KEY=VALUE for all policies.")
        if colon and label not in sorted_out:
            raise UnknownNameError(f"policy in {option} {text}", label, labels)
        for name in [label] if colon else labels:
            if key in sorted_out[name]:
                raise UsageError(f"{option}: '{key}' of '{name}' is given twice.")
            sorted_out[name][key] = value
    return sorted_out
