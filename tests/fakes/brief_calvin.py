"""CALVIN with a few steps a subtask; apart from the policies, so that workers need not import PyTorch for it."""

from __future__ import annotations

from dataclasses import replace

from vision_plugins import ShortCalvin

STEPS = 6


class BriefCalvin(ShortCalvin):
    """`ShortCalvin` with `STEPS` steps a subtask: enough to fill the history of a tiny Seer and to move it."""

    name = "calvin-brief"
    default_protocol = "calvin-brief/v1"

    def protocols(self):
        (short,) = super().protocols().values()
        settings = {**short.settings, "chain": {**short.settings["chain"], "steps_per_subtask": STEPS}}
        return {self.default_protocol: replace(short, name=self.default_protocol, settings=settings)}
