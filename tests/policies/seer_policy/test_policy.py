"""The policy: what it plays, what it refuses, and that its actions are those of the published code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from seer_bench import (
    AssetError,
    Benchmark,
    CheckpointError,
    PolicyContext,
    RunMismatchError,
    RunRequest,
    UsageError,
    check_policy,
    read_run,
    run,
)
from seer_bench.registry import load_policy
from seer_bench.store import canonical_lines, read_actions
from seer_bench_nn.assets import Record
from seer_policy import policy as policy_module
from seer_policy.calvin import CalvinWrapper
from seer_policy.fast import FastSeer
from seer_policy.libero import LiberoWrapper
from seer_policy.policy import SeerPolicy, make_policy
from tests.fakes.seer_files import hollow, published_shapes, write_official

BENCHMARKS = {"calvin": CalvinBenchmark, "libero": LiberoBenchmark}
ENTRY_POINTS = """\
[seer_bench.benchmarks]
calvin-brief = brief_calvin:BriefCalvin
[seer_bench.policies]
tiny-seer = seer_plugins:tiny_seer
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the plugins in `fakes` as a distribution of its own; PyTorch's threads are put back afterwards."""
    info = tmp_path / "site" / "seer_plugins-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: seer-plugins\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "fakes"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def context(benchmark: str, **changes: object) -> PolicyContext:
    plugin: Benchmark = BENCHMARKS[benchmark]()
    protocol = plugin.protocols()[plugin.default_protocol]
    return PolicyContext(plugin.interface(protocol), protocol, **changes)


def told(text: str) -> torch.Tensor:
    """The feature that every sentence had when the published code was recorded."""
    return torch.from_numpy(np.random.RandomState(777).standard_normal(512).astype(np.float32))


def frames(record, step: int, benchmark: str) -> dict[str, np.ndarray]:
    """The recorded pictures (1, ...) of both cameras."""
    synth, facts = record.recipe.synth, record.facts
    if benchmark == "calvin":
        seed = facts["obs_seed"] + 10 * step
        return {"rgb_static": synth(seed, 200, 200)[None], "rgb_gripper": synth(seed + 1, 84, 84)[None]}
    seed = facts["image_seed"] + 10 * step
    return {"rgb_agentview": synth(seed + 2, 128, 128)[None], "rgb_eye_in_hand": synth(seed + 3, 128, 128)[None]}


def test_calvin_is_played_as_recorded(golden):
    record = golden.record("wrapper_calvin")
    policy = SeerPolicy(FastSeer(record.model(), actions=1), CalvinWrapper(), sentence=told)
    for step, wanted in enumerate(record.arrays["actions"]):
        if step in record.facts["resets"]:
            policy.reset([0], ["open the drawer\nnow"], [0])
        seen = {"robot_obs": record.arrays["robot_obs"][step][None], **frames(record, step, "calvin")}
        action = policy.act([0], seen)[0, 0]
        assert action.dtype == np.float16
        np.testing.assert_allclose(
            action.astype(np.float64), wanted.astype(np.float64), atol=6e-4
        )  # one unit of float16
        assert action[6] == wanted[6]


@pytest.mark.parametrize("name", ["wrapper_libero_width", "wrapper_libero_feedback"])
def test_libero_is_played_as_recorded(golden, name):
    record = golden.record(name)
    config, arrays = record.config, record.arrays
    wrapper = LiberoWrapper(actions=config.action_tokens, finger_widths=config.finger_widths)
    policy = SeerPolicy(FastSeer(record.model()), wrapper, sentence=told)
    policy.reset([0], ["put the mug on the plate"], [0])
    for step, wanted in enumerate(arrays["actions"]):
        euler = Rotation.from_quat(arrays["quat"][step]).as_euler("xyz")
        state = {"eef_position": arrays["pos"][step], "eef_euler": euler, "gripper_qpos": arrays["width"][step]}
        seen = {**{key: value[None] for key, value in state.items()}, **frames(record, step, "libero")}
        action = policy.act([0], seen)[0, 0]
        assert action.dtype == np.float64
        np.testing.assert_allclose(action, wanted, atol=2e-5)


