from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from seer_bench.report import build_report
from seer_bench.report.pages import render, run_pages, units_to_film, write_pages
from seer_bench.store import read_run
from seer_bench.store.videos import Trace, clip_files, write_trace

HOSTILE = """<script>alert("1")</script>'"&--><img src=x onerror=alert(2)>"""


class Page(HTMLParser):
    """Tags, links and the visible text of a page; refuses tags that are not closed."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data}"

    def targets(self) -> list[str]:
        """Everything that the page links to or shows."""
        return [a[key] for _, a in self.tags for key in ("href", "src", "poster") if key in a]

    def ids(self) -> list[str]:
        return [a["id"] for _, a in self.tags if "id" in a]


def trace_of(result, **more) -> Trace:
    """A trace of a unit's broken subtask."""
    broken = next(i for i, subtask in enumerate(result.subtasks) if not subtask.success)
    return Trace(
        result.unit_id, result.actions_sha256, broken, (0, 3), {"red": (0.2, 0.1)}, {"red": (0.0, 0.03)}, **more
    )


@pytest.fixture
def runs(fake, write_run) -> Path:
    """Four runs: complete, with a policy error and a lost unit, of hostile names, of single tasks."""
    complete = [fake.chain(i, min(i, 5)) for i in range(10)]
    write_run("complete", complete)
    path = write_run("partial", [fake.chain(0, 1, policy_error=True), fake.chain(1, 0), fake.broken(2)],
                     fake.make_manifest(policy="other"))  # fmt: skip
    hostile = fake.make_manifest(policy=HOSTILE, checkpoint=(HOSTILE, "cd" * 32), arm={"note": HOSTILE})
    write_run("hostile", [fake.chain(0, 1, tasks=[HOSTILE] * 5)], hostile)
    write_run("libero", fake.rollouts(2, 1, 0), fake.make_manifest(fake.task_protocol()))
    return path.parent


@pytest.fixture
def pages(runs) -> dict[str, str | Path]:
    return render(build_report([runs]))


def parsed(pages) -> dict[str, Page]:
    return {name: Page(text) for name, text in pages.items() if name.endswith(".html")}


def folded(name: str, target: str) -> str:
    """The name in the folder that a link on a page leads to."""
    parts = [*name.split("/")[:-1], *target.partition("#")[0].split("/")]
    while ".." in parts:
        at = parts.index("..")
        assert at > 0, f"{target} leads out of the folder"
        del parts[at - 1 : at + 1]
    return "/".join(parts)


def test_every_link_leads_to_a_page_or_a_place_in_the_folder(pages):
    site = parsed(pages)
    assert {"index.html", "tasks.html", "table1.html", "table2.html", "figure5.html"} <= set(site)
    for name, page in site.items():
        assert len(page.ids()) == len(set(page.ids())), name
        for target in page.targets():
            if target == "data:,":
                continue
            assert not re.match(r"[a-z]+:|/", target), (name, target)
            path = folded(name, target) if target.partition("#")[0] else name
            assert path in pages, (name, target)
            _, _, place = target.partition("#")
            if place and not place.startswith("t="):
                assert place in site[path].ids(), (name, target)


def test_texts_of_others_are_texts(pages):
    site = parsed(pages)
    hostile = [name for name, page in site.items() if "<script>alert" in page.text]
    assert {"index.html", "tasks.html", "table2.html"} <= set(hostile)
    assert any(name.endswith("-failures.html") for name in hostile)
    for name, page in site.items():
        assert "script" not in {tag for tag, _ in page.tags}, name
        assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)], name
        assert not [a for tag, a in page.tags if tag == "img" and a["src"] == "x"], name
    assert all(re.fullmatch(r"[A-Za-z0-9_=.,/-]+", name) for name in pages)


def test_equal_runs_give_equal_pages_wherever_they_are_named(runs, pages):
    again = render(build_report(sorted(runs.iterdir(), reverse=True)))
    assert again == pages
    assert list(again) == list(pages)


