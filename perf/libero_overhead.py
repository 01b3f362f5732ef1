"""LIBERO side by side with upstream's way, in one run: what a trial costs beside its steps, and what a step costs.

    OMP_NUM_THREADS=1 python perf/libero_overhead.py [--task 2] [--trials 5] [--steps 60]

Upstream's way, as Seer evaluates: a new environment for every trial with two cameras of 128 pixels, a hard reset, the
initial state, five settling steps, and both cameras drawn in every step. Ours: one world for the task's 20 trials; its
construction includes the first pictures.

Steps are compared with robosuite's own `env.step` without image sensors: both simulations play the same random actions
step by step in turns, and the median over all steps is printed, so that what else the machine does hits both alike.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from libero_benchmark.package import check_versions, load_upstream
from libero_benchmark.protocols import load_protocol
from libero_benchmark.suites import bddl_path, find_task, load_init_states
from libero_benchmark.world import World

STILL = np.zeros(7)
SETTLE = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=int, default=2)
    parser.add_argument("--trials", type=int, default=5, help="measured ones; more steady, more time")
    parser.add_argument("--steps", type=int, default=60, help="of a turn")
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    check_versions()
    load_upstream()
    task = find_task("libero_10", options.task)
    print(f"task {task.index}: {task.name}")
    per_task = load_protocol("libero-long/seer-v1").settings["trials"]["per_task"]

    # Ours first, so that MuJoCo's cache of meshes and textures, which outlives a simulation, helps upstream only.
    states = load_init_states(task)
    started = time.perf_counter()
    world = World(task)
    _our_trial(world, states[0])
    built = time.perf_counter() - started
    trials = [_our_trial(world, state) for state in states[1 : options.trials + 1]]
    reset, pictures = (statistics.median(trial[part] for trial in trials) for part in (0, 1))
    ours = built / per_task + reset
    upstream = [_upstream_trial(task, trial) for trial in range(options.trials)]
    theirs = statistics.median(construction + reset for construction, reset, _ in upstream)
    drawn = statistics.median(step for *_, step in upstream)
    parts = [statistics.median(trial[part] for trial in upstream) for part in (0, 1)]
    print(f"upstream, a trial: {theirs:.3f} s: construction {parts[0]:.3f}, reset and initial state {parts[1]:.3f}")
    print(f"ours, a trial: {ours:.3f} s: construction {built:.3f} over {per_task} trials, reset {reset:.4f}")
    print(f"per-trial overhead: {theirs / ours:.1f} times lower")
    print(f"with the first two pictures ({pictures:.3f} s): {theirs / (ours + pictures):.1f} times lower")

    plain, seen = _steps(world, task, options)
    world.close()
    print(f"robosuite's env.step without image sensors: {1000 * plain:.2f} ms")
    print(f"ours, no image wanted: {1000 * seen:.2f} ms, {seen / plain:.3f} of robosuite's")
    print(f"upstream, both cameras drawn: {1000 * drawn:.2f} ms, {drawn / seen:.1f} times ours")


def _our_trial(world: World, state: np.ndarray) -> tuple[float, float]:
    """Seconds of a reset, and of the first observation's two pictures."""
    reset = _timed(lambda: world.reset(state))
    cameras = ("agentview", "robot0_eye_in_hand")
    return reset, _timed(lambda: [world.render(camera, width=128, height=128) for camera in cameras])


def _upstream_trial(task, trial: int) -> tuple[float, float, float]:  # noqa: ANN001
    """Seconds of construction, of reset with the initial state, and of one step with both cameras."""
    make = load_upstream().control_env
    started = time.perf_counter()
    env = make(bddl_file_name=str(bddl_path(task)), use_camera_obs=True, camera_heights=128, camera_widths=128)
    built = time.perf_counter() - started
    started = time.perf_counter()
    env.reset()
    env.set_init_state(load_init_states(task)[trial])
    reset = time.perf_counter() - started
    steps = [_timed(lambda: env.step(STILL)) for _ in range(SETTLE)]
    env.close()
    return built, reset, statistics.median(steps)


def _steps(world: World, task, options: argparse.Namespace) -> tuple[float, float]:  # noqa: ANN001
    """Seconds a step of robosuite's environment without cameras, and of ours, which could take pictures."""
    make = load_upstream().control_env
    plain = make(bddl_file_name=str(bddl_path(task)), use_camera_obs=False, has_offscreen_renderer=False)
    state = load_init_states(task)[0]
    fixtures = _start_plain(plain, state, world)
    actions = np.random.default_rng(0).uniform(-1, 1, (options.steps, 7))
    theirs, ours = [], []
    for turn in range(options.turns + 1):
        _start_plain(plain, state, world)
        world.reset(state, fixtures=fixtures)
        for i, action in enumerate(actions):
            both = [(theirs, plain.env.step), (ours, world.step)]
            for seconds, step in both if i % 2 else reversed(both):
                seconds.append(_timed(lambda step=step, action=action: step(action)))
        if turn == 0:  # the first one compiles
            theirs.clear()
            ours.clear()
    same = np.array_equal(plain.env.sim.data.qpos, world.flat_state[1 : 1 + plain.env.sim.model.nq])
    print(f"both simulations ended in the same state: {same}")
    plain.close()
    return statistics.median(theirs), statistics.median(ours)


def _start_plain(env, state: np.ndarray, world: World) -> dict:  # noqa: ANN001
    """Upstream's environment in the initial state, with the fixtures where ours stand."""
    env.env.hard_reset = False
    env.env.robots[0].gripper.current_action = np.zeros(1)
    np.random.seed(0)  # noqa: NPY002 - what upstream draws from; its draws reach the solver's warm start
    env.env.reset()
    for name, pose in world.fixtures.items():
        body = env.env.obj_body_id[name]
        env.env.sim.model.body_pos[body], env.env.sim.model.body_quat[body] = pose.position, pose.quaternion
    env.set_init_state(state)
    return world.fixtures


def _timed(action) -> float:  # noqa: ANN001
    """Seconds that a call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
