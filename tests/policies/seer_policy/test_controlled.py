"""Other frozen encoders under Seer's backbone: training them, their files, and playing them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from calvin_benchmark.benchmark import CalvinBenchmark
from libero_benchmark.benchmark import LiberoBenchmark
from mpi_policy.encoder import MpiEncoder
from mpi_policy.inspect import inspect as inspect_mpi
from mpi_policy.policy import make_policy as make_mpi
from mpi_policy.weights import read_mpi
from mvp_policy import encoder as mvp_encoder
from mvp_policy.encoder import SHAPES, read_mvp
from mvp_policy.inspect import inspect as inspect_mvp
from mvp_policy.policy import make_policy as make_mvp
from seer_bench import CheckpointError, PolicyContext, UnknownNameError, UsageError, check_policy
from seer_bench_nn.assets import Record
from seer_bench_nn.clip_text import ClipTextEncoder
from seer_bench_nn.vit import MaeEncoder
from seer_policy import controlled_policy
from seer_policy.controlled import (
    FrozenEncoder,
    controlled_config,
    controlled_network,
    load_controlled,
    read_head,
    save_controlled,
)
from seer_policy.inspect import inspect as inspect_seer
from seer_policy.losses import TrainingBatch
from seer_policy.model import FROZEN, Seer, UnusedWeights
from seer_policy.policy import make_policy as make_seer
from seer_policy.training import backward, make_optimizer, train_step
from tests.fakes.seer_files import hollow

BENCHMARKS = {"calvin": CalvinBenchmark, "libero": LiberoBenchmark}
READ = {"mvp": read_mvp, "mpi": read_mpi}
MAKE = {"mvp": make_mvp, "mpi": make_mpi}
INSPECT = {"mvp": inspect_mvp, "mpi": inspect_mpi}
GUIDE = Path(__file__).parents[3] / "docs" / "encoders.md"
SIDE = 32
"""Pixels of the small encoders' images."""
SIZES = {"history": 3, "hidden_dim": 32, "layers": 2, "heads": 2, "resampler_queries": 2}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """PyTorch's threads are put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small encoders in the published layouts, and CLIP's text encoder at its size; the latter takes no room."""
    folder = tmp_path_factory.mktemp("encoders")
    with torch.device("meta"):
        clip = {name: tuple(tensor.shape) for name, tensor in ClipTextEncoder().state_dict().items()}
    torch.save(hollow(clip), folder / "clip.pt")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        torch.save({"model": MaeEncoder(32, 1, 2, SIDE).state_dict()}, folder / "mvp.pth")
        torch.save(MpiEncoder(32, 1, 2, SIDE).state_dict(), folder / "mpi.pt")
    return {"clip": folder / "clip.pt", "mvp": folder / "mvp.pth", "mpi": folder / "mpi.pt"}


@pytest.fixture(scope="module", autouse=True)
def tiny_size(files: dict[str, Path]) -> Iterator[None]:
    """One more size of MVP's encoder; CLIP counts as installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mvp_encoder, "SHAPES", {**SHAPES, 32: ("ViT-Tiny/16", 1, 2)})
        patch.setattr(controlled_policy, "locate", files.__getitem__)
        records = {"clip": Record("sha256 of clip", "clip.pt", "", True)}
        patch.setattr(controlled_policy, "read_manifest", lambda root: records)
        yield


def trained(files: dict[str, Path], name: str, benchmark: str) -> tuple[Seer, FrozenEncoder]:
    """A network with random weights."""
    encoder = READ[name](files[name])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = controlled_network(encoder, controlled_config(benchmark, 32, **SIZES), clip=files["clip"])
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval(), encoder


@pytest.fixture(scope="module")
def head(files, tmp_path_factory, tiny_size):
    """The file of a head with random weights, by encoder and benchmark."""
    folder = tmp_path_factory.mktemp("heads")

    def write(name: str, benchmark: str) -> Path:
        path = folder / f"{name}-{benchmark}.pt"
        if not path.exists():
            save_controlled(path, *trained(files, name, benchmark), benchmark)
        return path

    return write


@pytest.fixture
def changed(head, tmp_path):
    """A copy of MVP's head for LIBERO, changed by a function of what the file holds."""

    def write(change: Callable[[dict[str, Any]], object]) -> Path:
        tree = torch.load(head("mvp", "libero"), weights_only=True)
        change(tree)
        torch.save(tree, tmp_path / "changed.pt")
        return tmp_path / "changed.pt"

    return write


def batch(rng: np.random.Generator, state: int) -> TrainingBatch:
    """A made-up window of 6 steps."""
    shapes = ((1, 6, 3, SIDE, SIDE), (1, 6, 3, SIDE, SIDE), (1, 6, state), (1, 512))
    inputs = (torch.from_numpy(rng.standard_normal(shape).astype(np.float32)) for shape in shapes)
    actions = torch.from_numpy(rng.uniform(-1, 1, (1, 6, 7)).astype(np.float32))
    actions[..., 6] = actions[..., 6].sign()
    return TrainingBatch(*inputs, actions)


