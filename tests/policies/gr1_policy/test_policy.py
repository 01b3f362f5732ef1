"""The policy: its contract, that it plays as the published wrapper does, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from calvin_benchmark.benchmark import CalvinBenchmark
from gr1_policy import policy as policy_module
from gr1_policy.images import denormalise, gr1_image
from gr1_policy.losses import image_labels
from gr1_policy.policy import Gr1Policy, make_policy
from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import AssetError, CheckpointError, PolicyContext, UsageError, check_policy
from seer_bench.contracts import Benchmark
from seer_bench_nn.assets import Record
from tests.fakes.gr1_plugins import TINY, made_up_feature, tiny_gr1, tiny_network, write_snapshot


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """PyTorch's threads are put back afterwards."""
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


def context(benchmark: type[Benchmark] = CalvinBenchmark, **changes: object) -> PolicyContext:
    plugin = benchmark()
    protocol = plugin.protocols()[plugin.default_protocol]
    return PolicyContext(plugin.interface(protocol), protocol, **changes)


@pytest.mark.parametrize("batch", ["1", "4"])
def test_it_keeps_the_contract_of_policies(batch: str) -> None:
    check_policy(tiny_gr1, context(options={"batch": batch}), strict=True)


def look(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Made-up observations of CALVIN, one row."""
    robot = rng.normal(size=(1, 15))
    robot[:, 14] = rng.choice([-1.0, 1.0])
    return {
        "rgb_static": rng.integers(0, 256, (1, 200, 200, 3), dtype=np.uint8),
        "rgb_gripper": rng.integers(0, 256, (1, 84, 84, 3), dtype=np.uint8),
        "robot_obs": robot,
    }


class PublishedWrapper:
    """What the published code does with an observation, in its own plain way: lists, and zeros behind them."""

    def __init__(self) -> None:
        self.network, self.seen = tiny_network(), []

    @torch.no_grad()
    def step(self, observation: dict[str, np.ndarray], sentence: str) -> np.ndarray:
        robot = torch.from_numpy(observation["robot_obs"][0]).float()
        images = [gr1_image(observation[name][0]) for name in ("rgb_static", "rgb_gripper")]
        self.seen = [*self.seen, (*images, torch.cat([robot[:6], robot[-1:]]))][-TINY.history :]
        count = len(self.seen)
        given = []
        for column in zip(*self.seen, strict=True):
            given.append(torch.zeros(1, TINY.history, *column[0].shape))
            given[-1][0, :count] = torch.stack(column)
        given[2][0, count:, 6] = -1
        valid = torch.arange(TINY.history)[None] < count
        output = self.network(*given, made_up_feature(sentence)[None], valid)
        gripper = (torch.sigmoid(output.gripper[0, count - 1]) > 0.5).float() * 2 - 1
        return torch.cat([output.arm[0, count - 1], gripper]).numpy()


def test_calvin_is_played_as_the_published_wrapper_does() -> None:
    policy, rng, commands = tiny_gr1(context()), np.random.default_rng(0), set()
    for sentence in ("open the drawer", "push the switch"):
        policy.reset([0], [sentence], [0])
        theirs = PublishedWrapper()
        for _ in range(2 * TINY.history + 1):
            seen = look(rng)
            wanted = theirs.step(seen, sentence)
            action = policy.act([0], seen)
            for value in seen.values():
                value[...] = 0  # as the engine may
            assert (action.shape, action.dtype) == ((1, 1, 7), np.float32)
            np.testing.assert_allclose(action[0, 0], wanted, atol=3e-6)
            commands.add(float(action[0, 0, 6]))
    assert commands <= {-1.0, 1.0}


def test_the_gripper_opens_above_even_odds_alone() -> None:
    from gr1_policy.calvin import actions

    arm = np.full((3, 6), 1.5, np.float32)
    made = actions(arm, np.array([[-0.1], [0.0], [0.1]], np.float32))
    assert made[:, 0, 6].tolist() == [-1, -1, 1]
    assert (made[:, 0, :6] == 1.5).all(), "the arm is not clipped"


def test_it_shows_what_it_foresees() -> None:
    policy, rng = tiny_gr1(context()), np.random.default_rng(0)
    assert policy.spec.foresight == ("rgb_static", "rgb_gripper")
    policy.reset([0, 1], ["open the drawer"] * 2, [0, 0])
    assert policy.foresee(1) is None
    seen = look(rng)
    policy.act([1], seen)
    frames = {name: seen[name][0].copy() for name in policy.spec.foresight}
    policy._gr1.foresee = lambda slot: image_labels(torch.stack([gr1_image(frames[name]) for name in frames]))
    seen["rgb_static"][...] = 0  # as the engine may
    foreseen = policy.foresee(1)
    assert foreseen is not None
    assert foreseen.steps == 3
    for name, frame in frames.items():  # what is foreseen here is the present
        shown = torch.from_numpy(foreseen.images[name]).permute(2, 0, 1)
        assert (shown.int() - denormalise(gr1_image(frame)).int()).abs().max() <= 1
    policy.reset([1], ["push the switch"], [0])
    assert policy.foresee(1) is None


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published sizes are those of the tiny network."""
    monkeypatch.setattr(policy_module, "Gr1Config", lambda: TINY)


def test_a_snapshot_that_holds_everything_needs_nothing_else(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_SEER_ASSETS", str(tmp_path / "empty"))
    path = write_snapshot(tmp_path / "s.pt", tiny_network(), frozen=True)
    policy = make_policy(context(checkpoint=path))
    assert isinstance(policy, Gr1Policy)
    assert policy.spec.batch == 1
    assert policy.spec.arm == {"method": "GR-1"}
    assert policy.spec.settings == {"mae": "in the snapshot", "clip": "in the snapshot", "device": "cpu"}


def test_what_a_snapshot_lacks_or_has_too_much_is_said(tmp_path, tiny):
    path = write_snapshot(tmp_path / "s.pt", tiny_network(), frozen=True)
    weights = torch.load(path)["state_dict"]
    foresight = ("obs_queries.", "obs_hand_queries.", "mask_token", "decoder_")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(foresight)}
    torch.save({"state_dict": kept | {f"head.{i}": torch.zeros(1) for i in range(5)}}, path)
    policy = make_policy(context(checkpoint=path))
    assert policy.spec.foresight == ()
    assert policy.foresee(0) is None
    (note,) = policy.spec.notes
    assert ": 5 tensors are left out, as in the published code" in note
    assert note.endswith("head.0, head.1, head.2, head.3, ...")


def test_encoders_that_it_does_not_hold_are_looked_for(tmp_path, tiny, monkeypatch):
    path = write_snapshot(tmp_path / "s.pt", tiny_network())
    monkeypatch.setenv("SEER_BENCH_SEER_ASSETS", str(tmp_path / "empty"))
    with pytest.raises(AssetError, match=r"not installed(.|\n)*seer-bench assets .* --from"):
        make_policy(context(checkpoint=path))
    network = tiny_network()
    torch.save(network.model_mae.state_dict(), tmp_path / "mae")
    torch.save(network.model_clip.state_dict(), tmp_path / "clip")
    monkeypatch.setattr(policy_module, "locate", lambda name: tmp_path / name)
    records = {name: Record(f"sha256 of {name}", "", "", published=True) for name in ("mae", "clip")}
    monkeypatch.setattr(policy_module, "read_manifest", lambda root: records)
    policy = make_policy(context(checkpoint=path, options={"batch": "2"}))
    assert policy.spec.batch == 2
    assert policy.spec.settings == {"mae": "sha256 of mae", "clip": "sha256 of clip", "device": "cpu"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"checkpoint": None}, CheckpointError, r"--ckpt FILE(.|\n)*bytedance/GR-1(.|\n)*seer-bench assets gr1"),
        ({"options": {"bach": "2"}}, UsageError, "unknown option 'bach'.*Did you mean 'batch'.*'gr1'"),
        ({"options": {"batch": "0"}}, UsageError, "--policy-arg batch=0: give a whole number"),
        ({"device": "tpu"}, UsageError, "--device tpu: the policy 'gr1' computes on cpu or cuda"),
        ({}, CheckpointError, "there is no such file"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        make_policy(dataclasses.replace(context(checkpoint=tmp_path / "none.pt"), **changes))


def test_other_benchmarks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not play the benchmark 'libero'; it plays: calvin\."):
        make_policy(context(LiberoBenchmark, checkpoint=tmp_path / "none.pt"))


@pytest.mark.parametrize("use", ["load_policy('gr1', None)", "load_assets('gr1')", "load_inspector('gr1')"])
def test_without_pytorch_the_extra_is_named(use: str) -> None:
    code = f"import sys; sys.modules['torch'] = None\nfrom seer_bench import registry\nregistry.{use}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError" in ended.stderr
    assert "pip install 'seer-bench[policies]'" in ended.stderr
