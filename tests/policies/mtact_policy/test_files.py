"""Checkpoints of both layouts, conversion and inspection."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mtact_policy.checkpoint import build, read_checkpoint, read_metadata, save_checkpoint
from mtact_policy.convert import main, read_official, read_statistics
from mtact_policy.inspect import inspect
from mtact_policy.model import Mtact
from mtact_policy.statistics import Statistics
from seer_bench import CheckpointError, UnknownNameError
from tests.fakes.mtact_files import drawn, made_up_statistics, tiny_config, tiny_network, write_checkpoint


def write_official(path: Path, model: Mtact) -> Path:
    """RoboAgent's layout, with what it saves beside what is read."""
    weights = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("backbone.resnet.", "backbones.0.0.resnet_film_model.")
        weights["model." + name.replace("backbone.film.", "backbones.0.0.film_models.")] = tensor
    weights["model.pos_table"] = torch.zeros(1, 5, 32)
    weights["model.is_pad_head.weight"], weights["model.is_pad_head.bias"] = torch.zeros(1, 32), torch.zeros(1)
    torch.save(weights, path)
    return path


def write_pickle(path: Path, config, protocol: int = 4) -> Path:
    numbers = vars(made_up_statistics(config))
    tree = {name.replace("state", "qpos"): array for name, array in numbers.items()}
    path.write_bytes(pickle.dumps(tree | {"example_qpos": np.zeros((3, 8))}, protocol))
    return path


def same(one: Mtact, other: Mtact) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and (a.endswith("num_batches_tracked") or torch.equal(x, y)) for (a, x), (b, y) in pairs)


def alike(one: Statistics, other: Statistics) -> bool:
    return all(np.array_equal(array, vars(other)[name]) for name, array in vars(one).items())


def test_a_checkpoint_comes_back_whole(tmp_path):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin", decoder_output=-1)
    found = read_checkpoint(path)
    assert found.benchmark == "calvin"
    assert found.config == tiny_config("calvin", decoder_output=-1)
    assert alike(found.statistics, made_up_statistics(found.config))
    assert same(build(found), tiny_network("calvin", decoder_output=-1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t, m: t["network.action_head.bias"].mul_(1.001), "was altered: its sha256"),
        (lambda t, m: t["statistics.action_std"].mul_(1.001), "was altered: its sha256"),
        (lambda t, m: t["statistics.action_std"].zero_(), r"action_std is \[0\.0, .*; needed are 7 finite .* above 0"),
        (lambda t, m: t["statistics.state_mean"].fill_(torch.nan), r"state_mean is \[nan, .*; needed are 7 finite"),
        (lambda t, m: t.pop("statistics.state_std"), "state_std, a part of the normalisation statistics, is missing"),
        (lambda t, m: m.update(benchmark="libero"), "was altered: its sha256"),
        (lambda t, m: m.update(config=m["config"].replace('"heads":2', '"heads":4')), "was altered: its sha256"),
        (lambda t, m: m.update(config='{"state_dim": 7}'), "recorded sizes cannot be"),
        (lambda t, m: m.clear(), "is no checkpoint of MT-ACT .it has no format"),
    ],
)
def test_an_altered_checkpoint_is_refused(tmp_path, change, says):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin")
    metadata, tensors = read_metadata(path), load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)
    with pytest.raises(CheckpointError, match=says):
        read_checkpoint(path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin")
    path.write_bytes(path.read_bytes()[:-100])
    for look in (read_checkpoint, inspect):
        with pytest.raises(CheckpointError, match="is cut short or damaged"):
            look(path)


def test_a_network_that_diverged_is_refused(tmp_path):
    model = tiny_network("calvin")
    torch.nn.init.constant_(model.action_head.bias, torch.nan)
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, model, made_up_statistics(model.config), "calvin")
    with pytest.raises(CheckpointError, match=r"action_head\.bias holds NaN"):
        build(read_checkpoint(path))
    assert "action_head.bias holds NaN" in inspect(path).faults[0]


def test_what_could_not_be_played_is_not_written(tmp_path):
    model, path = tiny_network("calvin"), tmp_path / "a.safetensors"
    with pytest.raises(UnknownNameError, match="Did you mean 'calvin'"):
        save_checkpoint(path, model, made_up_statistics(model.config), "calvn")
    with pytest.raises(CheckpointError, match=r"state_mean is .* needed are 7 finite numbers"):
        save_checkpoint(path, model, made_up_statistics(tiny_config("libero")), "calvin")
    assert not path.exists()


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="no checkpoint of MT-ACT"):
        read_checkpoint(path)
    assert inspect(path) is None


def test_inspection_tells_sizes_and_misfits(tmp_path):
    path = write_checkpoint(tmp_path / "a.safetensors", "libero")
    found = inspect(path)
    assert found.faults == ()
    assert (found.facts["benchmark"], found.facts["chunk"]) == ("libero", 4)
    model = tiny_network("libero")
    assert found.facts["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    model.config = tiny_config("libero", chunk=5)
    save_checkpoint(path, model, made_up_statistics(model.config), "libero")
    assert "query_embed.weight is 4x32, needed is 5x32" in inspect(path).faults[0]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_statistics_are_read_from_every_kind_of_pickle(tmp_path, protocol):
    config = tiny_config("libero")
    path = write_pickle(tmp_path / "dataset_stats.pkl", config, protocol)
    assert alike(read_statistics(path, 8, 7), made_up_statistics(config))


def test_roboagents_files_are_converted(tmp_path, capsys):
    network = drawn(lambda: Mtact(tiny_config("libero", heads=8, image_height=128, image_width=128)))
    source = write_official(tmp_path / "policy_best.ckpt", network)
    pickled = write_pickle(tmp_path / "dataset_stats.pkl", network.config)
    assert inspect(source).kind == "RoboAgent checkpoint"
    with pytest.raises(CheckpointError, match=r"python -m mtact_policy\.convert"):
        read_checkpoint(source)
    out = tmp_path / "ours.safetensors"
    arguments = [str(source), str(out), "--statistics", str(pickled), "--benchmark"]
    assert main([*arguments, "libero"]) == 0
    found = read_checkpoint(out)
    assert same(build(found), network)
    assert alike(found.statistics, made_up_statistics(network.config))
    np.testing.assert_equal(found.config.dropout, 0.1)
    assert main([*arguments, "calvin"]) == 2
    assert "reads 8 numbers of the robot's state and predicts 7; calvin has 7 and 7" in capsys.readouterr().err


def test_files_that_are_not_roboagents_are_refused(tmp_path):
    path = tmp_path / "x.ckpt"
    torch.save({"model.a": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="no checkpoint of RoboAgent"):
        read_official(path)
    path.write_bytes(pickle.dumps({"qpos_mean": os.system}))
    with pytest.raises(CheckpointError, match=r"asks for posix\.system, which is no array"):
        read_statistics(path, 8, 7)
    path.write_bytes(pickle.dumps({"qpos_mean": np.zeros(8)}))
    with pytest.raises(CheckpointError, match="state_std, a part of the normalisation statistics, is missing"):
        read_statistics(path, 8, 7)
    numbers = {f"{a}_{b}": np.zeros(n) for a, n in (("qpos", 8), ("action", 7)) for b in ("mean", "std")}
    path.write_bytes(pickle.dumps(numbers))
    with pytest.raises(CheckpointError, match=r"state_std is .* all above 0"):
        read_statistics(path, 8, 7)
