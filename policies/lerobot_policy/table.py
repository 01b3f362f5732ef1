"""The mapping in words, as it is shown before a run."""

from __future__ import annotations

from seer_bench import ActionSpec

from .actions import Gripper
from .features import Description
from .mapping import InputMapping, Route
from .sources import ImageSource


def mapping_notes(
    described: Description, mapping: InputMapping, action: ActionSpec, gripper: Gripper, ranges: str
) -> tuple[str, ...]:
    """A line for every input, with its shape, where it comes from and what happens on the way; then the action.

    Args:
        described: the checkpoint.
        mapping: of its inputs.
        action: what its actions are taken to mean.
        gripper: how it opens and closes the gripper.
        ranges: what its training data told of actions.
    """
    rows = [_row(route) for route in mapping.routes]
    rows.append(("task", "text", "the subtask's sentence", "as it is"))
    names, shapes, sources = (max(len(row[column]) for row in rows) for column in range(3))
    lines = [
        f"{name:<{names}}  {shape:<{shapes}}  <- {source:<{sources}}  {conversion}"
        for name, shape, source, conversion in rows
    ]
    return (
        f"inputs of this policy of type '{described.type}':",
        *(f"  {line}" for line in lines),
        f"its action ({described.action_dim}): {action.kind}, {action.frame}; {gripper.words(action)}",
        f"actions in its training data: {ranges}",
    )


def _row(route: Route) -> tuple[str, str, str, str]:
    """Input, shape, source, conversion."""
    feature, source = route.feature, route.source
    shape = " x ".join(str(size) for size in feature.shape)
    if source is None:
        return (feature.name, shape, "nothing", route.conversion)
    if isinstance(source, ImageSource):
        given = source.given
        return (
            feature.name,
            shape,
            f"{source.field} ({given.height} x {given.width}, {given.orientation})",
            route.conversion,
        )
    return (feature.name, shape, source.text, route.conversion)
