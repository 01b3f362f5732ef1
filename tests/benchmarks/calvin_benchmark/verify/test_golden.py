"""Upstream's recordings, replayed through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calvin_benchmark.assets import ROOT_VARIABLE
from calvin_benchmark.renderer import available
from calvin_benchmark.verify import CalvinVerifier


def _only(*prefixes: str):
    return lambda arrays: {name: value for name, value in arrays.items() if name.startswith(prefixes)}


def _rows(count: int):
    return lambda arrays: {name: v if name.startswith("load") else v[:count] for name, v in arrays.items()}


def test_a_subset_under_other_names_is_identical(upstream, verify):
    upstream.edit("rollouts.npz", None, _only("r00/", "cartesian_abs_euler700/", "joint_rel01/", "r05/"))
    wanted = {(0, "cartesian_rel"), (0, "cartesian_abs_euler7"), (1, "joint_rel"), (5, "cartesian_rel")}
    upstream.edit_json("rollouts_meta.json", lambda es: [e for e in es if (e["rollout"], e["kind"]) in wanted])
    upstream.edit("post_reset.npz", None, _rows(4))
    upstream.edit("reset_images.npz", None, _only("tiny_0_", "tiny_77_", "egl_0_", "egl_33_"))
    for stem in ("expert_chains", "expert_chains_pinned"):
        upstream.edit_json(f"{stem}.json", lambda entries: entries[:1])
    upstream.edit("expert_chains.npz", None, _only("c0100/"))
    upstream.edit("expert_chains_pinned.npz", None, _only("c0001/"))
    index = upstream.index
    records = {}
    for number, record in enumerate(index["records"].values()):
        for file in record["files"]:
            (upstream.path / file).rename(upstream.path / f"n{number}{Path(file).suffix}")
        files = [f"n{number}{Path(file).suffix}" for file in record["files"]]
        records[f"no {number}"] = {**record, "files": files}
    upstream.write_index({**index, "records": records})
    code, output = verify(upstream)
    assert code == 0
    assert output.count("identical  no ") == len(records) == 10
    assert "4 rollouts, 480 steps" in output
    assert "2,212 pairs, 3,261 states, 75,208 outcomes" in output
    assert ("EGL images are identical" if available("egl") else "EGL images skipped") in output


@pytest.mark.slow
def test_the_whole_set_is_identical(golden, official, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(official))
    verdicts = list(CalvinVerifier().verify(golden))
    assert [verdict.status for verdict in verdicts] == ["identical"] * 10


def test_a_flipped_oracle_label_is_different(upstream, verify):
    def flip(labels):
        labels[17, 31] ^= True
        return labels

    code, output = verify(upstream.keep("oracle_truth_extra").edit("oracle_truth_extra.npz", "labels", flip))
    assert code == 1
    assert "pair 17 (" in output
    assert "turn_on_led: recorded True, got False" in output


def test_a_contact_that_belongs_to_no_body_is_refused(upstream, verify):
    code, output = verify(
        upstream.keep("oracle_truth_extra").edit("oracle_truth_extra.npz", "contact_ids", lambda ids: ids + 90)
    )
    assert code == 1
    assert "oracle_truth_extra.npz: its arrays do not fit together" in output


def test_another_step_count_of_a_chain_is_different(upstream, verify):
    def delay(entries):
        entries[0]["subtasks"][1]["steps"] += 1
        return entries[:1]

    upstream.keep("expert_chains_pinned").edit("expert_chains_pinned.npz", None, _only("c0001/"))
    code, output = verify(upstream.edit_json("expert_chains_pinned.json", delay))
    assert code == 1
    assert "chain 1: subtask 2: recorded" in output


def test_the_variant_of_a_chain_matters(upstream, verify):
    upstream.edit_json("expert_chains_pinned.json", lambda entries: entries[:1])
    upstream.edit("expert_chains_pinned.npz", None, _only("c0001/")).keep("expert_chains_pinned")
    index = upstream.index
    index["records"]["expert_chains_pinned"]["variant"] = "main"
    code, output = verify(upstream.write_index(index))
    assert code == 1
    assert "subtask 1: recorded {'task': 'turn_off_led', 'success': True, 'steps': 65}" in output


def test_another_sentence_is_different(upstream, verify):
    def reword(tree):
        tree["annotations"]["open_drawer"] += " please"
        return tree

    code, output = verify(upstream.keep("tasks_and_annotations").edit_json("tasks_and_annotations.json", reword))
    assert code == 1
    assert "open_drawer: annotations: recorded" in output


@pytest.mark.parametrize("how", ["shadow", "depth"])
def test_an_egl_image_beyond_the_tolerance_is_different(upstream, verify, how):
    if not available("egl"):
        pytest.skip("EGL does not work here")
    upstream.keep("reset_images").edit("reset_images.npz", None, _only("egl_0_"))
    if how == "shadow":
        upstream.edit("reset_images.npz", "egl_0_rgb_static", lambda rgb: (rgb * 0.9).astype(np.uint8))
    else:
        upstream.edit("reset_images.npz", "egl_0_depth_gripper", lambda depth: depth + np.float32(0.01))
    code, output = verify(upstream)
    assert code == 1
    assert "beyond the tolerance" in output


def test_an_egl_image_within_the_tolerance_passes_and_is_told(upstream, verify):
    if not available("egl"):
        pytest.skip("EGL does not work here")
    upstream.keep("reset_images").edit("reset_images.npz", None, _only("egl_0_"))
    code, output = verify(upstream.edit("reset_images.npz", "egl_0_rgb_static", lambda rgb: rgb ^ 1))
    assert code == 0
    assert "EGL images differ within the tolerance: 1 levels of 255" in output


def test_without_egl_its_images_are_skipped_and_the_others_compared(upstream, verify, monkeypatch):
    monkeypatch.setattr("calvin_benchmark.verify.replays.available", lambda renderer: False)
    upstream.keep("reset_images").edit("reset_images.npz", None, _only("tiny_0_", "egl_0_"))
    code, output = verify(upstream)
    assert code == 0
    assert "4 images" in output
    assert "EGL images skipped" in output


def test_a_record_of_egl_images_alone_is_never_identical_without_egl(upstream, verify, monkeypatch):
    monkeypatch.setattr("calvin_benchmark.verify.replays.available", lambda renderer: False)
    upstream.keep("reset_images").edit("reset_images.npz", None, _only("egl_0_"))
    code, output = verify(upstream)
    assert code == 2
    assert "skipped    reset_images" in output
    assert "identical" not in output


def test_missing_assets_are_refused_before_anything_is_compared(upstream, verify, tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "nowhere"))
    code, output = verify(upstream)
    assert code == 2
    assert "seer-bench assets calvin" in output
    assert "identical" not in output


def test_tables_need_no_assets(upstream, verify, tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "nowhere"))
    code, _ = verify(upstream.keep("eval_sequences", "eval_init_states", "tasks_and_annotations"))
    assert code == 0
