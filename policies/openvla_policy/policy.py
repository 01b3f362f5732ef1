"""The policy: one picture and a sentence, one action, no memory (source: OpenVLA's `run_libero_eval.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seer_bench import (
    ActionSpec,
    CheckpointError,
    ConventionError,
    ImageSpec,
    Policy,
    PolicyContext,
    PolicySpec,
    UsageError,
)
from seer_bench.contracts import Array

from .client import DIM, OpenVlaClient, RefusalError
from .image import SIZE, prepare
from .options import OpenVlaOptions

PROTOCOL = "libero-long/openvla-v1"
"""The protocol of OpenVLA's published numbers."""
PICTURE = ImageSpec(256, 256, orientation="rot180")
"""What the network was trained on, before it is prepared."""


class OpenVlaPolicy(Policy):
    """Prepares the picture, asks the server, and turns the gripper's command.

    Args:
        client: of the server.
        unnorm_key: data set whose statistics the server undoes the normalization with.
        center_crop: whether the middle of the picture is cut out.
    """

    def __init__(self, client: OpenVlaClient, *, unnorm_key: str, center_crop: bool) -> None:
        self.spec = PolicySpec(
            observations={"rgb_agentview": PICTURE},
            action=ActionSpec(
                kind="cartesian_rel",
                dim=DIM,
                frame="world, added to the measured pose",
                translation_scale=0.05,
                rotation_scale=0.5,
                rotation="rotation_vector",
                gripper_open=-1,
            ),
            settings={"unnorm_key": unnorm_key, "center_crop": "on" if center_crop else "off"},
            arm={"method": "OpenVLA"},
            incidental=("timeout", "wait"),
        )
        self._client, self._unnorm_key, self._center_crop = client, unnorm_key, center_crop
        self._instructions: dict[int, str] = {}

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Take the sentences. Nothing is drawn at random: the server decodes greedily."""
        self._instructions.update(zip(slots, instructions, strict=True))

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float64.

        Raises:
            InvalidActionError: the server's action is misshapen.
            SimulationError: it cannot be reached, or reports an error.
        """
        actions = []
        for slot, picture in zip(slots, observations["rgb_agentview"], strict=True):
            image = prepare(picture, center_crop=self._center_crop)
            actions.append(with_robosuite_gripper(self._client.act(image, self._instructions[slot], self._unnorm_key)))
        return np.stack(actions)[:, None]


def with_robosuite_gripper(action: NDArray[np.float64]) -> NDArray[np.float64]:
    """The gripper's command from 0 (close) to 1 (open), as 1 (close), -1 (open) or, for exactly one half, 0."""
    return np.append(action[:-1], -np.sign(2.0 * action[-1] - 1.0))


def make_policy(context: PolicyContext) -> Policy:
    """Find the statistics that the server knows, with a black picture, and build the policy.

    Raises:
        CheckpointError: a checkpoint was given; the server has its own.
        ConventionError: the protocol has other pictures.
        SimulationError: the server cannot be reached.
        UsageError: the benchmark or an option cannot be used, or the server knows no such statistics.
    """
    if context.checkpoint is not None:
        raise CheckpointError(
            f"the policy 'openvla' takes no checkpoint, but --ckpt is {context.checkpoint}. Leave --ckpt out; the "
            "server loads its own: python vla-scripts/deploy.py --openvla_path CHECKPOINT"
        )
    if context.interface.benchmark != "libero":
        raise UsageError(
            f"the policy 'openvla' does not play the benchmark '{context.interface.benchmark}'; it plays libero: "
            f"seer-bench run libero --protocol {PROTOCOL} --policy openvla"
        )
    if context.interface.observations.get("rgb_agentview") != PICTURE:
        raise ConventionError(
            f"the policy 'openvla' needs pictures of 256 x 256 turned by 180 degrees, which {context.protocol.name} "
            f"does not give: --protocol {PROTOCOL}"
        )
    options = OpenVlaOptions.parse(context.options)
    client = OpenVlaClient(options.url, timeout=options.timeout, wait=options.wait)
    suite = str(context.protocol.settings["suite"])
    keys = [suite, f"{suite}_no_noops"] if options.unnorm_key is None else [options.unnorm_key]
    return OpenVlaPolicy(client, unnorm_key=_known_key(client, keys), center_crop=options.center_crop)


def _known_key(client: OpenVlaClient, keys: Sequence[str]) -> str:
    """The first of the keys under which the server answers."""
    black = np.zeros((SIZE, SIZE, 3), np.uint8)
    why: RefusalError | None = None
    for key in keys:
        try:
            client.act(black, "wait", key)
        except RefusalError as error:
            why = error
        else:
            return key
    raise UsageError(
        f"the server gives no action with the statistics of {' or '.join(keys)}: {why} If it names others: "
        "--policy-arg unnorm_key=NAME"
    ) from why
