"""Two simulations side by side: the same pseudo-random actions, compared state by state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from seer_bench.errors import MissingExtraError, UnknownNameError, UsageError
from seer_bench.verification import Verdict
from seer_bench.verification.compare import Comparison

from ..actions import Action, Variant
from ..assets import scene_root
from ..backend import Backend
from ..chains import load_chains
from ..protocols import BACKENDS
from ..scene import load_scene
from ..world import World
from .motions import action_packers, random_rows
from .trace import Array, backend_probes, rollout

CHAINS = (0, 33, 77, 131, 404, 812)
"""Their initial states differ in lights, doors and the places of the blocks."""

STEPS = 90
"""Control steps of a rollout, 3 s."""

IMAGE_STEPS = (0, 45, 90)

KIND = "live"

SCENES = ("D", "A", "B", "C")

BackendFactory = Callable[[str, Variant], Backend]
"""From the names of scene and variant to a new world that renders with `tiny`."""


def own_backend(scene: str, variant: Variant) -> Backend:
    """Our world."""
    chosen = load_scene(scene)
    return World(chosen, scene_root(chosen), variant=variant, renderer="tiny")


def backend_factory(name: str) -> BackendFactory:
    """How to build a backend to compare with; raises UnknownNameError, also for our own."""
    if name != "upstream":
        raise UnknownNameError("backend to compare with", name, [other for other in BACKENDS if other != "own"])
    from ..upstream import UpstreamWorld

    return lambda scene, variant: UpstreamWorld(load_scene(scene), variant=variant, renderer="tiny")


def compare_live(
    name: str,
    other: BackendFactory,
    own: BackendFactory = own_backend,
    *,
    scenes: Sequence[str] = SCENES,
    chains: Sequence[int] = CHAINS,
) -> Iterator[Verdict]:
    """One verdict for each variant and scene; a variant that the other side does not have is skipped.

    Both sides run on this processor, so nothing but bit identity will do. The sides take turns: there is never more
    than one simulation in the process.

    Raises:
        UsageError: the other side has neither variant, so that nothing was compared.
        MissingExtraError: the other side is not installed.
    """
    refusals: list[UsageError] = []
    for variant in get_args(Variant):
        try:
            other(scenes[0], variant).close()
        except MissingExtraError:
            raise
        except UsageError as error:
            refusals.append(error)
            yield Verdict(f"{name} {variant}", KIND, "skipped", "nothing", detail=str(error))
            continue
        for scene in scenes:
            comparison = _compare(scene, variant, chains, other, own)
            yield comparison.verdict(f"{name} {variant} scene {scene}", KIND)
    if len(refusals) == len(get_args(Variant)):
        raise UsageError(f"nothing was compared with '{name}': {refusals[0]}") from refusals[0]


def _compare(
    scene: str, variant: Variant, chains: Sequence[int], other: BackendFactory, own: BackendFactory
) -> Comparison:
    comparison = Comparison(None)
    packers = action_packers(variant)
    for seed, chain in enumerate(chains):
        kind = list(packers)[seed % len(packers)]
        actions = [packers[kind](row) for row in random_rows(kind, seed, STEPS)]
        with comparison.unit(f"chain {chain} ({kind})"):
            theirs, ours = (_play(side(scene, variant), chain, actions) for side in (other, own))
            comparison.count(rollouts=1, steps=STEPS)
            for name, recorded in theirs.items():
                _compare_series(comparison, name, recorded, ours[name])
    return comparison


def _compare_series(comparison: Comparison, name: str, theirs: Array, ours: Array) -> None:
    """Compare images, texts or numbers along the steps of a rollout."""
    if name.startswith(("rgb_", "depth_")):
        for step, want, have in zip(IMAGE_STEPS, theirs, ours, strict=True):
            comparison.picture(name, want, have, step)
    elif theirs.dtype.kind == "U":
        for step, (want, have) in enumerate(zip(theirs, ours, strict=True)):
            comparison.outcome(name, str(want), str(have), step=step)
    else:
        comparison.numbers(name, theirs, ours)


def _play(backend: Backend, chain: int, actions: list[Action]) -> dict[str, Array]:
    """One rollout in a backend that is closed afterwards."""
    try:
        start = load_chains()[chain].initial_state
        return rollout(backend, start, actions, backend_probes(backend), image_steps=IMAGE_STEPS)
    finally:
        backend.close()
