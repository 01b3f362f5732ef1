"""What is read from a checkpoint's files, and which are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lerobot_policy.features import read_description
from lerobot_policy.inspect import inspect
from seer_bench import CheckpointError

from .conftest import Write


def test_a_checkpoint_is_described(write: Write) -> None:
    found = read_description(write(n_action_steps=8, chunk_size=8, n_obs_steps=1))
    assert (found.type, found.action_dim, found.action_steps) == ("act", 7, 8)
    assert [feature.shape for feature in found.inputs] == [(3, 256, 256), (3, 256, 256), (8,)]
    assert [feature.is_image for feature in found.inputs] == [True, True, False]
    assert found.statistics["action"]["max"].tolist() == [1.0] * 7


@pytest.mark.parametrize(
    ("kind", "config", "once"),
    [
        ("act", {"n_action_steps": 8}, True),
        ("act", {"n_action_steps": 1, "temporal_ensemble_coeff": 0.01}, False),
        ("smolvla", {"n_action_steps": 50, "n_obs_steps": 1}, True),
        ("diffusion", {"n_action_steps": 8, "n_obs_steps": 2}, False),
        ("somebodys_own", {"n_action_steps": 8}, False),
    ],
)
def test_only_types_known_to_look_once_are_executed_in_chunks(write: Write, kind: str, config, once: bool) -> None:
    assert read_description(write(kind=kind, **config)).looks_once is once


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "policy_preprocessor.json"])
def test_a_missing_file_is_named(write: Write, name: str) -> None:
    path = write()
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        read_description(path)


def test_an_old_checkpoint_is_told_to_be_converted(write: Write) -> None:
    path = write()
    (path / "policy_preprocessor.json").unlink()
    (path / "policy_postprocessor.json").unlink()
    with pytest.raises(CheckpointError, match="migrate_policy_normalization --pretrained-path"):
        read_description(path)


def test_the_folder_of_a_training_step_names_the_one_inside(write: Write) -> None:
    path = write()
    inside = path / "pretrained_model"
    inside.mkdir()
    (path / "config.json").rename(inside / "config.json")
    with pytest.raises(CheckpointError, match=r"give the folder inside it: --ckpt .*pretrained_model"):
        read_description(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.json", "{", "cannot be read"),
        ("config.json", "[]", "holds no JSON object"),
        ("config.json", '{"model_type": "bert"}', "no pretrained policy of LeRobot's"),
        ("config.json", '{"type": "act", "input_features": {}, "use_peft": true}', "is a PEFT adapter"),
        ("config.json", '{"type": "act", "input_features": {"a": {"type": "LANGUAGE", "shape": [2]}}}', "input 'a'"),
        ("config.json", '{"type": "act", "input_features": {}}', "output 'action' has the shape"),
        ("policy_preprocessor.json", '{"steps": 3}', "no list of steps"),
        ("policy_preprocessor.json", '{"steps": [{"class": "evil.Step"}]}', "'evil.Step' is no part of LeRobot"),
        ("numbers.safetensors", "garbage", "numbers.safetensors: cannot be read"),
    ],
)
def test_damaged_and_foreign_files_are_refused(write: Write, name: str, text: str, words: str) -> None:
    path = write()
    (path / name).write_text(text)
    with pytest.raises(CheckpointError, match=words):
        read_description(path)


def test_statistics_that_normalisation_needs_may_not_be_missing(write: Write) -> None:
    with pytest.raises(
        CheckpointError, match=r"'observation.state' is normalised with MEAN_STD, but std are not saved"
    ):
        read_description(write(changed={"observation.state.std": np.zeros(0)}))


def test_a_file_of_statistics_lies_in_the_folder(write: Write) -> None:
    path = write()
    tree = json.loads((path / "policy_postprocessor.json").read_text())
    tree["steps"][0]["state_file"] = "../elsewhere.safetensors"
    (path / "policy_postprocessor.json").write_text(json.dumps(tree))
    with pytest.raises(CheckpointError, match="lies elsewhere"):
        read_description(path)


def test_inspect_shows_inputs_and_leaves_other_files_alone(write: Write, tmp_path: Path) -> None:
    found = inspect(write(n_action_steps=8))
    assert found is not None
    assert found.facts["observation.state"] == "8"
    assert found.facts["observation.images.image"] == "3 x 256 x 256"
    assert found.facts["parameters"] == 6
    assert inspect(tmp_path / "other.pth") is None
