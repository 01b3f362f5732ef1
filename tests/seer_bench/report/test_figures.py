"""Figures show what the tables hold, can be read without colour, and keep their texts apart."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from seer_bench.report import build_report
from seer_bench.report.figures import MOST_ROWS, plot, render
from seer_bench.report.figures.compared import MOST
from seer_bench.report.figures.curves import draw_curves
from seer_bench.report.figures.dots import draw_dots
from seer_bench.report.figures.plots import CurvePlot
from seer_bench.report.figures.style import DPI, WIDTH, looks
from seer_bench.report.figures.style import settings as drawing
from seer_bench.report.figures.text import spread, width, wrap, wrap_names

LONG = "a-policy-with-a-name-that-says-everything-about-it"
HOSTILE = "$x_1^2$ {\\b} 日本 \u202e%&#"


def weights(name: str) -> tuple[str, str]:
    """A checkpoint of that name."""
    return name, name.encode().hex().ljust(64, "0")[:64]


@pytest.fixture(scope="module")
def report(fake, write_shared):
    """Comparable rows, privileged and partial ones, another protocol, one chain alone, and names of every kind."""
    tiny = fake.make_protocol("calvin-abc-d/v1-tiny", comparable="TinyRenderer: other pixels")
    chains = [fake.chain(i, i % 6) for i in range(10)]
    for i in range(4):
        solved = [fake.chain(n, min(5, n % 6 + i)) for n in range(10)]
        write_shared(f"seer{i}", solved, fake.make_manifest(checkpoint=weights(f"e{i}.pth")))
    write_shared("scratch", chains, fake.make_manifest(arm={"pretrained": "no"}))
    write_shared("tenth", chains, fake.make_manifest(arm={"data": "10%"}))
    write_shared("all", [fake.chain(i, 5) for i in range(10)], fake.make_manifest(policy="all", checkpoint=None))
    write_shared("none", [fake.chain(i, 0) for i in range(10)], fake.make_manifest(policy=HOSTILE, checkpoint=None))
    write_shared("expert", chains, fake.make_manifest(policy="expert", privileged=True, checkpoint=None))
    write_shared("partial", [fake.chain(0, 2)], fake.make_manifest(policy="started", checkpoint=None))
    write_shared("tiny", chains, fake.make_manifest(tiny, policy=LONG, checkpoint=weights(f"{LONG}.safetensors")))
    long = fake.task_protocol()
    write_shared("tasks", fake.rollouts(2, 1, 0, 2, 2, 2, 1, 0, 2, 2), fake.make_manifest(long))
    write_shared(
        "some", fake.rollouts(2, 1), fake.make_manifest(long, policy=HOSTILE, checkpoint=weights(f"{LONG}.pth"))
    )
    path = write_shared("long", fake.rollouts(*[1] * 10), fake.make_manifest(long, policy=LONG, arm={"variant": LONG}))
    return build_report([path.parent])


@pytest.fixture(scope="module")
def crowd(fake, tmp_path_factory):
    """More arms than a panel takes."""
    runs = tmp_path_factory.mktemp("crowd")
    for i in range(MOST + 3):
        name = f"{LONG}-{i}" if i % 2 else f"p{i}"
        chains = [fake.chain(n, (n * i) % 6) for n in range(10)]
        fake.write_session(
            runs / f"c{i}", chains, fake.make_manifest(policy=name, checkpoint=weights(f"epoch_{i}_{LONG}.pth"))
        )
        rollouts = fake.rollouts(*(n % 3 for n in range(10)))
        manifest = fake.make_manifest(fake.task_protocol(), policy=name, checkpoint=weights(f"e{i}.pth"))
        fake.write_session(runs / f"t{i}", rollouts, manifest)
    return build_report([runs])


def drawn(table):
    """The figure of a table, not yet written to a file."""
    shown = plot(table)
    with drawing():
        return draw_curves(shown) if isinstance(shown, CurvePlot) else draw_dots(shown)


def boxes(sheet) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Every visible text with its left, bottom, right and upper edge in inches."""
    with drawing():
        sheet.png()
        found = []
        for text in sheet.figure.findobj(Text):
            if text.get_text().strip() and text.get_visible():
                box = text.get_window_extent(dpi=DPI)
                found.append((text.get_text(), tuple(edge / DPI for edge in (box.x0, box.y0, box.x1, box.y1))))
    return found


# What is shown


