"""Sentence embeddings for the network: from MiniLM's files, or from a table that was made with them beforehand.

A table is a safetensors file with one tensor `embeddings` (sentences, sentence_dim), float32, and the metadata `format`
("seer-bench/sentences/1") and `sentences` (a JSON list, in the order of the rows). It lets a machine play without
MiniLM, and holds embeddings of any other encoder that a network was trained with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor

from seer_bench.errors import CheckpointError, UsageError
from seer_bench_nn.loading import fault_in
from seer_bench_nn.minilm import VOCABULARY, WEIGHTS, SentenceEncoder
from seer_bench_nn.weights_file import open_weights, tensors_only

from .checkpoint import read_metadata

FORMAT = "seer-bench/sentences/1"
"""What a table's metadata say."""

Embed = Callable[[str], Tensor]


@dataclass(frozen=True)
class Sentences:
    """Where embeddings come from."""

    embed: Embed
    """Embedding (dim,) of a sentence, float32."""
    dim: int
    """Size of an embedding."""
    sha256: str
    """Hash of the files that decide about them."""


def from_minilm(folder: Path) -> Sentences:
    """Any sentence, by MiniLM; raises CheckpointError as `SentenceEncoder`."""
    encoder = SentenceEncoder(folder)
    return Sentences(encoder, encoder.dim, _sha256(folder / WEIGHTS, folder / VOCABULARY))


def from_table(path: Path) -> Sentences:
    """The sentences of a table; asking for another raises UsageError.

    Raises:
        CheckpointError: the file cannot be opened, or is no table.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: is no table of sentence embeddings (format {FORMAT!r}).")
    embeddings = tensors_only(open_weights(path), path, "the table").get("embeddings")
    try:
        sentences = msgspec.json.decode(metadata.get("sentences", ""), type=list[str])
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{path}: its list of sentences cannot be read: {error}.") from error
    if embeddings is None or embeddings.dim() != 2 or len(embeddings) != len(sentences) or fault_in(embeddings):
        raise CheckpointError(f"{path}: needs one row of finite numbers for each of its {len(sentences)} sentences.")
    rows: dict[str, Tensor] = dict(zip(sentences, embeddings.float(), strict=True))

    def embed(sentence: str) -> Tensor:
        if sentence not in rows:
            raise UsageError(
                f"{path}: holds no embedding of {sentence!r}, only of {len(rows)} others. Make a table with it, "
                "with mtact_policy.sentences.write_table, or give MiniLM's folder: --policy-arg minilm=DIR"
            )
        return rows[sentence]

    return Sentences(embed, embeddings.shape[1], _sha256(path))


def write_table(path: Path, sentences: Sequence[str], embed: Embed) -> None:
    """Write a table of sentences, each once, e.g. `write_table(path, sentences, SentenceEncoder(folder))`."""
    each = list(dict.fromkeys(sentences))
    rows = torch.stack([embed(sentence) for sentence in each]).float().contiguous()
    save_file({"embeddings": rows}, path, {"format": FORMAT, "sentences": msgspec.json.encode(each).decode()})


def _sha256(*paths: Path) -> str:
    """One hash of files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
