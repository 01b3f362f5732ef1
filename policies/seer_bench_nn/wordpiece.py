"""BERT's uncased WordPiece tokenizer (Devlin et al., 2019), on the standard library and a published vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from seer_bench.errors import CheckpointError

START, END, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
_LONGEST_WORD = 100
_IDEOGRAPHS = re.compile(
    "([\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f])"
)


class WordPiece:
    """Sentences to ids of a vocabulary.

    Args:
        path: `vocab.txt`, one piece a line, a piece's id being its line counted from 0; "##" marks a piece that goes
            on with a word.

    Raises:
        CheckpointError: the file cannot be read as such.
    """

    def __init__(self, path: Path) -> None:
        try:
            pieces = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path}: cannot be read as a vocabulary: {error}.") from error
        self._ids = {piece: number for number, piece in enumerate(pieces)}
        if missing := [piece for piece in (START, END, UNKNOWN) if piece not in self._ids]:
            raise CheckpointError(f"{path}: is no vocabulary of BERT's, {', '.join(missing)} is not in it.")
        self.size = len(pieces)
        """Number of pieces."""

    def __call__(self, sentence: str, limit: int) -> list[int]:
        """Ids of a sentence between START and END, at most `limit` in all; a longer one is cut before END."""
        ids = [self._ids[piece] for word in words(sentence) for piece in self._pieces(word)]
        return [self._ids[START], *ids[: limit - 2], self._ids[END]]

    def _pieces(self, word: str) -> list[str]:
        """The longest pieces from the left; one UNKNOWN where that does not come out."""
        pieces: list[str] = []
        begin = 0
        while begin < len(word) <= _LONGEST_WORD:
            mark = "##" if begin else ""
            ends = range(len(word), begin, -1)
            end = next((end for end in ends if mark + word[begin:end] in self._ids), None)
            if end is None:
                return [UNKNOWN]
            pieces.append(mark + word[begin:end])
            begin = end
        return pieces or [UNKNOWN]


def words(sentence: str) -> Iterator[str]:
    """Words and punctuation marks, lower-cased and without accents; ideographs are words of one character."""
    cleaned = "".join(" " if char in "\t\n\r" else char for char in sentence if not _is_control(char))
    for chunk in _IDEOGRAPHS.sub(r" \1 ", cleaned).split():
        bare = "".join(c for c in unicodedata.normalize("NFD", chunk.lower()) if unicodedata.category(c) != "Mn")
        word = ""
        for char in bare:
            if _is_punctuation(char):
                yield from filter(None, (word, char))
                word = ""
            else:
                word += char
        if word:
            yield word


def _is_control(char: str) -> bool:
    """Characters that are dropped; those that Unicode assigns nothing to are kept, as by the published tokenizer."""
    return char in "\0\ufffd" or (char not in "\t\n\r" and unicodedata.category(char) in ("Cc", "Cf", "Co"))


def _is_punctuation(char: str) -> bool:
    """Every printing ASCII character that is no letter or digit counts."""
    return ("!" <= char <= "~" and not char.isalnum()) or unicodedata.category(char).startswith("P")