def test_curves_hold_the_values_of_the_table(report):
    table = report.table("table2")
    shown = plot(table)
    curves = {curve.name.text: curve for panel in shown.panels for curve in panel.curves}
    for row in table.rows:
        marks = [mark for _, mark in curves[row.summary.label].points]
        assert [mark.value / 100 for mark in marks] == pytest.approx([rate.value for rate in row.summary.rates])
        assert [mark.low / 100 for mark in marks] == pytest.approx([rate.low for rate in row.summary.rates])
        assert [mark.high / 100 for mark in marks] == pytest.approx([rate.high for rate in row.summary.rates])
    paper = [mark for _, mark in curves["Paper: Seer"].points]
    assert [mark.value for mark in paper] == [94.4, 87.2, 79.9, 72.2, 64.3]
    assert {(mark.low, mark.high) for mark in paper} == {(None, None)}


def test_what_does_not_compare_has_panels_of_its_own(report):
    shown = plot(report.table("table2"))
    panels = {panel.title: {curve.name.text.split(" · ")[0] for curve in panel.curves} for panel in shown.panels}
    assert panels["Not comparable with the paper's rows: calvin-abc-d/v1"] == {"expert", "started"}
    assert panels["Not comparable with the paper's rows: calvin-abc-d/v1-tiny"] == {LONG}
    assert {"Paper: Seer", "seer", "all"} <= panels["Comparable with the paper's rows: calvin-abc-d/v1"]
    details = {curve.name.text: curve.name.detail for panel in shown.panels for curve in panel.curves}
    assert "privileged policy" in details["expert"]
    assert "n\u00a0=\u00a01\u00a0of\u00a010" in details["started"]
    notes = " ".join(shown.notes)
    assert "95 %" in notes
    assert "calvin-abc-d/v1-tiny: TinyRenderer: other pixels." in notes
    assert "selected on the test set" in notes
    assert "selected on the test set" not in " ".join(plot(report.table("table3a")).notes)


def test_dots_hold_both_values_and_the_gaps(report):
    shown = plot(report.table("table1"))
    assert len(shown.columns) == 11
    rows = {row.name.text.split(" · ")[0]: row for group in shown.groups for row in group.rows}
    ours = rows["seer"]
    assert [mark.value for mark in ours.ours] == pytest.approx([100, 50, 0, 100, 100, 100, 50, 0, 100, 100, 70])
    assert ours.printed[:4] == (91.7, 90.0, 98.3, 100.0)
    assert ours.printed[4:10] == (None,) * 6
    assert (rows["Seer"].ours, rows["Seer"].printed) == ((), ours.printed)
    started = next(row for group in shown.groups[1:] for row in group.rows)
    assert [mark is None for mark in started.ours] == [False] * 2 + [True] * 9
    assert started.printed == ()
    assert [text for text, _ in boxes(drawn(report.table("table1")))].count("–") == 9


def test_the_picture_of_the_paper_gets_no_points(report, tmp_path):
    shown = plot(report.table("figure3"))
    libero, calvin = shown.panels
    assert [curve.name.text for curve in calvin.curves] == ["Seer", "Seer (w/o pretrain)"]
    assert [position for position, _ in calvin.curves[0].points] == [10, 100]
    assert all(mark.low is not None for panel in shown.panels for curve in panel.curves for _, mark in curve.points)
    assert [curve.name.text for curve in libero.curves] == ["Seer"]
    assert any("n/a" in note for note in shown.notes)
    assert any(note.startswith("The paper says: with 10%") for note in shown.notes)


def test_a_curve_joins_points_of_one_protocol_alone(fake, write_run):
    other = fake.make_protocol("calvin-abc-d/seer-v1")
    tiny = fake.make_protocol("calvin-abc-d/v1-tiny", comparable="other pixels")
    chains = [fake.chain(i, i % 6) for i in range(10)]
    write_run("tenth", chains, fake.make_manifest(arm={"data": "10%"}))
    write_run("tiny", chains, fake.make_manifest(tiny))
    report = build_report([write_run("whole", chains, fake.make_manifest(other)).parent])
    calvin, apart = plot(report.table("figure3")).panels[1:]
    assert [(curve.name.detail.split(";")[0], [x for x, _ in curve.points]) for curve in calvin.curves] == [
        ("calvin-abc-d/seer-v1", [100]),
        ("calvin-abc-d/v1", [10]),
    ]
    assert apart.title == "CALVIN ABC-D: Avg. Len. Not comparable with the paper's rows: calvin-abc-d/v1-tiny"
    details = {c.name.text: c.name.detail for c in plot(report.table("table2")).panels[0].curves}
    assert "calvin-abc-d/seer-v1" in details["seer · epoch_19.pth"]
    assert "calvin-abc-d/v1" in details["seer · epoch_19.pth · data=10%"]


