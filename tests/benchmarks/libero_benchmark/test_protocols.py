from __future__ import annotations

import json
from dataclasses import replace

import pytest

from libero_benchmark.benchmark import LiberoBenchmark
from libero_benchmark.protocols import all_protocols, construction_seed, fixture_rule
from seer_bench import UsageError
from seer_bench.protocol import differences

BENCHMARK = LiberoBenchmark()
SEER, OPENVLA, OPENPI, OURS = (
    all_protocols()[f"libero-long/{name}"] for name in ("seer-v1", "openvla-v1", "openpi-v1", "v1")
)


def differing(a, b) -> set[str]:
    return {line.split(":")[0].split("[")[0] for line in differences(dict(a.settings), dict(b.settings))}


def test_protocols_differ_in_what_the_papers_differ_in_and_in_nothing_else():
    fixtures = {f"fixtures.{name}" for name in ("how", "list", "list_sha256")}
    assert differing(SEER, OURS) == {"first_observation", "fixtures.seed", "fixtures.seeded", *fixtures}
    assert differing(OPENVLA, OPENPI) == fixtures
    assert differing(SEER, OPENVLA) == {
        "trials.per_task", "trials.steps", "settle.steps", "settle.action", "first_observation", "orientation",
        "cameras.agentview", "cameras.robot0_eye_in_hand", "fixtures.seed", "fixtures.seeded", *fixtures,
    }  # fmt: skip


def test_the_difference_says_in_words_how_fixtures_are_placed():
    text = "\n".join(differences(dict(OPENVLA.settings), dict(OPENPI.settings)))
    assert "seeded with 0 once" in text
    assert "seeded with 7 once" in text
    assert "…" not in text
    assert "fixtures.list: 'seer-v1.json' here, absent there" in differences(dict(SEER.settings), dict(OURS.settings))


def test_seer_seeds_before_it_builds_the_environment():
    assert construction_seed(SEER) == 42
    assert fixture_rule(SEER, suite="libero_10", task=0, trial=3).seed is None
    assert fixture_rule(OPENPI, suite="libero_10", task=0, trial=3).seed == 0


def test_the_numbers_are_those_of_the_papers():
    for protocol, numbers in (
        (SEER, (10, 20, 600, 5, 0)),
        (OPENVLA, (10, 50, 520, 10, -1)),
        (OPENPI, (10, 50, 520, 10, -1)),
    ):
        trials, settle = protocol.settings["trials"], protocol.settings["settle"]
        found = trials["tasks"], trials["per_task"], trials["steps"], settle["steps"], settle["action"][6]
        assert found == numbers


def test_units_are_trials_task_by_task():
    units = BENCHMARK.units(OPENVLA)
    assert len(units) == 500
    assert [unit.index for unit in units] == list(range(500))
    assert units[3 * 50 + 7].id == "libero-long/openvla-v1:task=3,trial=07"
    assert units[3 * 50 + 7].slug == "task=3,trial=07"


def test_a_protocol_for_other_tasks_is_refused():
    altered = replace(SEER, settings={**SEER.settings, "suite_sha256": "0" * 64})
    with pytest.raises(UsageError, match="Reinstall"):
        BENCHMARK.units(altered)


def test_seers_fixtures_are_the_recorded_ones(golden):
    recorded = json.loads((golden / "seer_fixture_poses.json").read_text())["tasks"]
    for task in range(10):
        poses = fixture_rule(SEER, suite="libero_10", task=task, trial=13).poses
        wanted = recorded.get(str(task), {})
        assert {name: list(pose.position) for name, pose in poses.items()} == {
            n: p["body_pos"] for n, p in wanted.items()
        }
        assert {name: list(pose.quaternion) for name, pose in poses.items()} == {
            name: pose["body_quat"] for name, pose in wanted.items()
        }


def test_fixtures_drift_from_trial_to_trial_in_openvla_and_openpi():
    for protocol in (OPENVLA, OPENPI):
        stoves = [fixture_rule(protocol, suite="libero_10", task=2, trial=t).poses["flat_stove_1"] for t in range(50)]
        assert len(set(stoves)) == 50
        assert all(abs(stove.position[0] + 0.2) <= 0.0101 for stove in stoves)
    assert fixture_rule(OPENVLA, suite="libero_10", task=2, trial=0) != fixture_rule(
        OPENPI, suite="libero_10", task=2, trial=0
    )


def test_ours_draws_fixtures_from_the_trials_number():
    assert fixture_rule(OURS, suite="libero_10", task=2, trial=7).seed == 7
    assert fixture_rule(OURS, suite="libero_10", task=2, trial=7).poses == {}


def test_an_altered_list_of_poses_is_refused():
    altered = replace(
        SEER, settings={**SEER.settings, "fixtures": {**SEER.settings["fixtures"], "list_sha256": "0" * 64}}
    )
    with pytest.raises(UsageError, match="fixture poses"):
        fixture_rule(altered, suite="libero_10", task=2, trial=0)


def test_the_interface_declares_orientation_and_size():
    for protocol, size in ((SEER, 128), (OPENPI, 256)):
        image = BENCHMARK.interface(protocol).observations["rgb_agentview"]
        assert (image.height, image.width, image.orientation) == (size, size, protocol.settings["orientation"])
