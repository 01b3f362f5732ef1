"""Policies of LeRobot's with small random networks, and LeRobot's own loop to play them; only imports with LeRobot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.envs.utils import preprocess_observation
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from lerobot.processor.env_processor import LiberoProcessorStep
from lerobot.utils.random_utils import set_seed

from .conftest import Shapes

Row = Mapping[str, np.ndarray]

_NET = {"device": "cpu", "push_to_hub": False}
_ACT = {
    **_NET,
    "dim_model": 32,
    "n_heads": 2,
    "dim_feedforward": 32,
    "n_encoder_layers": 1,
    "n_vae_encoder_layers": 1,
    "pretrained_backbone_weights": None,
    "chunk_size": 6,
}


def act(path: Path, inputs: Shapes, **config: Any) -> Path:
    """An ACT that executes 4 of 6 actions."""
    return _save(ACTConfig(**_features(inputs), **{**_ACT, "n_action_steps": 4, **config}), path)


def diffusion(path: Path, inputs: Shapes) -> Path:
    """A Diffusion Policy that looks at 2 observations and executes 3 actions."""
    config = DiffusionConfig(
        **_features(inputs),
        **_NET,
        n_obs_steps=2,
        horizon=8,
        n_action_steps=3,
        drop_n_last_frames=4,
        crop_shape=(64, 64),
        spatial_softmax_num_keypoints=4,
        down_dims=(16, 32),
        n_groups=4,
        diffusion_step_embed_dim=16,
        num_train_timesteps=4,
    )
    return _save(config, path)


def smolvla(path: Path, inputs: Shapes) -> Path:
    """A SmolVLA that executes 4 of 6 actions, over a language model of letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        SmolVLMConfig,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    plain = ("unk_token", "pad_token", "bos_token", "eos_token")
    special = ("image_token", "fake_image_token", "global_image_token", "end_of_utterance_token")
    words = [*plain, *special, *"abcdefghijklmnopqrstuvwxyz0123456789 \n"]
    letters = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=plain[0]))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    named = {name: name for name in special}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters, extra_special_tokens=named, **{name: name for name in plain}
    )
    sizes = {"hidden_size": 32, "intermediate_size": 64}
    text = {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    vision = {"num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
    language = path.with_name(f"{path.name}-vlm")
    SmolVLMConfig(
        text_config={**text, **sizes, "head_dim": 8, "vocab_size": len(words), "pad_token_id": 1},
        vision_config={**vision, **sizes},
        scale_factor=2,
        image_token_id=4,
        pad_token_id=1,
    ).save_pretrained(language)
    SmolVLMProcessor(SmolVLMImageProcessor(), tokenizer, SmolVLMVideoProcessor(), image_seq_len=4).save_pretrained(
        language
    )
    config = SmolVLAConfig(
        **_features(inputs),
        **_NET,
        vlm_model_name=str(language),
        resize_imgs_with_padding=(64, 64),
        chunk_size=6,
        n_action_steps=4,
        num_vlm_layers=2,
        num_steps=3,
    )
    return _save(config, path)


def loop(path: Path, rows: Iterable[Row], seed: int, sentence: str, *, libero: bool) -> np.ndarray:
    """Actions (steps, 7) of `lerobot_eval`'s loop over observations as its environments give them.

    A row holds pictures by their names in LeRobot and "agent_pos"; LIBERO's are as robosuite draws them.
    """
    config = PreTrainedConfig.from_pretrained(path)
    policy = get_policy_class(config.type).from_pretrained(path, config=config)
    before, after = make_pre_post_processors(
        config, str(path), preprocessor_overrides={"device_processor": {"device": "cpu"}}
    )
    set_seed(seed)
    policy.reset()
    actions = []
    for row in rows:
        pictures = {name: picture[None] for name, picture in row.items() if name != "agent_pos"}
        observation = preprocess_observation({"pixels": pictures, "agent_pos": row["agent_pos"][None]})
        if libero:
            observation = LiberoProcessorStep().observation(observation)
        with torch.inference_mode():
            action = after(policy.select_action(before({**observation, "task": [sentence]})))
        actions.append(action.numpy()[0])
    return np.stack(actions)


def libero_state(position: np.ndarray, quaternion: np.ndarray, fingers: np.ndarray) -> np.ndarray:
    """The state (8,) that LeRobot makes of robosuite's observation."""
    eef = {"pos": torch.from_numpy(position)[None], "quat": torch.from_numpy(quaternion)[None]}
    robot = {"eef": eef, "gripper": {"qpos": torch.from_numpy(fingers)[None]}}
    state = LiberoProcessorStep().observation({"observation.robot_state": robot})["observation.state"]
    return np.asarray(state[0])


def _features(inputs: Shapes) -> dict[str, Any]:
    """Of a configuration."""
    kinds = {1: FeatureType.STATE, 3: FeatureType.VISUAL}
    given = {name: PolicyFeature(kinds[len(shape)], shape) for name, shape in inputs.items()}
    return {"input_features": given, "output_features": {"action": PolicyFeature(FeatureType.ACTION, (7,))}}


def _save(config: PreTrainedConfig, path: Path) -> Path:
    """A new network with statistics, written as training writes them."""
    torch.manual_seed(1)
    policy = get_policy_class(config.type)(config)
    generator = torch.Generator().manual_seed(2)
    numbers = {}
    for name, feature in {**config.input_features, **config.output_features}.items():
        size = (3, 1, 1) if feature.type is FeatureType.VISUAL else feature.shape
        numbers[name] = {
            "mean": 0.2 * torch.rand(size, generator=generator),
            "std": 0.5 + torch.rand(size, generator=generator),
            "min": torch.full(size, -1.0),
            "max": torch.full(size, 1.0),
        }
    for part in (policy, *make_pre_post_processors(config, dataset_stats=numbers)):
        part.save_pretrained(path)
    return path
