from __future__ import annotations

from pathlib import Path

import pytest

from seer_bench_nn.wordpiece import WordPiece, words

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##want", "##ed", "want", "cafe", "'", "s", "-", "木"]


@pytest.fixture
def tokenize(tmp_path: Path) -> WordPiece:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return WordPiece(path)


@pytest.mark.parametrize(
    ("sentence", "pieces"),
    [
        ("UNwanted wanted", "un ##want ##ed want ##ed"),
        ("Café's", "cafe ' s"),
        ("want-unwant", "want - un ##want"),
        ("wanting", "[UNK]"),
        ("want\u200b\tun", "want un"),  # characters that format are dropped, white space parts words
        ("木木", "木 木"),
        ("un" * 51, "[UNK]"),  # longer than 100 characters
        ("", ""),
    ],
)
def test_pieces_are_berts(tokenize, sentence, pieces):
    assert [PIECES[number] for number in tokenize(sentence, 64)] == ["[CLS]", *pieces.split(), "[SEP]"]


def test_long_sentences_are_cut_before_their_end(tokenize):
    assert tokenize("want " * 20, 5) == [2, 7, 7, 7, 3]


def test_ascii_symbols_and_unicode_punctuation_are_words_of_their_own():
    assert list(words("a+b$c…d«e`f")) == ["a", "+", "b", "$", "c", "…", "d", "«", "e", "`", "f"]
