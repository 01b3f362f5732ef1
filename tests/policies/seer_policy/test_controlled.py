"""Other frozen encoders under Seer's backbone: training them, their files, and playing them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

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
    read_construction,
    save_controlled,
)
from seer_policy.inspect import inspect as inspect_seer
from seer_policy.losses import TrainingBatch
from seer_policy.model import FROZEN, Seer
from seer_policy.training import make_optimizer, train_step
from tests.fakes.seer_files import hollow

BENCHMARKS = {"calvin": CalvinBenchmark, "libero": LiberoBenchmark}
READ = {"mvp": read_mvp, "mpi": read_mpi}
MAKE = {"mvp": make_mvp, "mpi": make_mpi}
INSPECT = {"mvp": inspect_mvp, "mpi": inspect_mpi}
SIZES = {"history": 3, "hidden_dim": 32, "layers": 2, "heads": 2, "resampler_queries": 2}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """PyTorch's threads are put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small encoders in the published layouts, and CLIP's text encoder at its size; the latter takes no room."""
    folder = tmp_path_factory.mktemp("encoders")
    with torch.device("meta"):
        clip = {name: tuple(tensor.shape) for name, tensor in ClipTextEncoder().state_dict().items()}
    torch.save(hollow(clip), folder / "clip.pt")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        torch.save({"model": MaeEncoder(32, 1, 2).state_dict()}, folder / "mvp.pth")
        torch.save(MpiEncoder(32, 1, 2).state_dict(), folder / "mpi.pt")
    return {"clip": folder / "clip.pt", "mvp": folder / "mvp.pth", "mpi": folder / "mpi.pt"}


@pytest.fixture(autouse=True)
def tiny_size(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    """One more size of MVP's encoder; CLIP counts as installed."""
    monkeypatch.setattr(mvp_encoder, "SHAPES", {**SHAPES, 32: ("ViT-Tiny/16", 1, 2)})
    monkeypatch.setattr(controlled_policy, "locate", files.__getitem__)
    records = {"clip": Record("sha256 of clip", "clip.pt", "", True)}
    monkeypatch.setattr(controlled_policy, "read_manifest", lambda root: records)


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


def batch(rng: np.random.Generator, state: int) -> TrainingBatch:
    """A made-up window of 6 steps."""
    shapes = ((1, 6, 3, 224, 224), (1, 6, 3, 224, 224), (1, 6, state), (1, 512))
    inputs = (torch.from_numpy(rng.standard_normal(shape).astype(np.float32)) for shape in shapes)
    actions = torch.from_numpy(rng.uniform(-1, 1, (1, 6, 7)).astype(np.float32))
    actions[..., 6] = actions[..., 6].sign()
    return TrainingBatch(*inputs, actions)


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_training_changes_the_head_alone_and_lowers_its_loss(files, name):
    network, _ = trained(files, name, "libero")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    network.train()
    optimizer, window = make_optimizer(network, 1e-3), batch(np.random.default_rng(0), 8)
    losses = [train_step(network, optimizer, window, np.random.RandomState(0)).losses for _ in range(12)]
    assert losses[-1].arm < losses[0].arm
    assert losses[0].image == 0
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if key.startswith(FROZEN))
    assert not torch.equal(before["perceiver_resampler.latents"], after["perceiver_resampler.latents"])
    assert not torch.equal(before["image_wrist_projector.weight"], after["image_wrist_projector.weight"])


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
    saved = torch.load(path, weights_only=True)
    assert not any(key.startswith(FROZEN) for key in saved["model_state_dict"])
    made = read_construction(path)
    assert (made.method, made.encoder_sha256, made.benchmark) == (name.upper(), encoder.sha256, "libero")
    loaded = load_controlled(path, made, READ[name](files[name]), clip=files["clip"])
    views = batch(np.random.default_rng(1), 8)
    inputs = (views.primary[:, :3], views.wrist[:, :3], views.state[:, :3], views.text)
    with torch.no_grad():
        assert torch.equal(loaded(*inputs).arm, network(*inputs).arm)


