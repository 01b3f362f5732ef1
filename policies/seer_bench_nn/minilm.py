"""Sentence embeddings of MiniLM (Wang et al., 2020) as sentence-transformers publishes it: `all-MiniLM-L6-v2`.

Sizes are read off the weights; a head has 32 channels. An embedding is the mean of all tokens' states, of length 1.
Names are those of the published `model.safetensors`, without the pooler, which sentence-transformers does not use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from seer_bench.errors import CheckpointError

from .loading import fill, uninitialised
from .weights_file import open_weights, tensors_only
from .wordpiece import WordPiece

WEIGHTS, VOCABULARY = "model.safetensors", "vocab.txt"
"""Names of the two published files that are needed."""
URL = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2"
"""Where they are published."""
MAX_TOKENS = 256
"""Longer sentences are cut, as sentence-transformers does."""
_HEAD = 32
_EPS = 1e-12
_UNUSED = ("pooler.", "embeddings.position_ids")


class BertLayer(nn.Module):
    """Self-attention and two linear layers; each sum is normalised after it is made."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        projections = {name: nn.Linear(dim, dim) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(projections), "output": _Sum(dim, dim)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(dim, hidden)})
        self.output = _Sum(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (L, dim) to tokens (L, dim)."""
        projections: Mapping[str, nn.Module] = dict(self.attention["self"].named_children())
        q, k, v = (projections[name](x).unflatten(1, (-1, _HEAD)).transpose(0, 1) for name in ("query", "key", "value"))
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)
        x = self.attention["output"](mixed, x)
        out: Tensor = self.output(functional.gelu(self.intermediate["dense"](x)), x)
        return out


class _Sum(nn.Module):
    """A linear layer whose output is added to what is already there."""

    def __init__(self, dim_in: int, dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim_in, dim)
        self.LayerNorm = nn.LayerNorm(dim, eps=_EPS)

    def forward(self, update: Tensor, x: Tensor) -> Tensor:
        """Update (L, in) and tokens (L, dim) to tokens (L, dim)."""
        out: Tensor = self.LayerNorm(self.dense(update) + x)
        return out


class MiniLm(nn.Module):
    """The encoder, for one sentence at a time.

    Args:
        vocabulary: number of token ids.
        positions: greatest number of tokens.
        dim: channels, a multiple of 32.
        hidden: channels between the linear layers.
        layers: number of layers.
    """

    def __init__(
        self, vocabulary: int = 30522, positions: int = 512, dim: int = 384, hidden: int = 1536, layers: int = 6
    ) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(vocabulary, dim),
                "position_embeddings": nn.Embedding(positions, dim),
                "token_type_embeddings": nn.Embedding(2, dim),
                "LayerNorm": nn.LayerNorm(dim, eps=_EPS),
            }
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(dim, hidden) for _ in range(layers))})

    def forward(self, tokens: Tensor) -> Tensor:
        """Ids (L,) of one sentence to its embedding (dim,), of length 1."""
        parts = self.embeddings
        places = torch.arange(len(tokens), device=tokens.device)
        first = parts["token_type_embeddings"](torch.zeros_like(tokens))
        x = parts["LayerNorm"](parts["word_embeddings"](tokens) + first + parts["position_embeddings"](places))
        for layer in self.encoder["layer"].children():
            x = layer(x)
        return functional.normalize(x.mean(dim=0), dim=0)


class SentenceEncoder:
    """Sentences to embeddings, on the CPU in float32.

    Args:
        folder: with the published `model.safetensors` and `vocab.txt`.

    Raises:
        CheckpointError: a file is missing, damaged, or of another model.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / WEIGHTS
        if not path.is_file() or not (folder / VOCABULARY).is_file():
            raise CheckpointError(f"{folder}: must hold {WEIGHTS} and {VOCABULARY}. Download both from {URL}/tree/main")
        weights = tensors_only(open_weights(path), path, "the file")
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith(_UNUSED)}
        with uninitialised():
            self._model = MiniLm(**_sizes(weights, path)).eval()
        fill(self._model, weights, path)
        self._tokens = WordPiece(folder / VOCABULARY)
        vocabulary, self.dim = weights["embeddings.word_embeddings.weight"].shape
        if self._tokens.size != vocabulary:
            raise CheckpointError(
                f"{folder / VOCABULARY}: holds {self._tokens.size} pieces, but {WEIGHTS} beside it knows {vocabulary}."
            )
        self._limit = min(MAX_TOKENS, len(weights["embeddings.position_embeddings.weight"]))

    def __call__(self, sentence: str) -> Tensor:
        """Embedding (dim,) of length 1."""
        with torch.inference_mode():
            embedding: Tensor = self._model(torch.tensor(self._tokens(sentence, self._limit)))
        return embedding.clone()


def _sizes(weights: Mapping[str, Tensor], path: Path) -> dict[str, int]:
    """Sizes of the network, from shapes."""
    try:
        vocabulary, dim = weights["embeddings.word_embeddings.weight"].shape
        positions = len(weights["embeddings.position_embeddings.weight"])
        hidden = len(weights["encoder.layer.0.intermediate.dense.weight"])
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: is no MiniLM: its embeddings or its first layer are missing.") from error
    if dim % _HEAD:
        raise CheckpointError(f"{path}: has {dim} channels; MiniLM's heads of {_HEAD} need a multiple of that.")
    layers = {name.split(".")[2] for name in weights if re.match(r"encoder\.layer\.\d+\.", name)}
    return {"vocabulary": vocabulary, "positions": positions, "dim": dim, "hidden": hidden, "layers": len(layers)}
