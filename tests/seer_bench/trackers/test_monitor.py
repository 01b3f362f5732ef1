"""Trackers in processes of their own, and what a run notices of them: words, and nothing else."""

from __future__ import annotations

import sys
import time

import pytest

from seer_bench import MissingExtraError, UnknownNameError, UsageError
from seer_bench.trackers import TrackingMonitor, load_tracker, monitor, process, track

pytestmark = pytest.mark.usefixtures("plugins")


def watch(kept, run, *trackers):
    return TrackingMonitor(kept, {f"nb{i}": tracker for i, tracker in enumerate(trackers)}, run.path)


def notebook_tracker(at: str = "", vice: str = ""):
    from notebook_trackers import Notebook

    return Notebook(at, vice)


def play(watching, lab, run, results, *, total=None, recorded=()):
    watching.started(run.manifest.protocol, len(results) if total is None else total, recorded)
    for result in results:
        watching.stepped(10)
        watching.finished(lab.add(run.path, result))
    watching.closed()


def test_without_names_the_monitor_stays_the_same(kept, tmp_path):
    assert track(kept, [], tmp_path) is kept


def test_a_tracker_is_told_the_run_every_attempt_and_the_final_values(kept, lab, notebook, capfd):
    run = lab.run([lab.chain(0, 3)])
    watching = track(kept, ["notebook", "notebook"], run.path)
    play(watching, lab, run, [lab.broken(1), lab.chain(1, 1)], total=2, recorded=[lab.chain(0, 3)])
    start, error, outcome, finish = notebook(run.path)
    assert (start["call"], start["id"], start["name"]) == ("start", run.id, "push weights.pth on toy/v1")
    assert start["config"] == run.config
    assert (error["outcome"], error["numbers"]["units"], error["numbers"]["errors"]) == ("error", 1, 1)
    assert (outcome["unit"], outcome["numbers"]["average_length"]) == ("toy/v1:unit=1", 2)
    assert finish["complete"]
    assert finish["numbers"]["average_length"] == 2
    assert finish["numbers"]["success_rate/3_low"] < 0.5 < finish["numbers"]["success_rate/3_high"]
    told = kept.notes + capfd.readouterr().err.splitlines()
    assert [text.removeprefix("note: ") for text in told] == ["notebook: in notebook.jsonl"]
    assert not list(run.path.glob("tracker-*.log"))


def test_a_policy_that_changes_the_working_directory_does_not_move_what_libraries_keep_there(
    kept, lab, notebook, tmp_path, monkeypatch
):
    run = lab.run()
    monkeypatch.chdir(lab.root)
    watching = track(kept, ["notebook"], run.path.relative_to(lab.root))
    monkeypatch.chdir(tmp_path)
    play(watching, lab, run, [])
    assert notebook(run.path)[0]["folder"] == str(lab.root)


def test_every_event_reaches_the_monitor(kept, lab):
    run = lab.run()
    watching = watch(kept, run, notebook_tracker())
    unit = object()
    watching.started(run.manifest.protocol, 1, [])
    watching.noted("batch 1")
    watching.busy({0: unit})
    watching.stepped(7)
    result = lab.add(run.path, lab.chain(0, 0))
    watching.finished(result)
    watching.closed()
    assert [event for event in kept.events if "notebook" not in str(event)] == [
        ("started", run.manifest.protocol, 1, []),
        ("noted", "batch 1"),
        ("busy", {0: unit}),
        ("stepped", 7),
        ("finished", result),
        ("closed",),
    ]


@pytest.mark.parametrize("played", [0, 1])
def test_a_run_whose_units_were_not_all_played_is_not_complete(kept, lab, notebook, played):
    run = lab.run()
    watching = watch(kept, run, notebook_tracker())
    play(watching, lab, run, [*[lab.chain(0, 1)][:played], lab.broken(1)], total=2)
    finish = notebook(run.path)[-1]
    assert (finish["complete"], finish["numbers"]["units"]) == (False, played)


@pytest.mark.parametrize("at", ["start", "result", "finish"])
def test_a_failure_is_told_once_with_the_place_of_its_traceback_and_spares_other_trackers(
    kept, lab, notebook, capfd, at
):
    run = lab.run()
    watching = watch(kept, run, notebook_tracker(at, "fail"), notebook_tracker())
    play(watching, lab, run, [lab.chain(i, 1) for i in range(3)])
    told = [text for text in (*kept.notes, *capfd.readouterr().err.splitlines()) if "nb0" in text and "away" in text]
    log = run.path / "tracker-nb0.log"
    (text,) = told
    assert text.removeprefix("note: ") == (
        f"nb0: ConnectionError: the server is away (more in {log}). "
        "Nothing more is sent to it; the run is not affected."
    )
    assert "about to misbehave" in log.read_text()
    assert "in fail" in log.read_text()
    assert sum(line["call"] == "finish" for line in notebook(run.path)) == (2 if at == "finish" else 1)


