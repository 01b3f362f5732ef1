from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.doctor import Finding

OK = ("machine", Finding("disk", "ok", "9 GB free"))
WARNING = ("fine", Finding("egl", "warning", "does [not] work", "apt-get install it"))
PROBLEM = ("fine", Finding("assets", "problem", "missing", "seer-bench assets fine"))


@pytest.fixture
def doctor(monkeypatch):
    """Run the command on given findings; (exit code, stdout)."""

    def invoke(findings, *arguments: str):
        monkeypatch.setattr("seer_bench.doctor.examine.examine", lambda names, *, results: iter(findings))
        done = CliRunner().invoke(app, ["doctor", *arguments])
        return done.exit_code, done.output

    return invoke


def test_lines_say_what_was_found_and_what_to_run_next(doctor):
    code, text = doctor([OK, WARNING, PROBLEM])
    assert code == 1
    lines = [re.sub(r" +", " ", line.strip()) for line in text.splitlines()]
    assert lines == [
        "machine",
        "ok disk 9 GB free",
        "fine",
        "warning egl does [not] work",
        "run: apt-get install it",
        "problem assets missing",
        "run: seer-bench assets fine",
    ]


def test_warnings_do_not_fail(doctor):
    assert doctor([OK, WARNING])[0] == 0


def test_json_holds_every_finding(doctor):
    code, text = doctor([OK, PROBLEM], "--json")
    tree = json.loads(text)
    assert (code, tree["schema"], tree["healthy"]) == (1, "seer-bench/doctor/1", False)
    assert tree["findings"][1] == {
        "area": "fine",
        "subject": "assets",
        "level": "problem",
        "text": "missing",
        "command": "seer-bench assets fine",
        "optional": False,
    }
    assert json.loads(doctor([OK, WARNING], "--json")[1])["healthy"] is True
