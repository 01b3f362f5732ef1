from __future__ import annotations

from contextlib import suppress

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from seer_bench.serving.codec import FrameError, pack, unpack

DTYPES = ["?", "|u1", "|i1", "<u2", "<i4", "<i8", "<f2", "<f4", "<f8", ">f4"]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: npst.arrays(np.dtype(dtype), npst.array_shapes(min_dims=0, min_side=0))
    )
)
@settings(max_examples=60, deadline=None)
def test_an_array_comes_back_bit_for_bit(array):
    again = unpack(pack({"a": [array]}))["a"][0]
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert again.tobytes() == array.tobytes()


def test_the_bytes_are_those_of_openpi():
    """What openpi's packer writes: maps with keys of bytes, arrays in C order."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    theirs = {
        "state": {b"__ndarray__": True, b"data": array.tobytes(), b"dtype": "<f4", b"shape": (2, 3)},
        "n": {b"__npgeneric__": True, b"data": 1.5, b"dtype": "<f8"},
        "prompt": "pick",
    }
    assert pack({"state": array, "n": np.float64(1.5), "prompt": "pick"}) == msgpack.packb(theirs)


def test_what_is_not_contiguous_is_sent_in_its_order():
    array = np.arange(24).reshape(4, 6)[::-1, ::2]
    assert np.array_equal(unpack(pack(array)), array)


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["text"]), np.zeros(2, complex), object()])
def test_other_values_are_not_sent(value):
    with pytest.raises(FrameError, match="not sent"):
        pack({"x": value})


def array(**changes):
    fields = {b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": "<f8", b"shape": [1]}
    return msgpack.packb(fields | {key.encode(): value for key, value in changes.items()})


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\x01\x02",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xd9\x02\xff\xff",
        b"\x91" * 100_000 + b"\xc0",
        b"\x91" * 40 + b"\xc0",
        msgpack.packb(msgpack.ExtType(5, b"abc")),
        array(dtype="|O"),
        array(dtype="O8"),
        array(dtype="<f8,<f8"),
        array(dtype="<M8[s]"),
        array(dtype=7),
        array(shape=[2]),
        array(shape=[-1]),
        array(shape=[1 << 62, 4]),
        array(shape=[0, 1 << 62], data=b""),
        array(shape=[0, 1 << 63], data=b""),
        array(shape=[True]),
        array(shape="1"),
        array(data="x"),
        msgpack.packb({b"__npgeneric__": True, b"data": 300, b"dtype": "|u1"}),
        msgpack.packb({b"__npgeneric__": True, b"data": [1], b"dtype": "|u1"}),
    ],
)
def test_damaged_frames_are_refused(frame):
    with pytest.raises(FrameError):
        unpack(frame)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_is_read_or_refused(frame):
    with suppress(FrameError):
        unpack(frame)


@pytest.mark.parametrize("bomb", [b"\x80", b"\xc0", b"\xa0", b"\xc4\x00", b"\xc7\x00\x05", b"\xcb" + b"\0" * 8])
def test_large_frames_of_small_things_are_refused_before_they_are_decoded(bomb):
    count = 300_000
    with pytest.raises(FrameError, match="too many values"):
        unpack(b"\xdd" + count.to_bytes(4, "big") + bomb * count)


def test_large_frames_of_arrays_and_texts_are_read():
    tree = {"picture": np.zeros((600, 600, 3), np.uint8), "prompt": "\u65e5" * 500_000, "numbers": list(range(5000))}
    again = unpack(pack(tree))
    assert (again["prompt"], again["numbers"]) == (tree["prompt"], tree["numbers"])
    assert np.array_equal(again["picture"], tree["picture"])
