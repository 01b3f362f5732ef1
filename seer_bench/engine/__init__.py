"""Rollouts: playing units with a policy, recording every outcome, resuming what is missing."""

from seer_bench.engine.plan import select_units
from seer_bench.engine.rollout import Played, play, replay
from seer_bench.engine.session import RunOutcome, RunRequest, run

__all__ = ["Played", "RunOutcome", "RunRequest", "play", "replay", "run", "select_units"]
