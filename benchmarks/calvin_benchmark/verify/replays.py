"""Kinds of records that are compared by simulating: rollouts, resets, images and expert chains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from seer_bench.verification.compare import Comparison, describe
from seer_bench.verification.recording import RecordError, field
from seer_bench.verification.round_off import Role

from ..assets import scene_root
from ..chains import InitialState, initial_state_vectors
from ..oracle import TASKS, solved
from ..renderer import Renderer, available
from ..scene import load_scene
from ..world import World
from .images import compare_egl
from .motions import ACTION_SIZES, action_packers, rollout_key
from .recording import CalvinRecording, chain_at, chain_of, initial_state
from .trace import CAMERAS, IMAGE_STRIDE, Array, photograph, rollout, world_probes

WorldFactory = Callable[[CalvinRecording, Renderer], World]

STEPS_PER_SUBTASK = 360
"""After so many steps without success a recorded chain ends."""

IMAGES = tuple(f"{what}_{camera}" for camera in CAMERAS for what in ("rgb", "depth"))


def own_world(recording: CalvinRecording, renderer: Renderer) -> World:
    """Build the world that a record was made in."""
    scene = load_scene(recording.scene)
    return World(scene, scene_root(scene), variant=recording.variant, renderer=renderer, warm_up=False)


def compare_rollouts(recording: CalvinRecording, comparison: Comparison, make_world: WorldFactory) -> None:
    """Replay recorded actions from a reset; states, IK targets, velocities, contact counts, images.

    The .json file lists rollouts by number, action kind and initial state; the arrays of number 7 are `r07/...` for
    relative actions and `KIND07/...` for the others.
    """
    with _opened(make_world(recording, "tiny")) as world:
        comparison.expect(len(recording.entries()))
        for position, entry in enumerate(recording.entries()):
            where = f"rollout {position}"
            with comparison.unit(where):
                kind, number = field(entry, "kind", str, where), field(entry, "rollout", int, where)
                if kind not in ACTION_SIZES:
                    comparison.skip(f"rollouts of the unknown action kind '{kind}' were not replayed")
                    continue
                _compare_rollout(recording, comparison, world, entry, kind, rollout_key(kind, number))


def _compare_rollout(
    recording: CalvinRecording, comparison: Comparison, world: World, entry: dict[str, Any], kind: str, key: str
) -> None:
    arrays = recording.arrays
    images = {image: arrays[f"{key}/{image}"] for image in IMAGES if f"{key}/{image}" in arrays}
    rows = arrays.floats(f"{key}/actions", (None, ACTION_SIZES[kind]))
    shots = max((len(np.atleast_1d(image)) for image in images.values()), default=0)
    packers = action_packers(recording.variant)
    if kind not in packers:
        raise RecordError(f"{key}: the {recording.variant} variant has no actions of kind '{kind}'")
    world.rebuild()
    got = rollout(
        world,
        initial_state(entry, key),
        [packers[kind](row) for row in rows],
        world_probes(world),
        commands={"ik_joints": lambda: world.ik_joints},
        image_steps=range(0, shots * IMAGE_STRIDE, IMAGE_STRIDE),
    )
    comparison.count(rollouts=1, steps=len(rows))
    for name, values in got.items():
        if name not in IMAGES:
            role: Role = "follower" if name == "n_contacts" else "number"
            comparison.numbers(f"{key}/{name}", arrays[f"{key}/{name}"], values, role=role)
        elif name in images:
            _compare_pictures(comparison, f"{key}/{name}", images[name], values)


def _compare_pictures(comparison: Comparison, name: str, recorded: Array, got: Array) -> None:
    if recorded.shape != got.shape:
        comparison.fault(f"{name} is recorded as {describe(recorded)}, expected {describe(got)}")
        return
    for i, (want, have) in enumerate(zip(recorded, got, strict=True)):
        comparison.picture(name, want, have, step=i * IMAGE_STRIDE)


def compare_resets(recording: CalvinRecording, comparison: Comparison, make_world: WorldFactory) -> None:
    """Reset a fresh world to the initial states of chains; observations, and the poses blocks are loaded at."""
    arrays = recording.arrays
    chains = arrays["sequence_index"]
    if chains.ndim != 1 or chains.dtype.kind not in "iu":
        raise RecordError(f"{arrays.name}: 'sequence_index' must hold integers, it holds {chains.dtype} {chains.shape}")
    robot, scene = (arrays.floats(name, (len(chains), None)) for name in ("robot_obs", "scene_obs"))
    with _opened(make_world(recording, "none")) as world:
        with comparison.unit("loading"):
            comparison.numbers(
                "load_block_poses_xyz_quat", arrays["load_block_poses_xyz_quat"], world.load_poses(), role="alone"
            )
        for i, index in enumerate(chains.tolist()):
            with comparison.unit(f"chain {index}"):
                _reset(world, chain_at(index, arrays.name).initial_state)
                comparison.count(resets=1)
                comparison.numbers("robot_obs", robot[i], world.robot_obs(), role="alone")
                comparison.numbers("scene_obs", scene[i], world.scene_obs(), role="alone")


_IMAGE_KEY = re.compile(r"(tiny|egl)_(\d+)_(rgb|depth)_(static|gripper)")


def compare_reset_images(recording: CalvinRecording, comparison: Comparison, make_world: WorldFactory) -> None:
    """Take both cameras' pictures of initial states; arrays are called `RENDERER_CHAIN_rgb|depth_CAMERA`."""
    arrays = recording.arrays
    wanted: dict[Renderer, dict[int, list[str]]] = {"tiny": {}, "egl": {}}
    for key in arrays:
        if match := _IMAGE_KEY.fullmatch(key):
            renderer: Renderer = "egl" if match[1] == "egl" else "tiny"
            wanted[renderer].setdefault(int(match[2]), []).append(f"{match[3]}_{match[4]}")
        else:
            comparison.skip("arrays of no known renderer were left out")
    if wanted["tiny"]:
        with _opened(make_world(recording, "tiny")) as world:
            for index, names in wanted["tiny"].items():
                with comparison.unit(f"chain {index}"):
                    _reset(world, chain_at(index, arrays.name).initial_state)
                    taken = photograph(world)
                    comparison.count(images=len(names))
                    for name in names:
                        comparison.picture(f"tiny {name}", arrays[f"tiny_{index}_{name}"], taken[name])
    if wanted["egl"] and available("egl"):
        with _opened(make_world(recording, "egl")) as world:
            compare_egl(arrays, wanted["egl"], comparison, world)
    elif wanted["egl"]:
        comparison.skip("EGL images skipped: this machine cannot render through EGL")