def test_a_panel_without_points_says_so(fake, write_run):
    report = build_report([write_run("a", [fake.chain(i, 3) for i in range(10)])])
    assert [len(panel.curves) for panel in plot(report.table("figure3")).panels] == [0, 1]
    assert "not run" in {text for text, _ in boxes(drawn(report.table("figure3")))}


def test_without_runs_there_is_the_paper_alone(tmp_path):
    report = build_report([tmp_path])
    assert {table.table.key for table in report.tables if render(table)} == {
        "table1",
        "table2",
        "table3a",
        "table3b",
        "table4",
    }
    rows = {row.name.text: row for group in plot(report.table("table4")).groups for row in group.rows}
    assert rows["Seer, 100 demos"].printed == (86.7, 60.0, 73.3, 86.7, 78.4)


def test_a_panel_holds_no_more_curves_than_can_be_told_apart(crowd):
    panels = plot(crowd.table("table2")).panels
    assert [len(panel.curves) for panel in panels] == [MOST, MOST + 3 + 6 - MOST]
    assert [panel.title[-8:] for panel in panels] == ["(1 of 2)", "(2 of 2)"]


def test_rows_that_no_page_holds_are_said_to_be_left_out(report):
    table = report.table("table2")
    row = table.rows[0]
    shown = plot(replace(table, rows=(row,) * (MOST_ROWS + 1)))
    assert sum(not curve.printed for panel in shown.panels for curve in panel.curves) == MOST_ROWS
    assert shown.notes[0] == f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows of ours; the table has all of them."


# How it is drawn


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=MOST))
def test_no_two_curves_look_alike_without_colour(kinds):
    found = looks(kinds)
    assert len({(look.marker, look.filled, look.dashes) for look in found}) == len(found)
    assert len({(look.marker, look.filled) for look in found}) == len(found)


def test_a_row_of_the_paper_and_ours_of_the_same_arm_share_their_marker():
    paper, ours, other, second = looks([(0, True), (0, False), (1, True), (0, False)])
    assert paper.marker == ours.marker
    assert len({ours.marker, other.marker, second.marker}) == 3
    assert (paper.filled, ours.filled) == (False, True)


def test_every_colour_is_dark_enough_in_grey():
    for look in looks([(i, printed) for i in range(6) for printed in (True, False)]):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(look.colour)]
        luminance = float(np.dot((0.2126, 0.7152, 0.0722), linear))
        assert 1.05 / (luminance + 0.05) >= 4.5, look.colour


@pytest.mark.parametrize("key", ["table1", "table2", "table3a", "table4", "figure3"])
def test_texts_stay_on_the_sheet_apart_and_large_enough(report, key):
    sheet = drawn(report.table(key))
    check_texts(sheet)
    assert min(text.get_fontsize() for text in sheet.figure.findobj(Text)) >= 8


@pytest.mark.parametrize("key", ["table1", "table2"])
def test_texts_of_many_arms_stay_apart(crowd, key):
    check_texts(drawn(crowd.table(key)))


def check_texts(sheet) -> None:
    """No text leaves the sheet, and no two of them overlap."""
    right, top = sheet.figure.get_size_inches()
    found = boxes(sheet)
    assert right == WIDTH
    for text, (x0, y0, x1, y1) in found:
        assert x0 > -0.01, text
        assert x1 < right + 0.01, text
        assert y0 > -0.01, text
        assert y1 < top + 0.01, text
    slack = 0.015  # boxes hold room for letters below the line
    for (one, a), (other, b) in combinations(found, 2):
        apart = a[2] <= b[0] + slack or b[2] <= a[0] + slack or a[3] <= b[1] + slack or b[3] <= a[1] + slack
        assert apart, (one, other)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_labels_are_spread_in_order_and_within(wanted, data):
    heights = data.draw(st.lists(st.floats(0.01, 0.08), min_size=len(wanted), max_size=len(wanted)))
    centres = spread(sorted(wanted, reverse=True), heights, 1.0)
    edges = [(centre + height / 2, centre - height / 2) for centre, height in zip(centres, heights, strict=True)]
    assert edges[0][0] <= 1 + 1e-9
    assert edges[-1][1] >= -1e-9
    assert all(upper[1] >= lower[0] - 1e-9 for upper, lower in pairwise(edges))


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), st.floats(0.5, 3))
def test_lines_are_no_wider_than_their_room_and_lose_nothing(text, room):
    lines = wrap(text, room)
    assert all(width(line) <= room for line in lines)
    assert "".join(lines) == text


