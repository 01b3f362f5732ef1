"""The worlds that recordings are replayed in, and what upstream's environment is asked directly."""

from __future__ import annotations

import numpy as np

from ..fixtures import FixturePose
from ..package import load_upstream
from ..rng import private_numpy_random
from ..suites import Task, bddl_path
from ..warm import WarmWorld, WorldFactory
from ..world import World

REST = np.zeros(7)
"""The action of settle steps: no motion, the gripper holds."""


class Worlds(WarmWorld):
    """The world that recordings are replayed in, kept as a worker keeps it, and fixtures that upstream draws.

    Args:
        make_world: builds the world of a task.
    """

    def __init__(self, make_world: WorldFactory) -> None:
        super().__init__(make_world)
        self._drawn: dict[tuple[Task, int], dict[str, FixturePose]] = {}

    def drawn_fixtures(self, task: Task, seed: int) -> dict[str, FixturePose]:
        """Where fixtures stand after the first reset of a new environment that is seeded right before it."""
        if (task, seed) not in self._drawn:
            self.close()
            self._drawn[task, seed] = draw_fixtures(task, seed, seed_construction=False)
        return self._drawn[task, seed]


def draw_fixtures(task: Task, seed: int, *, seed_construction: bool) -> dict[str, FixturePose]:
    """Where upstream's own environment, new and reset once, puts the fixtures of a task.

    Args:
        task: whose scene.
        seed: of NumPy's global random state, which upstream draws from; it is given back as it was.
        seed_construction: whether the seed is set before the environment is built, rather than before its reset.
    """
    with private_numpy_random(seed):
        env = load_upstream().control_env(
            bddl_file_name=str(bddl_path(task)), use_camera_obs=False, has_offscreen_renderer=False
        )
        if not seed_construction:
            np.random.seed(seed)  # noqa: NPY002 - the one that robosuite draws from
        env.env.reset()
    try:
        model, bodies = env.env.sim.model, env.env.obj_body_id
        return {
            name: FixturePose(
                tuple(model.body_pos[bodies[name]].tolist()), tuple(model.body_quat[bodies[name]].tolist())
            )
            for name in env.env.fixtures_dict
        }
    finally:
        env.close()


def goal_truth(world: World) -> dict[str, bool]:
    """Every predicate of the goal, e.g. `in butter_1 basket_1_contain_region`, and whether it holds now."""
    env = world.inner
    return {" ".join(goal): bool(env._eval_predicate(goal)) for goal in env.parsed_problem["goal_state"]}
