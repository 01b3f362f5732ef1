"""A look at large frames before they are decoded: a few megabytes can stand for gigabytes of small objects."""

from __future__ import annotations

_SMALL = 1 << 18
"""Bytes of a frame that may hold whatever it likes: at worst some 30 MB of objects."""
_MOST = 20_000
"""Values in a larger one; an observation has some dozens, and its bytes lie in its arrays."""
_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
"""Bytes of the length of binary data, extensions and texts, by their first byte."""
_EXTENSIONS = (0xC7, 0xC8, 0xC9)
_PLAIN = {
    **dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3), 0),
    **{0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8},
    **{0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17},
    **{0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4},
}
"""Bytes that follow the first one; those of lists and maps are their lengths, and what they hold comes next."""


def is_bomb(frame: bytes) -> bool:
    """Whether a frame of MessagePack is large and holds very many values; damaged ones are left to the decoder."""
    size, at, values = len(frame), 0, 0
    if size <= _SMALL:
        return False
    while at < size:
        values += 1
        if values > _MOST:
            return True
        first = frame[at]
        at += 1
        if (width := _SIZES.get(first)) is not None:
            at += width + int.from_bytes(frame[at : at + width], "big") + (first in _EXTENSIONS)
        elif 0xA0 <= first < 0xC0:  # a short text
            at += first - 0xA0
        else:
            at += _PLAIN.get(first, 0)
    return False
