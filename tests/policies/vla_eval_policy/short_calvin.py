"""CALVIN's embedded scene with a few steps a subtask, under its own name towards policies."""

from __future__ import annotations

from dataclasses import replace

from calvin_benchmark.benchmark import CalvinBenchmark

STEPS = 12


class ShortCalvin(CalvinBenchmark):
    name = "calvin-12"
    default_protocol = "calvin-12/v1"

    def protocols(self):
        embedded = super().protocols()["calvin-embedded/v1"]
        settings = {**embedded.settings, "chain": {**embedded.settings["chain"], "steps_per_subtask": STEPS}}
        short = replace(embedded, name=self.default_protocol, benchmark=self.name, settings=settings)
        return {self.default_protocol: short}

    def interface(self, protocol):
        return replace(super().interface(protocol), benchmark="calvin")
