"""Makes a folder of recordings with our own worlds: `python -m libero_benchmark.verify.record FOLDER`.

So the packaged set (`data/verify`) was made. It holds what our worlds computed, in the format of the upstream
recordings; make it again only after our worlds have been verified against those.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seer_bench.contracts import Array
from seer_bench.verification.recording import INDEX, SCHEMA

from ..facts import facts
from ..package import check_versions, load_upstream
from ..suites import DEFAULT_SUITE, Task, find_task, load_init_states, load_suite
from ..world import World
from .recording import META, SUBJECT
from .replays import STATE_STRIDE
from .tables import PROTOCOL_SEED, installed_states
from .worlds import REST, draw_fixtures, goal_truth

EPISODES = {2: (3, 4), 7: (5,)}
"""Numbers of initial states by task: one scene whose fixture is drawn, and one without fixtures."""

CASE_TASK = 2
"""Turn on the stove and put the moka pot on it."""

STEPS = 30
IMAGE_STEPS = (0, 20)
CAMERAS = ("agentview", "robot0_eye_in_hand")
IMAGE_SIZE = 128
IMAGES = "img"
SETTLE = 5
CASE_SETTLE = 10

POT_ABOVE_BURNER = np.array([0.0, 0.0, 0.055])
"""From the burner's middle to the origin of the pot that stands on it, metres."""

OBSERVED = (
    "robot0_joint_pos",
    "robot0_joint_vel",
    "robot0_eef_pos",
    "robot0_eef_quat",
    "robot0_gripper_qpos",
    "robot0_gripper_qvel",
    "object-state",
)


def record(folder: Path, episodes: Mapping[int, tuple[int, ...]] = EPISODES) -> None:
    """Write trajectories, success cases, hashes of initial states, fixture poses, and their index."""
    check_versions()
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    records: dict[str, Any] = {}
    for number, inits in episodes.items():
        task = find_task(DEFAULT_SUITE, number)
        _save(folder / f"task{number}.npz", _trajectories(task, inits, folder / IMAGES))
        records[f"task{number}"] = {"kind": "trajectories", "task": number, "files": [f"task{number}.npz"]}
    cases, states = _cases(find_task(DEFAULT_SUITE, CASE_TASK))
    _save(folder / "success.npz", states)
    _write(folder / "success.json", cases)
    records["success"] = {"kind": "success_cases", "files": ["success.npz", "success.json"]}
    _write(folder / "init_states.json", _init_states())
    records["init_states"] = {"kind": "init_state_hashes", "files": ["init_states.json"]}
    _write(folder / "fixture_poses.json", _fixture_poses(find_task(DEFAULT_SUITE, CASE_TASK)))
    records["fixture_poses"] = {"kind": "fixture_poses", "files": ["fixture_poses.json"]}
    _write(folder / META, {**facts(opengl=True), "reset_seed": 0, "settle": SETTLE})
    _write(folder / INDEX, {"schema": SCHEMA, "subject": SUBJECT, "images": IMAGES, "records": records})


def _trajectories(task: Task, inits: tuple[int, ...], images: Path) -> dict[str, Array]:
    """Episodes of one task, one after another in one world; pictures of the first."""
    arrays: dict[str, Array] = {}
    world = World(task)
    try:
        for init in inits:
            name = f"task{task.index}_init{init}"
            pictures = images if init == inits[0] else None
            arrays |= {f"{name}/{key}": values for key, values in _episode(world, name, init, pictures).items()}
    finally:
        world.close()
    return arrays


def _episode(world: World, name: str, init: int, images: Path | None) -> dict[str, Array]:
    start, actions = load_init_states(world.task)[init], random_actions(init)
    world.reset(start)
    arrays: dict[str, Array] = {"init_state": start, "actions": actions}
    for fixture, pose in world.fixtures.items():
        arrays[f"fixture_pos/{fixture}"] = np.array(pose.position)
        arrays[f"fixture_quat/{fixture}"] = np.array(pose.quaternion)
    arrays |= {f"obs0/{key}": np.array(world.observation[key]) for key in OBSERVED}
    _photograph(world, name, 0, images)
    world.settle(REST, SETTLE)
    arrays["qpos_after_settle"], arrays["qvel_after_settle"] = _positions_and_velocities(world)
    rows: dict[str, list[Any]] = {}
    for step, action in enumerate(actions, start=1):
        now: dict[str, Any] = {"done": world.step(action)}
        now["reward"] = float(now["done"])
        now |= {f"obs/{key}": np.array(world.observation[key]) for key in OBSERVED}
        if step % STATE_STRIDE == 0:
            now[f"qpos_every{STATE_STRIDE}"], now[f"qvel_every{STATE_STRIDE}"] = _positions_and_velocities(world)
        for key, value in now.items():
            rows.setdefault(key, []).append(value)
        _photograph(world, name, step, images)
    return arrays | {key: np.array(values) for key, values in rows.items()}


