"""vla-eval's view of CALVIN and LIBERO: what its benchmarks send, and what they do with an action.

Source: `vla_eval/benchmarks/{calvin,libero}/benchmark.py` of PyPI vla-eval 0.8.0. The sentence is the protocol's, and
what a server is told of an episode leaves out the names of a chain's subtasks, which a policy here does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from seer_bench import ActionSpec, EvaluationProtocol, ImageSpec, InvalidActionError, Unit, VectorSpec
from seer_bench.contracts import Array
from seer_bench.conventions import FieldSpec

from .greeting import Greeting
from .pictures import as_vla_eval_sends

DIM = 7
"""Numbers of an action: translation, rotation, gripper."""
LIBERO_PICTURE = ImageSpec(256, 256, orientation="rot180")
"""Of each of LIBERO's cameras."""


class Translator(Protocol):
    """Between a benchmark's observations and actions here and vla-eval's."""

    @property
    def observations(self) -> Mapping[str, FieldSpec]:
        """Fields that are read."""

    @property
    def action(self) -> ActionSpec:
        """What an action means here."""

    def task(self, unit: Unit, instruction: str) -> dict[str, Any]:
        """What the server is told when an episode begins."""

    def begin(self, slot: int) -> None:
        """An episode begins in a slot."""

    def restart(self, slot: int) -> None:
        """A subtask begins in a slot, the episode's first one or a later one."""

    def observation(self, row: Mapping[str, Array]) -> dict[str, Any]:
        """What is sent of one observation, without the sentence."""

    def translate(self, slot: int, actions: Array, row: Mapping[str, Array]) -> Array:
        """One action (7,), float64, from the server's answer to the observation `row`."""


class CalvinTranslator:
    """CALVIN: a chain is one episode.

    vla-eval adds an action, in metres and radians, to the pose commanded last and commands the sum as an absolute pose;
    when a subtask begins, it starts from the pose measured then. The same poses are commanded here, as increments of
    the accumulated target, which is followed.
    """

    benchmark = "vla_eval.benchmarks.calvin.benchmark:CALVINBenchmark"
    """What vla-eval calls it in the greeting."""
    flags = ("send_wrist_image", "send_state", "absolute_action")
    """Its parameters that a server may choose, true or false."""
    action = ActionSpec(
        kind="cartesian_rel",
        dim=DIM,
        frame="world, added to the accumulated target pose",
        translation_scale=0.02,
        rotation_scale=0.05,
        rotation="euler_xyz",
        gripper_open=1,
    )
    formats: Mapping[bool, Mapping[str, str]] = {
        False: {"position": "delta_xyz", "rotation": "euler_xyz", "gripper": "binary_close_negative"},
        True: {},  # what vla-eval declares is not what it does: its X-VLA server declares deltas
    }
    """What it takes an action's components for, with absolute actions (True) and without."""

    def __init__(self, greeting: Greeting, protocol: EvaluationProtocol) -> None:
        self._greeting = greeting
        fields: dict[str, FieldSpec] = {"rgb_static": ImageSpec(200, 200)}
        if greeting.wrist_image:
            fields["rgb_gripper"] = ImageSpec(84, 84)
        fields["robot_obs"] = VectorSpec(
            15, "world: tcp_xyz[m] tcp_euler_xyz[rad] gripper_width[m] joints7[rad] gripper_command"
        )
        self.observations: Mapping[str, FieldSpec] = fields
        self._scale = np.repeat([0.02, 0.05], 3)
        self._target: dict[int, Array] = {}
        """Pose (6,) that the simulator accumulates, by slot; metres, radians."""
        self._base: dict[int, Array] = {}
        """Pose (6,) that vla-eval adds the next action to, by slot."""

    def task(self, unit: Unit, instruction: str) -> dict[str, Any]:
        """Name and number of the chain."""
        return {"name": f"seq_{unit.index:04d}", "seq_idx": unit.index, "episode_idx": 0}

    def begin(self, slot: int) -> None:
        """The simulator's target is the pose that is measured first."""
        self._target.pop(slot, None)

    def restart(self, slot: int) -> None:
        """The next action is added to the pose measured then."""
        self._base.pop(slot, None)

    def observation(self, row: Mapping[str, Array]) -> dict[str, Any]:
        """Pictures and, if asked for, the state (8,): pose, gripper width in metres, last gripper command."""
        images = {name: as_vla_eval_sends(row[name]) for name in self.observations if name.startswith("rgb_")}
        if not self._greeting.state:
            return {"images": images}
        return {"images": images, "states": np.append(row["robot_obs"][:7], row["robot_obs"][14]).astype(np.float32)}

    def translate(self, slot: int, actions: Array, row: Mapping[str, Array]) -> Array:
        """The increment that commands vla-eval's pose; of a chunk the first action alone is taken, as there."""
        flat = np.asarray(actions, dtype=np.float64).ravel()
        if flat.size < DIM:
            raise InvalidActionError(f"the model server answered with actions of shape {actions.shape}; 7 are needed.")
        measured = np.array(row["robot_obs"][:6], dtype=np.float64)
        target = self._target.get(slot, measured)
        if self._greeting.absolute_action:
            pose = np.append(flat[:3], Rotation.from_rotvec(flat[3:6]).as_euler("xyz"))
            gripper = -1.0 if flat[6] > 0 else 1.0
        else:
            pose = self._base.get(slot, measured) + flat[:6]
            gripper = 1.0 if flat[6] > 0 else -1.0
        step = pose.astype(np.float32) - target  # commanded in single precision there
        step[3:] = (step[3:] + np.pi) % (2 * np.pi) - np.pi
        self._base[slot], self._target[slot] = pose, target + step
        return np.append(step / self._scale, gripper)


