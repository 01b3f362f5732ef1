"""The pages as a browser sees them, opened from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seer_bench.report import build_report
from seer_bench.report.pages import render, write_pages
from seer_bench.store import read_run
from seer_bench.store.videos import Trace, clip_files, write_trace
from seer_bench.video.encoder import open_writer
from tests.browser import FAINT

LONG = "a_checkpoint_with_a_name_that_no_phone_has_room_for_in_one_line_of_its_screen_19.pth"


@pytest.fixture(scope="module")
def folder(fake, tmp_path_factory) -> Path:
    """A report of chains, with a clip, and of single tasks, as it lies on a disk."""
    root = tmp_path_factory.mktemp("report")
    manifest = fake.make_manifest(policy="expert", checkpoint=(LONG, "cd" * 32), privileged=True)
    chains = [fake.chain(0, 1), *(fake.chain(i, 5) for i in range(1, 10))]
    fake.write_session(root / "runs" / "chains", chains, manifest)
    fake.write_session(root / "runs" / "weak", [fake.chain(i, i % 3) for i in range(10)])
    fake.write_session(root / "runs" / "tasks", fake.rollouts(2, 1, 0), fake.make_manifest(fake.task_protocol()))
    run = root / "runs" / "chains"
    result = read_run(run).results["calvin-abc-d/v1:chain=0000"]
    files = clip_files(run, result.unit_id)
    files.film.parent.mkdir()
    picture = np.zeros((64, 128, 3), np.uint8)
    with open_writer(files.film) as write:
        for brightness in range(0, 240, 8):
            write(picture + np.uint8(brightness))
    Image.fromarray(picture).save(files.picture)
    steps = tuple(range(0, 10, 3))
    series = {"block_red": (0.2, 0.1, 0.05, 0.02)}
    trace = Trace(result.unit_id, str(result.actions_sha256), 1, steps, series, series, {"drawer": (0, 0, 0.1, 0.1)})
    write_trace(run, trace)
    write_pages(render(build_report([root / "runs"])), root / "html")
    return root / "html"


def pages_of(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.html"))
    assert len(found) > 12
    return found


def test_no_page_complains_or_asks_for_anything_outside_the_folder(browser, folder):
    browser.complaints.clear()
    browser.requests.clear()
    for page in pages_of(folder):
        browser.open(page)
    assert browser.complaints == []
    outside = [url for url in browser.requests if not url.startswith((folder.resolve().as_uri(), "data:"))]
    assert outside == []
    assert folder.joinpath("style.css").resolve().as_uri() in browser.requests


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_no_page_is_wider_than_the_window_and_every_text_can_be_read(browser, folder, width, scheme):
    for page in pages_of(folder):
        browser.open(page, width=width, scheme=scheme)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, page.name
        faint = browser.evaluate(FAINT)
        assert faint == [], (page.name, faint[:3])


def test_dark_and_light_differ_and_print_is_light(browser, folder):
    colours = {}
    for scheme, media in (("light", ""), ("dark", ""), ("dark", "print")):
        browser.open(folder / "index.html", scheme=scheme, media=media)
        colours[scheme, media] = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours["light", ""] == colours["dark", "print"] == "rgb(255, 255, 255)"
    assert colours["dark", ""] != colours["light", ""]


def test_a_clip_plays(browser, folder):
    (page,) = (page for page in pages_of(folder) if page.name.startswith("expert") and "failures" in page.name)
    browser.open(page)
    playing = """
        (async () => {
            const video = document.querySelector("video");
            video.muted = true;
            await video.play();
            while (video.currentTime < 0.3) await new Promise(done => setTimeout(done, 20));
            return [video.readyState, video.duration, video.videoWidth, video.error];
        })()
    """
    state, seconds, width, error = browser.evaluate(playing)
    assert state >= 2
    assert (seconds, width, error) == (pytest.approx(1.5, abs=0.2), 128, None)


def test_tables_have_headers_and_keys_reach_everything(browser, folder):
    for page in pages_of(folder):
        browser.open(page)
        assert browser.evaluate("[...document.querySelectorAll('th')].every(head => head.scope)"), page.name
        assert browser.evaluate("document.querySelectorAll('h1').length") == 1
        named = "[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label') || s.ariaHidden)"
        assert browser.evaluate(named), page.name
        assert browser.evaluate("[...document.querySelectorAll('.scroll')].every(s => s.tabIndex === 0)"), page.name
    browser.open(folder / "index.html")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.evaluate("document.activeElement.className") == "skip"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


def test_the_folder_can_be_moved(browser, folder, tmp_path):
    moved = tmp_path / "a folder with spaces & signs"
    folder.rename(moved)
    try:
        browser.complaints.clear()
        browser.open(next(moved.rglob("expert*failures.html")))
        assert browser.complaints == []
        assert browser.evaluate("getComputedStyle(document.querySelector('.skip')).position") == "absolute"
    finally:
        moved.rename(folder)