def random_actions(seed: int) -> Array:
    """Smooth pseudo-random actions (STEPS, 7); the gripper toggles now and then."""
    rng = np.random.Generator(np.random.PCG64(seed))
    noise, gripper, rows = np.zeros(6), 1.0, np.empty((STEPS, 7))
    for step in range(STEPS):
        noise = 0.9 * noise + 0.3 * rng.standard_normal(6)
        gripper = -gripper if rng.random() < 0.1 else gripper
        rows[step] = [*np.clip(noise, -1, 1), gripper]
    return rows


def _photograph(world: World, name: str, step: int, images: Path | None) -> None:
    if images is not None and step in IMAGE_STEPS:
        for camera in CAMERAS:
            picture = world.render(camera, width=IMAGE_SIZE, height=IMAGE_SIZE)
            Image.fromarray(picture).save(images / f"{name}_step{step}_{camera}_image.png", optimize=True)


def _positions_and_velocities(world: World) -> tuple[Array, Array]:
    positions = 1 + world.inner.sim.model.nq
    return world.flat_state[1:positions], world.flat_state[positions:]


def _cases(task: Task) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """The pot on the burner of a stove that is on, then with one of both missing."""
    world, cases = World(task, images=False), []
    states: dict[str, Array] = {}
    try:
        world.reset(load_init_states(task)[0])
        states[f"task{task.index}/fixture_body_pos"] = np.array([pose.position for pose in world.fixtures.values()])
        for label, knob, on_burner in (("solved", 0.6, True), ("knob_too_low", 0.45, True), ("no_pot", 0.6, False)):
            world.reset(_kitchen(world, knob, on_burner))
            case = {"task": task.index, "label": label, "init": 0, "settle": CASE_SETTLE}
            states[f"task{task.index}_{label}/state_before"] = world.flat_state
            case |= {"success_before": world.success, "preds_before": goal_truth(world)}
            for _ in range(CASE_SETTLE):
                case["step_done"] = world.step(REST)
            states[f"task{task.index}_{label}/state_after"] = world.flat_state
            cases.append(case | {"success_after": world.success, "preds_after": goal_truth(world)})
    finally:
        world.close()
    return cases, states


def _kitchen(world: World, knob: float, on_burner: bool) -> Array:
    """The first initial state with the knob turned [rad] and, if asked for, the pot set down on the burner."""
    sim = world.inner.sim
    state: Array = load_init_states(world.task)[0].copy()
    state[1 + sim.model.get_joint_qpos_addr("flat_stove_1_button")] = knob
    if on_burner:
        first, _ = sim.model.get_joint_qpos_addr("moka_pot_1_joint0")
        state[1 + first : 4 + first] = sim.data.get_site_xpos("flat_stove_1_cook_region") + POT_ABOVE_BURNER
    return state


def _init_states() -> dict[str, Any]:
    """Shape, dtype and hash of the suite's 20 files."""
    names = [f"{task.name}.{kind}" for task in load_suite(DEFAULT_SUITE) for kind in ("init", "pruned_init")]
    load_upstream()
    entries = {}
    for name in names:
        states = installed_states(name, DEFAULT_SUITE)
        content = np.ascontiguousarray(states, dtype="<f8").tobytes()
        sha256 = hashlib.sha256(content).hexdigest()
        entries[name] = {"shape": list(states.shape), "dtype": str(states.dtype), "sha256_f8_le": sha256}
    return entries


def _fixture_poses(task: Task) -> dict[str, Any]:
    poses = draw_fixtures(task, PROTOCOL_SEED, seed_construction=True)
    entry = {name: {"body_pos": pose.position, "body_quat": pose.quaternion} for name, pose in poses.items()}
    return {"seed": PROTOCOL_SEED, "tasks": {str(task.index): entry}}


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def _write(path: Path, tree: Any) -> None:
    path.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m libero_benchmark.verify.record FOLDER")
    record(Path(sys.argv[1]))