def test_the_overview_counts_what_the_tables_say(pages, runs):
    text = " ".join(Page(pages["index.html"]).text.split())
    assert "Runs 4 3 of them partial" in text
    assert "Units with an outcome 19 1 more lost to errors" in text
    line = next(row for row in re.findall(r"<tr>.*?</tr>", pages["index.html"], re.S) if 'href="table2.html"' in row)
    verdicts = re.findall(r'class="verdict ([a-z-]+)"', pages["table2.html"].partition('id="published"')[0])
    cells = re.findall(r"<td>(.*?)</td>", line)
    assert len(cells) == 5
    main = pages["table2.html"].partition('id="part-2"')[0]
    for cell, word in zip(cells[1:], ("agrees", "differs", "not-comparable", "not-run"), strict=True):
        own = len(re.findall(rf'<td class="left"><span class="verdict {word}"', main))
        assert cell == (str(own) if own else "–")
    assert verdicts


def test_a_run_tells_where_it_comes_from(fake, pages):
    name = next(n for n in pages if n.startswith("runs/seer-epoch-19") and "calvin" in n and n.endswith("v1.html"))
    text = " ".join(Page(pages[name]).text.split())
    manifest = fake.make_manifest()
    for part in (manifest.protocol.fingerprint, "ab" * 32, "a1", "b2", "Seed 0", "epoch_19.pth"):
        assert part in text, part
    other = next(n for n in pages if n.startswith("runs/other") and n.endswith("v1.html"))
    text = " ".join(Page(pages[other]).text.split())
    assert "Partial: 8 units of the protocol without an outcome." in text
    assert "1 unit ended in an error of the infrastructure" in text


def test_failures_are_grouped_by_the_task_that_broke(pages):
    name = next(
        n for n in pages if n.startswith("runs/seer-epoch-19") and "calvin" in n and n.endswith("failures.html")
    )
    page = Page(pages[name])
    text = " ".join(page.text.split())
    assert "5 units of 10 failed" in text
    assert "Broke 1 of 10 attempts." in text
    assert "“do open_drawer”" in text
    assert "chain=0000 · subtask 1 of 5 · ended after 10 steps" in text
    assert "seer-bench report" in text
    assert "--clips 12" in text
    rows = list(csv.DictReader(pages[name.replace(".html", ".csv")].splitlines()))
    assert [row["task"] for row in rows].count("open_drawer") == 1
    assert {row["position"] for row in rows} == {"1", "2", "3", "4", "5"}


def test_a_policy_error_and_a_lost_unit_are_told(pages):
    text = Page(next(t for n, t in pages.items() if n.startswith("runs/other") and n.endswith("failures.html"))).text
    assert "InvalidActionError: nan" in text
    assert "SimulationError: no GL" in text


def test_many_failures_make_no_long_page(fake, write_run):
    path = write_run("many", [fake.chain(i, 0) for i in range(60)], fake.make_manifest(fake.make_protocol(count=60)))
    pages = render(build_report([path]))
    name = next(n for n in pages if n.endswith("-failures.html"))
    text = " ".join(Page(pages[name]).text.split())
    assert "Broke 60 of 60 attempts." in text
    assert "49 more; see the CSV file" in text
    assert len(pages[name.replace(".html", ".csv")].splitlines()) == 61


