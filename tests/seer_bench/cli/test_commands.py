"""Commands that plugins add, broken ones among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UsageError

PLUGIN = """
import typer
app = typer.Typer(help="Feeds the cat.")

@app.command("feed")
def feed(bowls: int = 1) -> None:
    typer.echo(f"fed {bowls}")

@app.command("pet")
def pet() -> None:
    typer.echo("purr")

no_app = 7
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with a sound command, three broken ones, and one that would take the place of ours."""
    info = tmp_path / "cat-1.2.dist-info"
    info.mkdir()
    (tmp_path / "cat_plugin.py").write_text(PLUGIN)
    (tmp_path / "torn_plugin.py").write_text("raise RuntimeError('torn')")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cat\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[seer_bench.commands]\ncat = cat_plugin:app\ntorn = torn_plugin:app\nlost = no_such_module:app\n"
        "odd = cat_plugin:no_app\nrun = cat_plugin:app\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, UsageError):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_a_plugins_commands_are_ours_too() -> None:
    assert invoke("cat", "feed", "--bowls", "3") == (0, "fed 3\n")
    assert invoke("cat", "pet") == (0, "purr\n")
    code, text = invoke("--help")
    assert code == 0
    assert "Feeds the cat." in text
    assert invoke("cat", "--help")[0] == 0


def test_a_broken_plugin_says_why_and_breaks_nothing_else() -> None:
    assert invoke("torn", "feed", "--bowls") == (
        2, "the command 'torn' of cat 1.2 cannot be imported: RuntimeError: torn",
    )  # fmt: skip
    assert invoke("lost") == (2, "the command 'lost' needs the module 'no_such_module', which is not installed.")
    assert "not a typer.Typer" in invoke("odd")[1]
    assert invoke("cat", "pet")[0] == 0
    code, text = invoke("--help")
    assert code == 0
    assert "Cannot be used: the command 'torn'" in text


def test_a_plugin_cannot_take_the_place_of_ours() -> None:
    code, text = invoke("run", "--help")
    assert code == 0
    assert "Feeds the cat." not in text


def test_unknown_commands_stay_unknown() -> None:
    code, text = invoke("dog")
    assert code == 2
    assert "No such command 'dog'" in text
