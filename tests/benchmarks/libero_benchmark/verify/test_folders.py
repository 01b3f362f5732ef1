"""Whole folders: the packaged one, upstream's, broken ones."""

from __future__ import annotations

import pytest

from libero_benchmark.verify import LiberoVerifier, packaged_folder
from seer_bench.errors import UnknownNameError, UsageError

CASES = ("pos", "near_knob_0p45", "hover")


def test_the_packaged_set_is_identical_by_the_command(run_verify):
    code, output = run_verify("libero")
    lines = output.splitlines()
    assert code == 0, output
    assert any(line.startswith("mujoco ") for line in lines)
    assert any(line.startswith("opengl ") for line in lines)
    assert sum(line.startswith("identical ") and "[" in line for line in lines) == 5


def test_the_packaged_set_is_small():
    assert sum(path.stat().st_size for path in packaged_folder().rglob("*") if path.is_file()) < 300_000


def test_a_subset_of_upstreams_recordings_under_other_names_is_identical(golden, verify):
    def few(entries):
        return [entry for entry in entries if entry["task"] == 2 and entry["label"] in CASES]

    wanted = tuple(f"task2_{label}/" for label in CASES)
    golden.edit("task2.npz", None, _only("task2_init7/"))
    golden.edit("expert_actions.npz", None, _only("task7_init11/"))
    golden.edit("success/states.npz", None, _only("task2/", *wanted)).edit_json("success/cases.json", few)
    golden.edit_json("seer_fixture_poses.json", lambda tree: {**tree, "tasks": {"2": tree["tasks"]["2"]}})
    names = ("task2", "success", "expert_actions", "init_states", "seer_fixture_poses")
    index = golden.keep(*names).index
    index["records"] = {f"no {number}": record for number, record in enumerate(index["records"].values())}
    code, output = verify(golden.write_index(index))
    assert code == 0, output
    assert output.count("identical  no ") == len(names)
    assert "4 images, 1 episodes, 60 steps" in output
    assert "3 cases, 80 steps" in output


@pytest.mark.slow
def test_all_of_upstreams_recordings_are_identical(shared):
    verdicts = list(LiberoVerifier().verify(shared / "golden" / "libero"))
    assert [verdict.status for verdict in verdicts] == ["identical"] * 14


def test_a_picture_that_belongs_to_no_episode_is_named(packaged, verify):
    first = packaged.path / "img" / "task7_init5_step0_agentview_image.png"
    first.rename(first.with_name("task7_init05_step0_agentview_image.png"))
    code, output = verify(packaged.keep("init_states", "task2", "task7"))
    assert code == 0
    assert (
        "skipped    images [files]: nothing (1 of them belong to no recorded episode; not compared: task7_init05"
        in (output)
    )


def test_what_this_machine_lacks_is_no_difference(packaged, verify, monkeypatch):
    def refuse():
        raise UsageError("MUJOCO_GL=nonsense: LIBERO is drawn without a display.")

    monkeypatch.setattr("libero_benchmark.verify.load_upstream", refuse)
    code, output = verify(packaged)
    assert code == 2
    assert "different" not in output


def test_unknown_kinds_are_listed_and_skipped(packaged, verify):
    code, output = verify(packaged.add("chains", "expert_chains", ["chains.npz"]).keep("init_states", "chains"))
    assert code == 0
    assert "skipped    chains [expert_chains]: nothing (unknown kind; known: trajectories, success_cases" in output


def test_unknown_kinds_alone_are_no_success(packaged, verify):
    code, output = verify(packaged.add("chains", "expert_chains", []).keep("chains"))
    assert code == 2
    assert "could be compared" in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: {**index, "schema": "seer-bench/golden-index/2"}, "schema is 'seer-bench/golden-index/2'"),
        (lambda index: {**index, "subject": "calvin"}, "subject is 'calvin', expected 'libero'"),
        (lambda index: {**index, "images": "../img"}, "'../img' lies outside the folder"),
        (lambda index: {**index, "images": 3}, "'images' must be the name of a folder"),
        (
            lambda index: {**index, "records": {"a": {"kind": "x", "files": [], "task": "1"}}},
            "'task' must be the number",
        ),
        (
            lambda index: {**index, "records": {"a": {"kind": "x", "files": [], "settle": -1}}},
            "'settle' must be a whole",
        ),
        (
            lambda index: {**index, "records": {"a": {"kind": "x", "files": [], "suite": 10}}},
            "'suite' must be the name",
        ),
    ],
)
def test_a_broken_index_is_refused(packaged, verify, change, message):
    code, output = verify(packaged.write_index(change(packaged.index)))
    assert code == 2
    assert message in output


def test_there_is_nothing_to_compare_with_live():
    with pytest.raises(UnknownNameError, match="backend to compare LIBERO with 'upstream'"):
        next(LiberoVerifier().verify(against="upstream"))


def test_progress_tells_units(packaged, world_of):
    told = []
    verifier = LiberoVerifier(world_of)
    list(verifier.verify(packaged.keep("init_states").path, progress=lambda *report: told.append(report)))
    assert told == [("init_states", done, 20) for done in range(20)]


def _only(*prefixes):
    return lambda arrays: {name: value for name, value in arrays.items() if name.startswith(prefixes)}
