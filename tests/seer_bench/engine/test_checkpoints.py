from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from seer_bench import CheckpointError, EvaluationProtocol, RunMismatchError, RunRequest
from seer_bench.engine.checkpoints import distinct, find_checkpoints, folders, is_pattern, local_checkpoint, names_of
from seer_bench.engine.request import prepare
from seer_bench.store import CheckpointId, Manifest, PolicyId, RunWriter

POLICY = "random"
FETCHING = """
from dataclasses import replace
from pathlib import Path
from random_policy import RandomPolicy
from seer_bench import CheckpointError

class Fetching(RandomPolicy):
    def __init__(self, context):
        super().__init__(replace(context, checkpoint=None, options={}))
        self.spec = replace(self.spec, notes=(f"weights: {context.checkpoint.read_text()}",), incidental=("wait",))

def fetch(text):
    if text != "owner/name@v1":
        raise CheckpointError(f"--ckpt {text}: there is no such model.")
    path = Path("fetched").absolute()
    path.write_text("1")
    return path
"""


@pytest.fixture
def fetching(tmp_path, monkeypatch):
    """A policy that fetches its checkpoints, as a distribution of its own."""
    info = tmp_path / "site" / "fetching-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fetching\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[seer_bench.policies]\nfetching = fetching:Fetching\n[seer_bench.checkpoints]\nfetching = fetching:fetch\n"
    )
    (tmp_path / "site" / "fetching.py").write_text(FETCHING)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield "fetching"
    sys.modules.pop("fetching", None)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of checkpoints, which is the current one."""
    place = tmp_path / "weights"
    (place / "other").mkdir(parents=True)
    for name, text in {"9.pth": "1", "10.pth": "2", "11.pth": "2", "other/9.pth": "3", ".hidden.pth": "4"}.items():
        (place / name).write_text(text)
    monkeypatch.chdir(place)
    return place


def names(*texts, **more):
    return [str(path) for path in find_checkpoints(texts, POLICY, **more)]


def test_patterns_are_sorted_by_number_and_texts_keep_their_order():
    assert names("other/9.pth", "*.pth") == ["other/9.pth", "9.pth", "10.pth", "11.pth"]
    assert names("**/9.pth") == ["9.pth", "other/9.pth"]
    assert names("o*") == ["other"]


def test_what_exists_under_the_very_name_is_no_pattern(folder):
    (folder / "a[1].pth").write_text("5")
    assert not is_pattern("a[1].pth")
    assert names("a[1].pth") == ["a[1].pth"]
    assert is_pattern("a[2].pth")


def test_paths_are_relative_to_the_base(folder):
    assert names("other/*.pth", base=folder) == [str(folder / "other/9.pth")]
    assert names(str(folder / "9.pth"), base=folder / "other") == [str(folder / "9.pth")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*.pt", "The current folder holds 9.pth, 10.pth, 11.pth, other."),
        ("other/*.pt", "other holds 9.pth."),
        ("nowhere/*.pt", "There is no folder nowhere."),
        ("7.pth", "--ckpt 7.pth: there is no such file"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(text, words):
    with pytest.raises(CheckpointError, match=words.replace(".", r"\.")):
        find_checkpoints(["9.pth", text], POLICY)


def test_what_is_no_path_is_fetched_by_a_policy_that_can(fetching, folder):
    assert local_checkpoint(fetching, Path("9.pth")) == folder / "9.pth"
    assert local_checkpoint(fetching, Path("owner/name@v1")) == folder / "fetched"
    assert find_checkpoints(["10.pth", "owner/name@v1"], fetching) == [Path("10.pth"), folder / "fetched"]
    with pytest.raises(CheckpointError, match="--ckpt owner/other: there is no such model"):
        local_checkpoint(fetching, Path("owner/other"))
    with pytest.raises(CheckpointError, match="--ckpt owner/name@v1: there is no such file or directory"):
        local_checkpoint(POLICY, Path("owner/name@v1"))


def asked(policy, out, **options):
    checkpoint = Path("owner/name@v1")
    return RunRequest("calvin", policy, out, protocol="calvin-embedded/v1", checkpoint=checkpoint, options=options)


def test_options_that_shape_no_action_are_kept_apart(fetching, tmp_path):
    policy = prepare(asked(fetching, tmp_path / "run", wait="9", speed="2")).manifest.policy
    assert (policy.options, policy.incidental) == ({"speed": "2"}, {"wait": "9"})


def test_a_run_of_a_fetched_checkpoint_has_its_hash_and_shows_the_notes_of_the_policy(fetching, folder, tmp_path):
    prepared = prepare(asked(fetching, tmp_path / "run"))
    assert prepared.request.checkpoint == folder / "fetched"
    assert prepared.manifest.checkpoint.sha256 == hashlib.sha256(b"1").hexdigest()
    assert prepared.notes == ("weights: 1",)


def test_equal_contents_stay_once_and_are_told():
    kept, skipped = distinct(find_checkpoints(["9.pth", "*.pth"], POLICY))
    assert [item.path.name for item in kept] == ["9.pth", "10.pth"]
    assert skipped == [
        "9.pth: left out, since it was named already.",
        "11.pth: left out, since it holds the same as 10.pth.",
    ]


def test_equal_names_are_told_apart_by_hash_whatever_their_order(tmp_path):
    weights, _ = distinct(find_checkpoints(["9.pth", "10.pth", "other/9.pth"], POLICY))
    first, second, third = folders(tmp_path, "p_", weights)
    assert second == tmp_path / "p_10"
    assert (first.name, third.name) == (f"p_9-{weights[0].sha256[:8]}", f"p_9-{weights[2].sha256[:8]}")
    assert folders(tmp_path, "p_", weights[::-1]) == [third, second, first]
    assert names_of(weights) == ["9.pth", "10.pth", "other/9.pth"]


def make_run(place, sha256):
    manifest = Manifest.create(
        protocol=EvaluationProtocol("tally/v1", "tally", "adding", "table2", "yes", {}),
        simulation={},
        backend="own",
        policy=PolicyId("weighted", "tally-plugins", "0.3"),
        checkpoint=CheckpointId("9.pth", sha256),
    )
    RunWriter.open(place, manifest).close()


def test_a_checkpoint_stays_where_its_run_is(tmp_path):
    weights, _ = distinct(find_checkpoints(["9.pth", "other/9.pth"], POLICY))
    make_run(tmp_path / "9", weights[1].sha256)
    assert [place.name for place in folders(tmp_path, "", weights)] == [f"9-{weights[0].sha256[:8]}", "9"]


@pytest.mark.parametrize("below", ["", "shard-0-of-2"])
def test_a_folder_with_the_run_of_other_weights_is_refused(tmp_path, below):
    weights, _ = distinct(find_checkpoints(["9.pth", "10.pth"], POLICY))
    make_run(tmp_path / "9" / below, "ab" * 32)
    with pytest.raises(RunMismatchError, match=r"other weights than 9\.pth"):
        folders(tmp_path, "", weights)
