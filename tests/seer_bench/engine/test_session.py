from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from seer_bench import (
    CheckpointError,
    ConventionError,
    Limits,
    RunMismatchError,
    RunRequest,
    SimulationError,
    StoreError,
    Unit,
    UnknownNameError,
    UsageError,
    read_run,
    run,
)
from seer_bench.engine.crew import Crew
from seer_bench.store import canonical_lines, find_runs, merge_runs, read_actions

pytestmark = pytest.mark.usefixtures("tally")


class Watcher:
    """Keeps what the engine says."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def started(self, protocol, total, recorded):
        self.events.append(("started", total, len(recorded)))

    def stepped(self, steps):
        self.events.append(("stepped", steps))

    def noted(self, text):
        self.events.append(("noted", text))

    def busy(self, units): ...

    def finished(self, result):
        self.events.append(("finished", result.unit_id, result.outcome))

    def closed(self):
        self.events.append(("closed",))


def request(out: Path, **changes: object) -> RunRequest:
    return RunRequest(**({"benchmark": "tally", "policy": "add", "out": out} | changes))


def canonical(path: Path) -> list[str]:
    return canonical_lines(read_run(path).results.values())


def test_a_run_records_every_unit_with_its_actions(tmp_path):
    watcher = Watcher()
    outcome = run(request(tmp_path / "r"), watcher)
    assert [r.unit_id for r in outcome.results] == [f"tally/v1:unit={i}" for i in range(6)]
    assert outcome.errors == 0
    assert watcher.events[0] == ("started", 6, 0)
    assert watcher.events[-1] == ("closed",)
    data = read_run(tmp_path / "r")
    for result in data.results.values():
        assert len(read_actions(data.path, result)) == sum(s.steps for s in result.subtasks)


def test_records_say_when_and_where_they_ended_and_sessions_what_was_asked_for(tmp_path):
    before = time.time()
    run(request(tmp_path / "r", units="0:3", workers=2), Watcher())
    data = read_run(tmp_path / "r")
    (session,) = data.sessions
    assert session.facts["units"] == 3
    for result in data.results.values():
        assert before - 0.01 <= result.run_info["finished"] <= time.time() + 0.01
        assert result.run_info["worker"] in (0, 1)
        assert result.run_info["session"] == session.id


def test_the_same_command_again_continues_and_plays_nothing_twice(tmp_path):
    run(request(tmp_path / "r", units="2:4"), Watcher())
    before = (tmp_path / "r" / "units.jsonl").read_bytes()
    watcher = Watcher()
    run(request(tmp_path / "r"), watcher)
    assert watcher.events[0] == ("started", 6, 2)
    assert (tmp_path / "r" / "units.jsonl").read_bytes().startswith(before)
    run(request(tmp_path / "whole"), Watcher())
    assert canonical(tmp_path / "r") == canonical(tmp_path / "whole")
    sessions = read_run(tmp_path / "r").sessions
    assert [(s.facts["units"], s.facts["done"]) for s in sessions] == [(2, 0), (6, 2)]


def test_the_order_of_units_does_not_reach_the_records(tmp_path):
    for part in ("3:6", "0", "1:3"):
        run(request(tmp_path / "r", units=part), Watcher())
    run(request(tmp_path / "whole"), Watcher())
    assert canonical(tmp_path / "r") == canonical(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"protocol": "tally/v2"}, "tally/v2"),
        ({"options": {"step": "2"}}, "step"),
        ({"seed": 1}, "seed"),
    ],
)
def test_another_run_under_the_same_directory_is_refused_in_words(tmp_path, changes, named):
    run(request(tmp_path / "r", units="0"), Watcher())
    before = (tmp_path / "r" / "units.jsonl").read_bytes()
    with pytest.raises(RunMismatchError, match=named):
        run(request(tmp_path / "r", **changes), Watcher())
    assert (tmp_path / "r" / "units.jsonl").read_bytes() == before


def test_another_checkpoint_under_the_same_directory_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"weights {name}")
    run(request(tmp_path / "r", units="0", checkpoint=tmp_path / "a"), Watcher())
    (tmp_path / "moved").write_text("weights a")
    run(request(tmp_path / "r", units="1", checkpoint=tmp_path / "moved"), Watcher())
    with pytest.raises(RunMismatchError, match="checkpoint"):
        run(request(tmp_path / "r", units="2", checkpoint=tmp_path / "b"), Watcher())


class Impatient(Watcher):
    """Presses Ctrl-C when the second unit is recorded."""

    def finished(self, result):
        super().finished(result)
        if sum(event[0] == "finished" for event in self.events) == 2:
            signal.raise_signal(signal.SIGINT)


def test_a_second_ctrl_c_while_a_session_closes_changes_nothing(tmp_path, monkeypatch):
    class Hasty(Impatient):
        def closed(self):
            super().closed()
            signal.raise_signal(signal.SIGINT)

    ended = []
    close = Crew.close
    monkeypatch.setattr(Crew, "close", lambda crew: (signal.raise_signal(signal.SIGINT), close(crew), ended.append(1)))
    outcome = run(request(tmp_path / "r", workers=2), Hasty())
    assert outcome.interrupted
    assert ended == [1]
    assert multiprocessing.active_children() == []
    assert len(read_run(tmp_path / "r").results) == len(outcome.results)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # afterwards it is an exception again


def test_ctrl_c_abandons_the_units_in_flight_and_keeps_the_others(tmp_path):
    outcome = run(request(tmp_path / "r", workers=2), Impatient())
    assert outcome.interrupted
    assert 2 <= len(outcome.results) < 6
    (session,) = (tmp_path / "r" / "sessions").iterdir()
    assert json.loads(session.read_text())["reason"] == "interrupted"
    run(request(tmp_path / "r"), Watcher())
    run(request(tmp_path / "whole"), Watcher())
    assert canonical(tmp_path / "r") == canonical(tmp_path / "whole")


@pytest.fixture
def faults(tmp_path, monkeypatch) -> Path:
    """A folder of faults that strike once each; see `tally_plugins.strike`."""
    folder = tmp_path / "faults"
    folder.mkdir()
    monkeypatch.setenv("TALLY_FAULTS", str(folder))
    return folder


@pytest.mark.parametrize("placement", ["main", "worker"])
@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("raise", "begin"),
        ("raise", "advance"),
        ("SIGKILL", "begin"),
        ("SIGKILL", "advance"),
        ("SIGSEGV", "advance"),
        ("exit", "advance"),
        ("interrupt", "advance"),
        ("orphan", "advance"),
    ],
)
def test_a_worker_that_fails_is_replaced_and_its_unit_played_again(tmp_path, faults, how, where, placement):
    (faults / f"2.{where}.{how}.0").touch()
    started = time.monotonic()
    outcome = run(request(tmp_path / "r", workers=2, options={"placement": placement}), Watcher())
    assert time.monotonic() - started < 25
    assert outcome.errors == 0
    assert list(faults.iterdir()) == []
    result = read_run(tmp_path / "r").results["tally/v1:unit=2"]
    assert result.attempt == 2
    lines = (tmp_path / "r" / "units.jsonl").read_text().splitlines()
    (error,) = [line for line in lines if '"outcome":"error"' in line]
    own = {"raise": "lost the context", "exit": "exit code 7", "interrupt": "exit code 1", "orphan": "SIGKILL"}
    named = own.get(how, how)
    assert named in error


def test_a_worker_that_hangs_is_killed(tmp_path, faults):
    (faults / "2.advance.hang.0").touch()
    watcher = Watcher()
    outcome = run(request(tmp_path / "r", workers=2, limits=Limits(silence=1.0)), watcher)
    assert outcome.errors == 0
    assert ("finished", "tally/v1:unit=2", "error") in watcher.events
    assert "no control step for 1 s" in (tmp_path / "r" / "units.jsonl").read_text()


def test_a_worker_that_is_stopped_is_killed(tmp_path):
    class Stopper(Watcher):
        def finished(self, result):
            super().finished(result)
            if result.unit_id.endswith("unit=0"):
                for child in multiprocessing.active_children():
                    os.kill(child.pid, signal.SIGSTOP)

    watcher = Stopper()
    outcome = run(request(tmp_path / "r", workers=1, limits=Limits(silence=1.0)), watcher)
    assert outcome.errors == 0
    assert ("finished", "tally/v1:unit=1", "error") in watcher.events
    assert "no control step for 1 s" in (tmp_path / "r" / "units.jsonl").read_text()


def test_a_worker_that_eats_memory_is_killed(tmp_path, faults):
    (faults / "2.advance.leak.0").touch()
    outcome = run(request(tmp_path / "r", workers=2, limits=Limits(memory=180_000_000)), Watcher())
    assert outcome.errors == 0
    assert "--worker-memory allows less" in (tmp_path / "r" / "units.jsonl").read_text()


def test_an_error_that_stays_is_recorded_and_retried_by_the_next_session(tmp_path, faults):
    for n in range(2):
        (faults / f"1.begin.raise.{n}").touch()
    outcome = run(request(tmp_path / "r"), Watcher())
    assert outcome.errors == 1
    error = read_run(tmp_path / "r").results["tally/v1:unit=1"]
    assert error.outcome == "error"
    assert "lost the context" in error.error.message
    assert "Traceback" in error.run_info["traceback"]
    assert run(request(tmp_path / "r"), Watcher()).errors == 0
    assert read_run(tmp_path / "r").results["tally/v1:unit=1"].attempt == 3


@pytest.mark.parametrize("placement", ["main", "worker"])
def test_a_worker_builds_its_environment_once(tmp_path, monkeypatch, placement):
    made = tmp_path / "made"
    made.mkdir()
    monkeypatch.setenv("TALLY_MADE", str(made))
    run(request(tmp_path / "r", workers=2, options={"placement": placement}), Watcher())
    assert len(list(made.iterdir())) == 2


def test_an_observation_that_is_not_as_declared_is_the_infrastructures_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("TALLY_MISSHAPEN", "yes")
    (result,) = run(request(tmp_path / "r", units="0"), Watcher()).results
    assert result.error.kind == "infrastructure_error"
    assert "gave 'total' as float64 (), declared is float64 (1,)" in result.error.message


def test_a_policy_in_a_worker_gets_the_threads_that_were_asked_for(tmp_path):
    options = {"placement": "worker", "fault": "threads"}
    run(request(tmp_path / "r", units="0", threads=3, options=options), Watcher())
    (result,) = read_run(tmp_path / "r").results.values()
    assert read_actions(tmp_path / "r", result)[0, 0] == 3


def test_a_policy_is_closed_where_its_run_is_refused(tmp_path, monkeypatch):
    import tally_plugins

    def no_renderer(*_, **__):
        raise SimulationError("no renderer")

    closed = []
    monkeypatch.setattr(tally_plugins.TallyBenchmark, "probe", no_renderer)
    monkeypatch.setattr(tally_plugins.AddPolicy, "close", lambda _: closed.append(1))
    with pytest.raises(SimulationError, match="no renderer"):
        run(request(tmp_path / "r"), Watcher())
    assert closed == [1]


def test_what_failed_before_is_played_last(tmp_path, faults):
    for n in range(2):
        (faults / f"0.begin.raise.{n}").touch()
    run(request(tmp_path / "r", units="0"), Watcher())
    watcher = Watcher()
    run(request(tmp_path / "r", workers=1), watcher)
    played = [event[1][-1] for event in watcher.events if event[0] == "finished"]
    assert played == ["1", "2", "3", "4", "5", "0"]


def test_workers_that_cannot_be_started_end_the_run_in_words(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("seer_bench.engine.crew.channel_pair", full)
    with pytest.raises(SimulationError, match=r"Too many open files. Take fewer --workers"):
        run(request(tmp_path / "r"), Watcher())


def test_a_storm_of_failures_ends_the_session_with_its_reason(tmp_path, faults):
    for unit in range(6):
        for n in range(9):
            (faults / f"{unit}.begin.raise.{n}").touch()
    outcome = run(request(tmp_path / "r", workers=2), Watcher())
    assert outcome.gave_up is not None
    assert "lost the context" in outcome.gave_up
    (session,) = (tmp_path / "r" / "sessions").iterdir()
    assert "attempts in a row failed" in json.loads(session.read_text())["reason"]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("options", [{"placement": "worker"}, {}, {"batch": "3"}, {"batch": "3", "chunk": "2"}])
def test_the_number_of_workers_does_not_reach_the_records(tmp_path, workers, options):
    run(request(tmp_path / "r", workers=workers, options=options), Watcher())
    run(request(tmp_path / "one", workers=1, options=options), Watcher())
    assert canonical(tmp_path / "r") == canonical(tmp_path / "one")


def test_a_batch_that_leaks_between_rows_is_not_used_unless_asked_for(tmp_path):
    leaky = {"batch": "3", "fault": "neighbours"}
    watcher = Watcher()
    run(request(tmp_path / "r", workers=3, options=leaky), watcher)
    (note,) = [event[1] for event in watcher.events if event[0] == "noted"]
    assert "batch 1 instead of 3: a row's actions change with its neighbours" in note
    assert read_run(tmp_path / "r").manifest.policy.batch == 1
    run(request(tmp_path / "fast", workers=3, options=leaky, fast=True), Watcher())
    assert read_run(tmp_path / "fast").manifest.policy.fast


def test_a_policy_that_fails_in_a_batch_fails_only_the_unit_that_made_it(tmp_path):
    run(request(tmp_path / "r", workers=4, options={"batch": "4", "fault": "raise late"}), Watcher())
    run(request(tmp_path / "one", workers=1, options={"batch": "4", "fault": "raise late"}), Watcher())
    assert canonical(tmp_path / "r") == canonical(tmp_path / "one")
    results = read_run(tmp_path / "r").results
    assert {r.outcome for r in results.values()} == {"success", "failure"}


@pytest.mark.parametrize("placement", ["main", "worker"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("exit", "SystemExit: 3"),
        ("cancelled", "CancelledError: gone"),
        ("pretended Ctrl-C", "KeyboardInterrupt: "),
        ("unprintable", "UnprintableError, whose text cannot be made"),
    ],
)
def test_a_policy_that_raises_whatever_it_may_be_fails_its_units(tmp_path, placement, fault, words):
    options = {"fault": fault, "placement": placement}
    outcome = run(request(tmp_path / "r", workers=2, units="0:2", options=options), Watcher())
    assert [(r.error.kind, r.error.message) for r in outcome.results] == [("policy_error", words)] * 2


@pytest.mark.parametrize("placement", ["main", "worker"])
def test_a_policy_may_use_programs_processes_and_arrays_of_its_own_class(tmp_path, placement):
    for fault in ("children", "subclass"):
        options = {"fault": fault, "placement": placement}
        outcome = run(request(tmp_path / fault, workers=2, units="0:2", options=options), Watcher())
        assert [r.error for r in outcome.results] == [None] * 2


@pytest.mark.parametrize("placement", ["main", "worker"])
def test_a_policy_that_is_out_costs_no_score_and_is_named_once(tmp_path, placement):
    outcome = run(request(tmp_path / "r", units="0", options={"fault": "outage", "placement": placement}), Watcher())
    (result,) = outcome.results
    assert result.error.kind == "infrastructure_error"
    assert result.error.message == "SimulationError: the server is away"
    assert "in act" in result.run_info["traceback"]


@pytest.mark.parametrize("placement", ["main", "worker"])
def test_long_texts_are_cut(tmp_path, placement):
    run(request(tmp_path / "r", units="0", options={"fault": "essay", "placement": placement}), Watcher())
    assert "characters left out" in (tmp_path / "r" / "units.jsonl").read_text()
    assert (tmp_path / "r" / "units.jsonl").stat().st_size < 50_000


def test_what_a_policy_says_when_it_fails_is_no_part_of_the_outcome(tmp_path):
    for name in ("a", "b"):
        run(request(tmp_path / name, units="0:2", options={"fault": "address"}), Watcher())
    assert canonical(tmp_path / "a") == canonical(tmp_path / "b")
    merged = merge_runs([read_run(tmp_path / name) for name in ("a", "b")])
    assert "bad <object" in merged.results["tally/v1:unit=0"].error.message


def test_a_policy_that_changes_the_directory_does_not_move_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(request(Path("r"), units="0:2", options={"fault": "wander"}), Watcher())
    assert len(read_run(tmp_path / "r").results) == 2


def test_a_policy_that_hangs_ends_the_session_with_its_reason(tmp_path):
    outcome = run(request(tmp_path / "r", workers=2, options={"fault": "hang"}, limits=Limits(policy=1.0)), Watcher())
    assert outcome.gave_up == "the policy has not returned from a call for 1 s"
    assert outcome.results == ()


def test_a_policy_that_fails_the_check_of_its_rows_is_played_alone_and_fails_its_units(tmp_path):
    outcome = run(request(tmp_path / "r", options={"fault": "raise", "batch": "3"}), Watcher())
    assert [r.error.message for r in outcome.results] == ["RuntimeError: weights on fire"] * 6
    assert read_run(tmp_path / "r").manifest.policy.batch == 1


def test_an_idle_worker_that_was_killed_costs_no_attempt(tmp_path):
    class Killer(Watcher):
        def finished(self, result):
            super().finished(result)
            if result.unit_id.endswith("unit=2"):
                for child in multiprocessing.active_children():
                    child.kill()
                    child.join()

    outcome = run(request(tmp_path / "r", workers=1), Killer())
    assert [r.attempt for r in outcome.results] == [1] * 6


@pytest.mark.parametrize("name", ["tally/v1:unit=1", "tally/v1:suite={i}:UNIT=1", "tally/v1:unit {i}"])
def test_units_that_could_not_be_kept_apart_are_refused_before_anything_is_written(tmp_path, monkeypatch, name):
    import tally_plugins

    ids = ["tally/v1:unit=1", *(name.format(i=i) for i in range(5))]
    units = [Unit(unit_id, i) for i, unit_id in enumerate(ids)]
    monkeypatch.setattr(tally_plugins.TallyBenchmark, "units", lambda *_: units)
    with pytest.raises(StoreError, match=r"both would keep|cannot be a file name"):
        run(request(tmp_path / "r"), Watcher())
    assert not (tmp_path / "r").exists()


def test_shards_share_nothing_and_merge_to_the_whole(tmp_path):
    for i in range(3):
        run(request(tmp_path / "r" / f"shard-{i}", shard=(i, 3)), Watcher())
    run(request(tmp_path / "whole"), Watcher())
    merged = merge_runs([read_run(path) for path in find_runs([tmp_path / "r"])])
    assert canonical_lines(merged.results.values()) == canonical(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"policy": "ad"}, UnknownNameError, "Did you mean 'add'"),
        ({"benchmark": "tallly"}, UnknownNameError, "Did you mean 'tally'"),
        ({"protocol": "tally/v9"}, UnknownNameError, "tally/v1"),
        ({"backend": "upstream"}, UnknownNameError, "backend 'upstream'"),
        ({"units": "4:9"}, UsageError, "0:6"),
        ({"checkpoint": Path("nowhere.pth")}, CheckpointError, "nowhere.pth"),
        ({"options": {"chunk": "0"}}, ConventionError, "chunk=0"),
        ({"workers": 0}, UsageError, "--workers 0"),
        ({"threads": -2}, UsageError, "--threads -2"),
        ({"limits": Limits(memory=0)}, UsageError, "--worker-memory 0"),
        ({"limits": Limits(silence=-5)}, UsageError, "--stall-timeout -5"),
        ({"limits": Limits(silence=float("nan"))}, UsageError, "--stall-timeout nan"),
        ({"limits": Limits(policy=0)}, UsageError, "--policy-timeout 0"),
        ({"device": "cuda:"}, UsageError, "--device 'cuda:'"),
        ({"device": ""}, UsageError, "--device ''"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        run(request(tmp_path / "r", **changes), Watcher())
    assert not (tmp_path / "r").exists()
