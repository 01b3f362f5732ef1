"""Two simulations side by side."""

from __future__ import annotations

import pytest

from calvin_benchmark.assets import scene_root
from calvin_benchmark.scene import load_scene
from calvin_benchmark.verify.live import compare_live, own_backend
from calvin_benchmark.world import World
from seer_bench.errors import UsageError


class LateSlip(World):
    """Moves its target by a hair at step 20."""

    taken = 0

    def reset(self, robot_obs, scene_obs):
        super().reset(robot_obs, scene_obs)
        self.taken = 0

    def step(self, action):
        super().step(action)
        self.taken += 1
        if self.taken == 20:
            self._bodies.robot.target_position[0] += 1e-15


def test_a_world_equals_itself_in_both_variants():
    verdicts = list(compare_live("twin", own_backend, scenes=("embedded",), chains=(0, 33)))
    assert [verdict.record for verdict in verdicts] == ["twin main scene embedded", "twin pinned scene embedded"]
    assert all(verdict.status == "identical" for verdict in verdicts)
    assert verdicts[0].compared.startswith("2 rollouts, 180 steps")


def test_the_last_bit_is_different_and_its_step_told():
    def other(scene, variant):
        chosen = load_scene(scene)
        return LateSlip(chosen, scene_root(chosen), variant=variant, renderer="tiny")

    verdicts = list(compare_live("slip", other, scenes=("embedded",), chains=(0,)))
    assert [verdict.status for verdict in verdicts] == ["different", "different"]
    assert "target_pos differs from step 20 on" in verdicts[0].detail


def test_a_variant_that_the_other_side_lacks_is_skipped():
    def other(scene, variant):
        if variant == "pinned":
            raise UsageError("only main here")
        return own_backend(scene, variant)

    first, second = compare_live("half", other, scenes=("embedded",), chains=(0,))
    assert (first.status, second.status) == ("identical", "skipped")
    assert second.detail == "only main here"


def test_a_side_that_has_neither_variant_is_refused():
    def other(scene, variant):
        raise UsageError("not today")

    verdicts = compare_live("absent", other)
    assert [next(verdicts).status, next(verdicts).status] == ["skipped", "skipped"]
    with pytest.raises(UsageError, match="nothing was compared with 'absent': not today"):
        next(verdicts)


def test_an_unknown_backend_and_two_sources_are_refused(verify, embedded):
    code, output = verify(None, "--against", "mujoco")
    assert (code, "unknown backend to compare with 'mujoco'" in output) == (2, True)
    code, output = verify(embedded, "--against", "upstream")
    assert (code, "exclude one another" in output) == (2, True)
