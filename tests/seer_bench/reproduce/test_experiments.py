from __future__ import annotations

from pathlib import Path

import pytest

from seer_bench import UsageError
from seer_bench.reproduce import read_experiments

GOOD = """
arms:
  scratch:
    method: Seer
    arm: {pretrained: no, data: 0.1}
    policy: seer
    checkpoints: [scratch/*.pth, /abs/9.pth]
    options: {vit: float32, batch: 4}
    benchmark: calvin
    protocol: calvin-abc-d/seer-v1
    seed: 3
    units: 0:10
  expert:
    method: Expert
    policy: expert
    checkpoints: one.pth
"""


@pytest.fixture
def read(tmp_path):
    def call(text):
        path = tmp_path / "experiments.yaml"
        path.write_text(text)
        return read_experiments(path)

    return call


def test_values_are_taken_as_they_are_written(read, tmp_path):
    file = read(GOOD)
    scratch, expert = file.arms
    assert scratch.arm == {"method": "Seer", "pretrained": "no", "data": "0.1"}
    assert scratch.options == {"vit": "float32", "batch": "4"}
    assert (scratch.checkpoints, scratch.seed, scratch.units) == (("scratch/*.pth", "/abs/9.pth"), 3, "0:10")
    assert (scratch.benchmark, scratch.protocol, scratch.line) == ("calvin", "calvin-abc-d/seer-v1", 3)
    assert expert.checkpoints == ("one.pth",)
    assert (expert.seed, expert.units, expert.benchmark, expert.options) == (0, None, None, {})
    assert file.base == tmp_path
    assert file.where(expert).endswith("experiments.yaml:13: arm 'expert'")


ARM = "arms:\n  a:\n    method: Seer\n    policy: seer\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no arms"),
        ("arms:\n", ":1: 'arms' is empty"),
        ("arm:\n  a: {}\n", ":1: the file: unknown key 'arm'. Did you mean 'arms'?"),
        ("- a\n", ":1: the file: a mapping"),
        ("arms: [\n", "is no YAML"),
        (ARM + "    checkpoint: x\n", ":5: arm 'a': unknown key 'checkpoint'. Did you mean 'checkpoints'?"),
        (ARM + "    seed: -1\n", ":5: seed: '-1' is no whole number"),
        (ARM + "    units:\n", ":5: units: one plain value"),
        (ARM + "    options: [a]\n", ":5: options: a mapping"),
        (ARM + "    checkpoints: []\n", ":5: checkpoints: the list is empty"),
        ("arms:\n  a: \x01\n", r":2: is no YAML: it holds the character '\x01'"),
        (ARM + "    checkpoints: [{a: b}]\n", ":5: checkpoints: one plain value"),
        (ARM + "    arm: {method: X}\n", ":5: arm 'a' gives its method twice"),
        (ARM + "    arm: {pretrained: perhaps}\n", ":2: arm 'a': pretrained=perhaps: pretrained is yes or no"),
        (ARM + "    arm: {pretrained: no, pre_inv: yes}\n", "pretrained=no contradicts pre_inv=yes"),
        (ARM + "  a:\n    method: Seer\n", ":5: arms: 'a' stands there twice, first in line 2"),
        ("arms:\n  a:\n    policy: seer\n", ":2: arm 'a' has no 'method'"),
        ("arms:\n  a/b: {method: X, policy: x}\n", ":2: 'a/b' is no name of an arm"),
    ],
)
def test_mistakes_are_refused_with_their_line(read, text, words):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_experiments(tmp_path / "none.yaml")


def test_the_example_can_be_read():
    example = Path(__file__).resolve().parents[3] / "examples" / "experiments.yaml"
    arms = {arm.name: arm for arm in read_experiments(example).arms}
    assert arms["seer-scratch"].arm == {"method": "Seer", "pretrained": "no"}
    assert arms["expert"].units == "0:20"
