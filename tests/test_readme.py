"""The README is what a user copies from, so what it shows must be what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from calvin_benchmark.protocols import all_protocols as calvin_protocols
from libero_benchmark.protocols import all_protocols as libero_protocols
from seer_bench.cli import app
from seer_bench.registry import POLICIES, plugins

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Fenced code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*precision lowered.*")
def test_the_notebook_lines_run_as_shown(shared, monkeypatch, capsys):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(shared / "calvin_assets"))
    (code,) = [block for block in blocks("python") if "gymnasium.make" in block]
    assert len(code.strip().splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert "(200, 200, 3)" in capsys.readouterr().out


def test_every_protocol_is_in_the_table():
    for name in (*calvin_protocols(), *libero_protocols()):
        assert f"`{name}`" in README


def test_every_policy_and_marker_is_named(pytestconfig):
    table = README[README.index("## The policies that ship") :]
    for info in plugins(POLICIES).values():
        assert info.distribution != "seer-bench" or f"`{info.name}`" in table, info.name
    ours = re.findall(r"not (\w+)", " ".join(pytestconfig.getini("addopts")))
    assert ours
    for marker in ours:
        assert f"`{marker}`" in README or f"-m {marker}`" in README, marker


def test_the_numbers_of_liberos_protocols_are_the_protocols():
    for name, protocol in libero_protocols().items():
        (row,) = (line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
        trials, cameras = protocol.settings["trials"], protocol.settings["cameras"]
        cells = [cell.strip() for cell in row.split("|")]
        assert cells[2:4] == [str(trials["per_task"]), str(trials["steps"])], name
        assert {tuple(size) for size in cameras.values()} == {(int(cells[4].split()[0]),) * 2}, name


def test_every_command_shown_is_a_command():
    shown = re.findall(r"^\s*(?:\S+=\S+ )?seer-bench (\w+)", "\n".join(blocks("")), re.M)
    names = set(get_command(app).list_commands(None))
    assert {"run", "report", "doctor"} <= set(shown) <= names


def test_the_commands_named_are_the_commands_there_are():
    make = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)`?", README):
        assert re.search(rf"^{target}:", make, re.MULTILINE), target
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")
