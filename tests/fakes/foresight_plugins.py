"""Adding numbers under a camera, and a policy that expects plain colours and to which all that it is given matters."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import numpy as np
from tally_plugins import ACTION, FIELDS, TallyBenchmark, TallyEnv, protocol

from seer_bench import Foresight, ImageSpec, Interface, Policy, PolicySpec

FIELDS = {"total": FIELDS["total"], "camera": ImageSpec(8, 16, orientation="raw")}
HORIZON = 3
BUILT: list[ExpectingPolicy] = []


class GlowEnv(TallyEnv):
    """A raw picture: green margins left and right, blue below, and above a red that grows with the steps."""

    def observe(self, fields: object) -> dict[str, np.ndarray]:
        camera = np.zeros((8, 16, 3), np.uint8)
        camera[...] = (0, 255, 0)
        camera[:4, 4:12] = (0, 0, 255)
        camera[4:, 4:12] = (40 + 30 * self.steps, 0, 0)
        everything = {"total": np.array([self.total]), "camera": camera}
        return {name: everything[name] for name in fields}


class GlowBenchmark(TallyBenchmark):
    name = "glow"
    default_protocol = "glow/v1"

    def protocols(self):
        return {"glow/v1": replace(protocol("glow/v1", limit=7), benchmark="glow")}

    def interface(self, spec) -> Interface:
        return Interface(self.name, FIELDS, ACTION)

    def make_env(self, spec, *, cameras: str, backend: str) -> GlowEnv:
        return GlowEnv(spec)


class ExpectingPolicy(Policy):
    """The second action is a hash of unit, sentence, seed, all observations since, and the number of rows.

    It expects white over a grey that tells the number of calls: 20, 40, 60, ... for the first, second, third.
    The variable EXPECTING_DRIFT adds a little to actions from a total of 1.5 on.
    """

    def __init__(self, context) -> None:
        options = context.options
        self.spec = PolicySpec(
            FIELDS,
            ACTION,
            chunk=int(options.get("chunk", "1")),
            batch=int(options.get("batch", "1")),
            privileged="privileged" in options,
            foresight=() if "blind" in options else ("camera",),
        )
        self.fault = options.get("fault", "")
        self.weights = b"" if context.checkpoint is None else context.checkpoint.read_bytes()
        self.units, self.memory, self.calls = {}, {}, {}
        self.states: dict[int, float] = {}
        self.closed = False
        BUILT.append(self)

    def begin(self, slots, units) -> None:
        self.units.update(zip(slots, units, strict=True))

    def reset(self, slots, instructions, seeds) -> None:
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            text = f"{self.units[slot].id} {instruction} {seed}"
            self.memory[slot] = hashlib.sha256(self.weights + text.encode())
            self.calls[slot] = 0

    def see(self, slots, states) -> None:
        self.states.update((slot, state.joints["total"]) for slot, state in zip(slots, states, strict=True))

    def act(self, slots, observations) -> np.ndarray:
        answer = np.full((len(slots), self.spec.chunk, 2), 0.25)
        for row, slot in enumerate(slots):
            if self.spec.privileged:
                assert self.states.pop(slot) == observations["total"][row, 0]
            for value in observations.values():
                self.memory[slot].update(value[row].tobytes())
            self.calls[slot] += 1
            answer[row, :, 1] = int.from_bytes(self.memory[slot].digest()[:4], "big") / 2**32 / len(slots)
        if "EXPECTING_DRIFT" in os.environ and observations["total"][0, 0] >= 1.5:
            answer[..., 1] += 0.125
        return answer

    def foresee(self, slot) -> Foresight | None:
        if self.fault == "foresee":
            raise RuntimeError("clouded")
        image = np.full((8, 8, 1 if self.fault == "grey" else 3), 255, np.uint8)
        image[:4] = 20 * self.calls[slot]
        return Foresight(HORIZON, {"camera": image})

    def close(self) -> None:
        self.closed = True
