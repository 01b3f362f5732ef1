from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from seer_bench.engine.channel import channel_pair
from seer_bench.engine.process import Looks


def test_a_message_that_has_come_in_part_is_not_waited_for():
    ours, theirs = channel_pair(1.0)
    try:
        theirs._end.send(b"\x10\x00")
        assert ours.read() is None
        theirs._end.send(b"\x00\x00half")
        assert ours.read() is None
    finally:
        ours.close()
        theirs.close()


def test_messages_of_any_size_arrive_whole_and_the_end_is_told():
    ours, theirs = channel_pair(5.0)
    for message in ("", "x" * 100_000, [1, 2.5, None]):
        theirs.send(message)
        assert ours.receive() == message
    theirs.close()
    with pytest.raises(EOFError):
        ours.read()
    ours.close()


def test_sending_to_an_end_that_does_not_read_does_not_take_for_ever():
    ours, theirs = channel_pair(0.05)
    with pytest.raises(socket.timeout):
        ours.send(b"x" * 10_000_000)
    ours.close()
    theirs.close()


def test_interrupts_stay_blocked_while_the_first_process_is_started():
    code = (
        "import signal; from multiprocessing import resource_tracker; from seer_bench.engine.process import *\n"
        "with blocked_interrupts():\n"
        "    resource_tracker.ensure_running()\n"
        "    assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        "assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_process_that_was_stopped_counts_one_long_look_as_a_short_one():
    looks = Looks()
    looks._last -= 3600
    assert looks.passed() == 1.0
    assert looks.passed() < 0.5
