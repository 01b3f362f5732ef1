"""LIBERO as a Gymnasium environment: one episode is one trial of one task.

```python
import gymnasium
env = gymnasium.make("seer_bench/LiberoLong-v0", protocol="libero-long/v1", task=3)
observation, info = env.reset(options={"trial": 7})
print(info["instruction"])
observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
```

`reward` is 1 on the step that reaches the goal, which also ends the episode (`terminated`, `info["success"]`);
`truncated` means that the trial ran out of steps. The simulation of a task is built by the first `reset` that needs it,
which takes seconds, and kept until another task is asked for; every further reset takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, SupportsFloat, get_args

import gymnasium
import numpy as np
from gymnasium import spaces

from seer_bench import EvaluationProtocol, SimulatorState, StepResult, Subtask, Unit, UnknownNameError, UsageError
from seer_bench.contracts import Array, Cameras, Json
from seer_bench.conventions import ImageSpec

from .construction import CONTROL_HZ
from .fields import (
    CAMERAS,
    DEFAULT_FIELDS,
    STATE_FIELDS,
    Orientation,
    check_fields,
    checked_orientation,
    field_space,
    field_specs,
    oriented,
    vector,
)
from .gl import choose_gl
from .package import BACKENDS, check_versions
from .protocols import DEFAULT_PROTOCOL, construction_seed, fixture_rule, load_protocol
from .suites import Task, find_task, load_init_states, load_suite
from .warm import WarmWorld
from .world import ACTION_DIM, World

RENDER_SIZE = 256
"""Height and width of `render`'s picture, pixels."""


@dataclass
class _Episode:
    """The trial under way."""

    task: Task
    trial: int
    steps: int = 0
    over: bool = False