def test_training_learns_a_window_by_heart_and_changes_the_head_alone(files):
    network, _ = trained(files, "mpi", "libero")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    network.train()
    optimizer, window = make_optimizer(network, 3e-3), batch(np.random.default_rng(0), 8)
    losses = [train_step(network, optimizer, window, np.random.RandomState(0)).losses for _ in range(30)]
    assert losses[-1].arm < 0.5 * losses[0].arm
    assert losses[-1].gripper < losses[0].gripper
    assert losses[0].image == 0
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if key.startswith(FROZEN))


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_gradients_reach_all_that_is_trained_and_nothing_that_is_frozen(files, name):
    network, _ = trained(files, name, "calvin")
    backward(network.train(), batch(np.random.default_rng(0), 7), np.random.RandomState(0))
    reached = {key for key, parameter in network.named_parameters() if parameter.grad is not None}
    with torch.device("meta"):
        unused = {key for key, _ in UnusedWeights(network.config).named_parameters()}
    wanted = {key for key, parameter in network.named_parameters() if parameter.requires_grad} - unused
    assert reached == wanted
    assert not any(key.startswith(FROZEN) for key in reached)
    still = [key for key in reached if not network.get_parameter(key).grad.any()]
    assert still == []


def test_the_configuration_is_seers_without_foresight():
    config = controlled_config("libero", 384)
    assert (config.history, config.hidden_dim, config.layers, config.heads) == (7, 384, 24, 12)
    assert (config.foresight_tokens, config.action_tokens, config.finger_widths) == (0, 3, True)
    assert controlled_config("calvin", 384).history == 10


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_a_head_is_saved_without_its_encoders_and_found_again(files, tmp_path, name):
    network, encoder = trained(files, name, "libero")
    path = tmp_path / "head.pt"
    save_controlled(path, network, encoder, "libero")
    found = read_head(path)
    assert not any(key.startswith(FROZEN) for key in found.weights)
    assert (found.made.method, found.made.encoder_sha256, found.made.benchmark) == (
        name.upper(),
        encoder.sha256,
        "libero",
    )
    loaded = load_controlled(found, READ[name](files[name]), clip=files["clip"])
    views = batch(np.random.default_rng(1), 8)
    inputs = (views.primary[:, :3], views.wrist[:, :3], views.state[:, :3], views.text)
    with torch.no_grad():
        assert torch.equal(loaded(*inputs).arm, network(*inputs).arm)


def test_a_head_is_refused_over_another_encoder(files, head, tmp_path):
    found, sha256 = read_head(head("mvp", "libero")), read_mvp(files["mvp"]).sha256
    with pytest.raises(CheckpointError, match=r"was trained over MVP ViT-Tiny/16 .* not over the MPI of 32"):
        load_controlled(found, read_mpi(files["mpi"]), clip=files["clip"])
    torch.save({"model": MaeEncoder(32, 1, 2, SIDE).state_dict()}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=f"sha256 {sha256}.* not over the MVP ViT-Tiny/16"):
        load_controlled(found, read_mvp(tmp_path / "other.pth"), clip=files["clip"])


def test_a_head_is_never_played_over_seers_own_encoder(saved):
    made = saved("mvp", "calvin")
    with pytest.raises(CheckpointError, match="is no checkpoint of Seer"):
        make_seer(context("calvin", checkpoint=made.checkpoint, options={"variant": "calvin"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.pop("controlled"), "does not say which frozen encoder"),
        (lambda tree: tree.update(controlled={"method": "MVP"}), "its 'controlled' has the keys method; it needs"),
        (lambda tree: tree.update(controlled="MVP"), "its 'controlled' is str; it needs"),
        (lambda tree: tree["controlled"].update(heads=2.0), r"its 'controlled' says heads 2\.0"),
        (lambda tree: tree["controlled"].update(finger_widths=1), "its 'controlled' says finger_widths 1"),
        (lambda tree: tree.pop("head"), "its 'head' is no dict of tensors"),
        (lambda tree: tree["head"].pop("action_pred_token"), "action_pred_token is missing"),
    ],
)
def test_a_file_must_say_what_it_belongs_to(changed, change, message):
    with pytest.raises(CheckpointError, match=message):
        read_head(changed(change))


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_that_do_not_fit_are_refused(files, changed, heads):
    found = read_head(changed(lambda tree: tree["controlled"].update(heads=heads)))
    with pytest.raises(CheckpointError, match=f"hidden_dim is 32, which does not go with {heads} heads"):
        load_controlled(found, read_mvp(files["mvp"]), clip=files["clip"])


