from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seer_bench.contracts import Array, UnitResult
from seer_bench.errors import DamagedRecordError, RunLockedError, RunMismatchError, StoreError
from seer_bench.store import Manifest, RunWriter, is_being_written, read_run
from seer_bench.store._files import cannot_write

MakeResult = Callable[..., UnitResult]
StartChild = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_appended_is_read_back(run: Path, manifest: Manifest, make_result: MakeResult, actions: Array) -> None:
    with RunWriter.open(run, manifest) as writer:
        session = writer.start_session({"host": "here", "argv": ["run"]})
        writer.append(make_result(1), actions)
        writer.append(make_result(0, error=True), None)
        writer.end_session(session, reason="interrupted")
    data = read_run(run)
    assert data.manifest == manifest
    assert data.results == {r.unit_id: r for r in (make_result(0, error=True), make_result(1))}
    assert data.problems == ()
    assert [(s.id, s.facts, s.reason) for s in data.sessions] == [
        (session, {"host": "here", "argv": ["run"]}, "interrupted")
    ]
    assert data.sessions[0].simulation == manifest.simulation
    assert np.array_equal(data.actions(make_result(1).unit_id), actions)


def test_the_same_run_goes_on(run: Path, manifest: Manifest, make_result: MakeResult, actions: Array) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(0), actions)
        writer.append(make_result(1, error=True), None)
    with RunWriter.open(run, replace(manifest, created="later")) as writer:
        assert writer.manifest == manifest
        assert writer.recorded == {r.unit_id: r for r in (make_result(0), make_result(1, error=True))}
        assert [writer.attempts(make_result(i).unit_id) for i in range(3)] == [1, 1, 0]
        retried = make_result(1, attempt=2)
        writer.append(retried, actions)
        assert writer.recorded[retried.unit_id] == retried
        assert writer.attempts(retried.unit_id) == 2
    assert read_run(run).results == {r.unit_id: r for r in (make_result(0), retried)}


def test_leaving_ends_the_session_and_says_why(run: Path, manifest: Manifest) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.start_session({})

    def interrupted() -> None:
        with RunWriter.open(run, manifest) as writer:
            writer.start_session({})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    sessions = read_run(run).sessions
    assert {s.reason for s in sessions} == {"finished", "KeyboardInterrupt"}
    assert all(s.ended for s in sessions)


def test_another_run_leaves_the_directory_untouched(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array
) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(), actions)
    with (run / "units.jsonl").open("ab") as file:
        file.write(b'{"torn')
    before = snapshot(run)
    with pytest.raises(RunMismatchError, match="seed: 8 here, 7 there"):
        RunWriter.open(run, replace(manifest, seed=8))
    assert snapshot(run) == before


def test_a_mixed_simulation_is_kept_in_its_session(run: Path, manifest: Manifest) -> None:
    RunWriter.open(run, manifest).close()
    other = replace(manifest, simulation={**manifest.simulation, "physics": "cccc"})
    with pytest.raises(RunMismatchError, match="--allow-mixed"):
        RunWriter.open(run, other)
    with RunWriter.open(run, other, allow_mixed=True) as writer:
        writer.start_session({})
    data = read_run(run)
    assert data.manifest.simulation == manifest.simulation
    assert data.sessions[0].simulation == other.simulation


def test_a_torn_line_is_cut_off_and_its_unit_is_played_again(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array
) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(0), actions)
        writer.append(make_result(1), actions)
    units = run / "units.jsonl"
    whole = units.read_bytes()
    units.write_bytes(whole[:-20])
    with RunWriter.open(run, manifest) as writer:
        assert list(writer.recorded) == [make_result(0).unit_id]
        assert len(writer.problems) == 1
        assert "line 2: the last line was cut off" in writer.problems[0]
        writer.append(make_result(1), actions)
    assert units.read_bytes() == whole


def test_a_damaged_line_stays_as_it_is(run: Path, manifest: Manifest, make_result: MakeResult, actions: Array) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(0), actions)
    units = run / "units.jsonl"
    before = b"rubbish\n" + units.read_bytes()
    units.write_bytes(before)
    with RunWriter.open(run, manifest) as writer:
        assert "line 1" in writer.problems[0]
        writer.append(make_result(1), actions)
    assert units.read_bytes().startswith(before)
    assert len(read_run(run).results) == 2


def test_a_second_outcome_is_refused_before_it_replaces_the_actions(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array
) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(), actions)
        before = snapshot(run)
        with pytest.raises(DamagedRecordError, match="two different outcomes"):
            writer.append(make_result(attempt=2, outcome="success"), actions)
        assert snapshot(run) == before


@pytest.mark.parametrize("error", [True, False])
def test_actions_and_their_hash_go_together(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array, error: bool
) -> None:
    with RunWriter.open(run, manifest) as writer:
        with pytest.raises(StoreError, match="must both be given"):
            writer.append(make_result(error=error), actions if error else None)
        assert writer.recorded == {}


def test_a_closed_writer_writes_nothing(run: Path, manifest: Manifest, make_result: MakeResult) -> None:
    with RunWriter.open(run, manifest) as writer:
        pass
    with pytest.raises(StoreError, match="closed"):
        writer.append(make_result(error=True), None)
    writer.close()


