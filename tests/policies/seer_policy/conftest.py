"""Recordings of the published Seer code, and networks with the same weights."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seer_policy.config import AttentionOptions, SeerConfig, TextConfig, VisionConfig
from seer_policy.losses import TrainingBatch
from seer_policy.model import Seer, SeerOutput


@dataclass(frozen=True)
class Record:
    """One recording: what was run (facts) and what came out (arrays)."""

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]
    recipe: ModuleType

    @property
    def config(self) -> SeerConfig:
        given = self.facts["config"]
        small = self.facts.get("small")
        return SeerConfig(
            history=given["sequence_length"],
            hidden_dim=given["hidden_dim"],
            layers=given["transformer_layers"],
            heads=given["transformer_heads"],
            resampler_queries=given["num_resampler_query"],
            foresight_tokens=given["num_obs_token_per_image"] if given["obs_pred"] else 0,
            action_tokens=given["action_pred_steps"],
            finger_widths=given["gripper_width"],
            attention=AttentionOptions(
                goal_offset=given["atten_goal"] if given.get("atten_goal_state") else 0,
                isolated_actions=given.get("atten_only_obs", False),
                actions_see_state=given.get("attn_robot_proprio_state", False),
                hidden_foresight=given.get("mask_l_obs_ratio", 0.0),
            ),
            vision=VisionConfig(small["E"], small["vdepth"], small["vheads"]) if small else VisionConfig(),
            text=TextConfig(layers=1, vocabulary=2) if small else TextConfig(),
        )

    def model(self) -> Seer:
        """The network with the recorded weights, in evaluation mode."""
        network = Seer(self.config).eval()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.startswith("clip_model.") and "small" in self.facts:
                    continue  # reduced networks are given text features
                values = self.recipe.weight(name, tuple(parameter.shape), self.facts["weight_seed"])
                if values is not None:
                    parameter.copy_(torch.from_numpy(np.asarray(values)))
        return network

    def batch(self) -> TrainingBatch:
        """The recorded inputs as a training window."""
        window = self.facts.get("window", self.facts["config"]["sequence_length"])
        given = self.recipe.inputs(self.facts["input_seed"], self.facts["B"], window)
        gripper = given["width"] if self.facts["config"]["gripper_width"] else (given["gripper"] + 1) // 2
        state = np.concatenate([given["pose"], gripper], axis=-1)
        arrays = (given["image_primary"], given["image_wrist"], state, given["text_feature"], given["actions"])
        return TrainingBatch(*(torch.from_numpy(array) for array in arrays))

    def run(self, model: Seer, batch: TrainingBatch, text: Tensor | None = None) -> SeerOutput:
        """What the network predicts for the first steps of the window."""
        steps = model.config.history
        views = (batch.primary[:, :steps], batch.wrist[:, :steps], batch.state[:, :steps])
        with torch.no_grad():
            output: SeerOutput = model(*views, batch.text if text is None else text)
        return output


class Golden:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        spec = importlib.util.spec_from_file_location("seer_golden_recipe", folder / "recipe.py")
        assert spec is not None
        assert spec.loader is not None
        self.recipe = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.recipe)

    def record(self, name: str) -> Record:
        facts = json.loads((self.folder / f"{name}.json").read_text())
        with np.load(self.folder / f"{name}.npz") as arrays:
            return Record(facts, dict(arrays), self.recipe)


@pytest.fixture(scope="session")
def golden(shared: Path) -> Golden:
    return Golden(shared / "golden" / "seer")
