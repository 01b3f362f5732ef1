"""A checkpoint in LeRobot's own classes, with nothing in it left to chance."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from safetensors import safe_open

from seer_bench import CheckpointError, UsageError

from .features import WEIGHTS, Description
from .random_state import RandomState

_SHOWN = 3
"""Names of weights that a message lists."""


@dataclass(frozen=True)
class Loaded:
    """What plays one episode at a time."""

    policy: Any
    """A `lerobot.policies.pretrained.PreTrainedPolicy` in evaluation mode; its queues are of one episode."""
    before: Callable[[dict[str, Any]], dict[str, Any]]
    """The saved preprocessor."""
    after: Callable[[torch.Tensor], torch.Tensor]
    """The saved postprocessor."""

    def twin(self) -> Loaded:
        """Another with queues and processors of its own and the same weights in memory."""
        shared = {id(tensor): tensor for tensor in (*self.policy.parameters(), *self.policy.buffers())}
        policy = copy.deepcopy(self.policy, shared)
        return Loaded(policy, copy.deepcopy(self.before), copy.deepcopy(self.after))


def load(described: Description, device: torch.device, *, action_steps: int | None = None) -> Loaded:
    """Build a policy by LeRobot's factory and fill in the saved weights.

    Args:
        described: the checkpoint.
        device: that is computed on.
        action_steps: how many actions of a prediction are executed; as saved if None.

    Raises:
        CheckpointError: LeRobot cannot build or fill it.
        UsageError: `action_steps` does not fit the policy.
    """
    path = described.path
    with RandomState.seeded(0, device).lent(), contextlib.redirect_stdout(sys.stderr):
        config = _config(described, device, action_steps)
        try:
            policy: Any = get_policy_class(described.type).from_pretrained(path, config=config, strict=True)
            steps = [step.get("registry_name") for step in described.steps]
            overrides: dict[str, Any] = {}
            if "device_processor" in steps:
                overrides["device_processor"] = {"device": str(device)}
            if "rename_observations_processor" in steps:
                overrides["rename_observations_processor"] = {"rename_map": {}}  # inputs are named as the policy does
            before, after = make_pre_post_processors(config, str(path), preprocessor_overrides=overrides)
        except Exception as error:  # whatever LeRobot and its parts raise
            raise CheckpointError(
                f"{path}: LeRobot cannot load this policy of type '{described.type}': {type(error).__name__}: {error}"
            ) from error
        policy.to(device).eval()
    _check_weights(described, policy)
    return Loaded(policy, before, after)


def _config(described: Description, device: torch.device, action_steps: int | None) -> Any:
    """The saved configuration, for playing instead of training."""
    given = [f"--device={device}"]
    if action_steps is not None:
        if "n_action_steps" not in described.config:
            raise UsageError(f"--policy-arg n_action_steps: a policy of type '{described.type}' has no such number.")
        given.append(f"--n_action_steps={action_steps}")
    try:
        config: Any = PreTrainedConfig.from_pretrained(described.path, cli_overrides=given)
    except (Exception, SystemExit) as error:  # draccus ends the process over an option
        what = f" with n_action_steps={action_steps}" if action_steps is not None else ""
        raise CheckpointError(
            f"{described.path}: LeRobot cannot read its configuration{what}: {type(error).__name__}: {error}"
        ) from error
    for name, value in (("pretrained_backbone_weights", None), ("load_vlm_weights", False), ("compile_model", False)):
        if hasattr(config, name):  # all weights come from the checkpoint
            setattr(config, name, value)
    return config


def _check_weights(described: Description, policy: Any) -> None:
    """Compare every weight with the file: some of LeRobot's loaders leave what they do not find at random values.

    Raises:
        CheckpointError: a weight is not from the file.
    """
    state = {name: tensor.detach().cpu() for name, tensor in policy.state_dict().items()}
    rest = dict(state)
    with safe_open(described.path / WEIGHTS, framework="pt") as file:
        saved = set(file.keys())
        for name, tensor in state.items():
            for key in saved.intersection((name, name.removeprefix("model."), f"model.{name}")):
                if _equal(tensor, file.get_tensor(key).to(tensor.dtype)):
                    rest.pop(name, None)
    filled = [tensor for name, tensor in state.items() if name not in rest]  # of which some are used twice
    foreign = [name for name, tensor in rest.items() if not any(_equal(tensor, other) for other in filled)]
    if foreign:
        raise CheckpointError(
            f"{described.path}: {len(foreign)} of {len(state)} weights are not those of {WEIGHTS} after LeRobot loaded "
            f"it, e.g. {', '.join(foreign[:_SHOWN])}. Save it once more with LeRobot's save_pretrained."
        )


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether shapes, dtypes and values are the same."""
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
