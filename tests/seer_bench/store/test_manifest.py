from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seer_bench.errors import CheckpointError, DamagedRecordError, RunMismatchError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.store import (
    CheckpointId,
    Manifest,
    check_same_run,
    checkpoint_sha256,
    identity_differences,
    read_manifest,
    simulation_differences,
)

HERE = Path("runs/here")


def with_settings(manifest: Manifest, **settings: object) -> Manifest:
    protocol = manifest.protocol
    changed = EvaluationProtocol(**{**protocol.to_json(), "settings": {**protocol.settings, **settings}})
    return replace(manifest, protocol=changed)


def stored(manifest: Manifest) -> dict:
    return json.loads(json.dumps(manifest.to_json()))


def test_round_trip(manifest: Manifest) -> None:
    assert Manifest.from_json(stored(manifest), source="x") == manifest
    without = replace(manifest, checkpoint=None)
    assert Manifest.from_json(stored(without), source="x") == without


def test_a_run_is_the_same_wherever_and_whenever_it_goes_on(manifest: Manifest) -> None:
    assert manifest.checkpoint is not None
    later = replace(manifest, created="2031-01-01T00:00:00Z", checkpoint=replace(manifest.checkpoint, name="moved.pth"))
    assert identity_differences(later, manifest) == []
    assert later.identity == manifest.identity
    check_same_run(later, manifest, HERE)


def test_tuples_in_settings_equal_the_lists_that_json_gives_back(manifest: Manifest) -> None:
    asked = with_settings(manifest, cameras=("static", "gripper"))
    assert identity_differences(asked, Manifest.from_json(stored(manifest), source="x")) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 8}, "seed: 8 here, 7 there"),
        ({"backend": "upstream"}, "backend: 'upstream' here, 'own' there"),
        ({"arm": {"data": "100%"}}, "arm.data: '100%' here, '10%' there"),
        ({"checkpoint": CheckpointId("weights.pth", "d" * 64)}, f"checkpoint.sha256: '{'d' * 64}' here"),
        ({"checkpoint": None}, "checkpoint: None here"),
    ],
)
def test_another_run_is_refused_in_words(manifest: Manifest, change: dict, words: str) -> None:
    asked = replace(manifest, **change)
    assert asked.identity != manifest.identity
    with pytest.raises(RunMismatchError) as refused:
        check_same_run(asked, manifest, HERE, allow_mixed=True)
    assert words in str(refused.value)
    assert "another --out" in str(refused.value)


@pytest.mark.parametrize("field", ["name", "distribution", "version"])
def test_another_policy_is_refused(manifest: Manifest, field: str) -> None:
    asked = replace(manifest, policy=replace(manifest.policy, **{field: "other"}))
    with pytest.raises(RunMismatchError, match=f"policy.{field}: 'other' here"):
        check_same_run(asked, manifest, HERE)


def test_incidental_options_are_recorded_and_never_compared(manifest: Manifest) -> None:
    policy = replace(manifest.policy, options={"k": "1"}, incidental={"timeout": "3"})
    held = replace(manifest, policy=policy)
    assert Manifest.from_json(stored(held), source="x").policy.arguments == {"k": "1", "timeout": "3"}
    asked = replace(manifest, policy=replace(policy, incidental={"wait": "9"}))
    check_same_run(asked, held, HERE)
    assert asked.identity == held.identity


def test_a_manifest_from_before_settings_can_be_read(manifest: Manifest) -> None:
    data = stored(manifest)
    del data["policy"]["settings"]
    assert Manifest.from_json(data, source="x") == manifest


def test_every_difference_is_listed(manifest: Manifest) -> None:
    policy = replace(manifest.policy, options={"speed": "slow"}, settings={"precision": "float16"}, chunk=3)
    asked = replace(with_settings(manifest, scale=0.05), seed=0, policy=policy, simulation={"assets": "zzzz"})
    with pytest.raises(RunMismatchError) as refused:
        check_same_run(asked, manifest, HERE)
    for words in (
        "protocol.settings.scale: 0.05 here, 0.02 there",
        "policy.options.speed: 'slow' here, 'fast' there",
        "policy.settings.precision: 'float16' here, absent there",
        "policy.chunk: 3 here, 1 there",
        "seed: 0 here, 7 there",
        "simulation.assets: 'zzzz' here, 'aaaa' there",
        "simulation.physics: absent here, 'bbbb' there",
    ):
        assert words in str(refused.value)


def test_a_difference_that_python_calls_equal_is_seen(manifest: Manifest) -> None:
    """1 == 1.0 == True in Python, but the protocol's fingerprint tells them apart."""
    one, true = with_settings(manifest, clip=1), with_settings(manifest, clip=True)
    assert any("protocol.fingerprint" in line for line in identity_differences(one, true))


def test_another_simulation_needs_leave(manifest: Manifest) -> None:
    asked = replace(manifest, simulation={**manifest.simulation, "physics": "cccc"})
    assert asked.identity == manifest.identity
    assert simulation_differences(asked, manifest) == ["simulation.physics: 'cccc' here, 'bbbb' there"]
    with pytest.raises(RunMismatchError, match=r"simulation\.physics(.|\n)*--allow-mixed"):
        check_same_run(asked, manifest, HERE)
    check_same_run(asked, manifest, HERE, allow_mixed=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not readable as JSON"),
        ("[]", "JSON list"),
        ('{"schema": NaN}', "NaN"),
        ('{"schema": "seer-bench/manifest/2"}', "newer.*pip install --upgrade seer-bench"),
        ('{"schema": "other/1"}', "schema is 'other/1'"),
        ('{"schema": "seer-bench/manifest/1"}', "lacks arm, backend"),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DamagedRecordError, match=words) as refused:
        read_manifest(tmp_path)
    assert str(tmp_path / "manifest.json") in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("seed", True, "seed is True"),
        ("seed", "7", "seed is '7'"),
        ("simulation", {"assets": 1}, "assets is 1"),
        ("policy", {"name": "push"}, "policy: lacks"),
        ("extra", 1, "unknown field extra"),
        ("protocol", {"name": "toy/v1"}, "the protocol lacks"),
    ],
)
def test_a_wrong_field_is_named(manifest: Manifest, key: str, value: object, words: str) -> None:
    with pytest.raises(DamagedRecordError, match=words):
        Manifest.from_json({**stored(manifest), key: value}, source="x")


def test_an_altered_protocol_is_noticed(manifest: Manifest) -> None:
    data = stored(manifest)
    data["protocol"]["settings"]["scale"] = 0.03
    with pytest.raises(DamagedRecordError, match="was altered"):
        Manifest.from_json(data, source="x")


def test_checkpoint_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"abc")
    assert checkpoint_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_checkpoint_hash_of_a_directory_sees_names_and_contents_alone(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, bytes]) -> Path:
        for relative, data in files.items():
            path = tmp_path / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / name

    one = checkpoint_sha256(folder("one", {"a": b"1", "sub/b": b"2"}))
    assert checkpoint_sha256(folder("two", {"sub/b": b"2", "a": b"1"})) == one
    assert checkpoint_sha256(folder("other-data", {"a": b"1", "sub/b": b"3"})) != one
    assert checkpoint_sha256(folder("other-name", {"a": b"1", "sub/c": b"2"})) != one
    assert checkpoint_sha256(folder("moved-border", {"a": b"12", "sub/b": b""})) != one


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        checkpoint_sha256(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="holds no file"):
        checkpoint_sha256(tmp_path)
