"""The policy: that it keeps the contract, aggregates as ACT does, and refuses what it cannot play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from mtact_policy import assets
from mtact_policy.checkpoint import save_checkpoint
from mtact_policy.embodiments import EMBODIMENTS, Embodiment
from mtact_policy.inspect import inspect
from mtact_policy.model import prepared_images
from mtact_policy.policy import MtactPolicy, make_policy
from mtact_policy.statistics import Statistics
from mtact_policy.training import TrainingBatch, make_optimizer, train_step
from seer_bench import AssetError, CheckpointError, PolicyContext, UnknownNameError, UsageError, check_policy
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.minilm import SentenceEncoder
from tests.fakes.mtact_files import SENTENCE_DIM, made_up_statistics, tiny_network, write_checkpoint, write_minilm

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


def drawn_observations(embodiment: Embodiment, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random observations of some rows."""
    return {
        name: rng.integers(0, 256, (rows, spec.height, spec.width, 3), dtype=np.uint8)
        if name in embodiment.cameras
        else rng.normal(size=(rows, spec.size))
        for name, spec in embodiment.observations.items()
    }


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
        seen = drawn_observations(embodiment, 1, rng)
        state = np.concatenate([seen[name] for name in ("eef_position", "eef_axis_angle", "gripper_qpos")], axis=1)
        normal = torch.from_numpy(((state - statistics.state_mean) / statistics.state_std).astype(np.float32))
        images = torch.stack([prepared_images(seen[name], model.config) for name in embodiment.cameras], dim=1)
        with torch.no_grad():
            chunks.append(model(normal, images, encoder("push the 1")[None])[0].double().numpy())
        spoken = np.stack([chunks[then][step - then] for then in range(max(0, step - 3), step + 1)])
        weights = np.exp(-0.01 * np.arange(len(spoken)))
        wanted = (spoken * (weights / weights.sum())[:, None]).sum(0) * statistics.action_std + statistics.action_mean
        action = policy.act([0], seen)
        assert action.shape == (1, 1, 7)
        np.testing.assert_allclose(action[0, 0, :6], wanted[:6], atol=1e-5)
        assert action[0, 0, 6] == (1 if wanted[6] > 0 else -1)


def test_what_other_slots_do_and_when_changes_no_action(minilm):
    """Two units played one after the other, and at once in turns, in other slots, beside a third that begins anew."""
    model, embodiment = tiny_network("calvin"), EMBODIMENTS["calvin"]
    statistics, encoder = made_up_statistics(model.config), SentenceEncoder(minilm)
    frames = [
        [drawn_observations(embodiment, 1, np.random.default_rng((unit, step))) for step in range(9)] for unit in (0, 1)
    ]

    def begun() -> MtactPolicy:
        return MtactPolicy(model, statistics, embodiment, encoder)

    alone, policy = [], begun()
    for unit in (0, 1):
        policy.reset([0], [f"push the {unit}"], [0])
        alone.append([policy.act([0], frame).tobytes() for frame in frames[unit]])

    policy, places, turns = begun(), (3, 1), iter((0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 1))
    together: list[list[bytes]] = [[], []]
    policy.reset(places, ["push the 0", "push the 1"], [0, 0])
    for turn, unit in enumerate(turns):
        if turn % 3 == 0:
            policy.reset([2], ["instruction"], [turn])
        policy.act([2], frames[unit][turn % 9])
        together[unit].append(policy.act([places[unit]], frames[unit][len(together[unit])]).tobytes())
    assert together == alone


@pytest.mark.parametrize("benchmark", ["calvin", "libero"])
def test_what_was_trained_is_saved_inspected_and_played(tmp_path, minilm, benchmark):
    model, embodiment, rng = tiny_network(benchmark).train(), EMBODIMENTS[benchmark], np.random.default_rng(1)
    given = drawn_observations(embodiment, 3, rng)
    states = embodiment.states(given)
    actions = rng.uniform(-1, 1, (3, model.config.chunk, 7)).astype(np.float32)
    statistics, encoder = Statistics.of(states, actions.reshape(-1, 7)), SentenceEncoder(minilm)
    batch = TrainingBatch(
        state=torch.from_numpy(statistics.normal_state(states)),
        images=torch.stack([prepared_images(given[name], model.config) for name in embodiment.cameras], dim=1),
        sentence=torch.stack([encoder("push the 1")] * 3),
        actions=torch.from_numpy(statistics.normal_action(actions)),
        padding=torch.zeros(3, model.config.chunk, dtype=torch.bool),
    )
    assert batch.sentence.shape == (3, SENTENCE_DIM)
    train_step(model, make_optimizer(model), batch, torch.Generator().manual_seed(0))

    path = tmp_path / "trained.safetensors"
    save_checkpoint(path, model, statistics, benchmark)
    assert inspect(path).faults == ()
    policy = make_policy(context(benchmark, checkpoint=path, options={"minilm": str(minilm)}))
    policy.reset([0, 1, 2], ["push the 1"] * 3, [0] * 3)
    with torch.inference_mode():
        first = model.eval()(batch.state, batch.images, batch.sentence)[:, 0].double().numpy()
    played = policy.act([0, 1, 2], given)[:, 0]
    np.testing.assert_allclose(played[:, :6], statistics.action(first)[:, :6], atol=1e-5)


def test_the_run_is_known_by_what_reads_the_sentences(tmp_path, minilm):
    path = write_checkpoint(tmp_path / "a.safetensors", "calvin")
    policy = make_policy(context("calvin", checkpoint=path, options={"minilm": str(minilm)}))
    (minilm / "vocab.txt").write_text((minilm / "vocab.txt").read_text().replace("push", "pull"))
    other = make_policy(context("calvin", checkpoint=path, options={"minilm": str(minilm)}))
    assert policy.spec.settings["minilm"] == other.spec.settings["minilm"]
    assert policy.spec.settings["vocabulary"] != other.spec.settings["vocabulary"]


def test_installed_files_of_minilm_are_used_and_must_be_the_published_ones(tmp_path, minilm, monkeypatch):
    monkeypatch.setenv(assets.ROOT_VARIABLE, str(minilm))
    given = context("calvin", checkpoint=write_checkpoint(tmp_path / "a.safetensors", "calvin"))
    with pytest.raises(AssetError, match="run: seer-bench assets mtact --from DIR"):
        make_policy(given)
    monkeypatch.setattr(assets, "FILES", {name: checkpoint_sha256(minilm / name) for name in assets.FILES})
    assert make_policy(given).spec.settings["minilm"] == assets.FILES["model.safetensors"]


@pytest.mark.parametrize(
    ("changes", "options", "error", "says"),
    [
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
