"""Comparing the wrapper: what CALVIN's observations become, and predictions in turn.

A record is replayed twice. Once the network runs as the published code runs it, on the padded history, and the wrapper
is given the recorded outputs, so that its own arithmetic has to be equal. And once everything runs as in an
evaluation, from observations to actions, with the fast inference between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seer_bench.contracts import Array
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import Recording
from seer_bench_nn.recordings.fields import Fields
from seer_bench_nn.recordings.rollouts import read_pictures, read_resets

from ..calvin import HAND, STATIC, actions, states
from ..fast import FastGr1
from ..images import gr1_image
from ..model import Gr1
from ..policy import Gr1Policy
from .network import build_network, read_network, read_text

_KNOWN = (
    "config", "small", "weight_seed", "obs_seed", "images", "sentence", "text_feature", "resets", "steps", "note",
)  # fmt: skip
_SLOT = 3
"""Any number does; that it is not 0 shows that slots are kept apart by their numbers."""

Observation = Mapping[str, Array]


@dataclass(frozen=True)
class _Step:
    """One control step."""

    rollout: int
    """How many resets there were before, and which sentence is told."""
    fresh: bool
    """Whether a reset comes before it."""
    newest: int
    """Its place in the history."""
    observation: Observation
    """A batch of one."""


def compare_wrapper(recording: Recording, comparison: Comparison) -> None:
    """CALVIN: the newest action of the last frames. Raw outputs `arm` and `gripper` may be left out."""
    fields, arrays = Fields.of(recording), recording.arrays
    fields.refuse_unknown(_KNOWN)
    network = read_network(recording, fields)
    count, history = fields.integer("steps", most=10_000), network.config.history
    recorded = arrays.floats("actions", (count, 7))
    resets = read_resets(fields, count)
    steps = list(_steps(recording, fields, resets, count, history))
    model = build_network(network)
    text = read_text(recording, fields, comparison, model, len(resets))
    if "arm" in arrays or "gripper" in arrays:
        comparison.expect(2)
        arm = arrays.floats("arm", (count, 1, history, 6))
        gripper = arrays.floats("gripper", (count, 1, history, 1))
        with comparison.unit("wrapper"):
            rows, newest = range(count), [step.newest for step in steps]
            outputs = (raw[rows, 0, newest].astype(np.float32) for raw in (arm, gripper))
            made = actions(*outputs)[:, 0]
            comparison.numbers("actions from recorded outputs", recorded, made)
        with comparison.unit("network"):
            arms, grippers = zip(*_replay_padded(steps, model, text), strict=True)
            comparison.within("arm", arm, np.stack(arms), network.tolerance)
            comparison.within("gripper", gripper, np.stack(grippers), network.tolerance)
    comparison.expect(1)
    with comparison.unit("policy"):
        played = _replay_as_a_whole(steps, model, text)
        comparison.numbers("gripper commands", recorded[:, 6], played[:, 6])
        comparison.within("actions", recorded[:, :6], played[:, :6], network.tolerance)
    comparison.count(steps=count)


def _steps(recording: Recording, fields: Fields, resets: frozenset[int], count: int, history: int) -> Iterator[_Step]:
    """What is seen at each step."""
    robot = recording.arrays.floats("robot_obs", (count, 15))
    rollout = age = -1
    for t, (static, hand) in enumerate(read_pictures(fields, count)):
        rollout, age = (rollout + 1, 0) if t in resets else (rollout, age + 1)
        seen = {STATIC: static[None], HAND: hand[None], "robot_obs": robot[t : t + 1]}
        yield _Step(rollout, t in resets, min(age, history - 1), seen)


@torch.no_grad()
def _replay_padded(steps: list[_Step], model: Gr1, text: Tensor) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Raw outputs (1, S, 6) and (1, S, 1) at each step, of the last frames and zeros behind them."""
    held: list[tuple[Tensor, ...]] = []
    history = model.config.history
    for step in steps:
        seen = step.observation
        images = [gr1_image(seen[camera][0]) for camera in (STATIC, HAND)]
        before = held[-step.newest :] if step.newest else []
        held = [*before, (*images, torch.from_numpy(states(seen))[0])]
        windows = []
        for column in zip(*held, strict=True):
            windows.append(torch.zeros(1, history, *column[0].shape))
            windows[-1][0, : len(held)] = torch.stack(column)
        valid = torch.arange(history)[None] < len(held)
        output = model(*windows, text[step.rollout][None], valid, foresight=False)
        yield output.arm.numpy(), output.gripper.numpy()


def _replay_as_a_whole(steps: list[_Step], model: Gr1, text: Tensor) -> Array:
    """Actions (steps, 7) as in an evaluation."""
    policy = Gr1Policy(FastGr1(model), sentence=lambda rollout: text[int(rollout)])
    made = []
    for step in steps:
        if step.fresh:
            policy.reset([_SLOT], [str(step.rollout)], [0])
        made.append(policy.act([_SLOT], step.observation)[0, 0])
    return np.stack(made)
