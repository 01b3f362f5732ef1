"""Makes `data/clip_merges.npy` from the vocabulary that OpenAI publishes with CLIP.

    python -m seer_bench_nn.clip_merges bpe_simple_vocab_16e6.txt.gz

The source lists pairs of strings, one merge a line, the most frequent first; CLIP uses the first 48,894. The table
holds the same facts as pairs of token ids, uint16, row i being the pair that makes the id 512 + i.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seer_bench.errors import AssetError

from .clip_tokenizer import FIRST_MERGE, WORD_END, byte_ids

MERGES = 48894
"""Number of merges of the vocabulary."""
SOURCE_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
"""Of bpe_simple_vocab_16e6.txt.gz: https://github.com/openai/CLIP/tree/main/clip (MIT License)."""
TABLE = Path(__file__).with_name("data") / "clip_merges.npy"
"""Where the table lies."""


def merges(source: bytes) -> NDArray[np.uint16]:
    """The table (48894, 2) of the gzipped vocabulary `source`.

    Raises:
        AssetError: `source` is another file than the published one.
    """
    digest = hashlib.sha256(source).hexdigest()
    if digest != SOURCE_SHA256:
        raise AssetError(
            f"clip_merges: the file's sha256 is {digest}, the published vocabulary's is {SOURCE_SHA256}. "
            "Take bpe_simple_vocab_16e6.txt.gz from https://github.com/openai/CLIP/tree/main/clip"
        )
    ids = _single_bytes()
    table = np.empty((MERGES, 2), np.uint16)
    for row, line in enumerate(gzip.decompress(source).decode().split("\n")[1 : 1 + MERGES]):
        left, right = line.split()
        table[row] = ids[left], ids[right]
        ids[left + right] = FIRST_MERGE + row
    return table


def _single_bytes() -> dict[str, int]:
    """The id of each byte, under the character that stands for it in the source.

    Printable Latin-1 characters stand for themselves; the n-th of the other bytes is written as U+0100 + n.
    """
    names: dict[str, int] = {}
    for byte, index in byte_ids().items():
        char = chr(byte) if index < 188 else chr(256 + index - 188)
        names[char] = index
        names[char + "</w>"] = index + WORD_END
    return names


def main() -> None:
    """Write the table from the file named on the command line."""
    TABLE.parent.mkdir(exist_ok=True)
    np.save(TABLE, merges(Path(sys.argv[1]).read_bytes()))


if __name__ == "__main__":
    main()
