"""A whole campaign by keystrokes in a real terminal, with the process killed in the middle."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable

import pytest

pytest.importorskip("textual", reason="the console needs textual: pip install 'seer-bench[real]'")

from real_robot_benchmark.campaign import Campaign

PATIENCE = 30.0
"""Seconds; the machine may be busy."""


class Operator:
    """Somebody at a terminal of 80 x 24."""

    def __init__(self, campaign: Campaign, *options: str) -> None:
        self.campaign = campaign
        self.said = b""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seer_bench", "real", "run", str(campaign.path), *options],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        os.close(slave)
        self._master = master
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, keys: str, *, lines: int = 1) -> None:
        """Press keys and wait until so many lines more are in the log."""
        before = self._lines()
        os.write(self._master, keys.encode())
        self.wait(lambda: self._lines() == before + lines)

    def answer(self, key: str, text: str) -> None:
        """Press a key that asks, answer with a text."""
        seen = len(self.said)
        os.write(self._master, key.encode())
        self.wait(lambda: b"enter keeps it" in self.said[seen:])
        self.press(f"{text}\r")

    def wait(self, done: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < ends, self.said[-2000:]
            time.sleep(0.01)

    def ready(self, words: str) -> None:
        """Wait for words on the screen."""
        self.wait(lambda: words.encode() in self.said)

    def kill(self) -> None:
        """As when the power goes."""
        self.process.kill()
        self.process.wait()

    def hang_up(self) -> None:
        """The terminal goes, and no signal tells."""
        self._open = False
        self._reader.join(PATIENCE)
        os.close(self._master)

    def leaves(self) -> int:
        """The exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def _lines(self) -> int:
        return self.campaign.log.read_bytes().count(b"\n") if self.campaign.log.exists() else 0

    def _read(self) -> None:
        while self._open:
            try:
                if select.select([self._master], [], [], 0.2)[0]:
                    part = os.read(self._master, 1 << 16)
                    self.said += part
            except OSError:
                return


@pytest.fixture
def campaign(planned: Callable[..., Campaign]) -> Campaign:
    return planned(trials=1, blind=True)


def test_a_whole_campaign_by_keystrokes(campaign: Campaign) -> None:
    one = Operator(campaign, "--operator", "Ann")
    one.ready("Trial 1 of 10")
    one.press(" ")
    one.press("1")
    one.press("u")
    one.answer("n", "hesitates")
    one.press("s")
    one.press("\r")
    one.press(" ")
    one.press("vcamera lost\r")  # typed faster than the question comes up
    one.press(" ")
    one.press("f")
    one.press("\r")
    one.press(" ")
    one.press("1")
    one.kill()

    two = Operator(campaign, "--operator", "Ben")
    two.ready("Trial 3 of 10")
    two.ready("clocks stand still")
    state = campaign.state()
    assert (state.phase, state.paused, state.stages_done, state.done) == ("running", True, 1, 2)
    two.press("p")
    two.press("t")
    two.press("\r")
    for number in range(4, 11):
        two.press(" ")
        two.press("s" if number % 2 else "f")
        two.press("\r")
    two.ready("seer-bench real finish")
    two.answer("e", "5 wrong cup")
    two.press(" ")
    two.press("s")
    two.press("\r")
    os.write(two._master, b"q")
    two.ready("Close the console?")
    two.press("y")
    assert two.leaves() == 0

    state = campaign.state()
    assert (state.phase, state.done, len(state.attempts)) == ("finished", 10, 12)
    assert [(a.trial.number, a.reason) for a in state.voided] == [(2, "camera lost"), (5, "wrong cup")]
    outcomes = [attempt.outcome for attempt in state.valid]
    assert outcomes == ["success", "failure", "failure", *("success" if n % 2 else "failure" for n in range(4, 11))]
    assert state.valid[0].notes == ("hesitates",)
    assert (state.valid[2].reason, state.valid[2].stages_done) == ("timeout", 1)
    opened = [e.data["operator"] for e in campaign.history().events if e.kind == "opened"]
    assert opened == ["Ann", "Ben"]
    for said in (one.said, two.said):
        assert b"seer/" not in said
        assert b"mvp" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_puts_the_console_away(campaign: Campaign, number: signal.Signals) -> None:
    operator = Operator(campaign, "--web", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - behind a token
    operator.ready("Trial 1 of 10")
    operator.press(" ")
    assert b"http://" in operator.said
    assert b"enter#" not in operator.said  # the link is shown when it is asked for
    operator.process.send_signal(number)
    assert operator.leaves() == 130
    assert b"\x1b[?1049l" in operator.said  # the screen is as it was before
    assert campaign.history().events[-1].kind == "closed"


def test_a_terminal_that_is_gone_ends_the_console(campaign: Campaign) -> None:
    operator = Operator(campaign)
    operator.ready("Trial 1 of 10")
    operator.press(" ")
    operator.hang_up()
    assert operator.leaves() == 130
    assert [event.kind for event in campaign.history().events] == ["opened", "start", "closed"]


def test_the_second_console_is_refused(campaign: Campaign) -> None:
    first = Operator(campaign)
    first.ready("Trial 1 of 10")
    second = Operator(campaign)
    assert second.leaves() == 2
    assert b"the terminal console" in second.said
    first.press(" ")
    first.kill()
