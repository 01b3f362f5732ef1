"""Makes a folder of recordings with our own simulation: `python -m calvin_benchmark.verify.record FOLDER`.

So the packaged set (`data/verify`) was made. It holds what this simulation computed, in the format of the upstream
recordings; make it again only after it has been verified against those.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seer_bench.verification.recording import INDEX, SCHEMA

from ..actions import Variant
from ..assets import scene_root
from ..chains import initial_state_vectors, load_chains
from ..facts import distribution
from ..scene import load_scene
from ..world import World
from .motions import ACTION_SIZES, action_packers, random_rows, rollout_key
from .recording import SUBJECT
from .trace import IMAGE_STRIDE, Array, rollout, world_probes

SCENES = {"official": "D", "embedded": "embedded"}
"""Scene by the word that its records begin with."""

STEPS = 41
"""Control steps of a rollout."""

CHAINS = (0, 8, 33, 77, 131, 404)
"""Chains whose initial states are recorded; each action kind starts from one of them."""


def record(folder: Path, scenes: Mapping[str, str] = SCENES) -> None:
    """Write an index and, for each scene, rollouts of both variants and reset states.

    Raises:
        AssetError: the official scene's files are missing or altered.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records: dict[str, Any] = {}
    for word, scene in scenes.items():
        for variant in ("main", "pinned"):
            name = f"{word}_rollouts_{variant}"
            entries, arrays = _rollouts(scene, variant)
            _save(folder / f"{name}.npz", arrays)
            (folder / f"{name}.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
            files = [f"{name}.npz", f"{name}.json"]
            records[name] = {"kind": "rollouts", "files": files, "variant": variant, "scene": scene}
        name = f"{word}_resets"
        _save(folder / f"{name}.npz", _resets(scene))
        records[name] = {"kind": "post_reset", "files": [f"{name}.npz"], "variant": "main", "scene": scene}
    made_by = {"pybullet": distribution("pybullet"), "numpy": np.__version__, "machine": platform.machine()}
    index = {"schema": SCHEMA, "subject": SUBJECT, "made_by": made_by, "records": records}
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _rollouts(scene: str, variant: Variant) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    """One rollout of each action kind; of the pinned variant, whose physics is the same, relative actions alone."""
    entries: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    for number, kind in enumerate(ACTION_SIZES if variant == "main" else ["cartesian_rel"]):
        with_images = variant == "main" and number == 0
        for name, values in _rollout(scene, variant, kind, number, with_images).items():
            arrays[f"{rollout_key(kind, number)}/{name}"] = values
        entries.append(_entry(number, kind))
    return entries, arrays


def _rollout(scene: str, variant: Variant, kind: str, number: int, with_images: bool) -> dict[str, Array]:
    pack, rows = action_packers(variant)[kind], random_rows(kind, number, STEPS)
    world = _world(scene, variant)
    try:
        got = rollout(
            world,
            load_chains()[CHAINS[number]].initial_state,
            [pack(row) for row in rows],
            world_probes(world),
            commands={"ik_joints": lambda: world.ik_joints},
            image_steps=range(0, STEPS, IMAGE_STRIDE) if with_images else (),
        )
    finally:
        world.close()
    return {**got, "actions": rows}


def _entry(number: int, kind: str) -> dict[str, Any]:
    chain = load_chains()[CHAINS[number]]
    return {
        "rollout": number,
        "kind": kind,
        "sequence_index": chain.index,
        "initial_state": asdict(chain.initial_state),
        "n_steps": STEPS,
    }


def _resets(scene: str) -> dict[str, Array]:
    world = _world(scene, "main")
    robot, objects = [], []
    try:
        for index in CHAINS:
            world.rebuild()
            world.reset(*initial_state_vectors(load_chains()[index].initial_state))
            robot.append(world.robot_obs())
            objects.append(world.scene_obs())
        return {
            "sequence_index": np.array(CHAINS),
            "robot_obs": np.array(robot),
            "scene_obs": np.array(objects),
            "load_block_poses_xyz_quat": world.load_poses(),
        }
    finally:
        world.close()


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def _world(scene: str, variant: Variant) -> World:
    chosen = load_scene(scene)
    return World(chosen, scene_root(chosen), variant=variant, renderer="tiny")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m calvin_benchmark.verify.record FOLDER")
    record(Path(sys.argv[1]))
