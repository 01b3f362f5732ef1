"""CALVIN as a Gymnasium environment: chains of five instructions on a play table.

```python
import gymnasium
env = gymnasium.make("seer_bench/CalvinABCD-v0", protocol="calvin-abc-d/v1-tiny")
observation, info = env.reset(options={"chain": 417})
print(info["instruction"])
observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
```

An episode is a chain. `reward` is 1 on the step that solves a subtask; the next subtask then begins in the very state
that was reached. `terminated` means that all five are solved, `truncated` that a subtask ran out of steps.

The physics client and OpenGL come into being at the first `reset`. Bullet's EGL renderer allows one world in a process,
because closing one of two makes the other one's pictures wrong. So under EGL:

* many environments: `AsyncVectorEnv(makers, context="spawn")`; `SyncVectorEnv` takes a `-tiny` protocol;
* `check_env(env.unwrapped, skip_render_check=True)`: the render check resets a second environment beside the first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces

from seer_bench import (
    BodyState,
    EvaluationProtocol,
    SimulatorState,
    StepResult,
    Subtask,
    Unit,
    UnknownNameError,
    UsageError,
)
from seer_bench.contracts import Array

from .action_kinds import ACTION_KINDS
from .backend import Backend, prepare_backend, renderer_for
from .chains import Chain, initial_state_vectors, load_chains, load_sentences
from .fields import DEFAULT_FIELDS, check_fields, field_spaces
from .oracle import solved
from .protocols import DEFAULT_PROTOCOL, load_protocol
from .renderer import Renderer
from .snapshot import ROBOT, Snapshot


@dataclass
class _Episode:
    """The chain under way."""

    chain: Chain
    start: Snapshot
    """State in which the current subtask began."""
    subtask: Subtask | None
    """None when the chain is over."""
    steps: int = 0
    """Control steps taken in the current subtask."""
    solved: int = 0


class CalvinEnv(gymnasium.Env[dict[str, Any], Array]):
    """One CALVIN world in which chains are played.

    Args:
        protocol: every number that shapes a score; a name such as "calvin-abc-d/v1".
        fields: keys of the observation: `rgb_static`, `rgb_gripper` (uint8, height x width x 3, upright),
            `depth_static`, `depth_gripper` (float32 metres, height x width), `robot_obs` (float64, 15: tcp xyz [m],
            tcp Euler xyz [rad], gripper width [m], 7 joints [rad], last gripper command) and `scene_obs` (float64,
            24: the state of the scene, which a policy under evaluation may not see).
        action_kind: `cartesian_rel` (7), `cartesian_abs` (7, Euler angles), `cartesian_abs_quat` (8), `joint_abs`
            (8) or `joint_rel` (8). The last entry is the gripper: above 0 opens, anything else closes.
        renderer: "egl", "tiny" or "none"; None for the protocol's where the fields or the render mode need one.
        scene: another scene than the protocol's, "A" to "D"; such episodes are not evaluations.
        backend: "own", or "upstream" where calvin_env is installed.
        render_mode: "rgb_array" or None.

    Raises:
        UnknownNameError: no such protocol, field, action kind, renderer, scene or backend.
        UsageError: no field, no such render mode, an image without a renderer, or an action kind that the protocol's
            variant lacks.
        AssetError: the scene's files are missing or altered.
        SimulationError: the renderer does not work here.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012 - Gymnasium's own class attribute

    def __init__(
        self,
        protocol: str | EvaluationProtocol = DEFAULT_PROTOCOL,
        *,
        fields: Collection[str] = DEFAULT_FIELDS,
        action_kind: str = "cartesian_rel",
        renderer: Renderer | None = None,
        scene: str | None = None,
        backend: str = "own",
        render_mode: str | None = None,
    ) -> None:
        self.protocol = load_protocol(protocol) if isinstance(protocol, str) else protocol
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise UsageError(f"render_mode {render_mode!r} is unknown; known: 'rgb_array', or None for no pictures.")
        self.render_mode = render_mode
        self._sizes = {name: tuple(size) for name, size in self.protocol.settings["cameras"].items()}
        spaces_of = field_spaces(self._sizes)
        check_fields(fields, spaces_of)
        if action_kind not in ACTION_KINDS:
            raise UnknownNameError("action kind", action_kind, ACTION_KINDS)
        self._fields = tuple(fields)
        self._kind = ACTION_KINDS[action_kind]
        self._kind.check_variant(self.protocol.settings["variant"])
        self.observation_space = spaces.Dict({field: spaces_of[field] for field in self._fields})
        self.action_space = self._kind.space()
        self._chains = load_chains()
        self._sentences = load_sentences()
        self._limit: int = self.protocol.settings["chain"]["steps_per_subtask"]
        looks = render_mode is not None or any(field.startswith(("rgb_", "depth_")) for field in fields)
        self.renderer: Renderer = renderer or renderer_for(self.protocol, "exact" if looks else "off")
        if looks and self.renderer == "none":
            raise UsageError("renderer 'none' takes no pictures; leave out image fields and render_mode, or use 'tiny'")
        self._make_world = prepare_backend(self.protocol, renderer=self.renderer, backend=backend, scene=scene)
        self._built: Backend | None = None
        self._closed = False
        self._episode: _Episode | None = None

    # --- Gymnasium -------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Begin a chain: `options={"chain": 417}`, or one drawn from the seed.

        Raises:
            UsageError: there is no such chain, or an option is unknown.
            SimulationError: the world cannot be built, e.g. a second one with EGL in this process.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        index = options.pop("chain", None)
        if options:
            raise UsageError(f"reset: unknown option {', '.join(map(repr, options))}; known: 'chain'.")
        if index is None:
            index = int(self.np_random.integers(len(self._chains)))
        self._begin_chain(index)
        return self.observe(self._fields), self._info(solved=False)

    def step(self, action: Array) -> tuple[dict[str, Array], SupportsFloat, bool, bool, dict[str, Any]]:
        """One control step of 1/30 s.

        Raises:
            InvalidActionError: wrong shape or dtype, or not finite; the world is untouched.
            gymnasium.error.ResetNeeded: the chain is over.
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        result = self.advance(action)
        ended = result.subtask_over and result.next_subtask is None
        info = self._info(solved=result.solved)
        return (
            self.observe(self._fields),
            float(result.solved),
            ended and result.solved,
            ended and not result.solved,
            info,
        )

    def render(self) -> Array | None:
        """The static camera's image (height, width, 3) in mode "rgb_array"."""
        if self.render_mode is None:
            return None
        return self._world.render("static", size=self._sizes["static"], depth=False).rgb

    def close(self) -> None:
        """Free the physics client; closing twice is fine."""
        self._closed = True
        if self._built is not None:
            self._built.close()

    # --- what the engine drives ------------------------------------------------------------------------------

    def begin(self, unit: Unit) -> Subtask:
        """Begin the chain of a unit in a fresh world; its first subtask."""
        return self._begin_chain(unit.index)

    def advance(self, action: Array) -> StepResult:
        """One control step: physics and the check of the current subtask, no rendering."""
        episode, subtask = self._under_way()
        self._world.step(self._kind.command(action))
        episode.steps += 1
        now = self._world.snapshot()
        done = solved(subtask.task, episode.start, now)
        if not done and episode.steps < self._limit:
            return StepResult(solved=False, subtask_over=False, next_subtask=None)
        following = subtask.index + 1
        more = done and following < len(episode.chain.subtasks)
        episode.start, episode.steps = now, 0
        episode.solved += done
        episode.subtask = self._describe(episode.chain, following) if more else None
        return StepResult(solved=done, subtask_over=True, next_subtask=episode.subtask)

    def observe(self, fields: Collection[str]) -> dict[str, Array]:
        """The named fields of the current state; each camera is rendered once."""
        images: dict[str, Array] = {}
        for camera, size in self._sizes.items():
            depth = f"depth_{camera}" in fields
            if depth or f"rgb_{camera}" in fields:
                image = self._world.render(camera, size=size, depth=depth)
                images[f"rgb_{camera}"] = image.rgb
                if image.depth is not None:
                    images[f"depth_{camera}"] = image.depth
        vectors = {"robot_obs": self._world.robot_obs, "scene_obs": self._world.scene_obs}
        return {field: vectors[field]() if field in vectors else images[field] for field in fields}

    def state(self) -> SimulatorState:
        """What a privileged policy may see."""
        _, subtask = self._under_way()
        now = self._world.snapshot()
        robot = self._world.robot_obs()
        return SimulatorState(
            task=subtask.task,
            bodies={n: BodyState(np.array(b.position), np.array(b.quaternion)) for n, b in now.blocks.items()},
            joints={"slide": now.slide, "drawer": now.drawer, "button": now.button, "switch": now.switch},
            tcp_position=robot[:3],
            tcp_euler=robot[3:6],
            target_position=self._world.target_position.copy(),
            target_euler=self._world.target_euler.copy(),
            gripper_command=float(robot[14]),
            held=frozenset(n for n, b in now.blocks.items() if any(t.body == ROBOT for t in b.touches)),
        )

    def film(self, size: int) -> dict[str, Array]:
        """Both cameras at (size, size, 3), for a person; the overview first."""
        cameras = ("static", "gripper")
        return {name: self._world.render(name, size=(size, size), depth=False).rgb for name in cameras}

    # --- chains ----------------------------------------------------------------------------------------------

    def _begin_chain(self, index: int) -> Subtask:
        """A fresh world in the chain's initial state."""
        self._refuse_closed()
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise UsageError(f"a chain is chosen by its number, 0 to {len(self._chains) - 1}, not by {index!r}.")
        if not 0 <= index < len(self._chains):
            raise UsageError(f"there is no chain {index}; chains are numbered 0 to {len(self._chains) - 1}.")
        self._episode = None
        if self._built is None:
            self._built = self._make_world()
        else:
            self._built.rebuild()
        chain = self._chains[index]
        self._world.reset(*initial_state_vectors(chain.initial_state))
        first = self._describe(chain, 0)
        self._episode = _Episode(chain, self._world.snapshot(), first)
        return first

    def _under_way(self) -> tuple[_Episode, Subtask]:
        """The episode and its current subtask; raises ResetNeeded or ClosedEnvironmentError of gymnasium.error."""
        self._refuse_closed()
        if self._episode is None or self._episode.subtask is None:
            raise gymnasium.error.ResetNeeded("no chain is under way; call reset() to begin one.")
        return self._episode, self._episode.subtask

    @property
    def _world(self) -> Backend:
        """The world since the first reset; raises ResetNeeded or ClosedEnvironmentError of gymnasium.error."""
        self._refuse_closed()
        if self._built is None:
            raise gymnasium.error.ResetNeeded("there is no world yet; call reset() to build it.")
        return self._built

    def _refuse_closed(self) -> None:
        """Raise gymnasium.error.ClosedEnvironmentError after `close`."""
        if self._closed:
            raise gymnasium.error.ClosedEnvironmentError("this environment was closed; make a new one.")

    def _describe(self, chain: Chain, index: int) -> Subtask:
        """The subtask at a position of a chain."""
        task = chain.subtasks[index]
        return Subtask(index, task, self._sentences[task])

    def _info(self, *, solved: bool) -> dict[str, Any]:
        """What `reset` and `step` say beside the observation; `subtask` is the one to follow next."""
        if self._episode is None:
            return {}
        subtask = self._episode.subtask
        return {
            "chain": self._episode.chain.index,
            "subtasks": self._episode.chain.subtasks,
            "subtask": subtask.task if subtask else None,
            "instruction": subtask.instruction if subtask else None,
            "subtask_solved": solved,
            "solved": self._episode.solved,
        }


def make_env(**kwargs: Any) -> CalvinEnv:
    """Entry point of `gymnasium.make`."""
    return CalvinEnv(**kwargs)
