"""Whole runs over the wire: with a server that is killed, and from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from rich.console import Console

from seer_bench import RunRequest, run
from seer_bench.report import monitor_for


@contextmanager
def server(port=0, *more):
    """`seer-bench serve` with the policy `add`, in a process of its own; gives its address and the process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [
        sys.executable,
        "-m",
        "seer_bench",
        "serve",
        "--policy",
        "add",
        "--benchmark",
        "tally",
        "--port",
        str(port),
    ]
    with subprocess.Popen([*command, *more], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert " at ws://" in line, line
            yield line.split(" at ")[1].split()[0], process
        finally:
            process.kill()


def play(policy, out, **options):
    request = RunRequest("tally", policy, out, workers=2, options={key: str(value) for key, value in options.items()})
    return {result.unit_id: result for result in run(request, monitor_for(Console(quiet=True))).results}


def outcome(result):
    return result.outcome, result.subtasks, result.actions_sha256, result.seed


@pytest.mark.usefixtures("tally")
def test_the_same_records_as_in_one_process(tmp_path):
    here = play("add", tmp_path / "here")
    with server() as (url, _):
        there = play("remote", tmp_path / "there", url=url)
    assert {unit: outcome(result) for unit, result in there.items()} == {
        unit: outcome(result) for unit, result in here.items()
    }


@pytest.mark.usefixtures("tally")
def test_a_server_that_is_gone_scores_nothing_and_the_command_goes_on(tmp_path, monkeypatch):
    here = play("add", tmp_path / "here")
    with server() as (url, process):
        monkeypatch.setenv("SEER_BENCH_REMOTE_URL", url)
        first = play_and_kill(tmp_path / "there", process)
    assert {result.outcome for result in first.values()} == {"error"}
    with server() as (url, _):
        monkeypatch.setenv("SEER_BENCH_REMOTE_URL", url)  # another port: no part of the run's identity
        second = play("remote", tmp_path / "there", wait=0.2)
    assert {unit: outcome(result) for unit, result in second.items()} == {
        unit: outcome(result) for unit, result in here.items()
    }


def play_and_kill(out, process):
    """A run whose server is killed once the policy is connected, before the first step."""
    from remote_policy.policy import ServedPolicyClient

    begin = ServedPolicyClient.begin

    def strike(self, slots, units):
        process.kill()
        process.wait()
        begin(self, slots, units)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServedPolicyClient, "begin", strike)
        return play("remote", out, wait=0.2)


@pytest.mark.usefixtures("tally")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--token-file"),  # noqa: S104 - refused
        (["--port", "70000"], "0 to 65535"),
        (["--max-megabytes", "0"], "at least 1"),
        (["--token-file", "nowhere"], "cannot be read"),
    ],
)
def test_serve_refuses_what_cannot_be(arguments, said):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "seer_bench", "serve", "--policy", "add", "--benchmark", "tally", *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert (answer.returncode, said in answer.stderr) == (2, True), answer.stderr


@pytest.mark.usefixtures("tally")
def test_serve_ends_on_sigterm():
    with server() as (_, process):
        process.terminate()
        started = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - started < 8
