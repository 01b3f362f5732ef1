"""CLIP's byte-pair tokenizer (Radford et al., 2021), on the standard library and one table of merges.

Ids are laid out as in OpenAI's vocabulary: 256 single bytes, the same 256 bytes at the end of a word, one id for each
of 48,894 merges in order of priority, start of text, end of text.
"""

from __future__ import annotations

import functools
import html
import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

CONTEXT = 77
"""Length of every row of tokens."""
WORD_END = 256
"""What the id of a byte grows by where the byte ends a word."""
FIRST_MERGE = 512
"""Id of the first merge."""
START, END = 49406, 49407
"""Ids that open and close a sentence."""

_MERGES = Path(__file__).with_name("data") / "clip_merges.npy"
_SUFFIXES = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_STRAIGHT_QUOTES = str.maketrans(dict.fromkeys("ʼ‘’‚‛", "'") | dict.fromkeys("“”„‟", '"'))


def byte_ids() -> dict[int, int]:
    """The id of each byte: printable Latin-1 characters come first, in order, then the other bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    order = printable + [byte for byte in range(256) if byte not in set(printable)]
    return {byte: index for index, byte in enumerate(order)}


def tokenize(sentences: str | Sequence[str]) -> Tensor:
    """Token ids (number of sentences, 77), int64: start, the words, end, then zeros.

    A sentence that is too long is cut and ends with the end token. Text is lower-cased, HTML entities are resolved,
    runs of white space count as one, Unicode is composed (NFC) and curly quotes are straightened. OpenAI's own
    tokenizer also repairs wrongly decoded text, ligatures and full-width letters (through ftfy); this one does not.
    """
    rows = [sentences] if isinstance(sentences, str) else list(sentences)
    tokens = torch.zeros(len(rows), CONTEXT, dtype=torch.int64)
    for row, sentence in zip(tokens, rows, strict=True):
        ids = [START, *encode(sentence)[: CONTEXT - 2], END]
        row[: len(ids)] = torch.tensor(ids)
    return tokens


def encode(sentence: str) -> list[int]:
    """The ids of a sentence of any length, without start and end."""
    text = html.unescape(html.unescape(unicodedata.normalize("NFC", sentence).translate(_STRAIGHT_QUOTES)))
    return [token for word in _words(text.lower()) for token in _word_ids(word)]


def _words(text: str) -> Iterator[str]:
    """Split into runs of letters, single digits, contractions' endings and runs of other signs."""
    start = 0
    while start < len(text):
        suffix = next((s for s in _SUFFIXES if text.startswith(s, start)), "")
        kind = _kind(text[start])
        end = start + max(len(suffix), 1)
        if kind in "LS" and not suffix:
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != " ":
            yield text[start:end]
        start = end


def _kind(char: str) -> str:
    """L: letter, N: number, blank: white space, S: any other sign."""
    category = unicodedata.category(char)[0]
    return " " if char.isspace() else category if category in "LN" else "S"


@functools.lru_cache(maxsize=4096)
def _word_ids(word: str) -> tuple[int, ...]:
    """Merge the bytes of a word, the earliest merge of the table first, until none applies."""
    ids = [_byte_ids()[byte] for byte in word.encode()]
    ids[-1] += WORD_END
    ranks = _ranks()
    while len(ids) > 1:
        best = min(itertools.pairwise(ids), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        ids = _merge(ids, best, FIRST_MERGE + ranks[best])
    return tuple(ids)


def _merge(ids: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    """Replace every occurrence of `pair`, from the left."""
    out: list[int] = []
    position = 0
    while position < len(ids):
        if tuple(ids[position : position + 2]) == pair:
            out.append(merged)
            position += 2
        else:
            out.append(ids[position])
            position += 1
    return out


@functools.cache
def _byte_ids() -> dict[int, int]:
    return byte_ids()


@functools.cache
def _ranks() -> dict[tuple[int, int], int]:
    """Priority of each pair of ids that merges, 0 first."""
    pairs: list[list[int]] = np.load(_MERGES).tolist()
    return {(left, right): rank for rank, (left, right) in enumerate(pairs)}
