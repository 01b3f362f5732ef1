from __future__ import annotations

import io
from datetime import datetime

from rich.console import Console

from seer_bench.report import print_status
from seer_bench.store import RunWriter, is_being_written


def status(path, now: float = 0.0) -> str:
    console = Console(file=io.StringIO(), width=60)
    print_status(path, console, clock=lambda: now)
    return console.file.getvalue()


def write(path, fake, results, *, units=10, done=0, reason="finished", manifest=None):
    """One session of a run."""
    with RunWriter.open(path, manifest or fake.make_manifest()) as writer:
        session = writer.start_session({"units": units, "done": done})
        for result in results:
            result = result.with_run_info(session=session)
            writer.append(result, None if result.outcome == "error" else fake.ACTIONS)
        writer.end_session(session, reason=reason)


def test_a_run_that_ended_shows_its_score_errors_and_reason(fake, tmp_path):
    results = [fake.chain(0, 5), fake.chain(1, 3), fake.broken(2).with_run_info(finished=1.0)]
    write(tmp_path / "r", fake, results, reason="interrupted")
    text = status(tmp_path)
    assert "seer · epoch_19.pth on calvin-abc-d/v1" in text
    assert f"{tmp_path / 'r'}: units 2/10, last session ended" in text
    assert ": interrupted" in text
    assert "errors 1, the last at calvin-abc-d/v1:chain=0002: SimulationError: no GL" in text
    assert "Avg. Len. 4.00 [" in text
    assert "ETA" not in text


def test_an_open_session_shows_speed_and_time_left_and_is_not_disturbed(fake, tmp_path):
    path = tmp_path / "r"
    with RunWriter.open(path, fake.make_manifest()) as writer:
        assert is_being_written(path)
        session = writer.start_session({"units": 10, "done": 0})
        assert "running" in status(path)
        started = _started(path, session)
        for i, after in ((0, 10), (1, 20)):
            facts = {"session": session, "finished": started + after}
            writer.append(fake.chain(i, 5).with_run_info(**facts), fake.ACTIONS)
        text = status(path, now=started + 25)
        assert "units 2/10, running" in text
        assert "5 steps/s, last outcome 0:05 ago, ETA 1:20" in text
        writer.append(fake.chain(2, 5), fake.ACTIONS)
    assert not is_being_written(path)


def _started(path, session: str) -> float:
    """UNIX time of the start of a session."""
    from seer_bench.store import read_run

    (found,) = (s for s in read_run(path).sessions if s.id == session)
    return datetime.fromisoformat(found.started.replace("Z", "+00:00")).timestamp()


def test_a_session_that_was_killed_is_told_from_one_that_runs(fake, tmp_path):
    path = tmp_path / "r"
    writer = RunWriter.open(path, fake.make_manifest())
    writer.start_session({"units": 10})
    writer.close()
    assert "killed" in status(path)
    assert "the same command continues" in status(path)


def test_a_session_over_a_part_of_the_units_is_counted_by_itself(fake, tmp_path):
    path = tmp_path / "r"
    write(path, fake, [fake.chain(i, 5) for i in range(3)], units=3)
    write(path, fake, [fake.chain(i, 5) for i in range(3, 5)], units=3)
    assert "units 2/3 and 3 that were asked for before, last session" in status(path)
    write(path, fake, [], units=2, done=2)
    assert "units 2/2 and 3 that were asked for before, last session" in status(path)
    write(path, fake, [fake.chain(5, 5)], units=6, done=5)
    assert "units 6/6, last session" in status(path)


def test_errors_of_earlier_sessions_are_still_to_be_played(fake, tmp_path):
    path = tmp_path / "r"
    write(path, fake, [fake.broken(i) for i in range(4)], units=4)
    with RunWriter.open(path, fake.make_manifest()) as writer:
        session = writer.start_session({"units": 4, "done": 0})
        facts = {"session": session, "finished": _started(path, session) + 10}
        writer.append(fake.chain(0, 5).with_run_info(**facts), fake.ACTIONS)
        assert "ETA 0:30" in status(path, now=facts["finished"])


def test_a_clock_that_was_ahead_once_does_not_hide_later_sessions(fake, tmp_path, monkeypatch):
    path = tmp_path / "r"
    monkeypatch.setattr("seer_bench.store.sessions.utc_now", lambda: "2099-01-01T00:00:00Z")
    writer = RunWriter.open(path, fake.make_manifest())
    writer.start_session({"units": 2, "done": 0})
    writer.close()
    monkeypatch.undo()
    write(path, fake, [fake.chain(0, 5)], units=1)
    assert "units 1/1, last session ended" in status(path)


def test_shards_are_shown_one_by_one_and_scored_together(fake, tmp_path):
    for i in range(2):
        write(tmp_path / f"shard-{i}", fake, [fake.chain(i, 5 * i), fake.chain(i + 2, 5)], units=5)
    text = status(tmp_path)
    assert text.count("units 2/5") == 2
    assert "together: 4 units done" in text
    assert text.count("Avg. Len. 3.75 [") == 1


def test_rollouts_of_several_tasks_show_their_mean_and_each_of_them(fake, tmp_path):
    write(tmp_path / "r", fake, fake.rollouts(2, 1), manifest=fake.make_manifest(fake.task_protocol()))
    text = status(tmp_path)
    assert "Avg. Success 75.0 % [" in text
    assert f"1/2   50.0 % [9.5–90.5]    {fake.LIBERO_TASKS[1]}" in text


def test_a_folder_without_runs_says_so(tmp_path):
    assert "no run in" in status(tmp_path)


def test_whoever_looks_keeps_no_writer_out(fake, tmp_path):
    write(tmp_path / "r", fake, [])
    assert not is_being_written(tmp_path / "r")
    assert not is_being_written(tmp_path / "nothing")
    write(tmp_path / "r", fake, [fake.chain(0, 5)])


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_shown(fake, tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path / name, fake, [fake.chain(0, 5)])
    (tmp_path / "a" / "manifest.json").write_text("{")
    text = status(tmp_path)
    assert text.count("units 1/10") == 2
    assert f"cannot be read: {tmp_path / 'a' / 'manifest.json'}" in text


def test_shards_that_contradict_one_another_are_named_and_other_runs_are_shown(fake, tmp_path):
    write(tmp_path / "a", fake, [fake.chain(0, 5)])
    write(tmp_path / "b", fake, [fake.chain(0, 3)])
    console = Console(file=io.StringIO(), width=60)
    assert not print_status(tmp_path, console)
    assert "two different outcomes" in console.file.getvalue()
