"""Rollouts: playing units with a policy, recording every outcome, resuming what is missing."""

from seer_bench.engine.crew import Limits
from seer_bench.engine.plan import parse_gpus, parse_shard, select_units
from seer_bench.engine.request import RunRequest
from seer_bench.engine.rollout import Played, play, replay
from seer_bench.engine.session import RunOutcome, run

__all__ = [
    "Limits",
    "Played",
    "RunOutcome",
    "RunRequest",
    "parse_gpus",
    "parse_shard",
    "play",
    "replay",
    "run",
    "select_units",
]
