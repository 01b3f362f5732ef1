"""CALVIN behind the harness' contract: protocols, units, environments and what identifies the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from seer_bench import ActionSpec, Environment, EvaluationProtocol, ImageSpec, Interface, Unit, UsageError, VectorSpec
from seer_bench.contracts import Cameras
from seer_bench.conventions import FieldSpec

from .assets import identity
from .chains import chains_sha256, initial_state_vectors, load_chains, sentences_sha256
from .protocols import BACKENDS, DEFAULT_PROTOCOL, all_protocols

PROBE_STEPS = 16
"""Control steps of the physics trace that identifies a simulation."""

_ACTION = ActionSpec(
    kind="cartesian_rel",
    dim=7,
    frame="world, added to the accumulated target pose",
    translation_scale=0.02,
    rotation_scale=0.05,
    rotation="euler_xyz",
    gripper_open=1,
)

_ROBOT_OBS = VectorSpec(
    size=15,
    layout="world: tcp_xyz[m] tcp_euler_xyz[rad] gripper_width[m] joints7[rad] gripper_command",
)


class CalvinBenchmark:
    """Chains of five instructions on CALVIN's play table.

    The simulator is imported by what uses it, so that listing protocols and units needs none.
    """

    name = "calvin"
    default_protocol = DEFAULT_PROTOCOL

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        """All protocols by name."""
        return all_protocols()

    def backends(self) -> Sequence[str]:
        """Our own simulation, and upstream's where it is installed."""
        return BACKENDS

    def interface(self, protocol: EvaluationProtocol) -> Interface:
        """Two cameras and proprioception; the state of the scene is not for policies."""
        fields: dict[str, FieldSpec] = {}
        for camera, (width, height) in protocol.settings["cameras"].items():
            fields[f"rgb_{camera}"] = ImageSpec(height, width)
            fields[f"depth_{camera}"] = ImageSpec(height, width, kind="depth")
        return Interface(self.name, {**fields, "robot_obs": _ROBOT_OBS}, _ACTION)

    def units(self, protocol: EvaluationProtocol) -> Sequence[Unit]:
        """One unit a chain.

        Raises:
            UsageError: the installed chains or sentences are not those that the protocol names.
        """
        settings = protocol.settings
        lists = (
            ("chains", settings["chain"]["list_sha256"], chains_sha256()),
            ("sentences", settings["instructions_sha256"], sentences_sha256()),
        )
        for what, named, found in lists:
            if found != named:
                raise UsageError(
                    f"{protocol.name} names {what} of sha256 {named}, but those installed have {found}. "
                    "Reinstall seer-bench."
                )
        return [Unit(f"{protocol.name}:chain={chain.index:04d}", chain.index) for chain in load_chains()]

    def make_env(self, protocol: EvaluationProtocol, *, cameras: Cameras, backend: str) -> Environment:
        """A simulator for one chain at a time; raises MissingExtraError where pybullet is not installed."""
        from .backend import renderer_for
        from .env import CalvinEnv
        from .fields import DEFAULT_FIELDS

        fields = ("robot_obs",) if cameras == "off" else DEFAULT_FIELDS
        return CalvinEnv(protocol, fields=fields, renderer=renderer_for(protocol, cameras), backend=backend)

    def probe(self, protocol: EvaluationProtocol, *, cameras: bool, backend: str) -> dict[str, str]:
        """Hashes of the assets, of a short physics trace and, with `cameras`, of one frame of each camera.

        Raises:
            MissingExtraError: pybullet is not installed.
        """
        from .backend import make_backend, renderer_for

        world = make_backend(protocol, renderer=renderer_for(protocol, "exact" if cameras else "off"), backend=backend)
        try:
            world.reset(*initial_state_vectors(load_chains()[0].initial_state))
            trace = hashlib.sha256()
            for step in range(PROBE_STEPS):
                turn = np.sin(0.7 * step + np.arange(6))
                world.step(np.append(turn, 1.0 if step % 8 < 4 else -1.0))
                trace.update(world.robot_obs().tobytes() + world.scene_obs().tobytes())
            hashes = {"assets": identity(protocol.settings["scene"]), "physics": trace.hexdigest()}
            if cameras:
                frame = hashlib.sha256()
                for camera, size in protocol.settings["cameras"].items():
                    frame.update(world.render(camera, size=tuple(size), depth=False).rgb.tobytes())
                hashes["frame"] = frame.hexdigest()
            return hashes
        finally:
            world.close()

    def facts(self, *, cameras: bool) -> dict[str, str]:
        """Versions of what simulates and, with `cameras`, the OpenGL driver."""
        from .facts import facts

        return facts(egl=cameras)
