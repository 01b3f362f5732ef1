"""The README is what a user copies from, so what it shows must be what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calvin_benchmark.protocols import all_protocols

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Fenced code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_policy_shown_is_the_example():
    shown = "\n".join(blocks("toml") + blocks("python"))
    for name in ("pyproject.toml", "hello_policy.py"):
        assert (ROOT / "examples" / "hello_policy" / name).read_text().strip() in shown


@pytest.mark.filterwarnings("ignore:.*precision lowered.*")
def test_the_notebook_lines_run_as_shown(shared, monkeypatch, capsys):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(shared / "calvin_assets"))
    (code,) = [block for block in blocks("python") if "gymnasium.make" in block]
    assert len(code.strip().splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert "(200, 200, 3)" in capsys.readouterr().out


def test_every_protocol_is_in_the_table_and_every_link_leads_somewhere():
    for name in all_protocols():
        assert f"`{name}`" in README
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_commands_named_are_the_commands_there_are():
    make = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)`?", README):
        assert re.search(rf"^{target}:", make, re.MULTILINE), target
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")
