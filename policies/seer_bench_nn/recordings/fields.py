"""Checked access to the JSON objects of a recording: every fault names the file, the key and the value."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from seer_bench.verification.recording import RecordError, Recording

MAX_SEED = 2**32 - 1
"""Of NumPy's legacy generator."""


class Fields:
    """A JSON object whose values are read with their type checked.

    Args:
        where: file, and the path of keys to the object, for messages.
        tree: the object.

    Raises:
        RecordError: it is no object; every method raises it where a key is missing or its value cannot be meant.
    """

    def __init__(self, where: str, tree: object) -> None:
        if not isinstance(tree, dict):
            raise RecordError(f"{where} must be a JSON object, it is {tree!r:.60}")
        self.where = where
        self._tree: Mapping[str, Any] = tree

    @classmethod
    def of(cls, recording: Recording) -> Fields:
        """The whole .json file of a record."""
        return cls(next(name for name in [*recording.files, ".json"] if name.endswith(".json")), recording.tree)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def __contains__(self, key: str) -> bool:
        return key in self._tree

    def inner(self, key: str) -> Fields:
        """A nested object."""
        return Fields(f"{self.where}: '{key}'", self._value(key))

    def integer(self, key: str, least: int = 1, most: int = MAX_SEED) -> int:
        """A whole number within limits."""
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._fault(key, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self._value(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise self._fault(key, "a finite number")
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """True or false."""
        if key not in self and default is not None:
            return default
        value = self._value(key)
        if not isinstance(value, bool):
            raise self._fault(key, "true or false")
        return value

    def is_false(self, key: str) -> bool:
        """Whether the value is false, as an option that counts something may be."""
        return self._value(key) is False

    def text(self, key: str) -> str:
        """A string."""
        value = self._value(key)
        if not isinstance(value, str):
            raise self._fault(key, "a string")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings; a single string counts as a list of one."""
        value = self._value(key)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
            raise self._fault(key, "a list of strings")
        return values

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A list of finite numbers, of a given length where `count` says so."""
        value = self._value(key)
        sound = isinstance(value, list) and all(
            isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in value
        )
        if not sound or (count is not None and len(value) != count):
            raise self._fault(key, f"a list of {'' if count is None else f'{count} '}finite numbers")
        return [float(one) for one in value]

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse keys that nothing here would honour."""
        if unknown := [key for key in self._tree if key not in known]:
            raise RecordError(
                f"{self.where}: unknown key '{unknown[0]}' = {self._tree[unknown[0]]!r:.60}; known: {', '.join(known)}"
            )

    def _value(self, key: str) -> Any:
        if key not in self._tree:
            raise RecordError(f"{self.where} has no key '{key}'")
        return self._tree[key]

    def _fault(self, key: str, wanted: str) -> RecordError:
        return RecordError(f"{self.where}: '{key}' must be {wanted}, it is {self._tree[key]!r:.60}")
