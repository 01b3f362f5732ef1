"""Whole runs over the wire: with a server that is killed, and from the command line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
from rich.console import Console

from remote_policy.policy import ServedPolicyClient
from seer_bench import RunRequest, run
from seer_bench.report import monitor_for
from tests.fakes.serving import Historian, serving


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
    request = RunRequest("tally", policy, out, workers=1, options={key: str(value) for key, value in options.items()})
    return {result.unit_id: result for result in run(request, monitor_for(Console(quiet=True))).results}


def outcomes(results):
    """What is scored and what was done, by unit."""
    assert all(result.outcome != "error" for result in results.values())
    return {
        unit: (result.outcome, result.subtasks, result.actions_sha256, result.seed) for unit, result in results.items()
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
    assert outcomes(second) == outcomes(here)


def play_and_kill(out, process):
    """A run whose server is killed once the policy is connected, before the first step."""
    begin = ServedPolicyClient.begin

    def strike(self, slots, units):
        process.kill()
        process.wait()
        begin(self, slots, units)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServedPolicyClient, "begin", strike)
        return play("remote", out, wait=0.2)


@pytest.mark.usefixtures("tally")
def test_a_server_that_starts_anew_in_the_middle_changes_no_outcome(tmp_path, monkeypatch):
    with serving(Historian(batch=2)) as port:
        whole = play("remote", tmp_path / "whole", url=f"ws://127.0.0.1:{port}")
    act, records, restarted = ServedPolicyClient.act, tmp_path / "broken" / "units.jsonl", []
    with ExitStack() as old, ExitStack() as new:
        port = old.enter_context(serving(Historian(batch=2)))

        def restart(self, slots, observations):
            subtask_begins = slots[0] in self._beginnings
            if not restarted and not subtask_begins and records.exists() and records.stat().st_size:
                restarted.append(slots)
                old.close()
                new.enter_context(serving(Historian(batch=2), port=port, instance="two"))
            return act(self, slots, observations)

        monkeypatch.setattr(ServedPolicyClient, "act", restart)
        broken = play("remote", tmp_path / "broken", url=f"ws://127.0.0.1:{port}", wait=5)
    assert outcomes(broken) == outcomes(whole)
    assert sorted(result.attempt for result in broken.values()) == [1, 1, 1, 1, 1, 2]


@pytest.mark.usefixtures("tally")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--token-file"),  # noqa: S104 - refused
        (["--port", "70000"], "0 to 65535"),
        (["--threads", "0"], "at least 1"),
        (["--token-file", "nowhere"], "cannot be read"),
    ],
)
def test_serve_refuses_what_cannot_be(arguments, said):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "seer_bench", "serve", "--policy", "add", "--benchmark", "tally", *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert (answer.returncode, said in answer.stderr) == (2, True), answer.stderr


@pytest.mark.usefixtures("tally")
def test_serve_refuses_a_port_in_use_before_it_loads_the_policy():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "seer_bench", "serve", "--policy", "no such", "--benchmark", "tally"]
        answer = subprocess.run([*command, "--port", str(port)], env=environment, capture_output=True, text=True)
    assert (answer.returncode, "in use" in answer.stderr) == (2, True), answer.stderr


@pytest.mark.usefixtures("tally")
def test_serve_ends_on_sigterm():
    with server() as (_, process):
        process.terminate()
        started = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - started < 8
