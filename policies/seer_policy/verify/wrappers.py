"""Comparing inference wrappers: what a benchmark's observations become, and predictions in turn.

Every record is replayed twice. Once the wrapper works alone: the network runs as in training on the padded history,
its raw outputs are compared, and the wrapper is given the recorded ones, so that its own arithmetic has to be equal.
And once everything runs as in an evaluation, from observations to actions, with the fast inference between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from seer_bench.contracts import Array
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.clip_image import clip_image
from seer_bench_nn.recordings.fields import Fields
from seer_bench_nn.recordings.rollouts import read_pictures, read_resets, read_text_feature

from ..calvin import CalvinWrapper
from ..fast import FastSeer
from ..libero import LiberoWrapper
from ..model import Seer
from ..policy import SeerPolicy, Wrapper
from .network import RecordedNetwork, build_network, read_network
from .tolerances import ENSEMBLE, REDUCED

_TEXT_SEED = 777
"""Of the feature that stands for every sentence, unless the record says otherwise."""
_SLOT = 3
"""Any number does; that it is not 0 shows that slots are kept apart by their numbers."""
_COMMON = (
    "config", "small", "weight_seed", "obs_seed", "image_seed", "images", "text_feature", "resets", "steps", "note",
)  # fmt: skip

Observation = Mapping[str, Array]
Raw = NDArray[np.float32]


@dataclass(frozen=True)
class _Rollout:
    """What a record of a wrapper says."""

    network: RecordedNetwork
    text: Raw
    """Sentence feature (512,)."""
    resets: frozenset[int]
    """Steps before which the policy is reset; always with 0."""
    observations: list[Observation]
    """By step."""
    actions: Array
    """(steps, 7)."""
    arm: Raw
    """Raw outputs (steps, 1, S, T, 6)."""
    gripper: Raw
    """Likewise (steps, 1, S, T, 1)."""

    def steps(self) -> Iterator[tuple[int, bool, int, Observation]]:
        """Step, whether a reset comes before it, slot of the history that is its newest, observation."""
        age = 0
        for t, observation in enumerate(self.observations):
            age = 0 if t in self.resets else age + 1
            yield t, t in self.resets, min(age, self.network.config.history - 1), observation


def compare_calvin(recording: Recording, comparison: Comparison) -> None:
    """CALVIN: the nearest action alone, rounded to float16."""
    fields = Fields.of(recording)
    fields.refuse_unknown(_COMMON)
    network = read_network(fields)
    steps = fields.integer("steps", most=10_000)
    robot = recording.arrays.floats("robot_obs", (steps, 15))
    pictures = read_pictures(fields, steps)
    observations: list[Observation] = [
        {"rgb_static": static, "rgb_gripper": gripper, "robot_obs": robot[t]}
        for t, (static, gripper) in enumerate(pictures)
    ]
    rollout = _rollout(recording, fields, network, observations)
    _compare(rollout, comparison, CalvinWrapper, _compare_halves)


def compare_libero(recording: Recording, comparison: Comparison) -> None:
    """LIBERO: several steps' predictions averaged, and the gripper's command fed back where no widths are read."""
    fields = Fields.of(recording)
    fields.refuse_unknown((*_COMMON, "ensembling_temp"))
    network = read_network(fields)
    steps = fields.integer("steps", most=10_000)
    position, quaternion = recording.arrays.floats("pos", (steps, 3)), recording.arrays.floats("quat", (steps, 4))
    widths = recording.arrays.floats("width", (steps, 2))
    try:
        rotation = Rotation.from_quat(quaternion)
    except ValueError as error:
        raise RecordError(f"{recording.arrays.name}: 'quat' cannot be a rotation: {error}") from error
    poses = {"eef_position": position, "eef_euler": rotation.as_euler("xyz"), "gripper_qpos": widths}
    observations: list[Observation] = [
        {"rgb_agentview": agent, "rgb_eye_in_hand": hand, **{name: values[t] for name, values in poses.items()}}
        for t, (agent, hand) in enumerate(read_pictures(fields, steps))
    ]
    temperature = fields.number("ensembling_temp")

    def wrapper() -> LiberoWrapper:
        config = network.config
        return LiberoWrapper(actions=config.action_tokens, finger_widths=config.finger_widths, temperature=temperature)

    _compare(_rollout(recording, fields, network, observations), comparison, wrapper, _compare_averages)


def _compare(
    rollout: _Rollout,
    comparison: Comparison,
    wrapper: Callable[[], Wrapper],
    compare_actions: Callable[[_Rollout, Comparison, Array], None],
) -> None:
    """Replay the rollout both ways."""
    model = build_network(rollout.network)
    comparison.expect(3)
    with comparison.unit("wrapper"):
        actions, arm, gripper = _replay_apart(rollout, model, wrapper())
        if rollout.actions.dtype == np.float64:
            _compare_grippers(rollout, comparison, actions)
            comparison.within("actions from recorded outputs", rollout.actions, actions, ENSEMBLE)
        else:
            comparison.numbers("actions from recorded outputs", rollout.actions, actions)
    with comparison.unit("network"):
        comparison.within("arm", rollout.arm, arm, REDUCED)
        comparison.within("gripper", rollout.gripper, gripper, REDUCED)
    with comparison.unit("policy"):
        compare_actions(rollout, comparison, _replay_as_a_whole(rollout, model, wrapper()))
    comparison.count(steps=len(rollout.observations))


def _replay_apart(rollout: _Rollout, model: Seer, wrapper: Wrapper) -> tuple[Array, Raw, Raw]:
    """Actions (steps, 7) of the wrapper from recorded outputs, and the network's raw outputs as recorded ones."""
    actions, arms, grippers = [], [], []
    primary: list[torch.Tensor] = []
    wrist: list[torch.Tensor] = []
    states: list[torch.Tensor] = []
    history = rollout.network.config.history
    for t, fresh, newest, observation in rollout.steps():
        if fresh:
            wrapper.reset([_SLOT])
            primary, wrist, states = [], [], []
        batch = _batch(observation)
        for held, frames in zip((primary, wrist), wrapper.frames(batch), strict=True):
            held.append(clip_image(frames[0]))
        states.append(torch.from_numpy(wrapper.states([_SLOT], batch))[0])
        windows = [_padded(held[-history:], history) for held in (primary, wrist, states)]
        with torch.no_grad():
            output = model(*windows, torch.from_numpy(rollout.text)[None], foresight=False)
        arms.append(output.arm.numpy())
        grippers.append(output.gripper.numpy())
        taken = slice(wrapper.actions)
        raw = (rollout.arm[t, :, newest, taken], rollout.gripper[t, :, newest, taken])
        actions.append(wrapper.act([_SLOT], *raw)[0, 0])
    return np.stack(actions), np.stack(arms), np.stack(grippers)


