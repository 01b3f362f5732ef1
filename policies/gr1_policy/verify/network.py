"""The networks of recordings: their options as recorded, the recorded weights, and what they are told to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.clip_tokenizer import tokenize
from seer_bench_nn.loading import uninitialised
from seer_bench_nn.recordings.fields import Fields
from seer_bench_nn.recordings.networks import MOST, fill_drawn, reduced_vision
from seer_bench_nn.recordings.rollouts import read_text_feature

from ..config import Gr1Config
from ..model import CLIP, Gr1, unit_length

FULL = 1e-4
"""Greatest difference of an output at full size. Measured: 3.3e-6."""
REDUCED = 2e-5
"""Of a network with a reduced vision encoder. Measured: 2.0e-6."""

_SIZES = {
    "history": "seq_len",
    "hidden_dim": "embed_dim",
    "layers": "n_layer",
    "heads": "n_head",
    "resampler_queries": "resampler_num_latents",
    "resampler_depth": "resampler_depth",
    "resampler_heads": "resampler_heads",
    "resampler_head_dim": "resampler_dim_head",
}
"""Recorded name of each size."""
_WIDTHS = ("img_feat_dim", "patch_feat_dim")
"""Recorded names of the vision encoder's width."""
_FIXED = {
    "activation_function": "relu", "resampler_num_media_embeds": 1, "action_mode": "ee_rel_pose", "act_dim": 7,
    "state_dim": 7, "use_hand_rgb": True, "clip_backbone": "ViT-B/32", "lang_feat_dim": 512,
}  # fmt: skip
"""Options that can only be replayed as they were published."""
_WITHOUT_EFFECT = (
    "dropout", "n_positions", "device", "act_pred", "fwd_pred", "fwd_pred_hand", "fwd_pred_next_n",
    "without_norm_pix_loss",
)  # fmt: skip
"""Options of training, and of where it ran."""
_LONGEST = 44
"""Steps of a history that fit the 1024 positions of the published transformer."""
_COMPUTED = ("decoder_pos_embed",)
"""The one tensor that the network computes itself and that is never drawn."""


@dataclass(frozen=True)
class RecordedNetwork:
    """A network as a recording describes it."""

    config: Gr1Config
    weight_seed: int
    tolerance: float
    """Greatest absolute difference of an output."""

    @property
    def is_full(self) -> bool:
        """Whether its vision encoder is the published one, so that a frame takes a good part of a second."""
        return self.tolerance == FULL


def read_network(recording: Recording, fields: Fields) -> RecordedNetwork:
    """The network of a record, by the keys `config`, `small` (a reduced vision encoder) and `weight_seed`.

    Raises:
        RecordError: an option is missing, unknown, or cannot be honoured.
        UsageError: there is no network of these sizes.
    """
    config = fields.inner("config")
    config.refuse_unknown((*_SIZES.values(), *_WIDTHS, *_FIXED, *_WITHOUT_EFFECT))
    for key, wanted in _FIXED.items():
        if key in config:
            _require(config, key, wanted)
    vision = reduced_vision(fields)
    width, depth, heads = vision or (768, 12, 12)
    for key in _WIDTHS:
        if key in config:
            _require(config, key, width)
    sizes = {name: config.integer(key, most=MOST if name != "history" else _LONGEST) for name, key in _SIZES.items()}
    network = Gr1Config(**sizes, vision_width=width, vision_depth=depth, vision_heads=heads)
    if not _reads_text(recording, fields):
        network = Gr1Config(**{**vars(network), "text_layers": 1, "text_vocabulary": 2})
    return RecordedNetwork(network, fields.integer("weight_seed", least=0), FULL if vision is None else REDUCED)


def build_network(network: RecordedNetwork) -> Gr1:
    """The network with the recorded weights, on the CPU, in float32 and evaluation mode.

    A text tower that nothing is read by has no weights.
    """
    with uninitialised():
        model = Gr1(network.config).eval()
    is_read = network.config.text_layers == Gr1Config.text_layers
    fill_drawn(model, network.weight_seed, computed=_COMPUTED, leave=() if is_read else (CLIP,))
    return model


def read_text(recording: Recording, fields: Fields, comparison: Comparison, model: Gr1, rows: int) -> Tensor:
    """Sentence features (rows, 512) of length 1; one sentence may stand for all rows.

    They are told by a key `sentence` (a text, or a list of them), an array `tokens` (n, 77), an array `text_feature`
    (n, 512), or a key `text_feature`, which says how to draw one. What is told twice is compared.

    Raises:
        RecordError: none of it is there, or it is not so.
    """
    arrays, tokens = recording.arrays, None
    if "sentence" in fields:
        tokens = tokenize(fields.texts("sentence"))
    if "tokens" in arrays:
        recorded = _tokens(recording)
        if tokens is None:
            tokens = recorded
        else:
            comparison.numbers("tokens", recorded.numpy(), tokens.expand(len(recorded), -1).numpy(), role="alone")
    features = None if tokens is None else model.encode_text(tokens)
    if "text_feature" in arrays:
        given = unit_length(torch.from_numpy(arrays.floats("text_feature", (None, 512)).astype(np.float32)))
        if features is None:
            features = given
        else:
            comparison.within("text_feature", given.numpy(), features.expand(len(given), -1).numpy(), FULL)
    if features is None:
        if "text_feature" not in fields:
            raise RecordError(
                f"{fields.where}: tells no sentence: a key 'sentence' or 'text_feature', or an array 'tokens'"
            )
        features = unit_length(torch.from_numpy(read_text_feature(fields))[None])
    if len(features) not in (1, rows):
        raise RecordError(f"{fields.where}: tells {len(features)} sentences, needed are 1 or {rows}")
    return features.expand(rows, -1)


def _reads_text(recording: Recording, fields: Fields) -> bool:
    """Whether sentences go through the text encoder; raises RecordError where they cannot."""
    return ("tokens" in recording.arrays and len(_tokens(recording)) > 0) or "sentence" in fields


def _tokens(recording: Recording) -> Tensor:
    """The array `tokens` (n, 77), int64; raises RecordError."""
    arrays, vocabulary = recording.arrays, Gr1Config.text_vocabulary
    tokens = arrays["tokens"]
    if tokens.ndim != 2 or not len(tokens) or tokens.shape[1] != 77 or tokens.dtype.kind not in "iu":
        raise RecordError(f"{arrays.name}: 'tokens' must be integers (n, 77), is {tokens.dtype} {tokens.shape}")
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        raise RecordError(f"{arrays.name}: 'tokens' must be from 0 to {vocabulary - 1}, has {tokens.max()}")
    return torch.from_numpy(tokens.astype(np.int64))


def _require(config: Fields, key: str, wanted: object) -> None:
    """Refuse an option that is not as it must be; raises RecordError."""
    if isinstance(wanted, bool):
        found: object = config.flag(key)
    else:
        found = config.text(key) if isinstance(wanted, str) else config.integer(key)
    if found != wanted:
        raise RecordError(f"{config.where}: '{key}' is {found!r}; only {wanted!r} can be replayed")