@pytest.mark.parametrize("benchmark", ["calvin", "libero"])
@pytest.mark.parametrize("batch", ["1", "4"])
def test_it_keeps_the_contract_of_policies(benchmark, batch):
    check_policy("tiny-seer", context(benchmark, options={"batch": batch}), strict=True)


def look(rng: np.random.Generator, policy: SeerPolicy, count: int) -> dict[str, np.ndarray]:
    """Made-up observations of CALVIN."""
    return {
        "rgb_static": rng.integers(0, 256, (count, 200, 200, 3), dtype=np.uint8),
        "rgb_gripper": rng.integers(0, 256, (count, 84, 84, 3), dtype=np.uint8),
        "robot_obs": rng.normal(size=(count, 15)),
    }


def test_it_foresees_what_both_cameras_will_see_without_changing_its_mind():
    policies = [load_policy("tiny-seer", context("calvin")) for _ in range(2)]
    for policy in policies:
        policy.reset([0], ["push"], [0])
    assert policies[0].spec.foresight == ("rgb_static", "rgb_gripper")
    assert policies[0].foresee(0) is None
    rng, actions = np.random.default_rng(0), []
    for _ in range(5):
        seen = look(rng, policies[0], 1)
        actions.append([policy.act([0], seen).tobytes() for policy in policies])
        for value in seen.values():
            value[...] = 0  # as the engine may
        foreseen = policies[0].foresee(0)
        assert foreseen.steps == 3
        assert {name: (image.shape, image.dtype) for name, image in foreseen.images.items()} == dict.fromkeys(
            ("rgb_static", "rgb_gripper"), ((224, 224, 3), np.uint8)
        )
        assert min(image.std() for image in foreseen.images.values()) > 10  # of the frame that it saw, not of zeros
    assert all(looking == blind for looking, blind in actions)
    policies[0].reset([0], ["push"], [0])
    assert policies[0].foresee(0) is None


def test_a_network_without_foresight_foresees_nothing():
    from seer_plugins import made_up_feature, tiny_network

    seer = FastSeer(tiny_network(foresight_tokens=0), actions=1)
    policy = SeerPolicy(seer, CalvinWrapper(), sentence=made_up_feature)
    policy.reset([0], ["push"], [0])
    policy.act([0], look(np.random.default_rng(0), policy, 1))
    assert policy.spec.foresight == ()
    assert policy.foresee(0) is None


class Silent:
    """An observer of runs that says nothing."""

    def started(self, protocol, total, recorded): ...
    def stepped(self, steps): ...
    def noted(self, text):
        pytest.fail(text)

    def busy(self, units): ...
    def finished(self, result): ...
    def closed(self): ...


def play(out: Path, workers: int, **options: str) -> list[tuple[str, bytes]]:
    """Canonical record and executed actions of two chains."""
    request = RunRequest("calvin-brief", "tiny-seer", out, workers=workers, options=options)
    assert run(request, Silent()).errors == 0
    results = read_run(out).results.values()
    return [(*canonical_lines([result]), read_actions(out, result).tobytes()) for result in results]


def test_a_run_does_not_depend_on_workers_and_continues_only_with_the_same_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("CALVIN_SHORT_CHAINS", "0,1")
    alone = play(tmp_path / "1", workers=1, batch="2")
    assert play(tmp_path / "2", workers=2, batch="2") == alone
    assert read_run(tmp_path / "1").manifest.policy.settings == {"quirks": "upstream"}
    with pytest.raises(RunMismatchError, match=r"policy\.settings\.quirks: 'fixed' here, 'upstream' there"):
        play(tmp_path / "1", workers=1, batch="2", quirks="fixed")


