"""Where the published evaluation code does something odd, and what `--policy-arg quirks=fixed` does instead.

Published numbers were made with all of it, so that `quirks=upstream` is the default. Facts are those of
https://github.com/OpenRobotLab/Seer at ee228e1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quirks = Literal["upstream", "fixed"]
"""Whether to do as the published code does, or what was meant."""


@dataclass(frozen=True)
class Quirk:
    """One oddity of the published evaluation code."""

    name: str
    benchmark: str
    upstream: str
    """What it does."""
    fixed: str | None
    """What `quirks=fixed` does instead; None where this is no choice of the policy's."""
    choice: str
    """Where one chooses: "quirks", or the harness' protocol."""
    source: str
    """File and function."""


QUIRKS = (
    Quirk(
        "half-precision-actions",
        "calvin",
        "rounds every action to float16 before it reaches the simulator",
        "sends the float32 numbers that the network predicts",
        "quirks",
        "utils/eval_utils_calvin.py, ModelWrapper.step",
    ),
    Quirk(
        "euler-state",
        "libero",
        "feeds Euler angles to a network that was trained on LIBERO's ee_states, which hold axis times angle",
        "feeds axis times angle",
        "quirks",
        "utils/eval_utils_libero.py, quaternion_to_euler; the training data: ee_states of LIBERO's demonstrations",
    ),
    Quirk(
        "zero-means-empty",
        "libero",
        "leaves a prediction out of the ensemble if any of its 7 numbers is exactly 0, the mark of an empty entry",
        "averages every prediction that was made",
        "quirks",
        "utils/eval_utils_libero.py, ModelWrapper.step, actions_populated",
    ),
    Quirk(
        "stale-first-observation",
        "libero",
        "lets the policy's first decision see the frame from before the five settling steps",
        None,
        "--protocol: libero-long/seer-v1 does so, libero-long/v1 observes after settling",
        "utils/eval_utils_libero.py, evaluate_policy_ddp",
    ),
    Quirk(
        "seed-after-reset",
        "libero",
        "seeds an environment only after its reset, so that fixtures stand where the construction's seed put them",
        None,
        "--protocol: libero-long/seer-v1 has those poses, libero-long/v1 draws them from the trial's number",
        "utils/eval_utils_libero.py, evaluate_policy_ddp",
    ),
    Quirk(
        "inert-ensembling",
        "real_robot",
        "switches temporal ensembling on and never passes the time step, so that the newest prediction alone is taken",
        "averages what the newest steps predicted for the present one",
        "quirks",
        "deploy.py and real_controller/controller.py, SeerController.forward",
    ),
    Quirk(
        "random-patch-order",
        "calvin, libero",
        "shuffles the patches of every image by the global random state, which moves the last bits of all actions",
        None,
        "none: patches keep their order, so that a run can be repeated; the network does not read their order",
        "models/vit_mae.py, random_masking with ratio 0",
    ),
)
"""All that are known and reach an action."""


def in_force(quirks: Quirks, benchmark: str) -> frozenset[str]:
    """Names of the switchable quirks that a policy keeps on a benchmark."""
    if quirks == "fixed":
        return frozenset()
    return frozenset(quirk.name for quirk in QUIRKS if quirk.fixed is not None and quirk.benchmark == benchmark)
