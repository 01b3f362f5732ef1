"""The log: power may go at any byte, and an altered line is named."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.session import Session
from seer_bench.errors import DamagedRecordError, StoreError
from tests.fakes.kitchen import Clock, play


def logged(campaign: Campaign, clock: Clock) -> bytes:
    """A short log with one of everything."""
    with Session.open(campaign.path, console="terminal", clock=clock) as session:
        play(session, 2)
        for key, text in (("space", ""), ("p", ""), ("p", ""), ("n", "naïve ☕"), ("1", ""), ("u", ""), ("v", "slip")):
            session.press(key, text)
        session._log.close()
        session._open = False
        session._file_lock.release()
    return campaign.log.read_bytes()


def test_cut_at_every_byte_of_the_last_line(planned: Callable[..., Campaign], clock: Clock) -> None:
    campaign = planned()
    data = logged(campaign, clock)
    start = data.rindex(b"\n", 0, len(data) - 1) + 1
    campaign.log.write_bytes(data[:start])
    before = campaign.state()
    for end in range(start, len(data)):
        campaign.log.write_bytes(data[:end])
        assert campaign.state() == before, "only the press that was being written is lost"
        assert campaign.history().torn == end - start
    campaign.log.write_bytes(data)
    assert campaign.state() != before


def test_after_a_cut_the_log_goes_on(planned: Callable[..., Campaign], clock: Clock) -> None:
    campaign = planned()
    data = logged(campaign, clock)
    campaign.log.write_bytes(data[:-7])
    with Session.open(campaign.path, console="terminal", clock=clock) as session:
        assert session.dropped > 0
        assert session.state.phase == "running", "the void was never acknowledged"
        assert session.state.paused
        session.press("v", "slip")
    assert [event.kind for event in campaign.history().events][-3:] == ["opened", "void", "closed"]


def test_every_altered_line_is_named(planned: Callable[..., Campaign], clock: Clock) -> None:
    campaign = planned()
    lines = logged(campaign, clock).splitlines(keepends=True)
    for i, line in enumerate(lines):
        campaign.log.write_bytes(b"".join([*lines[:i], line.replace(b'"kind":"', b'"kind":"x', 1), *lines[i + 1 :]]))
        with pytest.raises(DamagedRecordError, match=f"line {i + 1}:"):
            campaign.state()
    for i in range(len(lines) - 1):
        campaign.log.write_bytes(b"".join([*lines[:i], *lines[i + 1 :]]))
        with pytest.raises(DamagedRecordError, match=f"line {i + 1}:.*removed"):
            campaign.state()
    campaign.log.write_bytes(b"".join([*lines[:2], b"not json\n", *lines[2:]]))
    with pytest.raises(DamagedRecordError, match="line 3: is no event"):
        campaign.state()


def test_a_forged_time_or_result_is_found(planned: Callable[..., Campaign], clock: Clock) -> None:
    campaign = planned()
    lines = logged(campaign, clock).splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"stage":2' in line)
    forged = json.loads(lines[at])
    forged["data"]["stage"] = 1
    campaign.log.write_bytes(b"".join([*lines[:at], json.dumps(forged).encode() + b"\n", *lines[at + 1 :]]))
    with pytest.raises(DamagedRecordError, match=f"line {at + 1}: its contents do not have the hash"):
        Session.open(campaign.path, console="terminal")


def test_a_log_of_another_campaign(planned: Callable[..., Campaign], clock: Clock) -> None:
    one, other = planned("one"), planned("other", seed=1)
    other.log.write_bytes(logged(one, clock))
    with pytest.raises(DamagedRecordError, match=r"line 1:.*another campaign"):
        other.state()


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_full_disk_is_said_before_anything_changes(
    session: Session, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    session.press("space")
    state, data, seen = session.state, session.campaign.log.read_bytes(), []
    session.subscribe(seen.append)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="not recorded: No space left"):
            session.press("1")
    assert session.state is state
    assert session.campaign.log.read_bytes() == data
    assert not seen
    session.press("1")
    assert session.state.stages_done == 1
    assert session.campaign.state() == session.state


def test_half_a_line_on_a_full_disk_is_cut_off(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = os.pwrite, []

    def stingy(fd: int, data: bytes, at: int) -> int:
        calls.append(at)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data[:20], at)

    data = session.campaign.log.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", stingy)
        with pytest.raises(StoreError, match="press again"):
            session.press("space")
    assert session.campaign.log.read_bytes() == data


def test_a_replaced_log_is_refused(session: Session) -> None:
    session.campaign.log.rename(session.campaign.log.with_suffix(".old"))
    session.campaign.log.write_bytes(b"")
    with pytest.raises(StoreError, match="replaced by another one"):
        session.press("space")
    session.campaign.log.with_suffix(".old").replace(session.campaign.log)


PRESSER = """
import sys
from pathlib import Path
from real_robot_benchmark.session import Session

session = Session.open(Path(sys.argv[1]), console="terminal")
while True:
    for key in ("space", "1", "u", "1", "p", "p", "f", "enter"):
        state = session.press(key)
        print(len(session._log.history.events), state.phase, state.done, state.stages_done, state.paused, flush=True)
    if state.phase == "finished":
        break
"""


def test_kill_9_loses_nothing_that_was_acknowledged(planned: Callable[..., Campaign]) -> None:
    for i, delay in enumerate((0.0, 0.013, 0.05)):
        campaign = planned(f"killed{i}")
        process = subprocess.Popen(
            [sys.executable, "-c", PRESSER, str(campaign.path)], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(5)]
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        number, phase, done, stages, paused = told[-1].split() if told[-1].endswith("\n") else told[-2].split()
        events = campaign.history().events
        assert len(events) in (int(number), int(number) + 1), "at most the press that was under way came to be"
        if len(events) == int(number):
            state = campaign.state()
            assert [state.phase, str(state.done), str(state.stages_done), str(state.paused)] == [
                phase, done, stages, paused,
            ]  # fmt: skip
        with Session.open(campaign.path, console="terminal") as session:
            assert session.state.paused == (session.state.phase == "running"), "the lock is free, and nothing ticks"
