"""What `--policy-arg` may say to the policy `openvla`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from seer_bench import UnknownNameError, UsageError


@dataclass(frozen=True)
class OpenVlaOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    url: str
    """Of the server, e.g. "http://127.0.0.1:8000"."""
    unnorm_key: str | None = None
    """Data set whose statistics undo the normalization of actions; None: the suite's name, else that followed by
    "_no_noops", as OpenVLA's evaluation looks for it."""
    center_crop: bool = True
    """Whether the checkpoint was trained with random crops, as the published LIBERO ones were."""
    timeout: float = 60.0
    """Seconds to wait for an action."""
    patience: float = 10.0
    """Seconds to go on trying to connect."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> OpenVlaOptions:
        """Read what the command line gives.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: the address is missing, or a value cannot be.
        """
        known = [field.name for field in fields(cls)]
        for key in given:
            if key not in known:
                hint = "Give it as --policy-arg key=value."
                raise UnknownNameError("option of the policy 'openvla'", key, known, hint)
        if "url" not in given:
            raise UsageError(
                "the policy 'openvla' needs the address of a server: --policy-arg url=http://127.0.0.1:8000. Start one "
                "in OpenVLA's repository with: python vla-scripts/deploy.py --openvla_path CHECKPOINT"
            )
        return cls(
            url=_address(given["url"]),
            unnorm_key=given.get("unnorm_key"),
            center_crop=_switch("center_crop", given.get("center_crop", "on")),
            timeout=_seconds("timeout", given.get("timeout", "60")),
            patience=_seconds("patience", given.get("patience", "10")),
        )


def _address(text: str) -> str:
    """An HTTP address."""
    try:
        parts = urlsplit(text)
        complete = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:  # a port that is no number
        complete = False
    if not complete:
        raise UsageError(f"--policy-arg url={text}: give http://HOST:PORT or https://HOST:PORT.")
    return text


def _seconds(key: str, text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"--policy-arg {key}={text}: give a number of seconds above 0.")
    return value


def _switch(key: str, text: str) -> bool:
    """On or off."""
    if text not in ("on", "off"):
        raise UsageError(f"--policy-arg {key}={text}: choose on or off.")
    return text == "on"
