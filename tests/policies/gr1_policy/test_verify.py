"""Recordings of the published network and wrapper, and that faults do not pass.

`data` was recorded of a small network that the published classes built, see the notes in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from gr1_policy import calvin, fast, images, model
from gr1_policy.verify import Gr1Verifier, network, outputs, wrapper
from seer_bench.errors import UsageError
from seer_bench.registry import load_verifier
from seer_bench.verification import Verdict
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.clip_tokenizer import tokenize
from seer_bench_nn.recordings.fields import Fields

DATA = Path(__file__).parent / "data"


class Folder:
    """A copy of one recording, to be altered."""

    def __init__(self, path: Path, name: str, source: Path = DATA) -> None:
        self.path, self.name = path, name
        record = json.loads((source / "index.json").read_text())["records"][name]
        for file in record["files"]:
            shutil.copyfile(source / file, path / file)
        index = {"schema": "seer-bench/golden-index/1", "subject": "seer", "records": {name: record}}
        (path / "index.json").write_text(json.dumps(index))

    def verify(self) -> Verdict:
        (verdict,) = load_verifier("gr1").verify(self.path)
        return verdict

    def alter(self, change: Callable[[dict[str, Any], dict[str, np.ndarray]], object]) -> Verdict:
        """Rewrite both files, then verify."""
        facts, arrays = (self.path / f"{self.name}{suffix}" for suffix in (".json", ".npz"))
        tree, stored = json.loads(facts.read_text()), dict(np.load(arrays))
        change(tree, stored)
        facts.write_text(json.dumps(tree))
        np.savez(arrays, **stored)
        return self.verify()


@pytest.fixture
def reduced(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "reduced")


@pytest.fixture
def played(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "wrapper")


def test_our_network_equals_the_recorded_one_at_full_size(shared: Path, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    verdict = Folder(tmp_path, "gr1_full", shared / "golden" / "seer").verify()
    assert verdict.status == "agrees"
    assert verdict.largest is not None
    assert verdict.largest < 2e-5
    assert "not compared" not in verdict.detail


@pytest.mark.parametrize(("name", "numbers"), [("reduced", "18,942 numbers"), ("wrapper", "8 steps, 280 numbers")])
def test_our_small_network_and_our_wrapper_equal_the_published_ones(tmp_path: Path, name: str, numbers: str) -> None:
    verdict = Folder(tmp_path, name).verify()
    assert (verdict.status, verdict.compared) == ("agrees", numbers)
    assert "not compared" not in verdict.detail


def gelu(patch: pytest.MonkeyPatch) -> None:
    built = outputs.build_network

    def build(recorded):
        made = built(recorded)
        for block in made.transformer.blocks:
            block.mlp.activation = "gelu"
        return made

    patch.setattr(outputs, "build_network", build)


def queries_seen(patch: pytest.MonkeyPatch) -> None:
    given = model.attention_mask
    patch.setattr(model, "attention_mask", lambda o, q, valid: given(o + q, 0, valid))


def invalid_steps_seen(patch: pytest.MonkeyPatch) -> None:
    given = model.attention_mask
    patch.setattr(model, "attention_mask", lambda o, q, valid: given(o, q, torch.ones_like(valid)))


def cameras_exchanged(patch: pytest.MonkeyPatch) -> None:
    given = model.Gr1.foresee
    patch.setattr(model.Gr1, "foresee", lambda self, latents: given(self, latents).flip(-3))


def labels_as_in_mae(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outputs, "image_labels", lambda x: 1.0001 * (outputs.patchify(x)))


def fast_steps_at_the_first_position(patch: pytest.MonkeyPatch) -> None:
    given = fast.NewestAction.grow
    patch.setattr(fast.NewestAction, "grow", lambda self, tokens, steps, cache: given(self, tokens, steps * 0, cache))


def fast_foresight_without_history(patch: pytest.MonkeyPatch) -> None:
    given = fast.NewestAction.foresight
    patch.setattr(fast.NewestAction, "foresight", lambda self, history: given(self, history[-1:]))


@pytest.mark.parametrize(
    "fault",
    [
        gelu, queries_seen, invalid_steps_seen, cameras_exchanged, labels_as_in_mae, fast_steps_at_the_first_position,
        fast_foresight_without_history,
    ],
)  # fmt: skip
def test_faults_of_the_network_are_found(
    reduced: Folder, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    fault(monkeypatch)
    verdict = reduced.verify()
    assert verdict.status == "different"
    assert "more than 2e-05" in verdict.detail


def antialiased(patch: pytest.MonkeyPatch) -> None:
    given = functional.interpolate
    patch.setattr(images.functional, "interpolate", lambda *x, **y: given(*x, **y, antialias=True))


def gripper_inverted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wrapper, "actions", lambda arm, gripper: calvin.actions(arm, -gripper))


def another_gripper_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("gr1_policy.policy.states", lambda seen: calvin.states({"robot_obs": -seen["robot_obs"]}))


def resets_ignored(patch: pytest.MonkeyPatch) -> None:
    given = fast.FastGr1.reset
    patch.setattr(
        fast.FastGr1, "reset", lambda self, slot, text: None if self._memory._slots else given(self, slot, text)
    )


@pytest.mark.parametrize("fault", [antialiased, gripper_inverted, another_gripper_state, resets_ignored])
def test_faults_of_the_wrapper_are_found(
    played: Folder, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    fault(monkeypatch)
    assert played.verify().status == "different"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, a: t["config"].update(activation_function="gelu_new"), "is 'gelu_new'; only 'relu' can be replayed"),
        (lambda t, a: t["config"].update(use_hand_rgb=False), "'use_hand_rgb' is False; only True"),
        (lambda t, a: t["config"].update(strange=1), "unknown key 'strange'"),
        (lambda t, a: t["config"].pop("embed_dim"), "has no key 'embed_dim'"),
        (lambda t, a: t["config"].update(seq_len=2), "needs arrays such as arm_N, N valid steps of up to 2"),
        (lambda t, a: t["config"].update(seq_len=45), "'seq_len' must be a whole number from 1 to 44"),
        (lambda t, a: t["config"].update(embed_dim=40), "GR-1: hidden_dim is 40"),
        (lambda t, a: t.pop("small"), "'img_feat_dim' is 32; only 768 can be replayed"),
        (lambda t, a: t.update(B=3), "tells 2 sentences, needed are 1 or 3"),
        (lambda t, a: t.update(weight_seed="x"), "'weight_seed' must be a whole number"),
        (lambda t, a: a.pop("text_feature"), "tells no sentence: a key 'sentence'"),
        (lambda t, a: a.update(text_feature=np.full((2, 512), np.nan, np.float32)), "holds values that are not finite"),
        (lambda t, a: a.update(tokens=np.full((2, 77), 60_000)), "'tokens' must be from 0 to 49407, has 60000"),
        (lambda t, a: a.update(tokens=np.zeros((2, 76), np.int64)), r"'tokens' must be integers (n, 77)"),
        (
            lambda t, a: a.update(arm_3=a["arm_3"][:, :, :5]),
            "arm_3 is recorded as float32 (2, 3, 5), expected float32 (2, 3, 6)",
        ),
    ],
)
def test_what_cannot_be_replayed_is_said(reduced: Folder, change: Callable[..., object], words: str) -> None:
    verdict = reduced.alter(change)
    assert verdict.status == "different"
    assert words in verdict.detail


def test_what_is_not_compared_is_named(reduced: Folder) -> None:
    verdict = reduced.alter(lambda tree, arrays: (tree.update(half=True), arrays.update(arm_3_half=arrays["arm_3"])))
    assert verdict.status == "agrees"
    assert "reduced.json: not compared: half" in verdict.detail
    assert "not compared: arm_3_half" in verdict.detail


def test_images_of_other_strides_are_compared_too(reduced: Folder) -> None:
    def thin(tree: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for name in [name for name in arrays if name.startswith(("obs", "hand"))]:
            arrays[name] = arrays[name][:, :, ::2, ::3]

    verdict = reduced.alter(thin)
    assert (verdict.status, verdict.compared) == (
        "agrees",
        f"{(2 * 2 * 2 + 2 + 2 * 2) * 7 * 32 + 3 * 2 * 3 * 7:,} numbers",
    )
    assert reduced.alter(lambda tree, arrays: arrays["hand_strided_2"].__iadd__(0.001)).status == "different"


def test_actions_may_be_recorded_alone_and_images_too(reduced: Folder) -> None:
    def without(arrays: dict[str, np.ndarray], *beginnings: str) -> None:
        for name in [name for name in arrays if name.startswith(beginnings)]:
            del arrays[name]

    verdict = reduced.alter(lambda tree, arrays: without(arrays, "obs", "hand"))
    assert verdict.compared == f"{3 * 2 * 3 * 7} numbers"
    verdict = Folder(reduced.path, "reduced").alter(lambda tree, arrays: without(arrays, "arm", "gripper"))
    assert (verdict.status, verdict.compared) == ("agrees", f"{(2 * 2 * 2 + 2 + 2 * 2) * 14 * 96:,} numbers")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, a: t.update(strange=1), "unknown key 'strange'"),
        (lambda t, a: t.update(resets=[0, 8]), "'resets' must be steps below 8"),
        (lambda t, a: t.update(images="none"), "'images' must tell two cameras"),
        (lambda t, a: a.pop("gripper"), "has no array 'gripper'"),
        (lambda t, a: a.update(actions=a["actions"][:7]), "'actions' must hold floats of shape (8, 7)"),
    ],
)
def test_wrappers_that_cannot_be_replayed_are_said(played: Folder, change: Callable[..., object], words: str) -> None:
    verdict = played.alter(change)
    assert verdict.status == "different"
    assert words in verdict.detail


def test_sentences_are_told_by_text_or_tokens_and_told_twice_they_are_compared(tmp_path: Path) -> None:
    """The text tower is a stand-in here; the recording of full size goes through the real one."""
    encoder: Any = SimpleNamespace(encode_text=lambda tokens: model.unit_length(tokens.float().repeat(1, 7)[:, :512]))
    wanted = encoder.encode_text(tokenize(["open the drawer"]))
    told = {"sentence": "open the drawer"}

    def read(tree: dict[str, Any], rows: int = 1, **arrays: np.ndarray) -> tuple[torch.Tensor, Comparison]:
        np.savez(tmp_path / "t.npz", empty=np.zeros(1), **arrays)
        (tmp_path / "t.json").write_text(json.dumps(tree))
        recording, comparison = Recording("t", "gr1_model", tmp_path, ("t.json", "t.npz"), {}), Comparison(None)
        return network.read_text(recording, Fields.of(recording), comparison, encoder, rows), comparison

    tokens = tokenize(["open the drawer"]).numpy()
    for tree, arrays in (
        (told, {}), ({}, {"tokens": tokens}), (told, {"tokens": tokens}), (told, {"text_feature": 3 * wanted.numpy()}),
    ):  # fmt: skip
        features, comparison = read(tree, 2, **arrays)
        assert torch.equal(features, wanted.expand(2, -1))
        assert not comparison.differs
    assert read(told, tokens=tokens[:, ::-1].copy())[1].differs
    assert read(told, text_feature=-wanted.numpy())[1].differs
    drawn = read({"text_feature": "RandomState(5).standard_normal(512) for every text"})[0]
    torch.testing.assert_close(drawn.norm(), torch.tensor(1.0), atol=1e-5, rtol=0)
    with pytest.raises(RecordError, match="tells 2 sentences, needed are 1 or 3"):
        read({"sentence": ["a", "b"]}, 3)


def test_a_folder_is_needed() -> None:
    with pytest.raises(UsageError, match="seer-bench verify gr1 --golden DIR"):
        list(Gr1Verifier().verify())
    with pytest.raises(UsageError, match="backend to compare GR-1 with"):
        list(Gr1Verifier().verify(against="upstream"))