def test_a_failure_is_told_while_the_run_goes_on(kept, lab):
    run = lab.run()
    watching = watch(kept, run, notebook_tracker("start", "fail"))
    watching.started(run.manifest.protocol, 1, [])
    deadline = time.monotonic() + 60
    while not kept.notes and time.monotonic() < deadline:
        watching.stepped(1)
        time.sleep(0.01)
    watching.closed()
    assert len(kept.notes) == 1
    assert "the server is away" in kept.notes[0]


@pytest.mark.parametrize(("vice", "how"), [("die", "signal 9 (SIGKILL)"), ("exit", "exit code 7")])
def test_a_process_that_ends_is_told(kept, lab, capfd, vice, how):
    run = lab.run()
    play(watch(kept, run, notebook_tracker("start", vice)), lab, run, [lab.chain(0, 1)])
    told = "\n".join((*kept.notes, capfd.readouterr().err))
    assert f"nb0: its process ended: {how}" in told


@pytest.mark.parametrize("at", ["start", "result", "finish"])
def test_a_server_that_never_answers_holds_up_neither_the_run_nor_its_end(kept, lab, capfd, monkeypatch, at):
    monkeypatch.setattr(monitor, "FINISH_S", 4.0)
    monkeypatch.setattr(monitor, "PATIENCE_S", 1.0)
    monkeypatch.setattr(process, "QUEUE", 2)
    run = lab.run()
    watching = watch(kept, run, notebook_tracker(at, "hang"))
    watching.started(run.manifest.protocol, 200, [])
    begin = time.monotonic()
    for i in range(200):
        watching.finished(lab.chain(i, 1))
    assert time.monotonic() - begin < 2
    begin = time.monotonic()
    watching.closed()
    assert time.monotonic() - begin < 15
    text = capfd.readouterr().err
    assert "waiting up to 3 s for nb0" in text
    assert "nb0: it did not finish in time and was ended" in text
    assert "of the results, which its curves lack" in text
    assert ("closed",) in kept.events


def test_a_library_that_will_not_end_is_ended_without_a_word(kept, lab, notebook, capfd):
    from notebook_trackers import Stubborn

    run = lab.run()
    play(watch(kept, run, Stubborn()), lab, run, [lab.chain(0, 1)])
    assert notebook(run.path)[-1]["call"] == "finish"
    assert "finish" not in capfd.readouterr().err


def test_a_slow_tracker_gets_everything_that_fits_its_queue(kept, lab, notebook):
    run = lab.run()
    play(watch(kept, run, notebook_tracker("start", "dawdle")), lab, run, [lab.chain(i, 1) for i in range(50)])
    assert [line["numbers"]["units"] for line in notebook(run.path)[1:]] == [*range(1, 51), 50]


def test_what_a_directory_does_not_tell_is_refused_in_words_and_not_by_an_error(kept, lab):
    run = lab.run()
    (run.path / "manifest.json").write_text("{")
    play(watch(kept, run, notebook_tracker()), lab, run, [lab.chain(0, 1)])
    assert kept.notes[0].startswith("no tracker is used: ")
    assert kept.events[-1] == ("closed",)


def test_a_tracker_that_cannot_be_sent_to_a_process_is_told_and_not_used(kept, lab):
    from notebook_trackers import Unpicklable

    run = lab.run()
    play(watch(kept, run, Unpicklable()), lab, run, [lab.chain(0, 1)])
    assert kept.notes[0].startswith("nb0: its process cannot be started")
    assert kept.events[-1] == ("closed",)


def test_a_continued_run_is_the_same_and_a_repeated_one_is_not(lab):
    first = lab.run(name="first")
    again = lab.run(name="first")
    other = lab.run(name="other")
    assert first.id == again.id
    assert first.id != other.id
    assert first.group == other.group


def test_a_name_that_is_unknown_offers_close_ones(kept, tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown tracker 'mlfow'. Did you mean 'mlflow'"):
        track(kept, ["mlfow"], tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "built NoTracker, which is no seer_bench.trackers.Tracker"),
        ("unpicklable", "'unpicklable' could not be built: .*[Pp]ickle"),
        ("unbuildable", "'unbuildable' could not be built: ValueError: no such place"),
    ],
)
def test_what_is_no_tracker_is_refused(name, words):
    with pytest.raises(UsageError, match=words):
        load_tracker(name)


@pytest.mark.parametrize("name", ["mlflow", "trackio", "wandb"])
def test_a_missing_library_is_refused_with_the_pip_command(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"--tracker {name} needs .* pip install 'seer-bench\[{name}\]'"):
        load_tracker(name)
