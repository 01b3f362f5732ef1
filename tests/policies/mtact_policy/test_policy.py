"""The policy: that it keeps the contract, aggregates as ACT does, and refuses what it cannot play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from mtact_policy.embodiments import EMBODIMENTS
from mtact_policy.images import prepared
from mtact_policy.policy import MtactPolicy, make_policy
from seer_bench import CheckpointError, PolicyContext, UnknownNameError, UsageError, check_policy
from seer_bench_nn.minilm import SentenceEncoder
from tests.fakes.mtact_files import made_up_statistics, tiny_network, write_checkpoint, write_minilm

BENCHMARKS = {"calvin": CalvinBenchmark, "libero": LiberoBenchmark}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """PyTorch's threads are put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def minilm(tmp_path: Path) -> Path:
    return write_minilm(tmp_path / "minilm")


def context(benchmark: str, **changes: object) -> PolicyContext:
    plugin = BENCHMARKS[benchmark]()
    protocol = plugin.protocols()[plugin.default_protocol]
    return PolicyContext(plugin.interface(protocol), protocol, **changes)


@pytest.mark.parametrize("benchmark", ["calvin", "libero"])
@pytest.mark.parametrize("batch", ["1", "4"])
def test_it_keeps_the_contract_of_policies(tmp_path, minilm, benchmark, batch):
    path = write_checkpoint(tmp_path / "a.safetensors", benchmark)
    options = {"minilm": str(minilm), "batch": batch}
    check_policy(make_policy, context(benchmark, checkpoint=path, options=options), strict=True)


def test_actions_are_aggregated_normalised_predictions(minilm):
    model, encoder, embodiment = tiny_network("libero"), SentenceEncoder(minilm), EMBODIMENTS["libero"]
    statistics = made_up_statistics(model.config)
    policy = MtactPolicy(model, statistics, embodiment, encoder)
    assert policy.spec.arm == {"method": "MTACT"}
    policy.reset([0], ["push the 1\nand more"], [0])
    rng, chunks = np.random.default_rng(0), []
    for step in range(7):
        frames = {name: rng.integers(0, 256, (1, 128, 128, 3), dtype=np.uint8) for name in embodiment.cameras}
        pose = {name: rng.normal(size=(1, size)) for name, size in (("eef_position", 3), ("eef_axis_angle", 3))}
        seen = frames | pose | {"gripper_qpos": rng.normal(size=(1, 2))}
        state = np.concatenate([*pose.values(), seen["gripper_qpos"]], axis=1)
        normal = torch.from_numpy(((state - statistics.state_mean) / statistics.state_std).astype(np.float32))
        images = torch.stack([prepared(frame, model.config) for frame in frames.values()], dim=1)
        with torch.no_grad():
            chunks.append(model(normal, images, encoder("push the 1")[None])[0].double().numpy())
        spoken = np.stack([chunks[then][step - then] for then in range(max(0, step - 3), step + 1)])
        weights = np.exp(-0.01 * np.arange(len(spoken)))
        wanted = (spoken * (weights / weights.sum())[:, None]).sum(0) * statistics.action_std + statistics.action_mean
        action = policy.act([0], seen)
        assert action.shape == (1, 1, 7)
        np.testing.assert_allclose(action[0, 0, :6], wanted[:6], atol=1e-5)
        assert action[0, 0, 6] == (1 if wanted[6] > 0 else -1)


def test_the_run_is_known_by_statistics_and_sentences(tmp_path, minilm):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin")
    policy = make_policy(context("calvin", checkpoint=path, options={"minilm": str(minilm)}))
    (minilm / "vocab.txt").write_text((minilm / "vocab.txt").read_text().replace("push", "pull"))
    other = make_policy(context("calvin", checkpoint=path, options={"minilm": str(minilm)}))
    assert policy.spec.settings["statistics"] == other.spec.settings["statistics"]
    assert policy.spec.settings["sentences"] != other.spec.settings["sentences"]


@pytest.mark.parametrize(
    ("changes", "options", "error", "says"),
    [
        ({}, {}, UsageError, "from one place"),
        ({}, {"minilm": "a", "sentences": "b"}, UsageError, "from one place"),
        ({}, {"minlm": "a"}, UnknownNameError, "Did you mean 'minilm'"),
        ({}, {"minilm": "MINILM", "batch": "0"}, UsageError, "at least 1"),
        ({"checkpoint": None}, {"minilm": "MINILM"}, CheckpointError, "needs a checkpoint"),
        ({"device": "tpu"}, {"minilm": "MINILM"}, UsageError, "computes on cpu or cuda"),
        ({}, {"minilm": "nowhere"}, CheckpointError, r"must hold model\.safetensors and vocab\.txt"),
    ],
)
def test_what_it_cannot_use_is_refused(tmp_path, minilm, changes, options, error, says):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin")
    options = {key: value.replace("MINILM", str(minilm)) for key, value in options.items()}
    with pytest.raises(error, match=says):
        make_policy(context("calvin", **{"checkpoint": path, "options": options} | changes))


def test_checkpoints_of_another_benchmark_or_encoder_are_refused(tmp_path, minilm):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin")
    with pytest.raises(CheckpointError, match="was trained on 'calvin' and cannot play 'libero'"):
        make_policy(context("libero", checkpoint=path, options={"minilm": str(minilm)}))
    write_checkpoint(path, "libero", sentence_dim=32)
    with pytest.raises(CheckpointError, match=r"gives embeddings of 64 numbers; the network in .* was trained on 32"):
        make_policy(context("libero", checkpoint=path, options={"minilm": str(minilm)}))