class LiberoEnv(gymnasium.Env[dict[str, Any], Array]):
    """One LIBERO world in which trials are played.

    Args:
        protocol: every number that shapes a score; a name such as "libero-long/seer-v1".
        suite: another suite than the protocol's: "libero_10", "libero_spatial", "libero_object", "libero_goal" or
            "libero_90"; such episodes are not evaluations.
        task: number in the suite, from 0, of the task of every episode that `reset` names none for; None draws one.
        fields: keys of the observation: `rgb_agentview`, `rgb_eye_in_hand` (uint8, height x width x 3) and, float64 in
            the world frame, `eef_position` (3) [m], `eef_quaternion` (4) xyzw, `eef_euler` (3) fixed-axis xyz [rad],
            `eef_axis_angle` (3) [rad], `gripper_qpos` (2) [m], `joint_positions` (7) [rad].
        orientation: of images, "raw", "upright" or "rot180"; None for the protocol's.
        cameras: "off" builds no renderer, and leaves images out of the default fields.
        backend: "pinned", or "unpinned" for whatever versions are installed.
        render_mode: "rgb_array" or None.

    Actions are (7,): translation (0.05 m for 1), rotation vector (0.5 rad for 1), both in the world frame and added to
    the gripper's present pose, then the gripper: above 0 closes, below 0 opens, 0 holds. Finite values outside [-1, 1]
    are clipped.

    Raises:
        UnknownNameError: no such protocol, suite, field, orientation, backend.
        UsageError: no such task or render mode, no field, images without cameras, or versions that are not accepted.
        MissingExtraError: LIBERO's packages are not installed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012 - Gymnasium's own class attribute

    def __init__(
        self,
        protocol: str | EvaluationProtocol = DEFAULT_PROTOCOL,
        *,
        suite: str | None = None,
        task: int | None = None,
        fields: Collection[str] | None = None,
        orientation: str | None = None,
        cameras: Cameras = "exact",
        backend: str = "pinned",
        render_mode: str | None = None,
    ) -> None:
        self.protocol = load_protocol(protocol) if isinstance(protocol, str) else protocol
        settings = self.protocol.settings
        self.suite: str = suite or settings["suite"]
        self._per_task: int = settings["trials"]["per_task"]
        self._tasks = load_suite(self.suite)
        self._task = None if task is None else find_task(self.suite, task).index
        self._orientation = checked_orientation(orientation or settings["orientation"])
        if backend not in BACKENDS:
            raise UnknownNameError("LIBERO backend", backend, BACKENDS)
        if cameras not in get_args(Cameras):
            raise UnknownNameError("choice of cameras", cameras, get_args(Cameras))
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise UsageError(f"render_mode {render_mode!r} is unknown; known: 'rgb_array', or None for no pictures.")
        self.render_mode = render_mode
        self._images = cameras != "off"
        self._sizes = {name: tuple(size) for name, size in settings["cameras"].items()}
        self._specs = field_specs(self._sizes, self._orientation)
        self._fields = tuple(fields if fields is not None else DEFAULT_FIELDS if self._images else STATE_FIELDS)
        check_fields(self._fields, self._specs)
        looks = render_mode is not None or any(field in CAMERAS for field in self._fields)
        if looks and not self._images:
            raise UsageError("cameras 'off' take no pictures; leave out image fields and render_mode")
        check_versions(backend)
        self.observation_space = spaces.Dict({field: field_space(self._specs[field]) for field in self._fields})
        self.action_space = spaces.Box(-1.0, 1.0, (ACTION_DIM,), np.float32)
        self._warm = WarmWorld(partial(World, images=self._images, seed=construction_seed(self.protocol)))
        self._episode: _Episode | None = None
        self._closed = False

    # --- Gymnasium -------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Begin a trial: `options={"task": 3, "trial": 7}`; what is not named is drawn from the seed.

        Raises:
            UsageError: there is no such task or trial, or an option is unknown.
            AssetError: the scene's files are missing or altered.
            SimulationError: the world cannot be built.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        task, trial = options.pop("task", self._task), options.pop("trial", None)
        if options:
            raise UsageError(f"reset: unknown option {', '.join(map(repr, options))}; known: 'task', 'trial'.")
        if task is None:
            task = int(self.np_random.integers(len(self._tasks)))
        if trial is None:
            trial = int(self.np_random.integers(self._trials(find_task(self.suite, task))))
        self._begin(task, trial)
        return self.observe(self._fields), self._info(success=False)

    def step(self, action: Array) -> tuple[dict[str, Array], SupportsFloat, bool, bool, dict[str, Any]]:
        """One control step of 1/20 s.

        Raises:
            InvalidActionError: wrong shape or dtype, or not finite; the world is untouched.
            gymnasium.error.ResetNeeded: the trial is over.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        result = self.advance(action)
        truncated = result.subtask_over and not result.solved
        info = self._info(success=result.solved)
        return self.observe(self._fields), float(result.solved), result.solved, truncated, info

    def render(self) -> Array | None:
        """The agent camera's image, upright (256, 256, 3), in mode "rgb_array"."""
        if self.render_mode is None:
            return None
        return self._picture(CAMERAS["rgb_agentview"], RENDER_SIZE, RENDER_SIZE, "upright")

    def close(self) -> None:
        """Free the simulation; closing twice is fine."""
        self._closed = True
        self._warm.close()

    # --- what the engine drives ------------------------------------------------------------------------------

    @property
    def renderer(self) -> str:
        """What draws: "egl", "osmesa", or "none" with cameras "off"."""
        return choose_gl() if self._images else "none"

    @property
    def initial(self) -> Json:
        """Where the fixtures of the trial under way stand; empty for scenes without any."""
        fixtures = self._built.fixtures
        return {"fixtures": {name: pose.to_json() for name, pose in sorted(fixtures.items())}} if fixtures else {}

    def begin(self, unit: Unit) -> Subtask:
        """Begin a unit's trial; its single subtask."""
        return self._begin(*divmod(unit.index, self._per_task))

    def advance(self, action: Array) -> StepResult:
        """One control step: physics and the check of the goal, no rendering."""
        episode = self._under_way()
        solved = self._built.step(action)
        episode.steps += 1
        episode.over = solved or episode.steps >= self.protocol.settings["trials"]["steps"]
        return StepResult(solved=solved, subtask_over=episode.over, next_subtask=None)

    def observe(self, fields: Collection[str]) -> dict[str, Array]:
        """The named fields of the current observation; only images asked for are rendered, each once."""
        return {field: self._field(field) for field in fields}

    def state(self) -> SimulatorState:
        """What a privileged policy may see; see `StateReader.read` for the names in it."""
        return self._warm.reader(self._built).read()

    def film(self, size: int) -> dict[str, Array]:
        """Both cameras upright at (size, size, 3), for a person; the overview first."""
        return {name: self._picture(name, size, size, "upright") for name in CAMERAS.values()}

    # --- trials ----------------------------------------------------------------------------------------------

    def _begin(self, index: int, trial: int) -> Subtask:
        """The trial's start state in a world that remembers nothing."""
        self._refuse_closed()
        task = find_task(self.suite, index)
        trials = self._trials(task)
        if isinstance(trial, bool) or not isinstance(trial, (int, np.integer)) or not 0 <= trial < trials:
            raise UsageError(f"task {index} has no trial {trial!r}; its trials are numbered 0 to {trials - 1}.")
        self._episode = None
        settings = self.protocol.settings
        rule = fixture_rule(self.protocol, suite=self.suite, task=index, trial=trial)
        world = self._warm.of(task)
        world.reset(load_init_states(task)[trial], seed=rule.seed, fixtures=rule.poses)
        world.settle(
            np.array(settings["settle"]["action"], dtype=np.float64),
            settings["settle"]["steps"],
            keep_observation=settings["first_observation"] == "before settling",
        )
        self._episode = _Episode(task, trial)
        return Subtask(0, task.name, task.instruction)

    def _trials(self, task: Task) -> int:
        """Trials of a task: the protocol's, or all initial states of another suite's task."""
        if self.suite != self.protocol.settings["suite"]:
            return task.init_states_shape[0]
        return self._per_task

    def _field(self, field: str) -> Array:
        """One field of the observation."""
        spec = self._specs.get(field)
        if spec is None:
            raise UnknownNameError("observation field", field, self._specs)
        if isinstance(spec, ImageSpec):
            return self._picture(CAMERAS[field], spec.width, spec.height, self._orientation)
        return vector(field, self._built.observation)

    def _picture(self, camera: str, width: int, height: int, orientation: Orientation) -> Array:
        """One picture of what was last observed."""
        return oriented(self._built.render(camera, width=width, height=height), orientation)

    def _under_way(self) -> _Episode:
        """The trial under way; raises ResetNeeded or ClosedEnvironmentError of gymnasium.error."""
        self._refuse_closed()
        if self._episode is None or self._episode.over:
            raise gymnasium.error.ResetNeeded("no trial is under way; call reset() to begin one.")
        return self._episode

    @property
    def _built(self) -> World:
        """The world since the first reset; raises ResetNeeded or ClosedEnvironmentError of gymnasium.error."""
        self._refuse_closed()
        if self._warm.now is None:
            raise gymnasium.error.ResetNeeded("there is no world yet; call reset() to build it.")
        return self._warm.now

    def _refuse_closed(self) -> None:
        """Raise gymnasium.error.ClosedEnvironmentError after `close`."""
        if self._closed:
            raise gymnasium.error.ClosedEnvironmentError("this environment was closed; make a new one.")

    def _info(self, *, success: bool) -> dict[str, Any]:
        """What `reset` and `step` say beside the observation."""
        if self._episode is None:
            return {}
        task = self._episode.task
        return {
            "suite": task.suite,
            "task": task.index,
            "task_name": task.name,
            "instruction": task.instruction,
            "trial": self._episode.trial,
            "steps": self._episode.steps,
            "success": success,
        }


def make_env(**kwargs: Any) -> LiberoEnv:
    """Entry point of `gymnasium.make`."""
    return LiberoEnv(**kwargs)
