"""The networks of recordings: their options as recorded, and the network with the recorded weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seer_bench.verification.recording import Arrays, RecordError
from seer_bench_nn.loading import uninitialised
from seer_bench_nn.patches import IMAGE_SIZE, PATCH
from seer_bench_nn.recordings.fields import Fields
from seer_bench_nn.recordings.networks import MOST, fill_drawn, reduced_vision

from ..config import AttentionOptions, SeerConfig, TextConfig, VisionConfig
from ..mask import attention_mask
from ..model import Seer
from .recipe import COMPUTED

_PHASES = ("pretrain", "finetune", "evaluate")
_SIZES = {
    "history": "sequence_length",
    "hidden_dim": "hidden_dim",
    "layers": "transformer_layers",
    "heads": "transformer_heads",
    "resampler_queries": "num_resampler_query",
    "action_tokens": "action_pred_steps",
}
"""Recorded name of each size."""
_MASK_OPTIONS = ("atten_goal", "atten_goal_state", "atten_only_obs", "attn_robot_proprio_state", "mask_l_obs_ratio")
_FIXED = {"calvin_input_image_size": IMAGE_SIZE, "patch_size": PATCH}
_WITHOUT_EFFECT = (
    "finetune_type", "clip_device", "vit_checkpoint_path", "num_token_per_timestep", "input_self", "mask_ratio",
)  # fmt: skip
"""Options of the published code that change nothing in what a network computes."""
_KNOWN = (
    *_SIZES.values(), "obs_pred", "num_obs_token_per_image", "gripper_width", "phase",
    *_MASK_OPTIONS, *_FIXED, *_WITHOUT_EFFECT,
)  # fmt: skip


@dataclass(frozen=True)
class RecordedNetwork:
    """A network as a recording describes it."""

    config: SeerConfig
    goal_offset: int
    """Last steps that losses leave out. It is that of `config.attention`, but where no goal is shown: 0 there."""
    weight_seed: int
    reads_text: bool
    """Whether sentences go through the text encoder; otherwise features are given, and it has no weights."""

    @property
    def loss_config(self) -> SeerConfig:
        """The configuration for losses."""
        options = replace(self.config.attention, goal_offset=self.goal_offset)
        return replace(self.config, attention=options)


def read_network(fields: Fields) -> RecordedNetwork:
    """The network of a record, by the keys `config`, `small` (a reduced vision encoder), `weight_seed`, `sentence`.

    Raises:
        RecordError: an option is missing, unknown, or cannot be honoured.
        UsageError: there is no network of these sizes.
    """
    config = fields.inner("config")
    config.refuse_unknown(_KNOWN)
    for key, size in _FIXED.items():
        if key in config and config.integer(key) != size:
            raise RecordError(f"{config.where}: '{key}' is {config.integer(key)}; only {size} can be replayed")
    if "phase" in config and config.text("phase") not in _PHASES:
        raise RecordError(f"{config.where}: 'phase' is {config.text('phase')!r}; known: {', '.join(_PHASES)}")
    sizes = {name: config.integer(key, most=MOST) for name, key in _SIZES.items()}
    reads_text = "sentence" in fields
    seer = SeerConfig(
        **sizes,
        foresight_tokens=config.integer("num_obs_token_per_image", most=MOST) if config.flag("obs_pred") else 0,
        finger_widths=config.flag("gripper_width"),
        attention=read_attention(config),
        vision=_vision(fields),
        text=TextConfig() if reads_text else TextConfig(layers=1, vocabulary=2),
    )
    return RecordedNetwork(seer, _goal_offset(config), fields.integer("weight_seed", least=0), reads_text)


def read_attention(fields: Fields) -> AttentionOptions:
    """The options of the attention mask; those that the published code ignores are ignored.

    A goal is shown with `atten_goal_state` alone, and what [INV] sees is cut with `atten_only_obs` alone.
    """
    isolated = fields.flag("atten_only_obs", default=False)
    sees_state = fields.flag("attn_robot_proprio_state", default=False)
    hidden = fields.number("mask_l_obs_ratio") if "mask_l_obs_ratio" in fields else 0.0
    return AttentionOptions(
        goal_offset=_goal_offset(fields) if fields.flag("atten_goal_state", default=False) else 0,
        isolated_actions=isolated,
        actions_see_state=isolated and sees_state,
        hidden_foresight=hidden if isolated else 0.0,
    )


def told_seed(name: str, fields: Fields) -> int | None:
    """The seed of NumPy's global generator before a mask was drawn, where key `seed` or the name's end tells it."""
    if "seed" in fields:
        return fields.integer("seed", least=0)
    found = re.search(r"seed_?(\d+)$", name)
    return int(found[1]) if found else None


def build_network(network: RecordedNetwork) -> Seer:
    """The network with the recorded weights, on the CPU, in float32 and evaluation mode."""
    with uninitialised():
        model = Seer(network.config).eval()
    leave = () if network.reads_text else ("clip_model.",)
    fill_drawn(model, network.weight_seed, computed=COMPUTED, leave=leave)
    return model


def use_recorded_mask(model: Seer, network: RecordedNetwork, arrays: Arrays, fields: Fields) -> bool:
    """Give a network the attention mask that the recorded one had.

    [FRS] tokens that are hidden from [INV] are drawn at random when a network is built. Where the record does not tell
    the seed, its own mask is taken, if it is one that can be drawn.

    Returns:
        Whether the mask is the record's own.
    """
    config, seed = network.config, told_seed("", fields)
    draw = np.random.RandomState(seed or 0)
    mask = attention_mask(config.layout, config.history, config.attention, draw)
    if seed is None and "attention_mask" in arrays:
        recorded = arrays["attention_mask"]
        if not np.array_equal(recorded, mask) and _is_draw(network, recorded):
            model.attention_mask.copy_(torch.from_numpy(recorded))
            return True
    model.attention_mask.copy_(torch.from_numpy(mask))
    return False


def _is_draw(network: RecordedNetwork, mask: NDArray[Any]) -> bool:
    """Whether a mask differs from the one without hidden tokens in as many of them as there should be, and no more."""
    config, layout = network.config, network.config.layout
    count = int(config.attention.hidden_foresight * layout.foresight)
    whole = attention_mask(layout, config.history, config.attention)
    if not count or mask.dtype != np.bool_ or mask.shape != whole.shape:
        return False
    expected = whole.copy()
    for step in range(config.history):
        first = step * layout.per_step
        rows = slice(first + layout.action_slice.start, first + layout.action_slice.stop)
        columns = slice(first + layout.foresight_slice.start, first + layout.foresight_slice.stop)
        seen = mask[rows.start, columns]
        if int((~seen).sum()) != count:
            return False
        expected[rows, columns] = seen
    return np.array_equal(mask, expected)


def _goal_offset(fields: Fields) -> int:
    """`atten_goal`, which may be left out or false for none."""
    if "atten_goal" not in fields or fields.is_false("atten_goal"):
        return 0
    return fields.integer("atten_goal", least=0, most=MOST)


def _vision(fields: Fields) -> VisionConfig:
    """The vision encoder: ViT-B/16 unless the record says otherwise."""
    sizes = reduced_vision(fields)
    return VisionConfig() if sizes is None else VisionConfig(*sizes)