def _replay_as_a_whole(rollout: _Rollout, model: Seer, wrapper: Wrapper) -> Array:
    """Actions (steps, 7) as in an evaluation."""
    text = torch.from_numpy(rollout.text)
    seer = FastSeer(model, actions=wrapper.actions)
    policy = SeerPolicy(seer, wrapper, sentence=lambda _: text)
    actions = []
    for _, fresh, _, observation in rollout.steps():
        if fresh:
            policy.reset([_SLOT], ["any"], [0])
        actions.append(policy.act([_SLOT], _batch(observation))[0, 0])
    return np.stack(actions)


def _compare_halves(rollout: _Rollout, comparison: Comparison, actions: Array) -> None:
    """Each float16 must be the rounding of a number within the tolerance of the recorded raw output."""
    _compare_grippers(rollout, comparison, actions)
    raw = np.stack([rollout.arm[t, 0, newest, 0] for t, _, newest, _ in rollout.steps()])
    least, greatest = ((raw + side).astype(np.float16) for side in (-REDUCED, REDUCED))
    comparison.numbers("actions", np.clip(actions[:, :6], least, greatest), actions[:, :6])


def _compare_averages(rollout: _Rollout, comparison: Comparison, actions: Array) -> None:
    """Averages lie as near as what is averaged."""
    _compare_grippers(rollout, comparison, actions)
    comparison.within("actions", rollout.actions[:, :6], actions[:, :6], REDUCED)


def _compare_grippers(rollout: _Rollout, comparison: Comparison, actions: Array) -> None:
    """Gripper commands are discrete."""
    comparison.numbers("gripper commands", rollout.actions[:, 6], actions[:, 6])


def _batch(observation: Observation) -> Observation:
    """An observation as a batch of one."""
    return {name: value[None] for name, value in observation.items()}


def _padded(held: list[torch.Tensor], length: int) -> torch.Tensor:
    """A history as a batch of one (1, length, ...), filled up at its end with the newest step."""
    return torch.stack(held + [held[-1]] * (length - len(held)))[None]


def _rollout(
    recording: Recording, fields: Fields, network: RecordedNetwork, observations: list[Observation]
) -> _Rollout:
    """Read what both benchmarks' records share."""
    config, steps = network.config, len(observations)
    leading = (steps, 1, config.history, config.action_tokens)
    return _Rollout(
        network=network,
        text=read_text_feature(fields, _TEXT_SEED),
        resets=read_resets(fields, steps),
        observations=observations,
        actions=recording.arrays.floats("actions", (steps, 7)),
        arm=recording.arrays.floats("arm", (*leading, 6)),
        gripper=recording.arrays.floats("gripper", (*leading, 1)),
    )
