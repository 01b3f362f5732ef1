"""Observation and action conventions, declared as data by both sides and compared before the first step.

Image flips, gripper signs and rotation forms that differ without an error are the commonest cause of scores that do
not reproduce. A field that does not fit is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from seer_bench.errors import ConventionError


@dataclass(frozen=True)
class ImageSpec:
    """One camera image: uint8 (height, width, 3) for "rgb", float32 (height, width) in metres for "depth"."""

    height: int
    width: int
    kind: Literal["rgb", "depth"] = "rgb"
    orientation: Literal["upright", "raw", "rot180"] = "upright"
    """`upright` as a person would look at it, `raw` as OpenGL reads it out (bottom row first), `rot180` that turned by
    180 degrees."""


@dataclass(frozen=True)
class VectorSpec:
    """One float64 vector of proprioception or scene state."""

    size: int
    layout: str
    """What the entries are, with units and frame, e.g. "world: tcp_xyz[m] gripper_width[m]"; compared as text."""


FieldSpec = ImageSpec | VectorSpec


@dataclass(frozen=True)
class ActionSpec:
    """What one action vector means."""

    kind: str
    """"cartesian_rel", "cartesian_abs", "joint_rel" or "joint_abs"."""
    dim: int
    """Length of the vector, gripper included."""
    frame: str
    """Frame of the translation and rotation, e.g. "world, added to the accumulated target pose"."""
    translation_scale: float | None
    """Metres for a value of 1; None where the action holds no translation."""
    rotation_scale: float | None
    """Radians for a value of 1; None where the action holds no rotation."""
    rotation: str | None
    """Form of the rotation, e.g. "euler_xyz"; None where there is none."""
    gripper_open: Literal[1, -1]
    """The value that opens the gripper; its negative closes it."""


@dataclass(frozen=True)
class Interface:
    """What a benchmark gives and takes under one protocol."""

    benchmark: str
    observations: Mapping[str, FieldSpec]
    action: ActionSpec


@dataclass(frozen=True)
class PolicySpec:
    """What a policy eats and emits; compared with the benchmark's `Interface` before the first step."""

    observations: Mapping[str, FieldSpec]
    """Fields that `act` reads. Only these are rendered."""
    action: ActionSpec
    chunk: int = 1
    """Actions that `act` returns a call; the harness executes them one after another, then asks again."""
    privileged: bool = False
    """True when the policy reads the simulator's state (`Policy.see`); every table marks it."""
    batch: int = 1
    """Slots that one call of `act` may take. Above 1 the harness pads every call to this size, and only if
    `check_policy`'s test finds that no row depends on its neighbours or its position."""
    placement: Literal["main", "worker"] = "main"
    """"worker" for cheap or privileged policies that run beside the simulator."""
    foresight: tuple[str, ...] = ()
    """Observed RGB images whose future `Policy.foresee` predicts, in the order in which films show them."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What else shapes the actions, e.g. the precision that weights are read in or files beside the checkpoint. Part of
    the run's identity: a run is only gone on with under the same settings."""
    arm: Mapping[str, str] = field(default_factory=dict)
    """What the policy says of itself where results stand in a table, from its checkpoint where that tells: "method" is
    the method's name as tables print it. `--arm key=value` overrides it."""
    incidental: tuple[str, ...] = ()
    """Keys of `--policy-arg` that shape no action, e.g. of a time-out. They are recorded and no part of a run's
    identity: it may be gone on with under other values."""
    notes: tuple[str, ...] = ()
    """Lines that a run shows before it begins, e.g. which observation feeds which input. No part of its identity."""


def check_conventions(policy: PolicySpec, interface: Interface) -> None:
    """Compare both sides field by field.

    Raises:
        ConventionError: naming the first field that is missing or differs, with both values.
    """
    if not isinstance(policy.observations, Mapping):
        raise ConventionError(
            f"the policy declares observations of type {type(policy.observations).__name__}; write a dictionary from "
            "field to ImageSpec or VectorSpec."
        )
    for name, wanted in policy.observations.items():
        offered = interface.observations.get(name)
        if offered is None:
            raise ConventionError(
                f"the policy wants the observation '{name}', which {interface.benchmark} does not give. "
                f"It gives: {', '.join(interface.observations)}."
            )
        _same(f"observation '{name}'", wanted, offered)
    _same("action", policy.action, interface.action)
    if policy.chunk < 1:
        raise ConventionError(f"the policy declares chunk={policy.chunk}; it must be at least 1.")
    if policy.batch < 1:
        raise ConventionError(f"the policy declares batch={policy.batch}; it must be at least 1.")
    for what, texts in (("settings", policy.settings), ("arm", policy.arm)):
        for key, value in texts.items():
            if not (isinstance(key, str) and isinstance(value, str)):
                raise ConventionError(f"the policy declares {what} with {key!r}: {value!r}; both must be text.")
    for name in policy.foresight:
        seen = policy.observations.get(name)
        if not isinstance(seen, ImageSpec) or seen.kind != "rgb":
            raise ConventionError(f"the policy declares foresight of '{name}', which is no RGB image that it observes.")


def _same(what: str, wanted: object, offered: object) -> None:
    """Refuse two specs that are not equal, naming the attribute."""
    if type(wanted) is not type(offered):
        raise ConventionError(
            f"{what}: the policy declares {type(wanted).__name__}, the benchmark {type(offered).__name__}."
        )
    for key, theirs in vars(wanted).items():
        ours = getattr(offered, key)
        if theirs != ours:
            raise ConventionError(f"{what}: {key} is {theirs!r} for the policy and {ours!r} for the benchmark.")
