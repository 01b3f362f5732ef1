from __future__ import annotations

import pytest

from seer_bench.doctor import Finding
from seer_bench.doctor.examine import MACHINE, examine, examine_benchmark
from seer_bench.errors import UnknownNameError

ENGINE = Finding("engine", "ok", "1.0")


def test_findings_come_back_and_what_simulators_print_does_not(doctors):
    assert examine_benchmark("fine") == [ENGINE, Finding("files", "problem", "2 are missing", "fetch them")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crashing", "crashed by SIGSEGV after 'engine'"),
        ("raising", "failed with exit code 1 after 'engine' (RuntimeError: no idea)"),
        ("gone", "needs the module 'nowhere', which is not installed"),
    ],
)
def test_checks_that_do_not_get_through_are_a_problem_and_keep_what_they_found(doctors, name, words):
    *found, ending = examine_benchmark(name)
    assert found == ([] if name == "gone" else [ENGINE])
    assert (ending.subject, ending.level) == ("checks", "problem")
    assert words in ending.text
    assert ending.command.endswith(f"-m seer_bench.doctor {name}")


def test_checks_that_hang_are_ended(doctors):
    *found, ending = examine_benchmark("hanging", timeout=4)
    assert found == [ENGINE]
    assert "did not end within 4 s after 'engine'" in ending.text


def test_what_is_not_installed_is_a_problem_only_where_it_is_asked_for(doctors, monkeypatch, tmp_path):
    monkeypatch.setattr("seer_bench.doctor.examine.plugins", lambda group: {"absent": None})

    def level(names: list[str]) -> str:
        (found,) = (finding for area, finding in examine(names, results=tmp_path) if area == "absent")
        assert found.command == "pip install engine"
        return found.level

    assert (level([]), level(["absent"])) == ("warning", "problem")


def test_the_machine_comes_first_and_unknown_names_are_refused_before_anything(doctors, tmp_path):
    with pytest.raises(UnknownNameError, match=r"'fin'.*Did you mean 'fine'"):
        examine(["fin"], results=tmp_path)
    areas = [area for area, _ in examine(["fine"], results=tmp_path)]
    assert areas == [MACHINE] * (len(areas) - 2) + ["fine"] * 2
    assert len(areas) > 5
