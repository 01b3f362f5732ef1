"""How far an image that OpenGL drew may be from the recorded one.

OpenGL leaves rasterisation, filtering and rounding to the driver, so its pixels cannot be demanded bit for bit. The
recordings were drawn by Mesa's llvmpipe 22.3.6, in one world that was reset from chain to chain and not warmed up
(see `World`), and are compared with pictures taken in just that way. With that version of Mesa they are identical; the
tolerance is for others, and was not measured on any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seer_bench.verification.compare import Comparison, describe
from seer_bench.verification.recording import Arrays, RecordError

from ..chains import initial_state_vectors
from ..quiet import quiet
from ..world import World
from .recording import chain_at
from .trace import Array, photograph


@dataclass(frozen=True)
class Tolerance:
    """What an image may differ by: values further off than `step` are outliers, and few may be."""

    step: float
    """Levels of 255, or metres for depth."""
    outliers: float
    """Largest share of outliers among all values."""
    mean: float
    """Largest mean difference over all values."""


COLOUR = Tolerance(step=16, outliers=0.02, mean=2.0)
"""Room for another rasteriser: silhouettes and texture edges that move by a pixel.

Tight enough for what matters: a picture without shadows, of which 24 % are darker by up to 59 levels and 6 on
average, is refused.
"""

DEPTH = Tolerance(step=0.002, outliers=0.02, mean=0.005)
"""Metres; silhouettes again."""


def compare_egl(arrays: Arrays, wanted: Mapping[int, Sequence[str]], comparison: Comparison, world: World) -> None:
    """Draw initial states one after another in one world and compare within tolerance.

    Args:
        arrays: the record's, called `egl_CHAIN_rgb|depth_CAMERA`.
        wanted: by chain number, in the order of the recording, the images to compare.
        comparison: where differences go.
        world: fresh, rendering through EGL, not warmed up.
    """
    colour, depth = [0.0], [0.0]
    for index, names in wanted.items():
        with comparison.unit(f"chain {index}"):
            world.reset(*initial_state_vectors(chain_at(index, arrays.name).initial_state))
            with quiet():  # the driver prints at its first picture
                taken = photograph(world)
            for name in names:
                is_depth = name.startswith("depth")
                sizes = _sizes(f"egl_{index}_{name}", arrays, taken[name])
                (depth if is_depth else colour).append(float(sizes.max()))
                comparison.count(egl_images=1)
                if excess := _excess(sizes, DEPTH if is_depth else COLOUR):
                    comparison.fault(f"EGL {name} is beyond the tolerance: {excess}")
    if max(colour + depth) > 0:
        comparison.note(f"EGL images differ within the tolerance: {max(colour):.0f} levels of 255, {max(depth):.3g} m")
    else:
        comparison.note("EGL images are identical")


def _sizes(key: str, arrays: Arrays, got: Array) -> Array:
    """Absolute differences, infinite where the recording is not finite; raises RecordError."""
    recorded = arrays[key]
    if recorded.shape != got.shape or recorded.dtype != got.dtype:
        raise RecordError(f"{key} is recorded as {describe(recorded)}, expected {describe(got)}")
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.abs(recorded.astype(np.float64) - got.astype(np.float64)), nan=np.inf)


def _excess(sizes: Array, tolerance: Tolerance) -> str:
    """What is beyond the tolerance; empty if nothing is."""
    outliers, mean = float((sizes > tolerance.step).mean()), float(sizes.mean())
    if outliers <= tolerance.outliers and mean <= tolerance.mean:
        return ""
    return (
        f"{outliers:.2%} of its values differ by more than {tolerance.step:g} (allowed: {tolerance.outliers:.0%}), "
        f"{mean:.3g} on average (allowed: {tolerance.mean:g})"
    )
