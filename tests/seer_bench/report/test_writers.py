"""Every format says the same, with every note, and shows hostile names as text."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from seer_bench.report import build_report, print_report, report_json, write_report
from seer_bench.report.document import marks
from seer_bench.report.writers import latex

HOSTILE = "[red]<script>x</script>A&B_c%$#{}~^\\|`*\"'"
FORMATS = ("table2.md", "table2.tex", "table2.html", "table2.json", "table2.csv")


@pytest.fixture(scope="module")
def report(fake, write_shared):
    """Rows with every kind of note."""
    tiny = fake.make_protocol("calvin-abc-d/v1-tiny", comparable="TinyRenderer: other pixels")
    embedded = fake.make_protocol("calvin-embedded/v1", comparable="embedded scene: another play table")
    expert = {"policy": "expert", "privileged": True, "checkpoint": None}
    write_shared("full", [fake.chain(i, 5) for i in range(9)] + [fake.chain(9, 4)], fake.make_manifest(**expert))
    write_shared("tiny", [fake.chain(0, 2), fake.broken(1)], fake.make_manifest(tiny, policy=HOSTILE))
    write_shared("embedded", [fake.chain(0, 3)], fake.make_manifest(embedded, **expert))
    write_shared("upstream", [fake.chain(0, 1)], fake.make_manifest(backend="upstream", arm={"data": "10%"}))
    write_shared("mixed", [fake.chain(0, 1)])
    other = fake.make_manifest(simulation={"assets": "other", "physics": "b2"})
    path = write_shared("mixed", [fake.chain(1, 2)], other, allow_mixed=True)
    return build_report([path.parent])


@pytest.fixture(scope="module")
def written(fake, report, tmp_path_factory) -> dict[str, str]:
    """File name -> text, of Table 2 alone."""
    return fake.texts(write_report(report.only("table2"), tmp_path_factory.mktemp("out")))


def printed(report, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    print_report(report, console)
    return console.file.getvalue()


class Page(HTMLParser):
    """Collects the texts of cells, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def words(text: str) -> str:
    """The letters and digits alone, so that escapes and line breaks do not matter."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def test_every_note_is_in_every_format(report, written):
    document = report.table("table2").document
    own = marks(table for table in document.tables if not table.page)
    notes = [document.notes[number - 1] for number in own]
    assert len(notes) < len(document.notes)
    for part in ("top-3", "Privileged", "Partial", "TinyRenderer", "embedded scene", "upstream", "assets", "Excluded"):
        assert any(part in note for note in notes), part
    for name in FORMATS:
        text = words(html.unescape(written[name]))
        for note in notes:
            assert words(note) in text, (name, note)
    for width in (80, 100, 160):
        text = words(printed(report, width))
        assert all(words(note) in text for note in notes)


def test_every_row_is_in_every_format(report, written):
    for name in ("table2.md", "table2.tex", "table2.html", "table2.csv"):
        for method in ("RoboFlamingo", "3D Diffuser Actor", "expert"):
            assert method in written[name]
    for name in ("table2.md", "table2.tex", "table2.html"):
        assert "4.90" in written[name]
        assert "98.0 (49/50)" in written[name] or "100.0 (10/10)" in written[name]


def test_csv_is_numbers(written):
    rows = {(row["method"], row["protocol"]): row for row in csv.DictReader(io.StringIO(written["table2.csv"]))}
    assert float(rows["Seer", "paper"]["rate_1"]) == 0.944
    assert rows["Seer", "paper"]["rate_1_low"] == ""
    expert = rows["expert", "calvin-abc-d/v1"]
    assert [float(expert[f"rate_{i}"]) for i in range(1, 6)] == [1, 1, 1, 1, 0.9]
    assert float(expert["average_length"]) == 4.9
    assert float(expert["average_length_low"]) <= 4.9 <= float(expert["average_length_high"])
    assert (expert["n"], expert["planned"]) == ("10", "10")
    tasks = list(csv.DictReader(io.StringIO(written["table2_tasks.csv"])))
    last = [row for row in tasks if row["task"] == "close_drawer" and row["method"] == "expert"]
    assert [(row["successes"], row["attempts"]) for row in last] == [("9", "10")]


def test_csv_formulas_become_text(fake, write_run, tmp_path):
    path = write_run("a", [fake.chain(0, 5)], fake.make_manifest(policy="=HYPERLINK(1)"))
    write_report(build_report([path]).only("table2"), tmp_path)
    methods = [row["method"] for row in csv.DictReader(io.StringIO((tmp_path / "table2.csv").read_text()))]
    assert methods[-1].startswith("'=HYPERLINK(1)")


def test_json_is_the_documented_tree(report, written):
    tree = json.loads(written["table2.json"])
    whole = json.loads(json.dumps(report_json(report)))
    assert (set(whole), whole["schema"]) == ({"schema", "tables", "problems"}, "seer-bench/report/4")
    assert tree == whole["tables"]["table2"]
    assert tree["schema"] == "seer-bench/table/3"
    keys = {"schema", "table", "notes", "measures", "paper", "arms", "runs", "published", "problems", "hints"}
    assert set(tree) == keys
    run = tree["runs"][0]
    assert (run["label"], run["n"], run["complete"], run["policy"]["privileged"]) == ("expert", 10, True, True)
    assert run["values"]["average_length"]["value"] == 4.9
    assert run["values"]["rate_5"]["value"] == 0.9
    single = next(run for run in tree["runs"] if run["protocol"]["name"] == "calvin-embedded/v1")
    assert single["values"]["average_length"] == {"value": 3.0, "low": None, "high": None}


def test_html_is_one_balanced_page_that_asks_for_its_style_alone(report, written):
    page = Page(written["table2.html"])
    assert page.open == []
    assert not {"script", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert [attributes["href"] for tag, attributes in page.tags if tag == "link"] == ["data:,", "style.css"]
    notes = {a["href"][1:] for tag, a in page.tags if tag == "a" and a["href"].startswith("#")}
    assert notes <= {attributes.get("id") for _, attributes in page.tags}
    assert not re.search(r"url\(|@import|https?:", written["table2.html"])
    assert any(attributes.get("name") == "viewport" for _, attributes in page.tags)
    assert HOSTILE in page.text


def test_latex_braces_balance_and_specials_are_escaped(written):
    text = written["table2.tex"]
    depth = 0
    for token in re.findall(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\begin\{(\w+)\}", text)) == len(re.findall(r"\\end\{(\w+)\}", text))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert not re.search(r"[_%#$~^]", re.sub(r"\\.", "", body))
    for line in body.splitlines():
        if line.endswith(r"\\") and "Seer" in line:
            assert re.sub(r"\\.", "", line).count("&") == 7
    assert r"A\&B\_c\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}" in body


def test_markdown_tables_are_rectangular_and_hold_no_tags_of_others(written):
    text = written["table2.md"]
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        bars = {re.sub(r"\\.", "", line).count("|") for line in block.splitlines()}
        assert len(bars) == 1, block
    assert set(re.findall(r"<(\w+)", re.sub(r"\\.", "", text))) <= {"sup", "sub", "br"}
    assert r"\[red\]" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_terminal_keeps_its_width_and_reads_no_markup(report, width):
    text = printed(report, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "[red]" in printed(report, 160)
    assert "RoboFlamingo" in text
    assert "calvin-abc-d/v1-tiny" in text
    assert "4.90" in text


def test_names_over_columns_are_broken_and_cut_and_a_last_run_is_one_run(fake, write_run):
    for number in range(4):
        name = (f"{number}-{'x' * 90}.pth", f"{number}" * 64)
        path = write_run(f"r{number}", [fake.chain(0, 5)], fake.make_manifest(checkpoint=name, seed=number))
    report = build_report([path.parent]).only("table2")
    text = printed(report, 120)
    assert "run 4 of 4" in text
    assert "seer ·\n" in "\n".join(line.rstrip() for line in text.splitlines())
    heads = [line for line in latex.render(report.tables[0].document).splitlines() if line.startswith("Task & ")]
    assert heads
    assert all("x" * 60 not in line and "…" not in line for line in heads)


def test_control_characters_never_reach_a_terminal(fake, write_run):
    path = write_run("a", [fake.chain(0, 5)], fake.make_manifest(policy="a\x1b[2Jb\nc\u202ed"))
    report = build_report([path])
    assert report.table("table2").summaries[0].label == "a [2Jb c d · epoch_19.pth"
    assert "\x1b[2J" not in printed(report, 100)


def test_problems_are_shown_to_people(fake, tmp_path):
    report = build_report([tmp_path / "nowhere"])
    files = fake.texts(write_report(report.only("table2"), tmp_path / "out"))
    for name in ("table2.md", "table2.tex", "table2.html", "table2.json"):
        assert words("no such directory") in words(files[name])
        assert words("seer-bench run calvin --policy expert") in words(files[name])
    assert "no such directory" in printed(report, 200)
    assert Page(files["table2.html"]).open == []
