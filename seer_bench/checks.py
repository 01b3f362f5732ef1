"""The public checker for authors of policies, and the one that a run asks before it batches."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from seer_bench._blame import described
from seer_bench._policy_rules import PolicyRules, Told, difference
from seer_bench._rehearsal import Rehearsal, random_states, refuse_moved, same, seeded
from seer_bench.contracts import Array, Policy, PolicyContext
from seer_bench.conventions import PolicySpec, check_conventions
from seer_bench.errors import CheckFailedError, SeerBenchError
from seer_bench.registry import load_policy

_UNKNOWN_OPTION = "no_such_option"

PolicyFactory = Callable[[PolicyContext], Policy]


def check_policy(
    policy: str | PolicyFactory,
    context: PolicyContext,
    *,
    strict: bool = True,
    fresh_process: bool = False,
    told: Told | None = None,
) -> None:
    """Check that a policy keeps the contract that exact and repeatable results rest on; run it in the plugin's tests.

    It is played on made-up observations (noise in the declared shapes), so neither a simulator nor a task is needed.
    A privileged policy cannot act without a simulator's state: only its options, spec and conventions are checked.

    Args:
        policy: name of a plugin, or what builds the policy. Two instances are built. A plugin is also asked for one
            with an option that it must refuse.
        context: what it is built from.
        strict: also demand that a policy with `spec.batch` > 1 gives a row the same bits among other neighbours and
            at other positions. Without that it is run with batch 1.
        fresh_process: also build it in another process, as after a resume; `policy` and `context` are sent there.
        told: called with each rule as it passes, and what was found.

    Raises:
        CheckFailedError: it breaks a rule; the message names the rule, where, the value and what to do.
        ConventionError: what it declares does not fit the benchmark.
        UnknownNameError: no plugin is registered under the name.
        UsageError: the plugin could not be built, e.g. for want of a checkpoint.
    """
    told = told or _say_nothing
    built: list[Policy] = []
    try:
        built.append(_build(policy, context))
        # Only the second is guarded: what a library draws while it is imported is not the policy's fault. Weights that
        # are drawn from another global state differ from those of the first, and so will the actions.
        built.append(_build(policy, context, seed=1, guarded=True))
        told("building", "two instances; no global random state was used")
        if isinstance(policy, str):
            _check_options(policy, context)
            told("options", "an unknown --policy-arg is refused")
        _check_spec(built[0].spec, built[1].spec, context)
        told("spec", "fits the benchmark and travels to another process")
        if built[0].spec.privileged:
            told("privileged", "reads the simulator's state, so its actions were not checked")
            return
        PolicyRules(built[0], built[1], told, threads=context.threads).check()
        if strict and (size := built[0].spec.batch) > 1:
            with threadpool_limits(context.threads):
                why = rows_are_independent(built[0])
            if why:
                raise CheckFailedError(f"batch={size}: {why}. Make rows independent, or declare batch=1.")
            told("bits", "a row's are the same among any neighbours, in any place")
        if fresh_process:
            with threadpool_limits(context.threads):
                wanted = Rehearsal(built[0]).play([0])[0]
            _check_elsewhere(policy, context, wanted)
            told("process", "the same actions in a process of its own")
    finally:
        _close(built)


def rows_are_independent(policy: Policy) -> str:
    """Whether rows of a batch keep their bits under other neighbours and at other positions.

    Made-up observations are played through batches of `policy.spec.batch` rows: each one among copies of itself, among
    others, and among others in the opposite order.

    Returns:
        Why a batch may not be used, or an empty string.
    """
    size = policy.spec.batch
    if policy.spec.privileged:
        return "it reads the simulator's state, so its rows cannot be compared beforehand"
    everyone = list(range(size))
    play = Rehearsal(policy).play
    try:
        together = play(everyone)
        turned = play(everyone[::-1])[::-1]
        alone = [play([row] * size)[0] for row in everyone]
    except CheckFailedError as error:
        return str(error).removesuffix(".")
    for row in everyone:
        if not same(alone[row], together[row]):
            return "a row's actions change with its neighbours in the batch"
        if not same(alone[row], turned[row]):
            return "a row's actions change with its position in the batch"
    return ""


def _say_nothing(rule: str, what: str) -> None:
    """For who does not listen."""


def _build(policy: str | PolicyFactory, context: PolicyContext, *, seed: int = 0, guarded: bool = False) -> Policy:
    """An instance of the policy, built under some global random states, which it must leave alone if guarded."""
    with seeded(seed):
        before = random_states()
        try:
            built = load_policy(policy, context) if isinstance(policy, str) else policy(context)
        except SeerBenchError:
            raise
        except Exception as error:
            raise CheckFailedError(f"building: it failed: {described(error)}") from error
        if not isinstance(built, Policy):
            raise CheckFailedError(
                f"building: the factory built {type(built).__name__}, which is no seer_bench.Policy."
            )
        if not isinstance(getattr(built, "spec", None), PolicySpec):
            raise CheckFailedError("spec: the policy has none; set `spec` to a seer_bench.PolicySpec.")
        if guarded:
            refuse_moved(before, "building it")
    return built


def _check_options(policy: str, context: PolicyContext) -> None:
    """Nobody but the policy can notice a misspelt option."""
    asked = replace(context, options={**context.options, _UNKNOWN_OPTION: "1"})
    try:
        built = load_policy(policy, asked)
    except Exception:
        return
    built.close()
    raise CheckFailedError(
        f"options: --policy-arg {_UNKNOWN_OPTION}=1 was taken without a word; read options through "
        "seer_bench.PolicyArgs(name, context.options, known), which refuses unknown ones."
    )


def _check_spec(spec: PolicySpec, other: PolicySpec, context: PolicyContext) -> None:
    """The declaration fits the benchmark, is always the same and travels to another process."""
    check_conventions(spec, context.interface)
    if spec != other:
        raise CheckFailedError(f"spec: two instances declare different ones: {_unlike(spec, other)}.")
    try:
        copy = pickle.loads(pickle.dumps(spec))  # noqa: S301 - our own bytes
    except Exception as error:
        raise CheckFailedError(f"spec: it cannot be pickled ({error}). Build it from plain values.") from error
    if copy != spec:
        raise CheckFailedError(
            f"spec: it is another one after pickling: {_unlike(spec, copy)}. Build it from plain values."
        )


def _unlike(spec: PolicySpec, other: PolicySpec) -> str:
    """The first field in which two specs differ."""
    for name, value in vars(spec).items():
        if (theirs := getattr(other, name)) != value:
            return f"{name} is {value!r} and {theirs!r}"
    return "their class"


def _check_elsewhere(policy: str | PolicyFactory, context: PolicyContext, wanted: Array) -> None:
    """The same actions in a new process, whose hashes of text are others."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            found = process.submit(_play_elsewhere, policy, context).result()
        except Exception as error:
            raise CheckFailedError(
                f"process: it could not be played in another process: {type(error).__name__}: {error}"
            ) from error
    if not same(found, wanted):
        raise CheckFailedError(
            f"process: another process gives other actions: {difference(found, wanted)}; let nothing depend on hash() "
            "of text, the order of a set or the time."
        )


def _play_elsewhere(policy: str | PolicyFactory, context: PolicyContext) -> Array:
    """In the other process: actions for the first content."""
    built = _build(policy, context)
    try:
        with threadpool_limits(context.threads):
            return Rehearsal(built).play([0])[0]
    finally:
        built.close()


def _close(built: Sequence[Policy]) -> None:
    """Release the policies; one that cannot be released is at fault."""
    for policy in built:
        try:
            policy.close()
        except Exception as error:
            raise CheckFailedError(f"close: it failed: {described(error)}") from error