def test_a_clip_of_the_recorded_actions_is_shown_with_what_it_measured(fake, write_run, tmp_path):
    path = write_run("r", [fake.chain(0, 1), fake.chain(1, 1)])
    results = read_run(path).results
    for result in results.values():
        files = clip_files(path, result.unit_id)
        files.film.parent.mkdir(exist_ok=True)
        files.film.write_bytes(b"film")
        files.picture.write_bytes(b"picture")
    first, second = results.values()
    write_trace(path, trace_of(first, plan=((0, "waypoint 1"), (2, "waypoint 2 <b>")), note="A note."))
    write_trace(path, Trace(second.unit_id, "another hash", 1, (0,)))
    pages = render(build_report([path]))
    films = {name: source for name, source in pages.items() if isinstance(source, Path)}
    assert sorted(name.rpartition("/")[2] for name in films) == ["chain=0000.jpg", "chain=0000.mp4"]
    page = Page(next(text for name, text in pages.items() if name.endswith("-failures.html")))
    assert [a["src"].rpartition("/")[2] for tag, a in page.tags if tag == "video"] == ["chain=0000.mp4"]
    text = " ".join(page.text.split())
    for part in (
        "waypoint 2 <b>",
        "A note.",
        "Begins with the broken subtask.",
        "Distance from the gripper",
        "0 to 3 cm",
    ):
        assert part in text, part
    written = write_pages(pages, tmp_path / "out")
    assert all(file.is_file() for file in written)
    assert (tmp_path / "out" / next(n for n in films if n.endswith("mp4"))).read_bytes() == b"film"


def test_a_film_of_the_whole_unit_says_where_the_broken_subtask_begins(fake, write_run):
    path = write_run("r", [fake.chain(0, 2)])
    (path / "videos").mkdir()
    for size in (320, 64):
        (path / "videos" / f"chain=0000_{size}px.mp4").write_bytes(b"film")
    (path / "videos" / "chain=0000_64px_foresight.mp4").write_bytes(b"other")
    pages = render(build_report([path]))
    (film,) = [source for source in pages.values() if isinstance(source, Path)]
    assert film.name == "chain=0000_64px.mp4"
    page = Page(next(text for name, text in pages.items() if name.endswith("-failures.html")))
    # One frame of the start state and, of two subtasks with 10 steps each, four frames: nine at 20 a second.
    (video,) = [a for tag, a in page.tags if tag == "video"]
    assert video["src"].endswith("#t=0.45")
    assert "begins at 0:00.5" in page.text


@pytest.mark.parametrize(
    "damage", ["{", '{"schema": "seer-bench/clip/1"}', '{"schema": "seer-bench/clip/1", "steps": 3}']
)
def test_a_damaged_trace_is_no_clip(fake, write_run, damage):
    path = write_run("r", [fake.chain(0, 1)])
    files = clip_files(path, next(iter(read_run(path).results)))
    files.film.parent.mkdir()
    for file in (files.film, files.picture):
        file.write_bytes(b"x")
    files.trace.write_text(damage)
    assert not [source for source in render(build_report([path])).values() if isinstance(source, Path)]


def test_clips_are_chosen_from_every_task_in_turn(fake, write_run):
    path = write_run("r", [*(fake.chain(i, 0) for i in range(5)), fake.chain(5, 1), fake.chain(6, 3)])
    (page,) = run_pages(build_report([path]))
    units = [unit.rpartition("=")[2] for unit in units_to_film(page.summary, 4)]
    assert units == ["0000", "0005", "0006", "0001"]
    assert units_to_film(page.summary, 0) == []


def test_a_later_report_removes_the_pages_of_an_earlier_one_and_nothing_else(runs, pages, tmp_path):
    folder = tmp_path / "html"
    write_pages(pages, folder)
    (folder / "mine.txt").write_text("keep")
    (folder / "runs" / "mine.html").write_text("keep")
    shutil.rmtree(runs / "hostile")
    fewer = render(build_report([runs]))
    assert set(fewer) < set(pages)
    write_pages(fewer, folder)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {*fewer, "contents.json", "mine.txt", "runs/mine.html"}


def test_names_in_the_list_of_contents_cannot_lead_out_of_the_folder(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("keep")
    folder = tmp_path / "html"
    folder.mkdir()
    (folder / "contents.json").write_text(json.dumps(["../victim", str(victim), 3]))
    write_pages({"index.html": "x"}, folder)
    assert victim.read_text() == "keep"


def test_without_runs_the_pages_say_so(tmp_path):
    tmp_path.joinpath("runs").mkdir()
    pages = render(build_report([tmp_path / "runs"]))
    assert "No run was found" in Page(pages["index.html"]).text
    assert not [name for name in pages if name.startswith("runs/")]
