"""CLIP's tokens; expected ids come from the recordings and from a run of open_clip's tokenizer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seer_bench import AssetError
from seer_bench_nn.clip_merges import MERGES, TABLE, merges
from seer_bench_nn.clip_tokenizer import CONTEXT, END, FIRST_MERGE, START, encode, tokenize

SENTENCES = {
    "take the pink block and rotate it to the right": [1172, 518, 3360, 4593, 537, 10055, 671, 585, 531, 518, 1155],
    "sweep the pink block to the right": [13669, 518, 3360, 4593, 531, 518, 1155],
    "KITCHEN SCENE3 turn on the stove and put the moka pot on it": [
        4485, 3562, 274, 2105, 525, 518, 21423, 537, 1983, 518, 617, 1525, 5168, 525, 585,
    ],
    "put both moka pots on the stove": [1983, 2212, 617, 1525, 19234, 525, 518, 21423],
    "put the white mug on the left plate and put the yellow and white mug on the right plate": [
        1983, 518, 1579, 9722, 525, 518, 1823, 5135, 537, 1983, 518, 4481, 537, 1579, 9722, 525, 518, 1155, 5135,
    ],
    "Don't touch it: it's 12.5 cm!": [847, 713, 4526, 585, 281, 585, 568, 272, 273, 269, 276, 3741, 256],
    "café naïve 3½": [15304, 1097, 35689, 563, 274, 33613],
}  # fmt: skip


def test_tokens_are_those_recorded(shared):
    folder = shared / "golden" / "seer"
    sentences = json.loads((folder / "clip_text.json").read_text())["sentences"]
    with np.load(folder / "clip_text.npz") as recorded:
        np.testing.assert_array_equal(tokenize(sentences), recorded["tokens"])


@pytest.mark.parametrize("sentence", SENTENCES)
def test_tokens_are_those_of_open_clip(sentence):
    assert encode(sentence) == SENTENCES[sentence]


def test_rows_are_padded_and_cut():
    short, long = tokenize(["no lang", "a " * 100])
    assert short[:5].tolist() == [START, 871, 8578, END, 0]
    assert not short[4:].any()
    assert long.shape == (CONTEXT,)
    assert (long[0], long[-1]) == (START, END)
    assert (long[1:-1] == 320).all()
    assert tokenize("no lang").tolist() == [short.tolist()]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("  Push \t the\n door ", "push the door"),
        ("it’s “red”", "it's \"red\""),
        ("black &amp;amp; white", "black & white"),
        ("cafe\u0301", "café"),
        ("", ""),
    ],
)  # fmt: skip
def test_text_is_cleaned(written, plain):
    assert encode(written) == encode(plain)


def test_every_merge_is_of_ids_made_before_it():
    table = np.load(TABLE)
    assert table.shape == (MERGES, 2)
    assert (table.max(axis=1) < FIRST_MERGE + np.arange(MERGES)).all()
    assert len(np.unique(table, axis=0)) == MERGES
    assert FIRST_MERGE + MERGES == START


def test_another_vocabulary_is_refused():
    with pytest.raises(AssetError, match="sha256"):
        merges(b"something else")
