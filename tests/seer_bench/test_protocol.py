from __future__ import annotations

from pathlib import Path

import pytest

from seer_bench import EvaluationProtocol, UsageError
from seer_bench.protocol import differences, load_protocols
from tests.fakes.tally_plugins import protocol


def test_the_fingerprint_follows_the_numbers_and_not_the_texts():
    base = protocol()
    assert protocol().fingerprint == base.fingerprint
    assert protocol(limit=6).fingerprint != base.fingerprint
    assert protocol("tally/v3").fingerprint != base.fingerprint
    reworded = EvaluationProtocol.from_json(base.to_json() | {"summary": "other words"}, source="test")
    assert reworded.fingerprint == base.fingerprint


def test_json_round_trip():
    assert EvaluationProtocol.from_json(protocol().to_json(), source="test") == protocol()


@pytest.mark.parametrize(("change", "words"), [({"summary": None}, "lacks summary"), ({"flip": 1}, "unknown .* flip")])
def test_a_protocol_with_missing_or_unknown_fields_is_refused(change, words):
    data = {k: v for k, v in (protocol().to_json() | change).items() if v is not None}
    with pytest.raises(UsageError, match=words):
        EvaluationProtocol.from_json(data, source="somewhere.yaml")


def test_differences_name_the_leaf_and_both_values():
    lines = differences({"a": {"b": 1, "c": [1, 2]}, "d": None}, {"a": {"b": 2, "c": [1, 2]}, "e": 3})
    assert lines == ["a.b: 1 here, 2 there", "e: absent here, 3 there"]
    assert differences({"a": 1}, {"a": 1}) == []


def test_differences_descend_into_lists_of_one_length():
    ours = {"subtasks": [{"steps": 1}, {"steps": 2}]}
    assert differences(ours, {"subtasks": [{"steps": 1}, {"steps": 3}]}) == ["subtasks[1].steps: 2 here, 3 there"]
    (line,) = differences(ours, {"subtasks": []})
    assert line == "subtasks: [{'steps': 1}, {'steps': 2}] here, [] there"


def test_of_long_values_the_part_that_differs_is_shown():
    (line,) = differences({"text": "a" * 500 + "X" + "b" * 500}, {"text": "a" * 500 + "Y" + "b" * 500})
    assert len(line) < 380
    assert "aXb" in line
    assert "aYb" in line
    (line,) = differences({"a": "x" * 300}, {"a": "x" * 300 + "y"})
    assert len(line) < 380
    assert "xy'" in line


def test_a_folder_with_the_same_protocol_twice_is_refused(tmp_path: Path):
    text = "name: p\nbenchmark: b\nsummary: s\ntable: t\ncomparable: 'yes'\nsettings: {n: 1}\n"
    (tmp_path / "one.yaml").write_text(text)
    assert list(load_protocols(tmp_path)) == ["p"]
    (tmp_path / "two.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"two\.yaml.*twice"):
        load_protocols(tmp_path)


def shape(**settings: object) -> tuple[int, int | None]:
    found = EvaluationProtocol("a/v1", "a", "", "table2", "yes", settings)
    return found.chain_length, found.step_limit


def test_the_shape_of_a_unit_is_what_the_settings_declare():
    assert shape(chain={"count": 1000, "length": 5, "steps_per_subtask": 360}) == (5, 1800)
    assert shape(trials={"tasks": 10, "per_task": 20, "steps": 600}) == (1, 600)
    assert shape(chain={"count": 6, "length": 2}) == (2, None)
    assert shape(chain=None) == shape() == (1, None)
