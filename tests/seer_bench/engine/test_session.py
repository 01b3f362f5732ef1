from __future__ import annotations

import json
from pathlib import Path

import pytest

from seer_bench import (
    CheckpointError,
    ConventionError,
    RunMismatchError,
    RunRequest,
    UnknownNameError,
    UsageError,
    read_run,
    run,
)
from seer_bench.store import canonical_lines, read_actions

pytestmark = pytest.mark.usefixtures("tally")


class Watcher:
    """Keeps what the engine says."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def started(self, protocol, total, recorded):
        self.events.append(("started", total, len(recorded)))

    def stepped(self, steps):
        self.events.append(("stepped", steps))

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


def test_the_same_command_again_continues_and_plays_nothing_twice(tmp_path):
    run(request(tmp_path / "r", units="2:4"), Watcher())
    before = (tmp_path / "r" / "units.jsonl").read_bytes()
    watcher = Watcher()
    run(request(tmp_path / "r"), watcher)
    assert watcher.events[0] == ("started", 6, 2)
    assert (tmp_path / "r" / "units.jsonl").read_bytes().startswith(before)
    run(request(tmp_path / "whole"), Watcher())
    assert canonical(tmp_path / "r") == canonical(tmp_path / "whole")
    assert len(list((tmp_path / "r" / "sessions").iterdir())) == 2


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


def test_ctrl_c_abandons_the_unit_in_flight_and_keeps_the_others(tmp_path):
    outcome = run(request(tmp_path / "r", options={"fault": "interrupt"}), Watcher())
    assert outcome.interrupted
    assert [r.unit_id for r in outcome.results] == ["tally/v1:unit=0", "tally/v1:unit=1"]
    (session,) = (tmp_path / "r" / "sessions").iterdir()
    assert json.loads(session.read_text())["reason"] == "interrupted"


def test_a_failing_simulator_is_replaced_and_the_unit_tried_again(tmp_path, monkeypatch):
    import tally_plugins

    begun = []
    begin = tally_plugins.TallyEnv.begin

    def flaky(env, unit):
        begun.append(env)
        if unit.index == 2 and len(begun) == 3:
            raise OSError("lost the context")
        return begin(env, unit)

    monkeypatch.setattr(tally_plugins.TallyEnv, "begin", flaky)
    outcome = run(request(tmp_path / "r"), Watcher())
    assert outcome.errors == 0
    assert begun[2] is not begun[3]
    assert begun[2].closed
    assert read_run(tmp_path / "r").results["tally/v1:unit=2"].attempt == 2


def test_an_error_that_stays_is_recorded_and_retried_by_the_next_session(tmp_path, monkeypatch):
    import tally_plugins

    begin = tally_plugins.TallyEnv.begin

    def broken(env, unit):
        if unit.index == 1:
            raise OSError("no memory left")
        return begin(env, unit)

    with monkeypatch.context() as patch:
        patch.setattr(tally_plugins.TallyEnv, "begin", broken)
        outcome = run(request(tmp_path / "r"), Watcher())
    assert outcome.errors == 1
    error = read_run(tmp_path / "r").results["tally/v1:unit=1"]
    assert error.outcome == "error"
    assert "no memory left" in error.error.message
    assert "Traceback" in error.run_info["traceback"]
    assert run(request(tmp_path / "r"), Watcher()).errors == 0
    assert read_run(tmp_path / "r").results["tally/v1:unit=1"].attempt == 3


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
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        run(request(tmp_path / "r", **changes), Watcher())
    assert not (tmp_path / "r").exists()