def test_the_guides_way_to_train_a_head_works_as_it_is_printed(files, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copy(files["mvp"], "mae_pretrain_egosoup_vit_base.pth")
    monkeypatch.setattr("seer_bench_nn.assets.locate", files.__getitem__)
    small = partial(controlled_config, **SIZES)
    monkeypatch.setattr("seer_policy.controlled.controlled_config", small)
    seen: list[torch.Size] = []

    def windows(image: Callable[[np.ndarray], torch.Tensor]) -> Iterator[TrainingBatch]:
        seen.append(image(np.zeros((128, 128, 3), np.uint8)).shape)
        yield batch(np.random.default_rng(0), 8)

    exec(compile(code, "docs/encoders.md", "exec"), {"windows": windows})  # noqa: S102 - our own text
    assert seen == [(3, SIDE, SIDE)]
    assert read_head(tmp_path / "head.pt").made.encoder_sha256 == read_mvp(files["mvp"]).sha256


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_a_head_is_described_by_its_own_policy(files, head, name):
    path = head(name, "libero")
    assert inspect_seer(path) is None
    assert INSPECT["mpi" if name == "mvp" else "mvp"](path) is None
    found = INSPECT[name](path)
    assert found.kind == f"Policy head over a frozen encoder of {name.upper()}"
    assert found.faults == ()
    assert found.facts["encoder's sha256"] == READ[name](files[name]).sha256
    assert (found.facts["history"], found.facts["benchmark"]) == (3, "libero")


def test_faults_of_a_head_are_listed(changed):
    def damage(tree: dict[str, Any]) -> None:
        tree["head"]["text_projector.bias"][0] = torch.nan
        del tree["head"]["state_projector.bias"]

    assert inspect_mvp(changed(damage)).faults == (
        "1 missing: state_projector.bias",
        "text_projector.bias holds NaN or infinite numbers",
    )


def test_other_files_are_none_of_theirs(files):
    assert [inspect(files["clip"]) for inspect in INSPECT.values()] == [None, None]


def context(benchmark: str, **changes: object) -> PolicyContext:
    plugin = BENCHMARKS[benchmark]()
    protocol = plugin.protocols()[plugin.default_protocol]
    return PolicyContext(plugin.interface(protocol), protocol, **changes)


@pytest.fixture
def saved(files, head):
    """The context that plays a head."""

    def make(name: str, benchmark: str, **options: str) -> PolicyContext:
        given = {"encoder": str(files[name]), **options}
        return context(benchmark, checkpoint=head(name, benchmark), options=given)

    return make


@pytest.mark.parametrize(
    ("name", "benchmark", "batch"),
    [("mvp", "calvin", "1"), ("mvp", "libero", "4"), ("mpi", "libero", "1"), ("mpi", "calvin", "4")],
)
def test_they_keep_the_contract_of_policies(saved, name, benchmark, batch):
    check_policy(MAKE[name], saved(name, benchmark, batch=batch), strict=True)


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_a_run_says_that_the_head_is_ours(saved, name):
    spec = MAKE[name](saved(name, "libero")).spec
    assert spec.arm == {"method": name.upper(), "head": "ours"}
    assert spec.settings["head"] == "ours: Seer's backbone without foresight"
    assert len(spec.settings["encoder_sha256"]) == 64
    assert spec.foresight == ()


@pytest.mark.parametrize("make", MAKE.values())
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({}, CheckpointError, r"needs --ckpt HEAD.* and --policy-arg encoder=FILE.*linked at https://github.com/"),
        ({"checkpoint": Path("x")}, CheckpointError, "--policy-arg encoder=FILE"),
        ({"options": {"encoder": "x", "colour": "red"}}, UnknownNameError, "colour"),
        ({"options": {"encoder": "x", "batch": "0"}}, UsageError, "batch=0"),
        ({"options": {"encoder": "x", "quirks": "some"}}, UsageError, "quirks=some"),
        ({"options": {"encoder": "x"}}, CheckpointError, "needs --ckpt HEAD"),
        (
            {"options": {"encoder": "x"}, "checkpoint": Path("x"), "device": "tpu"},
            UsageError,
            "computes on cpu or cuda",
        ),
        ({"options": {"encoder": "x"}, "checkpoint": Path("absent.pt")}, CheckpointError, "there is no such file"),
    ],
)
def test_what_cannot_be_is_refused_before_work_starts(make, changes, error, message):
    with pytest.raises(error, match=message):
        make(context("libero", **changes))


def test_a_head_plays_its_own_benchmark_alone(saved):
    made = saved("mvp", "libero")
    other = partial(context, "calvin", checkpoint=made.checkpoint, options=made.options)
    with pytest.raises(CheckpointError, match="was trained for the benchmark 'libero', not for 'calvin'"):
        make_mvp(other())


@pytest.mark.parametrize("which", ["head", "encoder"])
def test_files_that_are_cut_short_are_refused(saved, tmp_path, which):
    made = saved("mpi", "libero")
    whole = made.checkpoint if which == "head" else Path(made.options["encoder"])
    cut = tmp_path / "cut.pt"
    cut.write_bytes(whole.read_bytes()[:50_000])
    changed = {"checkpoint": cut} if which == "head" else {"options": {"encoder": str(cut)}}
    with pytest.raises(CheckpointError, match=r"cut\.pt: is cut short at 50,000 bytes"):
        make_mpi(replace(made, **changed))
