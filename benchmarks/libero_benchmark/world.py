"""One task's simulation, kept warm: every episode starts bit for bit as in an environment built for it alone.

Upstream's `reset` and `set_init_state` leave traces of the episode before (the gripper's target, the controller's goal,
fixture poses, the phase at which observations are sampled), and upstream's remedy, a new environment per episode, costs
seconds. `World.reset` takes milliseconds and leaves nothing behind; see docs/libero.md for every trap.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import weakref
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from seer_bench.contracts import Array
from seer_bench.errors import InvalidActionError, SimulationError, UnknownNameError, UsageError

from .assets import check_files, check_folder, installed_root
from .construction import CONTROL_HZ, build, files_of
from .fixtures import FixturePose
from .package import load_upstream
from .rng import private_numpy_random
from .suites import Task

ACTION_DIM = 7

_PLACEMENT_TRIES = 50
"""Draws of object placements in one reset, of which nearly every one succeeds; the initial state replaces them."""

_MOMENT = "seer_bench_moment"
"""Name of our observable, which takes part in robosuite's sampling to learn when a picture would be drawn."""


class World:
    """A task's scene with the robot, which can be reset, stepped, observed and photographed.

    Args:
        task: what to build.
        images: whether pictures can be asked for.
        seed: of NumPy's random numbers while the scene is built; only a `reset` without a seed knows of it.

    NumPy's global random state is left as it was.

    Raises:
        AssetError: the scene's files are missing or altered.
        SimulationError: the simulator cannot be imported or built.
    """

    def __init__(self, task: Task, *, images: bool = True, seed: int = 0) -> None:
        upstream = load_upstream()
        root = installed_root()
        check_folder(root)
        self.task = task
        self._randomization_error = upstream.randomization_error
        self._env, self._after_construction = build(upstream.control_env, task, seed)
        self._release = weakref.finalize(self, _close, self._env)
        check_files(root, files_of(self._env))
        self._model, self._data = self._env.sim.model._model, self._env.sim.data._data
        self._fixture_bodies = {name: self._env.obj_body_id[name] for name in self._env.fixtures_dict}
        self._photographer: Any = None
        self._holding = False
        if images:
            self._add_photographer(upstream.observable)
        self._observation: Mapping[str, Array] = {}
        self._success = False
        self.gripper_command = 0.0

    # --- episodes --------------------------------------------------------------------------------------------

    def reset(
        self,
        init_state: NDArray[np.float64],
        *,
        seed: int | None = 0,
        fixtures: Mapping[str, FixturePose] | None = None,
    ) -> None:
        """Begin an episode in a state that depends on the arguments alone.

        Args:
            init_state: (1 + nq + nv,) float64: time [s], positions, velocities; see `load_init_states`.
            seed: fixtures that `fixtures` does not name are drawn from it, as upstream draws them. With None random
                numbers go on where the construction ended, as in a new environment that is seeded before it is built.
            fixtures: where fixtures stand, by upstream's name.

        Raises:
            UsageError: a wrong shape or a value that is not finite.
            UnknownNameError: the scene has no such fixture.
            SimulationError: no free placement was found.
        """
        state = self._checked_state(init_state)
        for name in fixtures or {}:
            if name not in self._fixture_bodies:
                raise UnknownNameError(f"fixture of {self.task.name}", name, self._fixture_bodies)
        self._holding = False
        self.gripper_command = 0.0
        robot = self._env.robots[0]
        robot.gripper.current_action = np.zeros(robot.gripper.dof)
        with private_numpy_random(self._after_construction if seed is None else seed):
            self._reset_inner()
        for name, pose in (fixtures or {}).items():
            self._model.body_pos[self._fixture_bodies[name]] = pose.position
            self._model.body_quat[self._fixture_bodies[name]] = pose.quaternion
        self._set_state(state)

    def settle(self, action: Array, steps: int, *, keep_observation: bool = False) -> None:
        """Take some steps with one action while objects come to rest.

        Args:
            action: (7,).
            steps: how many.
            keep_observation: observation and pictures stay those from before, until the next `step`.
        """
        held = self._observation
        self._holding = keep_observation
        for _ in range(steps):
            self._step(action)
        self._holding = False
        if keep_observation:
            self._observation = held
        self.gripper_command = float(np.sign(action[-1]))

    def step(self, action: Array) -> bool:
        """One control step of 1/20 s; whether the goal holds in the state that it led to.

        Args:
            action: (7,), floating: translation (0.05 m for 1) and rotation vector (0.5 rad for 1) in the world frame,
                added to the present pose of the gripper; then the gripper: above 0 closes, below 0 opens, 0 holds.
                Components outside [-1, 1] are clipped. It is neither changed nor kept.

        Raises:
            InvalidActionError: wrong shape or dtype, or not finite; the world is unchanged.
        """
        checked = _checked_action(action)
        self._step(checked)
        self.gripper_command = float(np.sign(checked[-1])) or self.gripper_command
        return self._success

    # --- what can be seen ------------------------------------------------------------------------------------

    @property
    def success(self) -> bool:
        """Whether the goal held after the last step or reset."""
        return self._success

    @property
    def observation(self) -> Mapping[str, Array]:
        """Robosuite's observation without images, as sampled 2 ms before the last step's end; read only."""
        return self._observation

    @property
    def inner(self) -> Any:
        """Robosuite's environment, for who compares with it; whoever steps it leaves our bookkeeping behind."""
        return self._env

    @property
    def fixtures(self) -> dict[str, FixturePose]:
        """Where the scene's fixtures stand now."""
        return {
            name: FixturePose(tuple(self._model.body_pos[body].tolist()), tuple(self._model.body_quat[body].tolist()))
            for name, body in self._fixture_bodies.items()
        }

    @property
    def flat_state(self) -> NDArray[np.float64]:
        """(1 + nq + nv,): time [s], positions and velocities at the end of the last step."""
        return np.concatenate([[self._data.time], self._data.qpos, self._data.qvel])

    def render(self, camera: str, *, width: int, height: int) -> NDArray[np.uint8]:
        """The picture that upstream's observation would hold: (height, width, 3), raw, i.e. bottom row first.

        Raises:
            UnknownNameError: no such camera.
            UsageError: the world was made with `images=False`.
            SimulationError: OpenGL does not work here.
        """
        if self._photographer is None:
            raise UsageError("this world takes no pictures; make it with images=True")
        picture: NDArray[np.uint8] = self._photographer.shoot(camera, width, height)
        return picture

    def close(self) -> None:
        """Free the simulation and OpenGL; closing twice is fine."""
        if self._photographer is not None:
            self._photographer.close()
            self._photographer = None
        self._observation = {}
        self._model = self._data = None
        self._env = None
        self._release()
        _give_back_memory()

    # --- inside ----------------------------------------------------------------------------------------------

    def _reset_inner(self) -> None:
        """Robosuite's own reset; upstream's wrapper turns every exception into an endless loop."""
        for _ in range(_PLACEMENT_TRIES):
            try:
                self._env.reset()
            except self._randomization_error as error:
                failure = error
            else:
                return
        raise SimulationError(f"{self.task.name}: no free placement in {_PLACEMENT_TRIES} draws: {failure}")

    def _set_state(self, state: NDArray[np.float64]) -> None:
        """Upstream's `set_init_state`. Once an episode: every further forced update shifts the sampling's phase."""
        env = self._env
        env.sim.set_state_from_flattened(state)
        env.sim.forward()
        self._success = bool(env._check_success())
        env._post_process()
        env._update_observables(force=True)
        self._observation = env._get_observations()

    def _step(self, action: Array) -> None:
        observation, _, success, _ = self._env.step(action)
        self._success = bool(success)
        if not self._holding:
            self._observation = observation

    def _checked_state(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        state = np.asarray(value, dtype=np.float64)
        wanted = (1 + self._model.nq + self._model.nv,)
        if state.shape != wanted or not np.isfinite(state).all():
            raise UsageError(f"init_state: expected {wanted} finite numbers, got shape {state.shape}")
        return state

    def _add_photographer(self, observable: Any) -> None:
        """Let the sampling of observations tell us which moment robosuite would draw."""
        from .photographer import Photographer

        photographer = Photographer(self._model, self._data)
        world = weakref.proxy(self)

        def sense(_: object) -> NDArray[np.float64]:
            if not world._holding:
                photographer.keep()
            return np.zeros(1)

        sense.__modality__ = "moment"  # type: ignore[attr-defined] # robosuite's way to mark a sensor
        self._env.add_observable(observable(_MOMENT, sense, sampling_rate=CONTROL_HZ, active=False))
        self._photographer = photographer

    def __reduce__(self) -> NoReturn:
        """Refuse copying and pickling: a copy would drive the same simulation."""
        raise UsageError(
            "a LIBERO world can be neither copied nor pickled, because a copy would share its simulation; "
            "make a new environment instead, e.g. gymnasium.make(env.spec)"
        )


def _checked_action(action: Array) -> Array:
    """The action; raises InvalidActionError for one that robosuite would take without complaint."""
    if not isinstance(action, np.ndarray) or action.dtype.kind != "f" or action.shape != (ACTION_DIM,):
        what = f"{action.dtype} {action.shape}" if isinstance(action, np.ndarray) else type(action).__name__
        raise InvalidActionError(f"an action is a floating array of shape ({ACTION_DIM},), not {what}")
    if not np.isfinite(action).all():
        raise InvalidActionError(f"the action is not finite: {action.tolist()}")
    return action


def _close(env: Any) -> None:
    """Free robosuite's simulation, which fails if it is done twice."""
    env.close()


def _give_back_memory() -> None:
    """Free what refers to one another, as robosuite's objects do, and return it to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
