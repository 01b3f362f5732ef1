"""LIBERO behind the harness' contract: protocols, units, environments and what identifies the simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from seer_bench import ActionSpec, Environment, EvaluationProtocol, Interface, Unit, UsageError
from seer_bench.contracts import Cameras

from .package import BACKENDS, check_versions, installed
from .protocols import DEFAULT_PROTOCOL, all_protocols
from .suites import find_task, load_suite, suite_sha256

PROBE_TASK = 2
"""Task whose physics and pictures identify a simulation: its scene has a hinge, a mesh with contacts and a texture."""

PROBE_STEPS = 12
"""Control steps of the physics trace."""

_ACTION = ActionSpec(
    kind="cartesian_rel",
    dim=7,
    frame="world, added to the measured pose",
    translation_scale=0.05,
    rotation_scale=0.5,
    rotation="rotation_vector",
    gripper_open=-1,
)


class LiberoBenchmark:
    """Trials of LIBERO's tasks.

    The simulator is imported by what uses it, so that listing protocols and units needs none.
    """

    name = "libero"
    default_protocol = DEFAULT_PROTOCOL

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        """All protocols by name."""
        return all_protocols()

    def backends(self) -> Sequence[str]:
        """The pinned versions, and whatever is installed."""
        return BACKENDS

    def interface(self, protocol: EvaluationProtocol) -> Interface:
        """Two cameras and proprioception; the state of the scene is not for policies."""
        from .fields import field_specs

        settings = protocol.settings
        sizes = {name: (size[0], size[1]) for name, size in settings["cameras"].items()}
        return Interface(self.name, field_specs(sizes, settings["orientation"]), _ACTION)

    def units(self, protocol: EvaluationProtocol) -> Sequence[Unit]:
        """One unit a trial, task by task.

        Raises:
            UsageError: the tasks that this version knows are not those that the protocol names.
        """
        settings = protocol.settings
        if (found := suite_sha256(settings["suite"])) != settings["suite_sha256"]:
            raise UsageError(
                f"{protocol.name} names tasks of sha256 {settings['suite_sha256']}, but those installed have {found}. "
                "Reinstall seer-bench."
            )
        tasks, trials = len(load_suite(settings["suite"])), settings["trials"]["per_task"]
        task_digits, trial_digits = len(str(tasks - 1)), len(str(trials - 1))
        return [
            Unit(f"{protocol.name}:task={task:0{task_digits}},trial={trial:0{trial_digits}}", task * trials + trial)
            for task in range(tasks)
            for trial in range(trials)
        ]

    def make_env(self, protocol: EvaluationProtocol, *, cameras: Cameras, backend: str) -> Environment:
        """A simulator for one trial at a time.

        Raises:
            MissingExtraError: LIBERO's packages are not installed.
            UsageError: they are not the accepted versions, or two distributions provide `libero`.
        """
        from .env import LiberoEnv

        return LiberoEnv(protocol, cameras=cameras, backend=backend)

    def probe(self, protocol: EvaluationProtocol, *, cameras: bool, backend: str) -> dict[str, str]:
        """Hashes of the files, of a short physics trace and, with `cameras`, of one frame of each camera.

        All files that the protocol's tasks are made from are compared with upstream's first, so that none of them stops
        a run hours later.

        Raises:
            AssetError: files are missing or altered.
            MissingExtraError: LIBERO's packages are not installed.
            SimulationError: a system library is missing, or no picture can be drawn.
            UsageError: the packages are not the accepted versions, or two distributions provide `libero`.
        """
        check_versions(backend)
        from .assets import check_everything, identity, installed_root
        from .gl import require_gl
        from .suites import check_suite, load_init_states
        from .world import World

        if cameras:
            require_gl()
        check_everything(installed_root())
        check_suite(protocol.settings["suite"])
        task = find_task("libero_10", PROBE_TASK)
        world = World(task, images=cameras)
        try:
            world.reset(load_init_states(task)[0], seed=0)
            trace = hashlib.sha256()
            for step in range(PROBE_STEPS):
                turn = np.sin(0.7 * step + np.arange(6))
                world.step(np.append(turn, 1.0 if step % 8 < 4 else -1.0))
                trace.update(world.flat_state.tobytes() + world.observation["robot0_proprio-state"].tobytes())
            hashes = {"assets": identity(), "physics": trace.hexdigest()}
            if cameras:
                frame = hashlib.sha256()
                for camera, (width, height) in protocol.settings["cameras"].items():
                    frame.update(world.render(camera, width=width, height=height).tobytes())
                hashes["frame"] = frame.hexdigest()
        finally:
            world.close()
        if backend == "unpinned":
            hashes["unpinned"] = ", ".join(f"{name} {version}" for name, version in installed().items())
        return hashes

    def facts(self, *, cameras: bool) -> dict[str, str]:
        """Versions of what simulates and, with `cameras`, the OpenGL driver."""
        from .facts import facts

        return facts(opengl=cameras)
