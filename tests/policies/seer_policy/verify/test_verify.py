"""Recordings as they are agree; altered, damaged or incomplete ones do not, and say why."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UsageError
from seer_policy.verify import SeerVerifier

REDUCED = ("tiny_ft", "tiny_ft_width", "tiny_noobs", "tiny_pre", "tiny_pre_prop")
WRAPPERS = ("wrapper_calvin", "wrapper_libero_feedback", "wrapper_libero_width")
FILES = ("tiny_ft_official_format", "tiny_ft_mae_format")


def test_recordings_of_every_kind_agree(copied):
    folder = copied(*REDUCED, *WRAPPERS, *FILES, "masks", "image_preprocess", "gr1_full")
    verdicts = folder.verify()
    exact = {name for name, verdict in verdicts.items() if verdict.status == "identical"}
    assert {"masks"} <= exact <= {"masks", "image_preprocess"}
    assert verdicts["gr1_full"].status == "skipped"
    assert "unknown kind" in verdicts["gr1_full"].detail
    networks = [verdicts[name] for name in (*REDUCED, *WRAPPERS, *FILES)]
    assert {verdict.status for verdict in networks} == {"agrees"}
    assert not [verdict.detail for verdict in verdicts.values() if "not compared" in verdict.detail]
    assert "images encoded with tiny_ft_mae_format.pth" in verdicts["tiny_ft_official_format"].detail


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip_text", "full_calvin", "full_libero"])
def test_recordings_of_full_size_agree(copied, name):
    assert copied(name).verify()[name].status in ("agrees", "identical")


def test_names_of_records_and_files_mean_nothing(copied):
    folder = copied("tiny_noobs", "tiny_ft_official_format", "tiny_ft")
    records = folder.index["records"]
    for i, name in enumerate(list(records)):
        record = records.pop(name)
        moved = [f"{i}{file[file.rindex('.') :]}" for file in record["files"]]
        for old, new in zip(record["files"], moved, strict=True):
            (folder.path / old).rename(folder.path / new)
        records[f"z{i}"] = {**record, "files": moved}
    folder.write_index()
    verdicts = folder.verify()
    assert [verdict.status for verdict in verdicts.values()] == ["agrees"] * 3
    assert "weights of" not in verdicts["z1"].detail


def _nudge(array: np.ndarray) -> None:
    """Change one number by 1e-3, a flag to its opposite, a byte by one."""
    flat = array.reshape(-1)
    middle = flat.size // 2
    flat[middle] = ~flat[middle] if array.dtype == bool else flat[middle] + (1e-3 if array.dtype.kind == "f" else 1)


ALTERED = [
    ("tiny_pre_prop", name)
    for name in (
        "arm",
        "gripper",
        "image_pred_strided",
        "image_pred_mean",
        "image_pred_std",
        "label_actions",
        "attention_mask",
    )
] + [
    ("wrapper_calvin", "actions"),
    ("wrapper_calvin", "arm"),
    ("wrapper_calvin", "robot_obs"),
    ("wrapper_libero_feedback", "actions"),
    ("wrapper_libero_width", "quat"),
    ("image_preprocess", "out_84x84"),
    ("masks", "real_pre"),
]


@pytest.mark.parametrize(("record", "array"), ALTERED)
def test_a_number_altered_by_a_thousandth_is_a_miss(copied, record, array):
    folder = copied(record)
    folder.alter_arrays(f"{record}.npz", lambda arrays: _nudge(arrays[array]))
    assert folder.verify()[record].status == "different"


def test_an_action_of_bfloat16_altered_by_a_fiftieth_is_a_miss(copied):
    folder = copied("tiny_noobs")
    folder.alter_arrays("tiny_noobs.npz", lambda arrays: arrays["arm_bf16vit"].__setitem__((0, 0, 0, 0), 0.5))
    verdict = folder.verify()["tiny_noobs"]
    assert verdict.status == "different"
    assert "arm_bf16vit differs by" in verdict.detail


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("losses", "image_wrist"), "'losses' 'image_wrist' differs by"),
        (("losses", "total"), "'losses' 'total' differs by"),
        (("train_step", "grad_norm_before_clip"), "norm of the gradient differs by"),
        (("train_step", "loss_after", "gripper"), "'loss_after' 'gripper' differs by"),
    ],
)
def test_a_loss_altered_by_a_hundred_thousandth_is_a_miss(copied, path, words):
    record = "tiny_ft" if path[0] == "train_step" else "tiny_pre_prop"
    folder = copied(record)

    def change(facts):
        for key in path[:-1]:
            facts = facts[key]
        facts[path[-1]] += 1e-5

    folder.alter_facts(f"{record}.json", change)
    verdict = folder.verify()[record]
    assert verdict.status == "different"
    assert words in verdict.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f["config"].pop("hidden_dim"), "tiny_noobs.json: 'config' has no key 'hidden_dim'"),
        (lambda f: f["config"].update(rotary=True), "tiny_noobs.json: 'config': unknown key 'rotary' = True"),
        (lambda f: f["config"].update(hidden_dim="96"), "'hidden_dim' must be a whole number"),
        (lambda f: f["config"].update(transformer_heads=7), "hidden_dim is 96; it must be a multiple of heads (7)"),
        (lambda f: f["config"].update(patch_size=32), "'patch_size' is 32; only 16 can be replayed"),
        (lambda f: f["config"].update(phase="play"), "'phase' is 'play'"),
        (lambda f: f["small"].update(vheads=3), "'E' is 64"),
        (lambda f: f.pop("input_seed"), "tiny_noobs.json has no key 'input_seed'"),
        (lambda f: f.update(window=3), "'window' is 3, shorter than 'sequence_length', 4"),
        (lambda f: f["config"].update(sequence_length=60000), "tiny_noobs.json: 'window' is 7, shorter"),
        (lambda f: f.update(B=1000, window=1000), "cannot be replayed here: MemoryError"),
        (lambda f: f.update(weight_seed=16), "differs by"),
        (lambda f: f.update(input_seed=106), "arm differs by"),
        (lambda f: f["config"].update(gripper_width=True), "arm differs by"),
        (lambda f: f["config"].update(transformer_heads=6), "arm differs by"),
        (lambda f: f["state_dict_checksums"].update(nothing=[0, 0]), "there is no tensor 'nothing'"),
    ],
)
def test_what_a_record_says_is_honoured_or_refused(copied, change, words):
    folder = copied("tiny_noobs", "image_preprocess")
    folder.alter_facts("tiny_noobs.json", change)
    verdicts = folder.verify()
    assert verdicts["tiny_noobs"].status == "different"
    assert words in verdicts["tiny_noobs"].detail
    assert verdicts["image_preprocess"].status != "different"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: (p / "tiny_noobs.npz").unlink(), "tiny_noobs.npz is missing"),
        (lambda p: (p / "tiny_noobs.npz").write_bytes(b"PK\x03\x04 cut"), "tiny_noobs.npz is no whole .npz file"),
        (lambda p: (p / "tiny_noobs.json").unlink(), "tiny_noobs.json is missing"),
        (lambda p: (p / "tiny_noobs.json").write_text("{"), "tiny_noobs.json cannot be read"),
        (lambda p: (p / "tiny_noobs.json").write_text("[]"), "tiny_noobs.json must be a JSON object"),
        (lambda p: (p / "image_preprocess.npz").write_bytes(b""), "image_preprocess.npz is no whole .npz file"),
        (lambda p: (p / "tiny_ft_official_format.pth").write_bytes(b"<html>"), "is a web page"),
        (lambda p: (p / "tiny_ft_official_format.pth").unlink(), "tiny_ft_official_format.pth is missing"),
    ],
)
def test_damaged_files_are_their_records_verdict_alone(copied, damage, words):
    folder = copied("tiny_noobs", "image_preprocess", "tiny_ft_official_format")
    damage(folder.path)
    verdicts = folder.verify()
    different = [verdict for verdict in verdicts.values() if verdict.status == "different"]
    assert len(different) == 1
    assert words in different[0].detail


@pytest.mark.parametrize("array", ["arm", "gripper_bf16vit", "attention_mask"])
def test_a_missing_array_is_a_miss(copied, array):
    folder = copied("tiny_noobs")
    folder.alter_arrays("tiny_noobs.npz", lambda arrays: arrays.pop(array))
    verdict = folder.verify()["tiny_noobs"]
    assert verdict.status == "different"
    assert f"tiny_noobs.npz has no array '{array}'" in verdict.detail


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_a_miss(copied, value):
    folder = copied("tiny_noobs")
    folder.alter_arrays("tiny_noobs.npz", lambda arrays: arrays["gripper"].__setitem__((0, 0, 0, 0), value))
    assert folder.verify()["tiny_noobs"].status == "different"


def test_the_seed_of_a_mask_is_its_own_or_that_of_its_name(copied):
    def rename(name, **more):
        def arrays(stored):
            for end in ("", "__shape"):
                stored[name + end] = stored["libero_pre_seed0" + end]

        folder.alter_arrays("masks.npz", arrays)
        folder.alter_facts("masks.json", lambda facts: facts.update({name: {**facts["libero_pre_seed0"], **more}}))
        return folder.verify()["masks"]

    folder = copied("masks")
    assert rename("drawn").status == "identical"
    assert rename("one_seed5", seed=0).status == "identical"
    verdict = rename("another_seed5")
    assert verdict.status == "different"
    assert verdict.detail.startswith("another_seed5: the mask differs")


def test_a_checkpoint_with_another_number_is_a_miss(copied):
    folder = copied("tiny_ft", *FILES)
    path = folder.path / "tiny_ft_official_format.pth"
    tree = torch.load(path, weights_only=True)
    tree["model_state_dict"]["module.text_projector.weight"][0, 0] += 1e-3
    torch.save(tree, path)
    verdict = folder.verify()["tiny_ft_official_format"]
    assert verdict.status == "different"
    assert "weights of tiny_ft: other numbers in text_projector.weight" in verdict.detail


def test_a_checkpoint_without_a_tensor_is_a_miss(copied):
    folder = copied("tiny_ft_official_format")
    path = folder.path / "tiny_ft_official_format.pth"
    tree = torch.load(path, weights_only=True)
    del tree["model_state_dict"]["module.mask_token"]
    torch.save(tree, path)
    assert "1 missing: mask_token" in folder.verify()["tiny_ft_official_format"].detail


def test_files_of_no_recorded_network_are_checked_as_far_as_they_can_be(copied):
    verdicts = copied(*FILES, "tiny_noobs").verify()
    for name in FILES:
        assert verdicts[name].status == "identical"
        assert "no record in this folder tells its weights" in verdicts[name].detail


def test_the_recipe_is_that_of_the_recordings(golden):
    from seer_bench_nn.recordings.rollouts import draw_picture
    from seer_bench_nn.recordings.weights import draw_weight
    from seer_policy.verify.recipe import draw_inputs

    for name, shape in {"a.weight": (3, 4), "b.bias": (5,), "c.weight": (2,), "d": (), "e.latents": (2, 3)}.items():
        np.testing.assert_array_equal(draw_weight(name, shape, 7), golden.recipe.weight(name, shape, 7))
    np.testing.assert_array_equal(draw_picture(3, 20, 30), golden.recipe.synth(3, 20, 30))
    ours, theirs = draw_inputs(9, 2, 3), golden.recipe.inputs(9, 2, 3)
    names = {
        "primary": "image_primary", "wrist": "image_wrist", "text": "text_feature", "widths": "width",
        "pose": "pose", "gripper": "gripper", "actions": "actions",
    }  # fmt: skip
    for name, key in names.items():
        np.testing.assert_array_equal(getattr(ours, name), theirs[key])


def test_the_command_shows_verdicts_and_what_they_say(copied):
    folder = copied("tiny_noobs", "masks", "gr1_full")
    done = CliRunner().invoke(app, ["verify", "seer", "--golden", str(folder.path)])
    assert done.exit_code == 0
    assert "agrees     tiny_noobs [reduced_model]:" in done.output
    assert "agrees       1  outputs of a network within the tolerance of the recording" in done.output
    folder.alter_arrays("masks.npz", lambda arrays: _nudge(arrays["calvin_ft"]))
    assert CliRunner().invoke(app, ["verify", "seer", "--golden", str(folder.path)]).exit_code == 1


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(UsageError, match="seer-bench verify seer --golden DIR"):
        next(SeerVerifier().verify())
    with pytest.raises(UsageError, match="unknown backend to compare Seer with 'upstream'"):
        next(SeerVerifier().verify(against="upstream"))


def test_without_pytorch_the_pip_command_is_told():
    code = "import sys; sys.modules['torch'] = None; import seer_policy.verify as v; v.SeerVerifier().facts()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in done.stderr
    assert "pip install 'seer-bench[policies]'" in done.stderr
