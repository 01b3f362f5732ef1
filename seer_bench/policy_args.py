"""What `--policy-arg key=value` says to a policy, read key by key.

    args = PolicyArgs("mynet", context.options, ("speed", "batch"))
    speed = args.number("speed", 0.5)
    batch = args.whole("batch", 1)

Nobody but the policy can notice a misspelt key or a value that cannot be; this refuses both, before anything is played.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from seer_bench.errors import UnknownNameError, UsageError

Default = TypeVar("Default")
Word = TypeVar("Word", bound=str)


class PolicyArgs:
    """Options of a policy.

    Each method returns the value of a key, or `default` where the key is not given.

    Args:
        policy: the policy's name, for messages.
        given: `PolicyContext.options`.
        known: the keys that the policy has.

    Raises:
        UnknownNameError: another key is given.
        UsageError: a key is given, and the policy has none.
    """

    def __init__(self, policy: str, given: Mapping[str, str], known: Iterable[str] = ()) -> None:
        self._given = given
        known = tuple(known)
        for key, value in given.items():
            if not known:
                raise UsageError(f"the policy '{policy}' has no options; leave --policy-arg {key}={value} out.")
            if key not in known:
                hint = "Give it as --policy-arg key=value."
                raise UnknownNameError(f"option of the policy '{policy}'", key, known, hint)

    def __contains__(self, key: str) -> bool:
        """Whether a key is given."""
        return key in self._given

    def text(self, key: str, default: Default) -> str | Default:
        """Any words."""
        return self._given.get(key, default)

    def whole(self, key: str, default: Default) -> int | Default:
        """A whole number of at least 1; raises UsageError."""
        if (text := self._given.get(key)) is None:
            return default
        if not (text.isascii() and text.isdecimal() and int(text) >= 1):
            raise UsageError(f"--policy-arg {key}={text}: give a whole number of at least 1.")
        return int(text)

    def number(self, key: str, default: Default, unit: str = "") -> float | Default:
        """A finite number above 0, of a unit that messages name, e.g. "seconds"; raises UsageError."""
        if (text := self._given.get(key)) is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"--policy-arg {key}={text}: give a number {f'of {unit} ' if unit else ''}above 0.")
        return value

    def choice(self, key: str, default: Word, choices: Iterable[Word]) -> Word:
        """One of a few words; raises UsageError."""
        words: dict[str, Word] = {word: word for word in choices}
        if (text := self._given.get(key, default)) not in words:
            raise UsageError(f"--policy-arg {key}={text}: choose {' or '.join(words)}.")
        return words[text]

    def switch(self, key: str, default: bool) -> bool:
        """On or off; raises UsageError."""
        return self.choice(key, "on" if default else "off", ("on", "off")) == "on"

    def address(self, key: str, default: Default, *schemes: str) -> str | Default:
        """The address of a server, e.g. `address("url", None, "ws", "wss")`; raises UsageError."""
        if (text := self._given.get(key)) is None:
            return default
        try:
            parts = urlsplit(text)
            complete = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:  # a port that is no number
            complete = False
        if not complete:
            forms = " or ".join(f"{scheme}://HOST:PORT" for scheme in schemes)
            raise UsageError(f"--policy-arg {key}={text}: give {forms}.")
        return text
