"""A policy in another process: `--policy remote --policy-arg url=ws://HOST:PORT`, any server of openpi's protocol."""

from __future__ import annotations

from seer_bench import CheckpointError, MissingExtraError, Policy, PolicyContext

from .options import RemoteOptions


def make_policy(context: PolicyContext) -> Policy:
    """Connect to a server, which says what it serves.

    Raises:
        CheckpointError: one was given; the server has it.
        ConventionError: a server of ours serves a policy for another benchmark.
        MissingExtraError: `websockets` is not installed.
        SimulationError: nobody answers at the URL.
        UsageError: an option cannot be used, or the server refuses.
    """
    if context.checkpoint is not None:
        raise CheckpointError(
            f"the policy 'remote' takes no checkpoint, but --ckpt is {context.checkpoint}; give it to the server."
        )
    options = RemoteOptions.parse(context.options)
    try:
        from .policy import connect
    except ModuleNotFoundError as error:
        if error.name != "websockets":
            raise
        raise MissingExtraError("the policy 'remote'", "websockets", "remote") from error
    return connect(context, options)
