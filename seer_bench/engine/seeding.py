"""Seeds that depend on what is played, never on when or where."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: str | int) -> int:
    """A 32-bit seed from its parts, e.g. run seed, unit id and subtask index.

    The parts are hashed with sha256, so that neighbouring units get unrelated seeds and no global random state is
    needed.
    """
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "little")