def test_names_that_differ_in_the_middle_alone_still_differ():
    names = [f"policy-{'a' * 60}-{i}-{'b' * 60}" for i in range(3)]
    assert len({tuple(lines) for lines in wrap_names(names, 1.5)}) == 3
    assert [len(lines) for lines in wrap_names([names[0], names[0]], 1.5)] == [2, 2]


# Files


@pytest.mark.parametrize("key", ["table1", "table2", "figure3"])
def test_files_are_pixels_of_print_and_vectors_with_fonts(report, key):
    files = render(report.table(key))
    with Image.open(io.BytesIO(files[".png"])) as image:
        assert image.size[0] == WIDTH * DPI
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)
        grey = np.asarray(image.convert("L"))
    assert grey.min() < 60
    assert (grey == 255).mean() > 0.7
    pdf = files[".pdf"]
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"/Subtype /Image" not in pdf
    assert b"CreationDate" not in pdf


PROGRAM = """
import hashlib, sys
from pathlib import Path
from seer_bench.report import build_report
assert "matplotlib" not in sys.modules
from seer_bench.report.figures import render
report = build_report([Path(sys.argv[1])])
for key in ("table1", "table2"):
    for content in render(report.table(key)).values():
        print(hashlib.sha256(content).hexdigest())
assert "matplotlib.pyplot" not in sys.modules
"""


def test_the_same_runs_give_the_same_bytes(report, tmp_path):
    runs = report.table("table2").summaries[0].paths[0].parent
    own = tmp_path / "matplotlibrc"
    own.write_text("font.size: 20\naxes.facecolor: red\nlines.linewidth: 9\n")
    outputs = []
    for seed, rc in (("1", ""), ("2", str(own))):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "MATPLOTLIBRC": rc or str(tmp_path / "none")}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(runs)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.split())
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0])) == 4


def test_drawing_leaves_the_users_settings_alone(report):
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        first = render(report.table("table3a"))
        assert dict(mpl.rcParams) == before
    assert render(report.table("table3a")) == first


def test_the_robot_under_disturbances_stands_beside_itself_without(fake, write_run, tmp_path):
    words = "bowls of other colours, and a strong light from the left " * 2
    campaign = fake.robot_protocol(
        "best_of", {"flip_white_bowl": 2}, cases=4, trials=1, disturbed={"flip_white_bowl": words}
    )
    solved = fake.trials(campaign, "flip_white_bowl", [2], [2], [2], [0])
    disturbed = fake.trials(campaign, "flip_white_bowl_disturbed", [2], [0], [1], [0])
    report = build_report([write_run("robot", [*solved, *disturbed], fake.make_manifest(campaign))])
    shown = plot(report.table("figure5"))
    assert shown.columns == ("Flip White Bowl (1)",)
    under, without = (row for group in shown.groups for row in group.rows)
    assert (under.ours[0].value, without.ours[0].value) == (25, 75)
    assert under.ours[0].low < 25 < under.ours[0].high
    assert (under.name.detail.split(";")[0], without.name.detail) == ("disturbed", "undisturbed")
    assert (under.printed, without.printed) == ((), ())
    assert shown.notes[0] == f"Disturbances: (1) {words.strip()}."
    check_texts(drawn(report.table("figure5")))
    checkpoints = [fake.make_manifest(campaign, checkpoint=weights(name)) for name in ("a.pth", "b.pth")]
    paths = [write_run(f"c{i}", [*solved, *disturbed], manifest) for i, manifest in enumerate(checkpoints)]
    assert not any("Agresti" in note for note in plot(build_report(paths).table("table4")).notes)
    robot = [row for group in plot(report.table("table4")).groups for row in group.rows if row.ours]
    assert [mark and mark.value for mark in robot[0].ours] == [75, None, None, None, 75]
    assert render(report.table("figure5"))[".png"].startswith(b"\x89PNG")
