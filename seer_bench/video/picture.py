"""What one frame of a film shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from seer_bench.contracts import Array, StepResult, Subtask, Unit

DEFAULT_SIZE = 320
"""Height of each camera's picture, pixels."""

SMALLEST, LARGEST = 64, 2048
"""Heights that can be asked for, pixels."""

HOLD = 10
"""Frames for which the last picture stays."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_BACKGROUND, _TEXT, _FAINT = (16, 18, 22), (240, 240, 240), (170, 176, 186)


@dataclass(frozen=True)
class Expectation:
    """What a policy expected one of its cameras to show now, and what that shows."""

    field: str
    """Name of the observation field."""
    foreseen: Array | None
    """Upright uint8 (height, width, 3), foreseen `steps` ago; None where nothing was."""
    steps: int | None
    """Control steps between the prediction and now; None where nothing has been foreseen so far."""
    now: Array
    """The present picture, upright, of the same part of the scene and the same size as foreseen ones."""


def draw_frame(
    pictures: Mapping[str, Array],
    expected: Sequence[Expectation],
    sentence: str,
    facts: str,
    step: StepResult | None,
    size: int,
) -> Array:
    """All cameras over a caption: sentence, facts, and how the subtask ended.

    Cameras lie side by side. With expectations they lie one below the other, and each expectation adds a pair beside
    them: what was foreseen, and what came.

    Args:
        pictures: upright pictures (size, size, 3), uint8, by the camera's name.
        expected: one entry a camera of the policy; always as many in one film, which keeps frames equal in size.
        sentence: the instruction.
        facts: the second line of the caption.
        step: what the last step did; None for the start state.
        size: height of each camera's picture, pixels.
    """
    picture = _grid(pictures, expected, size) if expected else np.concatenate(list(pictures.values()), axis=1)
    line = max(12, size // 20)
    strip = Image.new("RGB", (picture.shape[1], 2 * (line * 9 // 4)), _BACKGROUND)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(line)
    verdict, colour = "", _FAINT
    if step is not None and step.subtask_over:
        verdict, colour = ("solved", (110, 220, 130)) if step.solved else ("not solved", (255, 110, 100))
    margin, width = line // 2, strip.width - line
    draw.text((margin, margin), fit(sentence, font, width), fill=_TEXT, font=font)
    ending = f"  {verdict}" if verdict else ""
    draw.text(
        (margin, line * 2),
        fit(facts, font, width - font.getlength(ending)) + ending,
        fill=colour,
        font=font,
    )
    stacked = np.concatenate([picture, np.asarray(strip)], axis=0)
    return stacked[: stacked.shape[0] // 2 * 2, : stacked.shape[1] // 2 * 2]


def _grid(pictures: Mapping[str, Array], expected: Sequence[Expectation], size: int) -> Array:
    """A row for each camera, or pair, or both: the film's camera, what was foreseen, what came."""
    cameras: list[tuple[str, Array | None]] = list(pictures.items())
    pairs: list[list[tuple[str, Array | None]]] = []
    for each in expected:
        ago = "" if each.steps is None else f" {each.steps} steps ago"
        pairs.append([(f"{each.field} foreseen{ago}", each.foreseen), (f"{each.field} now", each.now)])
    rows = max(len(cameras), len(pairs))
    cameras += [("", None)] * (rows - len(cameras))
    pairs += [[("", None)] * 2] * (rows - len(pairs))
    tiles = [[_tile(*tile, size) for tile in (camera, *pair)] for camera, pair in zip(cameras, pairs, strict=True)]
    return np.concatenate([np.concatenate(row, axis=1) for row in tiles], axis=0)


def _tile(label: str, picture: Array | None, size: int) -> Array:
    """A picture within (size, size, 3) under its label; an empty one where there is none."""
    line = max(10, size // 24)
    tile = Image.new("RGB", (size, size + line * 7 // 4), _BACKGROUND)
    font = ImageFont.load_default(line)
    ImageDraw.Draw(tile).text((line // 2, line // 4), fit(label, font, size - line), fill=_FAINT, font=font)
    if picture is not None:
        fitted = ImageOps.pad(Image.fromarray(picture), (size, size), Image.Resampling.BICUBIC, _BACKGROUND)
        tile.paste(fitted, (0, tile.height - size))
    return np.asarray(tile)


def caption(unit: Unit, subtask: Subtask, steps: int, solved: int | None, renderer: str) -> str:
    """Where a film is; of a chain with the subtask's number and how many are `solved`. Long names come last."""
    number = "" if solved is None else f"{subtask.index + 1}: "
    count = "" if solved is None else f"{solved} solved  "
    return f"{unit.slug}  step {steps}  {count}{renderer}  {number}{subtask.task}"


def fit(text: str, font: Font, width: float) -> str:
    """As much of a text as fits into `width` pixels, cut text ending with "..."."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..." if text else ""
