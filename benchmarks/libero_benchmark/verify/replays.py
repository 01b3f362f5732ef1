"""Kinds of records that are compared by playing actions: trajectories and an expert's episodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seer_bench.contracts import Array
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import Arrays, RecordError
from seer_bench.verification.round_off import Role

from ..fixtures import FixturePose
from ..gl import probe_gl
from ..suites import Task, load_init_states
from ..world import World
from .recording import LiberoRecording, Picture, episodes_of, fixtures_of, init_index, names_under
from .worlds import REST, Worlds

STATE_STRIDE = 10
"""Recorded states are those after 10, 20, 30 ... actions."""

SOFTWARE_RENDERER = "llvmpipe"
"""What drew the recordings: Mesa's software renderer, whose pixels do not depend on the machine."""

_SINGLE_PRECISION = ("object-state", "_to_robot0_eef_quat")
"""Observations with orientations that robosuite computes in single precision."""


def compare_trajectories(recording: LiberoRecording, comparison: Comparison, worlds: Worlds) -> None:
    """Replay recorded actions; states, observations, reward, success and images.

    Of every episode `NAME/init_state` (D,) and `NAME/actions` (n, 7) must be there, and the poses of the scene's
    fixtures, `NAME/fixture_pos/FIXTURE` (3,) and `NAME/fixture_quat/FIXTURE` (4,) wxyz. What is compared: `obs0/KEY` of
    the reset, `qpos_after_settle` and `qvel_after_settle`, then `obs/KEY` (n, ...), `done` and `reward` (n,) after
    every action, `qpos_every10` and `qvel_every10` after every tenth, and images `NAME_stepN_CAMERA_image.png` after N.
    """
    episodes = episodes_of(recording.arrays)
    comparison.expect(len(episodes))
    for episode in episodes:
        with comparison.unit(episode):
            _Replay(recording, comparison, worlds, episode).compare()


class _Replay:
    """One episode, while it is played and compared."""

    def __init__(self, recording: LiberoRecording, comparison: Comparison, worlds: Worlds, episode: str) -> None:
        arrays = recording.arrays
        self._recording, self._comparison, self._arrays, self._episode = recording, comparison, arrays, episode
        self._task = recording.task_of(episode)
        self._actions = arrays.floats(f"{episode}/actions", (None, 7))
        self._start = arrays.floats(f"{episode}/init_state", (self._task.init_states_shape[1],)).astype(np.float64)
        self._pictures = self._drawable(recording.pictures_of(episode))
        self._world = worlds.of(self._task)

    def compare(self) -> None:
        """Play the episode and compare everything that was recorded of it."""
        self._compare_start()
        fixtures = _complete_fixtures(self._arrays, self._episode, self._world)
        self._world.reset(self._start, seed=self._recording.reset_seed, fixtures=fixtures)
        for key in names_under(self._arrays, f"{self._episode}/obs0/"):
            self._numbers(f"obs0/{key}", [_observed(self._world, key)], [0])
        self._compare_pictures(0)
        self._world.settle(REST, self._recording.settle)
        self._compare_states("after_settle", [self._world.flat_state], [0])
        self._play()
        self._comparison.count(episodes=1, steps=len(self._actions))

    def _play(self) -> None:
        """Every action, and what was recorded after it."""
        keys = list(names_under(self._arrays, f"{self._episode}/obs/"))
        observed: dict[str, list[Array]] = {key: [] for key in keys}
        states, success = [], []
        for step, action in enumerate(self._actions, start=1):
            success.append(self._world.step(action))
            for key in keys:
                observed[key].append(_observed(self._world, key))
            if step % STATE_STRIDE == 0:
                states.append(self._world.flat_state)
            self._compare_pictures(step)
        steps = range(1, len(self._actions) + 1)
        for key in keys:
            self._numbers(f"obs/{key}", observed[key], steps)
        self._compare_states(f"every{STATE_STRIDE}", states, steps[STATE_STRIDE - 1 :: STATE_STRIDE])
        for name, values in (("done", np.array(success, bool)), ("reward", np.array(success, np.float64))):
            if (key := f"{self._episode}/{name}") in self._arrays:
                self._comparison.numbers(name, self._arrays[key], values, role="fatal", steps=steps)

    def _compare_start(self) -> None:
        """Where the name tells which initial state it is, ours must be the same."""
        index, states = init_index(self._episode), load_init_states(self._task)
        if index is not None and index < len(states):
            self._comparison.numbers("init_state", self._start, states[index], role="alone")
        elif index is not None:
            self._comparison.note(f"{self._episode}: the task has {len(states)} initial states; took the recorded one")

    def _compare_states(self, when: str, states: Sequence[Array], steps: Sequence[int]) -> None:
        """Positions and velocities at the end of a step."""
        positions = self._world.inner.sim.model.nq
        for name, columns in (("qpos", slice(1, 1 + positions)), ("qvel", slice(1 + positions, None))):
            if f"{self._episode}/{name}_{when}" in self._arrays:
                self._numbers(f"{name}_{when}", [state[columns] for state in states], steps)

    def _numbers(self, name: str, rows: Sequence[Array], steps: Sequence[int]) -> None:
        """Compare an array with rows, or with the only row where it was recorded without that axis."""
        recorded = self._arrays[f"{self._episode}/{name}"]
        got = np.array(rows).reshape(len(rows), *np.shape(rows[0]) if rows else recorded.shape[1:])
        if list(steps) == [0]:
            recorded = recorded[None]
        role: Role = "single" if name.endswith(_SINGLE_PRECISION) else "number"
        self._comparison.numbers(name, recorded, got, role=role, steps=steps)

    def _drawable(self, pictures: list[Picture]) -> dict[int, list[Picture]]:
        """Images by step, if images can be drawn here."""
        late = [picture.path.name for picture in pictures if picture.step > len(self._actions)]
        if late:
            raise RecordError(f"{late[0]} comes after the last of {len(self._actions)} actions")
        probe = probe_gl() if pictures else None
        if probe is not None and not probe.works:
            self._comparison.skip(f"images were not compared: {probe.problem}")
            return {}
        by_step: dict[int, list[Picture]] = {}
        for picture in pictures:
            by_step.setdefault(picture.step, []).append(picture)
        return by_step

    def _compare_pictures(self, step: int) -> None:
        for picture in self._pictures.get(step, ()):
            recorded = picture.read()
            height, width, _ = recorded.shape
            drawn = self._world.render(picture.camera, width=width, height=height)
            self._comparison.count(images=1)
            self._comparison.picture(picture.camera, recorded, drawn, step)
            if not np.array_equal(recorded, drawn) and SOFTWARE_RENDERER not in probe_gl().driver:
                self._comparison.note(
                    f"pictures are drawn by {probe_gl().driver}; the recorded ones were by Mesa's {SOFTWARE_RENDERER}. "
                    "Run: MUJOCO_GL=osmesa seer-bench verify libero ..."
                )


