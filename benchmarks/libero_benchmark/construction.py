"""Building robosuite's environment of a task, with upstream's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from seer_bench.errors import SimulationError

from .package import installed
from .rng import RandomState, numpy_random_state, private_numpy_random
from .suites import Task, bddl_path

CONTROL_HZ = 20

_COMPUTED_BEFORE_PLACING = 2


def build(control_env: Any, task: Task, seed: int) -> tuple[Any, RandomState]:
    """Robosuite's environment of a task, without cameras and without an end of its own.

    Args:
        control_env: upstream's class.
        task: whose scene.
        seed: of NumPy's global random state, which is given back as it was.

    Returns:
        The environment, and where NumPy's random numbers were at the end of its construction.

    Raises:
        AssetError: the scene's file is missing or altered.
        SimulationError: upstream's code fails, as it does with some versions of MuJoCo.
    """
    path = str(bddl_path(task))
    try:
        with private_numpy_random(seed):
            env = control_env(
                bddl_file_name=path,
                use_camera_obs=False,
                has_renderer=False,
                has_offscreen_renderer=False,
                control_freq=CONTROL_HZ,
                hard_reset=False,
                ignore_done=True,
            ).env
            after = numpy_random_state()
    except Exception as error:
        versions = ", ".join(f"{name} {version}" for name, version in installed().items())
        raise SimulationError(
            f"{task.name} cannot be built with {versions}: {type(error).__name__}: {error}"
        ) from error
    _reset_as_if_new(env)
    return env, after


def _reset_as_if_new(env: Any) -> None:
    """Let a soft reset leave the trace that a hard one leaves in the solver's warm start.

    Before anything is placed, a new simulation is computed twice: when it is made, and when upstream's evaluations
    attach a renderer to it. Where the solver does not converge, as in some scenes of libero_object, that shows in the
    last bits of what follows. Fixtures stand at the origin then, as upstream's models have them.
    """
    sim, fixtures = env.sim, [env.obj_body_id[name] for name in env.fixtures_dict]
    reset = sim.reset

    def reset_and_compute() -> None:
        reset()
        sim.model._model.body_pos[fixtures] = 0.0
        sim.model._model.body_quat[fixtures] = (1.0, 0.0, 0.0, 0.0)
        for _ in range(_COMPUTED_BEFORE_PLACING):
            sim.forward()

    sim.reset = reset_and_compute


def files_of(env: Any) -> list[Path]:
    """Files that a scene's model is made from."""
    tree = ElementTree.fromstring(env.model.get_xml())  # noqa: S314 - written by robosuite a moment ago
    return [Path(element.attrib["file"]) for element in tree.iter() if "file" in element.attrib]
