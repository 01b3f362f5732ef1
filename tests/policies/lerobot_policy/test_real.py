"""LeRobot's own policies behind the adapter, against LeRobot's own loop.

Run in an environment of its own (docs/lerobot.md): pytest -m lerobot tests/policies/lerobot_policy
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from libero_benchmark.fields import axis_angle, oriented
from seer_bench import CheckpointError, Policy, PolicyContext, UsageError, check_policy
from seer_bench.registry import load_policy

from .conftest import CALVIN, LIBERO

pytestmark = [pytest.mark.lerobot, pytest.mark.filterwarnings("default")]  # what LeRobot warns of is its own matter

STEPS = 7
MAP = "observation.images.top:rgb_static,observation.state:robot_obs[0:6]+robot_obs[14]"
KINDS = ("act", "act_ensembling", "diffusion", "smolvla")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints for LIBERO by type, and "calvin"."""
    from . import tiny

    folder = tmp_path_factory.mktemp("lerobot")
    return {
        "act": tiny.act(folder / "act", LIBERO),
        "act_ensembling": tiny.act(folder / "ens", LIBERO, n_action_steps=1, temporal_ensemble_coeff=0.01),
        "diffusion": tiny.diffusion(folder / "diffusion", LIBERO),
        "smolvla": tiny.smolvla(folder / "smolvla", LIBERO),
        "calvin": tiny.act(folder / "calvin", CALVIN),
    }


def context(path: Path | None, protocol: str = "libero-long/openvla-v1", **options: str) -> PolicyContext:
    benchmark = LiberoBenchmark() if protocol.startswith("libero") else CalvinBenchmark()
    chosen = benchmark.protocols()[protocol]
    return PolicyContext(benchmark.interface(chosen), chosen, checkpoint=path, options=options)


def libero_rows(episode: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Made-up observations of an episode, as the protocol gives them and as LeRobot's environment does."""
    rng = np.random.default_rng(episode)
    ours, theirs = [], []
    for _ in range(STEPS):
        raw = [rng.integers(0, 256, (256, 256, 3), dtype=np.uint8) for _ in range(2)]
        pictures = [oriented(picture, "rot180") for picture in raw]
        vectors = [rng.normal(size=size) for size in (3, 3, 2)]
        names = ("eef_position", "eef_axis_angle", "gripper_qpos")
        ours.append(
            {"rgb_agentview": pictures[0], "rgb_eye_in_hand": pictures[1], **dict(zip(names, vectors, strict=True))}
        )
        theirs.append({"image": raw[0], "image2": raw[1], "agent_pos": np.concatenate(vectors)})
    return ours, theirs


def play(policy: Policy, episodes: list[list[dict[str, Any]]], seeds: list[int], sentences: list[str]) -> np.ndarray:
    """Actions (episodes, STEPS, 7) of episodes that are played in turns, a chunk each, as the engine does."""
    slots = list(range(len(episodes)))
    policy.reset(slots, sentences, seeds)
    played: list[list[np.ndarray]] = [[] for _ in slots]
    for step in range(0, STEPS, policy.spec.chunk):
        for slot in slots:
            row = {name: value[None] for name, value in episodes[slot][step].items()}
            played[slot].extend(policy.act([slot], row)[0])
    return np.stack([actions[:STEPS] for actions in played])


@pytest.mark.parametrize("kind", KINDS)
def test_actions_are_those_of_lerobots_own_loop(saved: dict[str, Path], kind: str) -> None:
    from . import tiny

    policy = load_policy("lerobot", context(saved[kind]))
    ours, theirs = zip(*(libero_rows(episode) for episode in range(2)), strict=True)
    seeds, sentences = [11, 12], ["put it there", "open the door"]
    played = play(policy, list(ours), seeds, sentences)
    for slot in range(2):
        wanted = tiny.loop(saved[kind], theirs[slot], seeds[slot], sentences[slot], libero=True)
        assert played[slot].dtype == wanted.dtype == np.float32
        assert np.array_equal(played[slot], wanted)
    assert not np.array_equal(played[0], played[1])
    assert np.array_equal(play(policy, list(ours), seeds, sentences), played)


def test_another_orientation_of_the_protocol_gives_the_same_actions(saved: dict[str, Path]) -> None:
    """The protocol gives raw pictures of half the size: turned, and resized as asked for."""
    policy = load_policy("lerobot", context(saved["act"], "libero-long/v1", resize="bilinear"))
    turned = load_policy("lerobot", context(saved["act"]))
    rng = np.random.default_rng(0)
    colour = np.repeat(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8), 128, 0).repeat(128, 1)
    state = {name: rng.normal(size=(1, size)) for name, size in (("eef_position", 3), ("eef_axis_angle", 3))}
    state["gripper_qpos"] = rng.normal(size=(1, 2))
    answers = []
    for one, picture in ((turned, oriented(colour, "rot180")), (policy, colour[::2, ::2])):
        one.reset([0], [""], [0])
        answers.append(one.act([0], {**state, "rgb_agentview": picture[None], "rgb_eye_in_hand": picture[None]}))
    assert np.abs(answers[0] - answers[1]).max() < 0.02 * np.abs(answers[0]).max()