def compare_expert(recording: LiberoRecording, comparison: Comparison, worlds: Worlds) -> None:
    """Replay an expert's episodes, settle steps included; success of the last action and the state after it.

    `NAME/actions` (n, 7), `NAME/success` () and `NAME/final_state` (D,). They begin in the initial state that NAME
    tells, with fixtures as `NAME/fixture_pos/FIXTURE` says, or else as upstream draws them from the seed of the resets.
    """
    episodes = episodes_of(recording.arrays)
    comparison.expect(len(episodes))
    for episode in episodes:
        with comparison.unit(episode):
            _compare_expert_episode(recording, comparison, worlds, episode)
    if comparison.differs:
        comparison.note("contacts amplify a difference in the last bit without bound; trajectories show how it begins")


def _compare_expert_episode(recording: LiberoRecording, comparison: Comparison, worlds: Worlds, episode: str) -> None:
    arrays, task = recording.arrays, recording.task_of(episode)
    actions = arrays.floats(f"{episode}/actions", (None, 7))
    final, success = arrays[f"{episode}/final_state"], arrays[f"{episode}/success"]
    if success.shape != () or success.dtype != np.bool_:
        raise RecordError(f"{arrays.name}: '{episode}/success' must hold one bool")
    start = _named_start(task, episode)
    fixtures = fixtures_of(arrays, episode, worlds.of(task).fixtures)
    if missing := worlds.of(task).fixtures.keys() - fixtures.keys():
        drawn = worlds.drawn_fixtures(task, recording.reset_seed)
        fixtures |= {name: drawn[name] for name in missing}
    world = worlds.of(task)
    world.reset(start, seed=recording.reset_seed, fixtures=fixtures)
    solved = world.success
    for action in actions:
        solved = world.step(action)
    comparison.count(episodes=1, steps=len(actions))
    comparison.outcome("success", bool(success), solved)
    comparison.numbers("final_state", final, world.flat_state, role="final")


def _named_start(task: Task, episode: str) -> Array:
    """The initial state that an episode's name tells; raises RecordError."""
    index, states = init_index(episode), load_init_states(task)
    if index is None or index >= len(states):
        raise RecordError(f"'{episode}' does not tell one of the task's {len(states)} initial states")
    state: Array = states[index]
    return state


def _complete_fixtures(arrays: Arrays, episode: str, world: World) -> dict[str, FixturePose]:
    """Recorded poses of all the scene's fixtures; raises RecordError."""
    fixtures = fixtures_of(arrays, episode, world.fixtures)
    if missing := sorted(world.fixtures.keys() - fixtures.keys()):
        raise RecordError(f"{arrays.name} has no array '{episode}/fixture_pos/{missing[0]}'")
    return fixtures


def _observed(world: World, key: str) -> Array:
    """One entry of robosuite's observation; raises RecordError."""
    if key not in world.observation:
        raise RecordError(f"the simulation observes no '{key}'; it observes {sorted(world.observation)}")
    return np.array(world.observation[key])