def test_a_head_is_refused_over_another_encoder(files, tmp_path):
    network, encoder = trained(files, "mvp", "libero")
    save_controlled(tmp_path / "head.pt", network, encoder, "libero")
    with pytest.raises(CheckpointError, match=r"was trained over MVP ViT-Tiny/16 .* not over the MPI of 32"):
        load_controlled(
            tmp_path / "head.pt", read_construction(tmp_path / "head.pt"), read_mpi(files["mpi"]), clip=files["clip"]
        )


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (None, "does not say which frozen encoder"),
        ({"method": "MVP"}, "does not say which frozen encoder"),
        ({"heads": 2.0}, r"its controlled\.heads is 2\.0"),
        ({"finger_widths": 1}, r"its controlled\.finger_widths is 1"),
    ],
)
def test_a_file_must_say_what_it_belongs_to(files, tmp_path, block, message):
    network, encoder = trained(files, "mvp", "libero")
    path = tmp_path / "head.pt"
    save_controlled(path, network, encoder, "libero")
    tree = torch.load(path, weights_only=True)
    if message.startswith("its"):
        block = tree["controlled"] | block
    torch.save({"model_state_dict": tree["model_state_dict"], **({"controlled": block} if block else {})}, path)
    with pytest.raises(CheckpointError, match=message):
        read_construction(path)


def test_heads_that_do_not_fit_are_refused(files, tmp_path):
    network, encoder = trained(files, "mvp", "libero")
    path = tmp_path / "head.pt"
    save_controlled(path, network, encoder, "libero")
    tree = torch.load(path, weights_only=True)
    for heads in (0, 3):
        tree["controlled"]["heads"] = heads
        torch.save(tree, path)
        with pytest.raises(CheckpointError, match=f"hidden_dim is 32, which does not go with {heads} heads"):
            load_controlled(path, read_construction(path), encoder, clip=files["clip"])


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_a_head_is_described_by_its_own_policy(files, tmp_path, name):
    network, encoder = trained(files, name, "libero")
    path = tmp_path / "head.pt"
    save_controlled(path, network, encoder, "libero")
    assert inspect_seer(path) is None
    assert INSPECT["mpi" if name == "mvp" else "mvp"](path) is None
    found = INSPECT[name](path)
    assert found.kind == f"Policy head over a frozen encoder of {name.upper()}"
    assert found.faults == ()
    assert found.facts["encoder's sha256"] == encoder.sha256
    assert (found.facts["history"], found.facts["benchmark"]) == (3, "libero")
    tree = torch.load(path, weights_only=True)
    tree["model_state_dict"]["text_projector.bias"][0] = torch.nan
    del tree["model_state_dict"]["state_projector.bias"]
    torch.save(tree, path)
    assert INSPECT[name](path).faults == (
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
def saved(files, tmp_path):
    """Saves a head and gives the context that plays it."""

    def save(name: str, benchmark: str, **options: str) -> PolicyContext:
        network, encoder = trained(files, name, benchmark)
        path = tmp_path / f"{name}.pt"
        save_controlled(path, network, encoder, benchmark)
        return context(benchmark, checkpoint=path, options={"encoder": str(files[name]), **options})

    return save


@pytest.mark.parametrize(("name", "benchmark", "batch"), [("mvp", "libero", "2"), ("mpi", "calvin", "4")])
def test_they_keep_the_contract_of_policies(saved, name, benchmark, batch):
    check_policy(MAKE[name], saved(name, benchmark, batch=batch), strict=True)


@pytest.mark.parametrize("name", ["mvp", "mpi"])
def test_a_run_says_that_the_head_is_ours(saved, name):
    spec = MAKE[name](saved(name, "calvin")).spec
    assert spec.arm == {"method": name.upper(), "head": "ours"}
    assert spec.settings["head"] == "ours: Seer's backbone without foresight"
    assert len(spec.settings["encoder_sha256"]) == 64
    assert spec.foresight == ()


@pytest.mark.parametrize("make", MAKE.values())
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"options": {}}, UsageError, "needs the frozen encoder .*: --policy-arg encoder=FILE"),
        ({"options": {"encoder": "x", "colour": "red"}}, UnknownNameError, "colour"),
        ({"options": {"encoder": "x", "batch": "0"}}, UsageError, "batch=0"),
        ({"options": {"encoder": "x", "quirks": "some"}}, UsageError, "quirks=some"),
        ({"options": {"encoder": "x"}}, CheckpointError, "needs a trained head: --ckpt FILE"),
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