def test_calvin_takes_a_stated_mapping(saved: dict[str, Path]) -> None:
    from . import tiny

    policy = load_policy("lerobot", context(saved["calvin"], "calvin-embedded/v1", map=MAP))
    rng = np.random.default_rng(3)
    rows = [
        {"rgb_static": rng.integers(0, 256, (200, 200, 3), dtype=np.uint8), "robot_obs": rng.normal(size=15)}
        for _ in range(STEPS)
    ]
    kept = [0, 1, 2, 3, 4, 5, 14]
    theirs = [{"top": row["rgb_static"], "agent_pos": row["robot_obs"][kept]} for row in rows]
    wanted = tiny.loop(saved["calvin"], theirs, 5, "push it", libero=False)
    assert np.array_equal(play(policy, [rows], [5], ["push it"])[0], wanted)
    assert policy.spec.settings["map"] == MAP.replace("rgb_static", "rgb_static/upright")


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_checker_passes(saved: dict[str, Path], kind: str) -> None:
    check_policy("lerobot", context(saved[kind]))


def test_slots_share_their_weights(saved: dict[str, Path]) -> None:
    policy: Any = load_policy("lerobot", context(saved["diffusion"]))
    policy.reset([0, 1], ["a", "b"], [0, 1])
    first, second = (policy._slots[slot].loaded.policy for slot in (0, 1))
    assert first is not second
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(one.data_ptr() == other.data_ptr() for one, other in pairs)
    assert first._queues is not second._queues


def test_how_many_actions_are_executed_can_be_chosen(saved: dict[str, Path]) -> None:
    policy = load_policy("lerobot", context(saved["act"], n_action_steps="2"))
    assert (policy.spec.chunk, policy.spec.settings["n_action_steps"]) == (2, "2")
    with pytest.raises(CheckpointError, match="n_action_steps=7"):
        load_policy("lerobot", context(saved["act"], n_action_steps="7"))


def test_the_state_is_lerobots(saved: dict[str, Path]) -> None:
    """LeRobot computes axis times angle in float32, and the protocol's field in float64."""
    from . import tiny

    rng = np.random.default_rng(4)
    furthest = 0.0
    for _ in range(1000):
        quaternion = np.array([1.0, 0, 0, 0]) + 0.3 * rng.normal(size=4)  # the hand points down
        quaternion /= np.linalg.norm(quaternion)
        theirs = tiny.libero_state(rng.normal(size=3), quaternion, rng.normal(size=2))
        furthest = max(furthest, float(np.abs(theirs[3:6] - axis_angle(quaternion)).max()))
    assert furthest < 2e-6


def test_weights_that_lerobot_does_not_find_are_not_left_to_chance(saved: dict[str, Path], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from lerobot_policy import loading
    from lerobot_policy.features import read_description

    shutil.copytree(saved["act"], tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(iter(weights))
    save_file({key: value for key, value in weights.items() if key != name}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"Missing key.*{name}"):
        load_policy("lerobot", context(tmp_path))
    described = read_description(saved["act"])
    policy = loading.load(described, torch.device("cpu")).policy
    with torch.no_grad():
        next(policy.parameters()).add_(1)
    with pytest.raises(CheckpointError, match=r"1 of .* weights are not those of model.safetensors"):
        loading._check_weights(described, policy)


def test_what_cannot_be_used_is_refused_before_the_run(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="--ckpt DIR"):
        load_policy("lerobot", context(None))
    with pytest.raises(UsageError, match="NaN or infinity"):
        load_policy("lerobot", context(_with_a_nan(saved["act"], tmp_path)))
    with pytest.raises(UsageError, match="no source"):
        load_policy("lerobot", context(saved["act"], "calvin-embedded/v1"))


def _with_a_nan(path: Path, copy: Path) -> Path:
    """The checkpoint with a statistic that is no number."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(path, copy, dirs_exist_ok=True)
    file = next(copy.glob("policy_postprocessor_*.safetensors"))
    numbers = load_file(file)
    numbers["action.mean"][0] = np.nan
    save_file(numbers, file)
    return copy


def test_a_run_shows_and_records_the_mapping(saved: dict[str, Path], tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m seer_bench run calvin --policy lerobot --ckpt {saved['calvin']} --policy-arg map={MAP} "
        f"--protocol calvin-embedded/v1 --units 0:1 --workers 1 --out {tmp_path / 'run'}"
    )
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=500, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "observation.images.top 3 x 200 x 200 <- rgb_static (200 x 200, upright)" in said
    assert "the gripper opens at 1 and closes at -1" in said
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["policy"]["settings"]["map"].startswith("observation.images.top:rgb_static/upright,")
    assert json.loads((tmp_path / "run" / "units.jsonl").read_text())["outcome"] == "failure"


def test_a_model_of_the_hub_is_refused_in_words_without_a_network(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m seer_bench run libero --policy lerobot --ckpt nobody/nothing --out {tmp_path / 'run'}"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=200, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert "hf download nobody/nothing --local-dir DIR" in " ".join(done.stderr.split())