class LiberoTranslator:
    """LIBERO: a trial is one episode, actions go to the simulator as they are."""

    benchmark = "vla_eval.benchmarks.libero.benchmark:LIBEROBenchmark"
    flags = ("send_wrist_image", "send_state", "absolute_action", "quat_no_antipodal")
    action = ActionSpec(
        kind="cartesian_rel",
        dim=DIM,
        frame="world, added to the measured pose",
        translation_scale=0.05,
        rotation_scale=0.5,
        rotation="rotation_vector",
        gripper_open=-1,
    )
    formats: Mapping[bool, Mapping[str, str]] = {
        False: {"position": "delta_xyz", "rotation": "axis_angle", "gripper": "binary_close_positive"}
    }

    def __init__(self, greeting: Greeting, protocol: EvaluationProtocol) -> None:
        self._greeting, self._suite = greeting, str(protocol.settings["suite"])
        fields: dict[str, FieldSpec] = {"rgb_agentview": LIBERO_PICTURE}
        if greeting.wrist_image:
            fields["rgb_eye_in_hand"] = LIBERO_PICTURE
        if greeting.state:
            fields["eef_position"] = VectorSpec(3, "world: gripper site xyz[m]")
            fields["eef_quaternion"] = VectorSpec(4, "world: hand body quaternion xyzw")
            fields["gripper_qpos"] = VectorSpec(
                2, "finger joints[m]: first (0 closed, 0.04 open), second (0 closed, -0.04 open)"
            )
        if greeting.state and greeting.whole_turns:
            del fields["eef_quaternion"]
            fields["eef_axis_angle"] = VectorSpec(3, "world: hand body axis times angle[rad], angle 0 to 2 pi")
        self.observations: Mapping[str, FieldSpec] = fields

    def task(self, unit: Unit, instruction: str) -> dict[str, Any]:
        """The task's sentence, its suite, and the numbers of the task and of the trial."""
        names = {"task": "task_id", "trial": "episode_idx"}
        parts = (part.partition("=") for part in unit.slug.split(","))
        numbers = {names[name]: int(number) for name, _, number in parts if name in names}
        return {"name": instruction, "suite": self._suite, **numbers}

    def begin(self, slot: int) -> None:
        """Nothing is remembered."""

    def restart(self, slot: int) -> None:
        """Nothing is remembered."""

    def observation(self, row: Mapping[str, Array]) -> dict[str, Any]:
        """Pictures turned by 180 degrees and, if asked for, the state (8,): position, axis-angle, finger joints."""
        images = {"agentview": row["rgb_agentview"]}
        if self._greeting.wrist_image:
            images["wrist"] = row["rgb_eye_in_hand"]
        if not self._greeting.state:
            return {"images": images}
        if self._greeting.whole_turns:
            turn = row["eef_axis_angle"]
        else:
            turn = Rotation.from_quat(row["eef_quaternion"]).as_rotvec()
        state = np.concatenate([row["eef_position"], turn.astype(np.float32), row["gripper_qpos"]])
        return {"images": images, "states": state}

    def translate(self, slot: int, actions: Array, row: Mapping[str, Array]) -> Array:
        """The action; a gripper below 0 opens, else it closes."""
        flat = np.array(actions, dtype=np.float64).ravel()
        if flat.size != DIM:
            raise InvalidActionError(
                f"the model server answered with actions of shape {actions.shape}; vla-eval's LIBERO takes (7,). Start "
                "a server that predicts chunks with chunk_size, so that it hands them out one by one."
            )
        flat[6] = -1.0 if flat[6] < 0 else 1.0
        return flat
