"""What the documentation shows is what is there: links, code of examples, commands, methods."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from seer_bench import ConventionError, ImageSpec, PolicySpec
from seer_bench.cli import app
from seer_bench.conventions import check_conventions
from seer_bench.registry import find_protocol, load_benchmark

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITE_A_POLICY = (ROOT / "docs" / "write_a_policy.md").read_text()
METHODS = (ROOT / "docs" / "methods.md").read_text()


def blocks(text: str, language: str = "") -> list[str]:
    """Fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What links to headings of a page are called."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M), re.MULTILINE)
    return {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_is_a_command(page: Path):
    names = set(get_command(app).list_commands(None))
    text = page.read_text()
    lines = [*"\n".join(blocks(text)).splitlines(), *re.findall(r"^ {4}\S.*$", text, re.MULTILINE)]
    shown = [match[1] for line in lines if (match := re.match(r"\s*(?:\$ )?(?:\S+=\S+ )?seer-bench ([a-z]\w+)", line))]
    assert set(shown) <= names


@pytest.mark.parametrize(
    "name", ["hello_policy/pyproject.toml", "hello_policy/hello_policy.py", "hello_libero/hello_libero.py"]
)
def test_the_policies_shown_are_the_examples(name: str):
    example = (ROOT / "examples" / name).read_text()
    assert example in blocks(WRITE_A_POLICY, "toml" if name.endswith("toml") else "python")


def test_the_refusal_shown_is_the_refusal():
    calvin = load_benchmark("calvin")
    offered = calvin.interface(find_protocol(calvin, None))
    small = PolicySpec({"rgb_static": ImageSpec(128, 200)}, offered.action)
    with pytest.raises(ConventionError) as refusal:
        check_conventions(small, offered)
    assert f"\nerror: {refusal.value}\n" in WRITE_A_POLICY


def test_forty_lines_are_forty_lines():
    for name in ("hello_policy/hello_policy.py", "hello_libero/hello_libero.py"):
        lines = (ROOT / "examples" / name).read_text().splitlines()
        assert sum(bool(line.strip()) for line in lines) <= 40


def test_every_method_of_the_paper_has_a_row():
    tables = yaml.safe_load((ROOT / "results" / "paper" / "tables.yaml").read_text())
    methods = {row["method"].split(" (")[0] for row in _rows(tables)}
    assert {"MTACT", "MVP", "MPI", "OpenVLA", "RoboFlamingo", "SuSIE", "GR-1", "3D Diffuser Actor", "Seer"} <= methods
    for method in methods:
        assert re.search(rf"^\| \**{re.escape(method)}\** \|", METHODS, re.MULTILINE), method


def _rows(tree: object) -> list[dict]:
    """Every mapping with a method in a tree."""
    if isinstance(tree, dict):
        found = [tree] if "method" in tree else []
        return found + [row for value in tree.values() for row in _rows(value)]
    return [row for value in tree for row in _rows(value)] if isinstance(tree, list) else []