def test_other_files_are_refused(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"holds thesis\.tex.*another --out"):
        RunWriter.open(tmp_path, manifest)
    assert snapshot(tmp_path) == {"thesis.tex": b"x"}


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_is_refused(tmp_path: Path, manifest: Manifest, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=str(tmp_path / name)):
        RunWriter.open(tmp_path / name, manifest)


def test_an_empty_directory_and_the_rest_of_a_killed_start_are_taken(run: Path, manifest: Manifest) -> None:
    run.mkdir(parents=True)
    (run / ".lock").write_text("")
    (run / ".manifest.json.tmp").write_text("{")
    RunWriter.open(run, manifest).close()
    assert read_run(run).manifest == manifest
    assert not (run / ".manifest.json.tmp").exists()


def test_a_damaged_manifest_is_named(run: Path, manifest: Manifest) -> None:
    RunWriter.open(run, manifest).close()
    (run / "manifest.json").write_text('{"schema"')
    with pytest.raises(DamagedRecordError, match=r"manifest\.json: not readable as JSON"):
        RunWriter.open(run, manifest)


def test_facts_that_are_no_json_are_refused(run: Path, manifest: Manifest) -> None:
    with RunWriter.open(run, manifest) as writer, pytest.raises(StoreError, match="facts cannot be written"):
        writer.start_session({"path": Path()})


def test_a_second_process_is_refused_while_the_first_lives(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array, start_child: StartChild
) -> None:
    hold = "import time; writer = RunWriter.open(run, manifest); print('open', flush=True); time.sleep(60)"
    child = start_child(run, hold)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    with pytest.raises(RunLockedError, match=f"process {child.pid} on .* is writing"):
        RunWriter.open(run, manifest)
    assert read_run(run).results == {}  # readers need no lock
    child.kill()
    child.wait()
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(), actions)


def test_a_second_writer_of_one_process_is_refused_too(run: Path, manifest: Manifest) -> None:
    with RunWriter.open(run, manifest), pytest.raises(RunLockedError):
        RunWriter.open(run, manifest)
    RunWriter.open(run, manifest).close()


def test_nothing_acknowledged_is_lost_by_kill_9(
    run: Path, manifest: Manifest, make_result: MakeResult, start_child: StartChild
) -> None:
    child = start_child(
        run,
        """
with RunWriter.open(run, manifest) as writer:
    writer.start_session({})
    for index in range(10_000):
        writer.append(result_of(index), actions_of(index))
        print(writer.path, index, flush=True)
""",
    )
    assert child.stdout is not None
    seen = [child.stdout.readline() for _ in range(30)]
    child.kill()
    seen += child.stdout.readlines()
    assert child.wait() == -9
    acknowledged = [int(line.split()[1]) for line in seen if line.endswith("\n")]
    assert len(acknowledged) >= 30

    data = read_run(run)
    for index in acknowledged:
        assert np.array_equal(data.actions(f"toy/v1:chain={index:04d}"), np.full((4, 7), index, np.float32))
    assert len(data.results) - len(acknowledged) in (0, 1)  # recorded, but killed before it could say so
    assert [s.ended for s in data.sessions] == [None]
    with RunWriter.open(run, manifest) as writer:
        assert writer.recorded == data.results


