"""The mapping from a benchmark's fields to a checkpoint's inputs: derived or stated, checked, and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seer_bench import ConventionError, ImageSpec, Interface, UnknownNameError, UsageError
from seer_bench.conventions import FieldSpec

from .features import Description, Feature
from .sources import ImageSource, Orientation, Source, parse_source

_DERIVED: Mapping[str, Mapping[str, str]] = {
    "libero": {
        "observation.images.image": "rgb_agentview",
        "observation.images.image2": "rgb_eye_in_hand",
        "observation.state": "eef_position+eef_axis_angle+gripper_qpos",
    },
    "calvin": {"observation.state": "robot_obs"},
}
"""Sources by the names in data sets: of LIBERO's as LeRobot evaluates it (`lerobot.envs.libero` and its
`LiberoProcessorStep`), of CALVIN's the whole vector, which only fits a policy that was trained on all of it."""
_TURN: Mapping[str, Orientation] = {"libero": "rot180"}
"""Orientation that policies for a benchmark are trained on, where it is not upright."""
_NONE = "none"


@dataclass(frozen=True)
class Route:
    """One input and where it comes from."""

    feature: Feature
    source: Source | None
    """None where the input is left empty."""
    resize: tuple[int, int] | None = None
    """Size (height, width) that the picture is brought to before the policy gets it."""
    conversion: str = ""
    """What happens on the way, in words."""


@dataclass(frozen=True)
class InputMapping:
    """A source for every input."""

    routes: tuple[Route, ...]
    observations: Mapping[str, FieldSpec]
    """Fields that are read, as the benchmark gives them."""

    @property
    def text(self) -> str:
        """In the form of `--policy-arg map=`."""
        return ",".join(f"{route.feature.name}:{route.source.text if route.source else _NONE}" for route in self.routes)


def parse_map(text: str) -> dict[str, str]:
    """Read "INPUT:SOURCE,INPUT:SOURCE"; raises UsageError."""
    stated: dict[str, str] = {}
    for part in text.split(","):
        name, colon, source = (piece.strip() for piece in part.partition(":"))
        if not (name and colon and source) or name in stated:
            raise UsageError(
                f"--policy-arg map={text}: '{part}' is no pair, or its input is there twice. Write e.g. "
                "map=observation.images.top:rgb_static,observation.state:robot_obs[0:7]"
            )
        stated[name] = source
    return stated


def make_mapping(
    described: Description, interface: Interface, stated: Mapping[str, str], *, resize: bool = False
) -> InputMapping:
    """Find, for every input, its source, and check that it fits.

    Args:
        described: the checkpoint.
        interface: what the benchmark gives.
        stated: input -> source, as `parse_map` reads it; other inputs are derived.
        resize: bring pictures of another size to that of the input.

    Raises:
        ConventionError: an input has no source, or one of another kind, size or length.
        UnknownNameError: an input, a field or an orientation does not exist.
        UsageError: a source cannot be read.
    """
    names = [feature.name for feature in described.inputs]
    for name in stated:
        if name not in names:
            raise UnknownNameError(f"input of {described.path.name}", name, names, "Given in --policy-arg map=.")
    turn = _TURN.get(interface.benchmark, "upright")
    routes = []
    for feature in described.inputs:
        text = stated.get(feature.name) or _derived(feature, described, interface)
        if text == _NONE:
            routes.append(_left_empty(feature, described))
        else:
            source = parse_source(text, interface.observations, turn)
            routes.append(_checked(feature, source, described, resize))
    if not any(route.source for route in routes):
        raise ConventionError(f"{described.path.name}: every input is left empty.")
    fields = [field for route in routes if route.source for field in route.source.fields]
    return InputMapping(tuple(routes), {field: interface.observations[field] for field in fields})


def _derived(feature: Feature, described: Description, interface: Interface) -> str:
    """The source of an input that nobody stated."""
    if described.is_empty_camera(feature):
        return _NONE
    known = _DERIVED.get(interface.benchmark, {})
    for name in (feature.name, *(old for old, new in described.renames.items() if new == feature.name)):
        last = name.rpartition(".")[2]
        if name in known:
            return known[name]
        if last in interface.observations:
            return last
    example = "FIELD/upright" if feature.is_image else "FIELD[0:7]+FIELD[14]"
    raise ConventionError(
        f"the checkpoint's input '{feature.name}' {feature.shape} has no source: no field of {interface.benchmark} is "
        f"known under that name. State it: --policy-arg map={feature.name}:{example} with fields of "
        f"{_offered(feature, interface)}."
    )


def _offered(feature: Feature, interface: Interface) -> str:
    """The fields that could be meant."""
    found = []
    for name, spec in interface.observations.items():
        if isinstance(spec, ImageSpec):
            if feature.is_image and spec.kind == "rgb":
                found.append(f"{name} ({spec.height} x {spec.width})")
        elif not feature.is_image:
            found.append(f"{name} ({spec.size})")
    return ", ".join(found) or "none"


def _left_empty(feature: Feature, described: Description) -> Route:
    """An input that gets nothing."""
    if not feature.is_image or not described.masks_missing:
        raise ConventionError(
            f"--policy-arg map={feature.name}:{_NONE}: a policy of type '{described.type}' needs all of its inputs; "
            "only pictures of SmolVLA and pi0 may be left out."
        )
    return Route(feature, None, conversion="left out; the policy masks it")


def _checked(feature: Feature, source: Source, described: Description, resize: bool) -> Route:
    """A source of the right kind and shape."""
    name, shape = feature.name, feature.shape
    if isinstance(source, ImageSource) != feature.is_image:
        kinds = ("a picture", "a vector")
        wanted, given = kinds if feature.is_image else kinds[::-1]
        raise ConventionError(f"the checkpoint's input '{name}' is {wanted}, but '{source.text}' is {given}.")
    if not isinstance(source, ImageSource):
        if source.shape != shape:
            raise ConventionError(
                f"the checkpoint's input '{name}' has {shape[0]} entries, but '{source.text}' has {source.shape[0]}. "
                "State which: --policy-arg map=" + f"{name}:FIELD[0:{shape[0]}]"
            )
        return Route(feature, source, conversion="float64 -> float32")
    if shape[0] != 3:
        raise ConventionError(f"the checkpoint's input '{name}' is {shape}; expected is (3, height, width).")
    words = [source.turn] if source.turn else []
    words.append("uint8 HWC -> float32 CHW 0..1")
    if own := described.resizes_to:
        words.append(f"the policy itself fits it into {own[0]} x {own[1]}")
        return Route(feature, source, conversion=", ".join(words))
    if source.shape == shape:
        return Route(feature, source, conversion=", ".join(words))
    if not resize:
        raise ConventionError(
            f"the checkpoint's input '{name}' is {shape[1]} x {shape[2]}, but '{source.field}' is "
            f"{source.given.height} x {source.given.width}, and a policy of type '{described.type}' does not resize. "
            "Choose another protocol (seer-bench list), or have it resized: --policy-arg resize=bilinear"
        )
    words.append(f"resized to {shape[1]} x {shape[2]} (bilinear, antialiased)")
    return Route(feature, source, (shape[1], shape[2]), ", ".join(words))
