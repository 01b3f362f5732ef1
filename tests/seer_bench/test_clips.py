"""Clips of failures, and what their replay measures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seer_bench import RunRequest, read_run, run
from seer_bench.contracts import Policy, StepResult, Unit
from seer_bench.conventions import PolicySpec
from seer_bench.engine import play
from seer_bench.store import RunWriter, read_manifest
from seer_bench.store.videos import begins_at, clip_files, read_trace
from seer_bench.video import films, make_clips
from seer_bench.video.watcher import Narrator, Watcher, load_narrator
from tests.fakes.tally_plugins import ACTION, TallyBenchmark, TallyEnv, protocol
from tests.seer_bench.test_video import Silent

pytestmark = pytest.mark.usefixtures("tally")


class Tiring(Policy):
    """Adds 1 in a unit's first subtask of all, and 0.1 from then on."""

    def __init__(self) -> None:
        self.spec, self.step = PolicySpec({}, ACTION), 1.0

    def reset(self, slots, instructions, seeds):
        self.step = 1.0 if instructions[0] == "reach 3" else 0.1

    def act(self, slots, observations):
        return np.full((1, 1, 2), self.step)


@pytest.fixture
def failed(tmp_path):
    """Units 2 to 5 failed: unit 2 at its second sum, after 3 steps of the first one, the others at their first."""
    run(RunRequest("tally", "add", tmp_path / "r", units="0:2"), Silent())
    benchmark = TallyBenchmark()
    (spec, _) = benchmark.protocols().values()
    with RunWriter.open(tmp_path / "r", read_manifest(tmp_path / "r")) as writer:
        writer.start_session({})
        for unit in benchmark.units(spec)[2:]:
            played = play(TallyEnv(spec), Tiring(), unit, run_seed=0)
            writer.append(played.result, played.actions)
    data = read_run(tmp_path / "r")
    assert [result.solved for result in data.results.values()] == [2, 2, 1, 0, 0, 0]
    return data


def test_a_clip_begins_with_the_subtask_that_broke(failed):
    (clip,) = make_clips(failed, ["tally/v1:unit=2"])
    trace = read_trace(failed.path, failed.results["tally/v1:unit=2"])
    assert clip.path == clip_files(failed.path, "tally/v1:unit=2").film
    assert clip.path.is_file()
    assert trace.subtask == 1
    assert trace.steps[0] == 0
    assert trace.steps == tuple(sorted(trace.steps))
    assert trace.joints["total"][0] == 0
    assert trace.joints["total"][-1] > 0
    with Image.open(clip_files(failed.path, "tally/v1:unit=2").picture) as picture:
        assert picture.format == "JPEG"


def test_a_clip_that_is_there_is_not_made_again_unless_the_actions_changed(failed, monkeypatch):
    unit = "tally/v1:unit=3"
    (first,) = make_clips(failed, [unit])
    monkeypatch.setattr(films, "replay", lambda *_: pytest.fail("it was replayed"))
    (again,) = make_clips(failed, [unit])
    assert (again.path, again.note) == (first.path, "(there already)")
    trace = clip_files(failed.path, unit).trace
    trace.write_text(trace.read_text().replace(str(failed.results[unit].actions_sha256), "0" * 64))
    assert read_trace(failed.path, failed.results[unit]) is None


def test_a_replay_that_ends_otherwise_leaves_no_clip_and_does_not_keep_back_the_others(failed):
    path = failed.path / "units.jsonl"
    lines = path.read_text().splitlines()
    wrong = [line.replace('"steps":5', '"steps":4') if "unit=4" in line else line for line in lines]
    path.write_text("\n".join(wrong) + "\n")
    wrong, right = make_clips(read_run(failed.path), ["tally/v1:unit=4", "tally/v1:unit=5"])
    assert wrong.path is None
    assert "the record says" in wrong.note
    assert right.path.is_file()
    left = sorted(p.name for p in (failed.path / "videos").iterdir())
    assert left == ["unit=5_clip.jpg", "unit=5_clip.json", "unit=5_clip.mp4"]


def test_an_interrupted_clip_leaves_nothing_that_looks_whole(failed, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(films, "replay", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(make_clips(failed, ["tally/v1:unit=3"]))
    assert list((failed.path / "videos").iterdir()) == []


class Talker(Policy):
    """Says how often it was asked; unit 1 of `wrong` it answers otherwise."""

    def __init__(self, action, wrong_at: int = 10**9, fails: bool = False) -> None:
        self.spec = PolicySpec({}, action, privileged=True, placement="worker")
        self.wrong_at, self.fails, self.asked = wrong_at, fails, 0

    def reset(self, slots, instructions, seeds):
        self.sentence = instructions[0]

    def see(self, slots, states):
        self.state = states[0]

    def act(self, slots, observations):
        self.asked += 1
        if self.fails:
            raise ValueError("lost")
        value = 9.0 if self.asked > self.wrong_at else 0.5
        return np.full((1, 1, 2), value)

    def explain(self, slot):
        return f"{self.sentence}, part {self.asked // 2}"


def narrated(talker: Talker, steps: int = 4) -> Watcher:
    """A watcher that looked at one subtask of recorded actions 0.5."""
    env = TallyEnv(protocol())
    unit = Unit("tally/v1:unit=5", 5)
    narrator = Narrator(talker, 0)
    narrator.begin(env, unit, np.full((steps, 2), 0.5))
    watcher = Watcher(env, 0, narrator)
    subtask = env.begin(unit)
    watcher.look(subtask, 0, None)
    for step in range(1, steps + 1):
        env.advance(np.array([0.5, 0.0]))
        watcher.look(subtask, step, StepResult(False, step == steps, None))
    return watcher


def test_the_policy_says_what_it_is_about_and_repeats_nothing():
    trace = narrated(Talker(ACTION)).trace("u", "a")
    assert trace.plan == ((0, "reach 6, part 0"), (1, "reach 6, part 1"), (3, "reach 6, part 2"))
    assert trace.note == ""
    assert trace.steps == (0, 3)


def test_a_policy_that_answers_otherwise_is_not_quoted_any_further():
    trace = narrated(Talker(ACTION, wrong_at=2)).trace("u", "a")
    assert trace.plan == ((0, "reach 6, part 0"), (1, "reach 6, part 1"))
    assert "otherwise than recorded from step 3 on" in trace.note


def test_a_policy_that_fails_when_asked_again_costs_its_words_alone():
    trace = narrated(Talker(ACTION, fails=True)).trace("u", "a")
    assert (trace.plan, trace.steps) == ((), (0, 3))
    assert "failed at step 1: ValueError: lost" in trace.note


def test_only_privileged_policies_that_can_say_something_are_asked(failed):
    benchmark = TallyBenchmark()
    assert load_narrator(failed.manifest, benchmark.interface(failed.manifest.protocol)) is None


def test_a_film_of_the_whole_unit_shows_the_broken_subtask_after_those_before_it(failed):
    result = failed.results["tally/v1:unit=2"]
    assert begins_at([]) == pytest.approx(1 / 20)
    assert result.subtasks[0].steps == 3
    assert begins_at(result.subtasks[:1]) == pytest.approx((1 + 1) / 20)
