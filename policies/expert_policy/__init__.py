"""A scripted policy that sees the simulator's state: `--policy expert`.

It shows that a benchmark's tasks can be solved through the very actions that learned policies emit, and gives
demonstrations. Its results are marked privileged and are no baseline.
"""

from __future__ import annotations

from seer_bench import CheckpointError, Policy, PolicyArgs, PolicyContext, UsageError

_BENCHMARKS = ("calvin", "libero")


def make_policy(context: PolicyContext) -> Policy:
    """Build the expert for the benchmark that `context` describes.

    Raises:
        CheckpointError: a checkpoint was given.
        UsageError: an option was given, or the expert does not know the benchmark.
        ConventionError: the benchmark takes other actions than the expert emits.
    """
    if context.checkpoint is not None:
        raise CheckpointError(
            f"the policy 'expert' takes no checkpoint, but --ckpt is {context.checkpoint}; leave --ckpt out."
        )
    PolicyArgs("expert", context.options)
    benchmark = context.interface.benchmark
    if benchmark not in _BENCHMARKS:
        raise UsageError(
            f"the policy 'expert' has no plans for the benchmark '{benchmark}'; it knows: {', '.join(_BENCHMARKS)}."
        )
    from .policy import ExpertPolicy

    if benchmark == "libero":
        from . import libero

        return ExpertPolicy(context.interface.action, libero.PLANNERS, libero.OscController)
    from . import calvin

    return ExpertPolicy(context.interface.action, calvin.PLANNERS)
