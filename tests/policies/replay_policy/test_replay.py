from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from replay_policy import ReplayPolicy
from seer_bench import CheckpointError, PolicyContext, RunRequest, UsageError, read_run, run
from tests.fakes.tally_plugins import ACTION, FIELDS, Interface, protocol

pytestmark = pytest.mark.usefixtures("tally")


class Silent:
    def __getattr__(self, name):
        return lambda *arguments: None


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Units 1 to 3, played by a policy that emits float32."""
    run(RunRequest("tally", "add", tmp_path / "recorded", units="1:4"), Silent())
    return tmp_path / "recorded"


def context(checkpoint: Path | None, **options: str) -> PolicyContext:
    return PolicyContext(Interface("tally", FIELDS, ACTION), protocol(), checkpoint, options=options)


def test_a_replay_repeats_outcomes_and_actions(recorded, tmp_path):
    again = RunRequest("tally", "replay", tmp_path / "again", units="1:4", checkpoint=recorded / "units.jsonl")
    run(again, Silent())
    first, second = read_run(recorded).results, read_run(tmp_path / "again").results
    assert {u: (r.subtasks, r.actions_sha256) for u, r in first.items()} == {
        u: (r.subtasks, r.actions_sha256) for u, r in second.items()
    }


def test_a_unit_that_was_not_recorded_gets_no_outcome(recorded, tmp_path):
    more = RunRequest("tally", "replay", tmp_path / "more", units="0:3", checkpoint=recorded / "units.jsonl")
    outcome = run(more, Silent())
    assert [r.outcome for r in outcome.results] == ["error", "success", "success"]
    assert "no recording of unit=0" in outcome.results[0].error.message


def test_a_unit_that_outlives_its_recording_is_a_failure(recorded, tmp_path):
    import tally_plugins

    harder = replace(protocol(), settings=protocol().settings | {"limit": 9})
    policy = ReplayPolicy(replace(context(recorded / "units.jsonl"), protocol=harder))
    env = tally_plugins.TallyEnv(harder)
    unit = tally_plugins.TallyBenchmark().units(harder)[3]
    policy.begin([0], [unit])
    policy.reset([0], ["reach 4"], [0])
    env.begin(unit)
    for _ in range(len(read_run(recorded).actions(unit.id))):
        policy.act([0], {})
    with pytest.raises(Exception, match="the recording ends after"):
        policy.act([0], {})


def test_the_replay_of_a_privileged_run_is_privileged(recorded):
    assert not ReplayPolicy(context(recorded / "units.jsonl")).spec.privileged
    manifest = recorded / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"privileged": false', '"privileged": true'))
    assert ReplayPolicy(context(recorded / "units.jsonl")).spec.privileged


def test_a_directory_or_nothing_is_refused_with_what_to_name(recorded):
    for checkpoint in (None, recorded):
        with pytest.raises(CheckpointError, match=r"--ckpt RUN/units\.jsonl"):
            ReplayPolicy(context(checkpoint))


def test_options_are_refused(recorded):
    with pytest.raises(UsageError, match="has no options"):
        ReplayPolicy(context(recorded / "units.jsonl", speed="2"))
