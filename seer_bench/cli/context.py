"""What a policy is built from, from the options that commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seer_bench.cli.console import key_values

if TYPE_CHECKING:
    from seer_bench.contracts import PolicyContext


def policy_context(
    policy: str,
    benchmark: str,
    protocol: str | None,
    ckpt: Path | None,
    *,
    device: str,
    threads: int,
    policy_arg: Sequence[str] | None,
) -> PolicyContext:
    """The context of a policy that is not part of a run; the arguments are the options of the same name.

    Raises:
        CheckpointError: there is no such checkpoint, or it cannot be fetched.
        UsageError: an unknown benchmark or protocol, or an option that is no key=value.
    """
    from seer_bench.contracts import PolicyContext
    from seer_bench.engine.checkpoints import local_checkpoint
    from seer_bench.registry import find_protocol, load_benchmark

    options = key_values(policy_arg or [], "--policy-arg")
    played = load_benchmark(benchmark)
    found = find_protocol(played, protocol)
    file = ckpt and local_checkpoint(policy, ckpt)
    return PolicyContext(played.interface(found), found, file, device, threads, options)