@pytest.fixture
def published(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint and encoders of the published sizes; each tensor is one number, so that they take no room."""
    frozen = published_shapes(shared, "calvin", "frozen_not_saved")
    files = {"mae": tmp_path / "mae.pth", "clip": tmp_path / "clip.pt"}
    for name, prefix in (("mae", "vision_encoder."), ("clip", "clip_model.")):
        shapes = {key.removeprefix(prefix): shape for key, shape in frozen.items() if key.startswith(prefix)}
        torch.save({"model": hollow(shapes)} if name == "mae" else hollow(shapes), files[name])
    monkeypatch.setattr(policy_module, "locate", files.__getitem__)
    records = {name: Record(f"sha256 of {name}", path.name, "", True) for name, path in files.items()}
    monkeypatch.setattr(policy_module, "read_manifest", lambda root: records)
    return write_official(tmp_path / "33.pth", hollow(published_shapes(shared, "calvin")))


def test_a_published_checkpoint_needs_no_options(published):
    before = torch.get_rng_state()
    policy = make_policy(context("calvin", checkpoint=published))
    assert torch.equal(torch.get_rng_state(), before)
    assert policy.spec.batch == 1
    assert policy.spec.arm == {"method": "Seer"}
    assert policy.spec.settings == {
        "variant": "calvin",
        "heads": "12",
        "gripper": "flag",
        "quirks": "upstream",
        "vit": "bfloat16",
        "mae": "sha256 of mae",
        "clip": "sha256 of clip",
        "device": "cpu",
    }
    policy.reset([0], ["open the drawer"], [0])
    action = policy.act([0], look(np.random.default_rng(0), policy, 1))
    assert action.shape == (1, 1, 7)
    assert action.dtype == np.float16


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"checkpoint": None}, CheckpointError, r"--ckpt FILE(.|\n)*README of https.*seer-bench assets seer"),
        ({"options": {"quirk": "fixed"}}, UsageError, "unknown option 'quirk'.*Did you mean 'quirks'.*'seer'"),
        ({"device": "tpu"}, UsageError, "--device tpu: .*cpu or cuda"),
        ({"device": "cuda"}, UsageError, "--device cuda: PyTorch finds no GPU.*leave --device out"),
        ({"device": "cuda:2"}, UsageError, "--device cuda:2: "),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path, monkeypatch, changes, error, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    given = {"checkpoint": tmp_path / "none.pth"} | changes
    with pytest.raises(error, match=words):
        make_policy(context("calvin", **given))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="--device cuda:2: there are 2, counted from 0"):
        make_policy(context("calvin", checkpoint=Path("none.pth"), device="cuda:2"))


def test_other_benchmarks_are_refused_by_name():
    from brief_calvin import BriefCalvin

    benchmark = BriefCalvin()
    (protocol,) = benchmark.protocols().values()
    with pytest.raises(UsageError, match="does not play the benchmark 'calvin-brief'; it plays: calvin, libero"):
        make_policy(PolicyContext(benchmark.interface(protocol), protocol))


def test_without_encoders_it_says_where_they_are(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_SEER_ASSETS", str(tmp_path / "empty"))
    checkpoint = write_official(tmp_path / "33.pth", hollow(published_shapes(shared, "calvin")))
    with pytest.raises(AssetError, match=r"not installed(.|\n)*seer-bench assets seer --from"):
        make_policy(context("calvin", checkpoint=checkpoint))


BLOCKED = "import sys; sys.modules['torch'] = None\n"


@pytest.mark.parametrize(
    "use",
    [
        "registry.load_policy('seer', None)",
        "registry.load_assets('seer')",
        "registry.load_inspector('seer')",
    ],
)
def test_without_pytorch_the_extra_is_named(use):
    code = f"{BLOCKED}from seer_bench import registry\n{use}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError" in ended.stderr
    assert "pip install 'seer-bench[policies]'" in ended.stderr


def test_without_pytorch_everything_else_works():
    code = f"{BLOCKED}sys.argv = ['seer-bench', 'list']\nfrom seer_bench.cli import main\nmain()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "seer" in ended.stdout