def test_every_append_is_flushed_to_the_disk(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actions file, its directory, then the line, whose bytes are in the file by then."""
    flushed: list[tuple[int, int]] = []

    def fsync(fd: int) -> None:
        flushed.append((os.fstat(fd).st_ino, os.fstat(fd).st_size))

    with RunWriter.open(run, manifest) as writer:
        monkeypatch.setattr(os, "fsync", fsync)
        writer.append(make_result(), actions)
        monkeypatch.undo()
    kept, folder, units = (run / "actions" / "chain=0000.npy", run / "actions", run / "units.jsonl")
    assert [inode for inode, _ in flushed] == [path.stat().st_ino for path in (kept, folder, units)]
    assert flushed[-1][1] == units.stat().st_size > 0


def test_a_full_disk_loses_nothing_and_the_run_goes_on(
    run: Path, manifest: Manifest, make_result: MakeResult, start_child: StartChild
) -> None:
    """The kernel lets no file grow beyond 4 KiB: a line is written in part, then refused, as on a full disk."""
    child = start_child(
        run,
        """
import resource
with RunWriter.open(run, manifest) as writer:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    for index in range(100):
        try:
            writer.append(result_of(index), actions_of(index))
        except StoreError as refused:
            message = str(refused)
            break
    size = (run / "units.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(index, size, message)
    writer.append(result_of(index + 1), actions_of(index + 1))
""",
    )
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    refused, size, message = out.split(maxsplit=2)
    for words in (str(run / "units.jsonl"), "File too large", "repeat the same command"):
        assert words in message
    data = read_run(run)
    assert data.problems == ()
    expected = [*range(int(refused)), int(refused) + 1]
    assert list(data.results) == [f"toy/v1:chain={i:04d}" for i in expected]
    lines = (run / "units.jsonl").read_bytes().splitlines(keepends=True)
    assert int(size) == sum(map(len, lines[:-1]))  # the half line was taken back at once
    assert all(json.loads(line)["outcome"] == "success" for line in lines)


def test_a_disk_too_full_for_the_actions_records_nothing(
    run: Path, manifest: Manifest, start_child: StartChild
) -> None:
    child = start_child(
        run,
        """
import resource
with RunWriter.open(run, manifest) as writer:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    try:
        writer.append(result_of(0), actions_of(0))
    except StoreError as error:
        print(error)
""",
    )
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert f"{run / 'actions' / 'chain=0000.npy'}: cannot be written: File too large" in out
    assert read_run(run).results == {}
    assert list((run / "actions").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "Make room and repeat the same command"),
        (errno.EDQUOT, "Make room and repeat the same command"),
        (errno.EROFS, "choose another --out"),
        (errno.EACCES, "choose another --out"),
        (errno.EPERM, "choose another --out"),
        (errno.EIO, "Input/output error. Choose another --out"),
    ],
)
def test_the_advice_fits_the_reason(run: Path, code: int, words: str) -> None:
    message = str(cannot_write(run, OSError(code, os.strerror(code))))
    assert words in message
    assert os.strerror(code) in message
    assert ("Make room" in message) == (code in (errno.ENOSPC, errno.EDQUOT))


def test_a_place_where_no_directory_can_be_made_is_refused_without_talk_of_room(manifest: Manifest) -> None:
    with pytest.raises(StoreError, match=r"/proc/foo: cannot be written: .*another --out") as refused:
        RunWriter.open(Path("/proc/foo"), manifest)
    assert "Make room" not in str(refused.value)


def test_a_file_in_the_place_of_a_folder_is_named(run: Path, manifest: Manifest) -> None:
    RunWriter.open(run, manifest).close()
    (run / "sessions").rmdir()
    (run / "sessions").write_text("")
    with pytest.raises(StoreError, match=f"{run / 'sessions'}: cannot be written: File exists") as refused:
        RunWriter.open(run, manifest)
    assert "Make room" not in str(refused.value)


@pytest.mark.parametrize("replaced", [False, True])
def test_records_that_were_removed_while_they_are_written_are_missed(
    run: Path, manifest: Manifest, make_result: MakeResult, actions: Array, replaced: bool
) -> None:
    with RunWriter.open(run, manifest) as writer:
        writer.append(make_result(0), actions)
        (run / "units.jsonl").unlink()
        if replaced:
            (run / "units.jsonl").touch()
        with pytest.raises(StoreError, match="removed or replaced"):
            writer.append(make_result(1), actions)


@pytest.mark.parametrize("name", ["shard-0-of-2", "deep/down"])
def test_a_run_within_a_run_is_refused(run: Path, manifest: Manifest, name: str) -> None:
    RunWriter.open(run, manifest).close()
    before = snapshot(run)
    with pytest.raises(StoreError, match=f"lies in {run}, which is a run of its own"):
        RunWriter.open(run / name, manifest)
    assert snapshot(run) == before


def test_a_run_around_a_shard_is_refused(run: Path, manifest: Manifest) -> None:
    RunWriter.open(run / "shard-0-of-2", manifest).close()
    with pytest.raises(StoreError, match="it holds shard-0-of-2"):
        RunWriter.open(run, manifest)


def test_a_child_that_outlives_its_writer_does_not_keep_the_lock(
    run: Path, manifest: Manifest, start_child: StartChild
) -> None:
    child = start_child(
        run,
        """
import os, time
with RunWriter.open(run, manifest) as writer:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
""",
    )
    assert child.stdout is not None
    orphan = int(child.stdout.readline())
    try:
        assert is_being_written(run)
        with pytest.raises(RunLockedError, match=f"process {child.pid} "):
            RunWriter.open(run, manifest)
        child.kill()
        child.wait()
        assert not is_being_written(run)
        RunWriter.open(run, manifest).close()
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_sessions_are_in_the_order_of_their_starts_whatever_the_clock_says(
    run: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = ["2099-01-01T00:00:00Z", "2031-05-06T07:08:09Z", "2031-05-06T07:08:09Z", "2020-01-01T00:00:00Z"]
    for start in starts:
        monkeypatch.setattr("seer_bench.store.sessions.utc_now", lambda start=start: start)
        with RunWriter.open(run, manifest) as writer:
            writer.start_session({})
    assert [(s.number, s.started) for s in read_run(run).sessions] == list(enumerate(starts, start=1))


def test_a_session_without_a_number_comes_first(run: Path, manifest: Manifest) -> None:
    with RunWriter.open(run, manifest) as writer:
        first = writer.start_session({})
    path = run / "sessions" / f"{first}.json"
    tree = json.loads(path.read_text())
    del tree["number"]
    path.write_text(json.dumps(tree))
    with RunWriter.open(run, manifest) as writer:
        second = writer.start_session({})
    assert [(s.id, s.number) for s in read_run(run).sessions] == [(first, 0), (second, 1)]