def compare_chains(recording: CalvinRecording, comparison: Comparison, make_world: WorldFactory) -> None:
    """Replay the actions of recorded chains open loop; results, step counts and the final state.

    The .json file lists chains; the arrays of chain 12 are `c0012/actions` and `c0012/final_state` (39,): robot_obs
    and scene_obs.
    """
    with _opened(make_world(recording, "none")) as world:
        comparison.expect(len(recording.entries()))
        for position, entry in enumerate(recording.entries()):
            where = f"chain entry {position}"
            with comparison.unit(f"chain {entry.get('sequence_index', f'entry {position}')}"):
                chain = chain_of(entry, where)
                comparison.outcome("initial state", initial_state(entry, where), chain.initial_state)
                comparison.outcome("subtasks", entry.get("sequence"), list(chain.subtasks))
                _compare_chain(recording, comparison, world, entry, chain.index)
    if comparison.differs:
        comparison.note("chains amplify a difference in the last bit without bound; rollouts show how it begins")


def _compare_chain(
    recording: CalvinRecording, comparison: Comparison, world: World, entry: dict[str, Any], index: int
) -> None:
    key, where = _chain_key(index), f"chain {index}"
    actions = recording.arrays.floats(f"{key}/actions", (None, 7))
    tasks = field(entry, "sequence", list, where)
    if unknown := [task for task in tasks if not isinstance(task, str) or task not in TASKS]:
        raise RecordError(f"{where}: unknown tasks {unknown}")
    _reset(world, initial_state(entry, where))
    played = _play(world, tasks, actions)
    comparison.count(chains=1, subtasks=len(played), steps=len(actions))
    subtasks = field(entry, "subtasks", list, where)
    for i, outcome in enumerate(played):
        comparison.outcome(f"subtask {i + 1}", subtasks[i] if i < len(subtasks) else None, outcome)
    comparison.outcome("number of subtasks", len(subtasks), len(played))
    comparison.outcome("result", entry.get("result"), sum(outcome["success"] for outcome in played))
    comparison.outcome("actions", len(actions), sum(outcome["steps"] for outcome in played))
    final = np.concatenate([world.robot_obs(), world.scene_obs()])
    comparison.numbers("final state", recording.arrays[f"{key}/final_state"], final, role="final")


def _chain_key(index: int) -> str:
    return f"c{index:04d}"


def _play(world: World, tasks: Sequence[str], actions: Array) -> list[dict[str, Any]]:
    """Feed actions to one subtask after another until one is not solved."""
    rest, played = iter(actions), []
    for task in tasks:
        start, success, steps = world.snapshot(), False, 0
        for action in islice(rest, STEPS_PER_SUBTASK):
            world.step(action)
            steps += 1
            success = solved(task, start, world.snapshot())
            if success:
                break
        played.append({"task": task, "success": success, "steps": steps})
        if not success:
            break
    return played


def _reset(world: World, state: InitialState) -> None:
    world.rebuild()
    world.reset(*initial_state_vectors(state))


@contextmanager
def _opened(world: World) -> Iterator[World]:
    try:
        yield world
    finally:
        world.close()
