from __future__ import annotations

import re
import signal
import sys

import pytest

from seer_bench.cli import main

pytestmark = pytest.mark.usefixtures("tally")

HASTY = """
import numpy as np
from seer_bench import Policy, PolicyArgs, PolicySpec

class Hasty(Policy):
    def __init__(self, context):
        PolicyArgs("hasty", context.options)
        self.spec = PolicySpec({}, context.interface.action)

    def reset(self, slots, instructions, seeds):
        self.angle = getattr(self, "angle", {}) | {s: hash(text) % 1000 for s, text in zip(slots, instructions)}

    def act(self, slots, observations):
        return np.array([[[self.angle[slot] / 1000] * 2] for slot in slots])
"""


@pytest.fixture
def check(monkeypatch, capfd):
    """Run the command; (exit code, stdout, stderr)."""

    def invoke(*arguments: object):
        monkeypatch.setattr(sys, "argv", ["seer-bench", "check", "tally", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        out, err = capfd.readouterr()
        return code, re.sub(r" +", " ", out), err

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield invoke
    for number, handler in before.items():  # a command ends with its process and leaves signals ignored
        signal.signal(number, handler)


def test_every_rule_that_holds_is_printed(check):
    code, out, err = check("--policy", "add", "--policy-arg", "batch=3")
    assert (code, err) == (0, "")
    assert out.startswith("add on tally/v1\n")
    rules = re.findall(r"^ ok (\w+)", out, re.M)
    assert rules[:4] == ["building", "options", "spec", "form"]
    assert {"determinism", "slots", "reset", "thread", "batch", "bits", "process"} <= set(rules)


def test_the_first_rule_that_is_broken_ends_it(check):
    code, out, _ = check("--policy", "add", "--policy-arg", "fault=nan")
    assert code == 1
    assert out.splitlines()[-1] == " problem finite: act returned nan at step 0, row 0, action 0, entry 1."


def test_a_plugin_that_takes_any_option_breaks_a_rule(check, tmp_path):
    (tmp_path / "wide").write_text("1")
    assert check("--policy", "weighted", "--ckpt", tmp_path / "wide")[:2] == (
        1,
        "weighted on tally/v1\n ok building two instances; no global random state was used\n"
        " problem options: --policy-arg no_such_option=1 was taken without a word; read options through "
        "seer_bench.PolicyArgs(name, context.options, known), which refuses unknown ones.\n",
    )


def test_rounding_in_a_batch_is_left_to_a_fast_run(check):
    arguments = ("--policy", "add", "--policy-arg", "batch=3", "--policy-arg", "fault=neighbours")
    assert "problem batch=3: a row's actions change with its neighbours" in check(*arguments)[1]
    assert check(*arguments, "--fast")[0] == 0


def test_what_depends_on_the_process_is_found(check, tmp_path, monkeypatch):
    info = tmp_path / "hasty-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hasty\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[seer_bench.policies]\nhasty = hasty:Hasty\n")
    (tmp_path / "hasty.py").write_text(HASTY)
    monkeypatch.syspath_prepend(str(tmp_path))
    code, out, _ = check("--policy", "hasty")
    assert code == 1
    assert "problem process: another process gives other actions" in out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--policy", "ad"), "Did you mean 'add'"),
        (("--policy", "weighted"), "weighted needs a checkpoint"),
        (("--policy", "add", "--protocol", "tally/v3"), "unknown tally protocol"),
        (("--policy", "add", "--policy-arg", "sped=1"), "unknown option 'sped'"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_2(check, arguments, why):
    code, _, err = check(*arguments)
    assert code == 2
    assert re.search(why, err)
