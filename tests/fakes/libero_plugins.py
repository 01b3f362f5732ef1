"""LIBERO with short trials in an order of the test's choosing, and a policy to which every bit it sees matters."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import numpy as np

from libero_benchmark.benchmark import LiberoBenchmark
from libero_benchmark.protocols import load_protocol
from seer_bench import EvaluationProtocol, Policy, PolicySpec, Unit

TASKS = (8, 9)
"""With a stove that is on, and with a microwave whose door upstream draws once more at every hard reset."""


class ShortLibero(LiberoBenchmark):
    """Units of LIBERO_SHORT_UNITS, four steps each."""

    name = "libero-short"
    default_protocol = "libero-short/v1"

    def protocols(self) -> dict[str, EvaluationProtocol]:
        base = load_protocol("libero-long/v1")
        trials = {**base.settings["trials"], "steps": 4}
        cameras = {name: [48, 48] for name in base.settings["cameras"]}
        settings = {**base.settings, "trials": trials, "cameras": cameras}
        short = replace(base, name="libero-short/v1", benchmark=self.name, settings=settings)
        return {short.name: short}

    def units(self, protocol: EvaluationProtocol) -> list[Unit]:
        units = super().units(protocol)
        return [units[int(index)] for index in os.environ["LIBERO_SHORT_UNITS"].split(",")]

    def probe(self, protocol: EvaluationProtocol, *, cameras: bool, backend: str) -> dict[str, str]:
        return {"physics": "not looked at"}


class BitPolicy(Policy):
    """Draws its actions from a seed that is the hash of what it sees: one other bit gives another action."""

    def __init__(self, context) -> None:
        wanted = ("rgb_agentview", "rgb_eye_in_hand", "eef_position", "gripper_qpos", "joint_positions")
        fields = {name: context.interface.observations[name] for name in wanted}
        self.spec = PolicySpec(fields, context.interface.action, chunk=2, placement="worker")

    def reset(self, slots, instructions, seeds) -> None:
        pass

    def act(self, slots, observations) -> np.ndarray:
        digest = hashlib.sha256(b"".join(value.tobytes() for value in observations.values())).digest()
        return np.random.default_rng(int.from_bytes(digest, "big")).uniform(-1, 1, (1, 2, 7))
