"""What `--policy-arg key=value` says to a policy, read key by key.

    args = PolicyArgs("mynet", context.options, ("speed", "batch"))
    speed = args.number("speed", 0.5)
    batch = args.whole("batch", 1)

Nobody but the policy can notice a misspelt key or a value that cannot be; this refuses both, before anything is played.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from seer_bench.errors import UnknownNameError, UsageError

Default = TypeVar("Default")
Word = TypeVar("Word", bound=str)


class PolicyArgs:
    """Options of a policy.

    Each method returns the value of a key; most take a `default` for where the key is not given.

    Args:
        policy: the policy's name, for messages.
        given: `PolicyContext.options`.
        known: the keys that the policy has.

    Raises:
        UnknownNameError: another key is given.
        UsageError: a key is given, and the policy has none.
    """

    def __init__(self, policy: str, given: Mapping[str, str], known: Iterable[str] = ()) -> None:
        self._policy, self._given = policy, given
        known = tuple(known)
        for key, value in given.items():
            if not known:
                raise UsageError(f"the policy '{policy}' has no options; leave --policy-arg {key}={value} out.")
            if key not in known:
                hint = f"What the policy '{policy}' takes is given as --policy-arg key=value."
                raise UnknownNameError("option", key, known, hint)

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

    def number(self, key: str, default: Default, unit: str = "", *, at_least: float | None = None) -> float | Default:
        """A finite number above 0, or from `at_least` on, of a unit that messages name, e.g. "seconds".

        Raises:
            UsageError: it is another one, or none.
        """
        if (text := self._given.get(key)) is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (value <= 0 if at_least is None else value < at_least):
            bound = "above 0" if at_least is None else f"of at least {at_least:g}"
            raise UsageError(f"--policy-arg {key}={text}: give a number {f'of {unit} ' if unit else ''}{bound}.")
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

    def address(self, key: str, *schemes: str, variable: str, start: str) -> str:
        """The address of a server, of a key or else of an environment variable.

        Options are part of a run's identity, the environment is not: a server whose address stands there may move.

        Args:
            key: e.g. "url".
            schemes: what an address may begin with, e.g. "ws", "wss".
            variable: name of the environment variable.
            start: a sentence for whoever gives neither: how to start a server.

        Raises:
            UsageError: it is given nowhere, or is no address.
        """
        forms = [f"{scheme}://HOST:PORT" for scheme in schemes]
        where, text = f"--policy-arg {key}", self._given.get(key)
        if text is None:
            where, text = variable, os.environ.get(variable)
        if not text:
            raise UsageError(
                f"the policy '{self._policy}' needs the address of a server: --policy-arg {key}={forms[0]}, or the "
                f"variable {variable}. {start}"
            )
        try:
            parts = urlsplit(text)
            complete = parts.scheme in schemes and parts.hostname and parts.port != 0 and "@" not in parts.netloc
        except ValueError:  # a port that is no number
            complete = False
        if not complete:
            raise UsageError(f"{where}={text}: give {' or '.join(forms)}.")
        return text
