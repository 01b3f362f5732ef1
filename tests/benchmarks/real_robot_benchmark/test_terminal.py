"""The operator's console in a terminal, key by key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("textual", reason="the console needs textual: pip install 'seer-bench[real]'")

from textual.pilot import Pilot

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign, Choices
from real_robot_benchmark.events import EventLog
from real_robot_benchmark.session import Session
from real_robot_benchmark.terminal import panels
from real_robot_benchmark.terminal.app import TerminalConsole
from real_robot_benchmark.terminal.big import draw, fits
from real_robot_benchmark.terminal.dialogs import Ask, Confirm, Lost
from seer_bench.errors import StoreError
from tests.fakes.kitchen import Clock, play

Script = Callable[[Pilot[int]], Awaitable[None]]


def operate(session: Session, script: Script, *, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    """Let an operator press keys at a console."""

    async def at_the_console() -> None:
        async with TerminalConsole(session, **options).run_test(size=size) as pilot:
            await script(pilot)

    asyncio.run(at_the_console())


def shown(pilot: Pilot[int]) -> str:
    """Everything on the screen as text, 24 lines."""
    app = pilot.app
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    assert len(lines) == height
    assert all(line.cell_length <= width for line in lines)
    return "\n".join(line.text for line in lines)


def test_keys_are_pressed_and_shown(session: Session) -> None:
    async def script(pilot: Pilot[int]) -> None:
        screen = shown(pilot)
        assert "Trial 1 of 20" in screen
        for sentence in session.view().setup:
            assert sentence in screen
        assert f"“{session.view().instruction}”" in screen
        assert "Next: " in screen
        await pilot.press("space")
        assert session.state.phase == "running"
        await pilot.press("1")
        assert "✓" in shown(pilot)
        await pilot.press("u", "s")
        assert session.state.result == "success"
        assert "Success," in shown(pilot)
        for line in draw("SUCCESS"):
            assert line in shown(pilot)
        await pilot.press("enter")
        assert "Trial 2 of 20" in shown(pilot)
        assert "1 of 20 done" in shown(pilot)

    operate(session, script)
    events = session.campaign.history().events
    assert [event.kind for event in events[1:]] == ["start", "stage", "undo", "stage", "next"]
    assert {event.data["by"] for event in events[1:]} == {"terminal"}


def test_reasons_and_notes_are_asked_for(session: Session) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("v")
        assert "'v' is not possible now" in shown(pilot)
        await pilot.press("space", "n", *"s1", "space", *"f", "enter")
        assert session.state.notes == ("s1 f",)
        await pilot.press("f", "n", *"q", "enter")
        assert session.state.phase == "ended"  # enter kept the note and nothing more
        await pilot.press("v", "enter")
        assert isinstance(pilot.app.screen, Ask)  # a reason is needed
        await pilot.press("escape")
        assert session.state.result == "failure"
        await pilot.press("v", *"no", "enter")
        assert session.state.attempt == 2
        assert "attempt 2" in shown(pilot)

    operate(session, script)
    assert session.state.voided[0].reason == "no"
    assert session.state.voided[0].notes == ("s1 f", "q")


def test_an_earlier_trial_is_voided_by_its_number(session: Session) -> None:
    play(session, 1)
    play(session, 1)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("e", *"x", "enter")
        assert "nothing was recorded" in shown(pilot)
        await pilot.press("e", *"9", "space", *"y", "enter")
        assert "trial 9 has no result" in shown(pilot)
        await pilot.press("e", *"1", "space", *"s2", "enter")
        assert "Trial 1 of 20" in shown(pilot)

    operate(session, script)
    assert [(attempt.trial.number, attempt.reason) for attempt in session.state.voided] == [(1, "s2")]


def test_a_press_that_the_disk_refuses_is_shown_big_and_changes_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(log: EventLog, event: object) -> None:
        raise StoreError("events.jsonl: not recorded: No space left on device.")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space", "s")
        with monkeypatch.context() as broken:
            broken.setattr(EventLog, "append", full)
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, Lost)
            screen = shown(pilot)
            assert "No space left on device" in screen
            for line in draw("NOT RECORDED"):
                assert line in screen
            await pilot.press("u", "space")
            assert isinstance(pilot.app.screen, Lost)  # nothing but enter closes it
        await pilot.press("enter")
        assert session.state.phase == "ended"  # that enter closed the message and went no further
        await pilot.press("enter")
        assert session.state.phase == "setup"

    operate(session, script)


def test_the_clock_ticks_and_pauses(session: Session, clock: Clock) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space")
        clock.wait(75)
        await pilot.pause(0.3)
        for line in draw("1:15"):
            assert line in shown(pilot)
        await pilot.press("p")
        clock.wait(300)
        assert session.clock() == 75
        for line in draw("PAUSED"):
            assert line in shown(pilot)
        await pilot.press("1")
        assert "'p' resumes" in shown(pilot)

    operate(session, script)


def test_the_screen_follows_other_consoles_and_refuses_what_was_meant_for_another_state(session: Session) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space")
        await pilot.press("n", *"m")
        elsewhere = threading.Thread(target=lambda: session.press("f", by="web"))
        elsewhere.start()
        elsewhere.join()
        await pilot.press("enter")
        assert session.state.notes == ()
        assert "went on meanwhile" in shown(pilot)
        assert "Not solved (failed)" in shown(pilot) or session.state.result == "failure"
        threading.Thread(target=session.next).start()
        await pilot.pause(0.3)
        assert "Trial 2 of 20" in shown(pilot)

    operate(session, script)


def test_closing_asks_and_a_key_that_answers_does_nothing_else(session: Session) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space", "q")
        assert "left paused" in shown(pilot)
        await pilot.press("n")
        assert len(pilot.app.screen_stack) == 1
        await pilot.press("question_mark")
        assert "undo the last press" in shown(pilot)
        await pilot.press("s")
        assert session.state.phase == "running"
        await pilot.press("ctrl+c")
        assert isinstance(pilot.app.screen, Confirm)
        await pilot.press("y")
        await pilot.pause()
        assert not pilot.app.is_running or pilot.app.return_value == 0

    operate(session, script)


def test_escape_stops_the_robot_everywhere(session: Session) -> None:
    stops: list[str] = []
    alive: list[str] = []

    async def script(pilot: Pilot[int]) -> None:
        assert "STOP ROBOT" in shown(pilot)
        await pilot.press("escape")
        assert "STOP was sent" in shown(pilot)
        await pilot.press("space", "n", *"ha", "escape")
        assert len(pilot.app.screen_stack) == 1
        await pilot.press("q", "escape")
        assert len(pilot.app.screen_stack) == 1
        await pilot.pause(0.6)

    operate(session, script, on_stop=stops.append, on_alive=alive.append)
    assert stops == ["terminal"] * 3
    assert set(alive) == {"terminal"}
    assert session.state.notes == ()


def test_a_stop_that_fails_is_shown_big(session: Session) -> None:
    def broken(by: str) -> None:
        raise OSError("the line to the robot is dead")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("escape")
        await pilot.pause()
        assert "the line to the robot is dead" in shown(pilot)
        for line in draw("NOT STOPPED"):
            assert line in shown(pilot)

    operate(session, script, on_stop=broken)


def test_the_console_can_be_closed_from_outside(session: Session) -> None:
    ended = threading.Event()

    async def script(pilot: Pilot[int]) -> None:
        ended.set()
        await pilot.pause(0.5)
        assert pilot.app.return_value == 0

    operate(session, script, ended=ended)


def test_the_pages_address_has_a_code_that_fits(session: Session) -> None:
    link = "http://192.168.100.200:8765/enter#" + "x" * 22

    async def script(pilot: Pilot[int]) -> None:
        assert "http://192.168.100.200:8765/ (w)" in shown(pilot)
        assert "x" * 22 not in shown(pilot)
        await pilot.press("w")
        screen = shown(pilot)
        assert link in screen
        assert sum(screen.count(block) for block in "▄▀█") > 200
        assert "any key closes this" in screen

    operate(session, script, address="http://192.168.100.200:8765/", link=link)


def test_a_blind_screen_shows_letters_alone(planned: Callable[..., Campaign]) -> None:
    campaign = planned("blind", labels=("seer", "mvp"), blind=True)

    async def script(pilot: Pilot[int]) -> None:
        for key in ("", "space", "f", "enter", "p"):
            await pilot.press(*([key] if key else []))
            words = shown(pilot).lower()
            assert "seer" not in words
            assert "mvp" not in words

    with Session.open(campaign.path, console="terminal") as blind:
        operate(blind, script)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)])
def test_every_size_shows_all_keys(session: Session, size: tuple[int, int]) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space")
        words = " ".join(shown(pilot).split())
        for label in ("success", "failed", "time is up", "void", "note", "undo start", "help", "close"):
            assert label in words

    operate(session, script, size=size)


@pytest.mark.parametrize("width", [60, 66, 80])
def test_the_clock_stands_in_its_place_at_every_width(session: Session, clock: Clock, width: int) -> None:
    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("space")
        clock.wait(12 * 60 + 34)
        await pilot.press("p")
        lines = shown(pilot).splitlines()
        drawn = draw("12:34")
        (first,) = (number for number, line in enumerate(lines) if drawn[0] in line)
        assert [line[lines[first].index(drawn[0]) :].rstrip() for line in lines[first : first + 3]] == [
            line.rstrip() for line in drawn
        ]
        assert draw("1")[0] in lines[first]

    operate(session, script, size=(width, 20))


def test_the_end_of_the_campaign(session: Session) -> None:
    while session.state.phase != "finished":
        play(session, 9 if session.state.stages_total > 9 else session.state.stages_total)

    async def script(pilot: Pilot[int]) -> None:
        screen = shown(pilot)
        for line in draw("ALL DONE"):
            assert line in screen
        assert "seer-bench real finish" in screen
        await pilot.press("u")
        assert session.state.phase == "ended"

    operate(session, script)


def test_big_letters() -> None:
    assert draw("I1") == ["▀█▀ ▄█ ", " █   █ ", "▀▀▀ ▀▀▀"]
    assert all(len(line) == len("1111 10001 111") for line in draw("nWo"))
    assert fits("Flip White Bowl", 78)
    assert not fits("Flip White Bowl", 40)
    assert not fits("Schüssel", 78)


def test_a_code_reads_back_as_its_link() -> None:
    import segno

    link = "http://10.0.0.7:8765/enter#abc"
    matrix = segno.make(link, error="l", micro=False).matrix
    lines = panels._code(matrix).splitlines()
    points = [[(" ▄▀█".index(sign) >> shift) & 1 for sign in line] for line in lines for shift in (1, 0)]
    inner = [row[2 : 2 + len(matrix)] for row in points[2 : 2 + len(matrix)]]
    assert inner == [list(row) for row in matrix]


def test_a_torn_press_is_told(planned: Callable[..., Campaign]) -> None:
    campaign = planned("torn")
    with Session.open(campaign.path, console="terminal") as before:
        before.press("space")
    with campaign.log.open("ab") as log:
        log.write(b'{"n":4,"kind":"sta')

    async def script(pilot: Pilot[int]) -> None:
        assert "it does not count" in shown(pilot)
        await pilot.press("p")
        assert "it does not count" not in shown(pilot)

    with Session.open(campaign.path, console="terminal") as session:
        assert session.dropped
        operate(session, script, notice="A press was torn: it does not count.")


def test_long_scenes_and_many_stages_can_be_reached(tmp_path: Path) -> None:
    stages = ", ".join(f"stage word{n} with some more words to fill a line" for n in range(1, 10))
    scene = " ".join(f"Sentence number {n} of this scene is written out at some length." for n in range(1, 13))
    file = tmp_path / "long.yaml"
    file.write_text(
        "schema: seer-bench/real-tasks/1\nname: long\ntrials: 1\naggregation: mean\ntasks:\n  - name: long_task\n"
        f"    instruction: do it\n    stages: [{stages}]\n    setup: {scene}\n    cases: 1\n"
    )
    campaign = Campaign.create(tmp_path / "c", file, [make_arm("seer")], Choices(1, "mean"))

    async def script(pilot: Pilot[int]) -> None:
        assert "number 12" not in shown(pilot)
        await pilot.press(*["down"] * 16)
        assert "number 12" in shown(pilot)
        await pilot.press("space")
        assert "word9" not in shown(pilot)
        await pilot.press("8")
        await pilot.pause()
        assert "word9" in shown(pilot)

    with Session.open(campaign.path, console="terminal") as session:
        operate(session, script)
