"""The attributes of a table's row that have a meaning: how they are written, and what cannot be true of one row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from seer_bench.errors import UsageError

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "pretrained": "yes",
        "l_fore": "yes",
        "l_inv": "yes",
        "pre_fore": "yes",
        "pre_inv": "yes",
        "data": "100%",
    }
)
"""What an absent attribute means: fine-tuned (`l_`) and pre-trained (`pre_`) with the losses of visual foresight and of
inverse dynamics, on all demonstrations. Any other key may be absent and then says nothing."""

PRE_TRAINING = ("pre_fore", "pre_inv")
"""The losses of the pre-training, which a policy without pre-training cannot have."""

_KNOWN = (*DEFAULTS, "method", "demos", "variant")
_WORDS = {"true": "yes", "false": "no"}


def usual(key: str, text: str) -> str:
    """One value in its usual form: "true" as "yes", a share of the data in percent ("0.1" as "10%")."""
    value = _WORDS.get(text.strip().lower(), text.strip())
    if DEFAULTS.get(key) in ("yes", "no") and value.lower() in ("yes", "no"):
        return value.lower()
    share = _share(value) if key == "data" else None
    return value if share is None else f"{share:g}%"


def contradictions(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with the attributes of one row, a sentence each; empty where nothing is.

    An empty value counts as absent. Keys that have no meaning here only name the row, and any value will do for them.
    """
    given = {key: usual(key, value) for key, value in attributes.items() if value.strip()}
    found = [sentence for key, value in given.items() if (sentence := _fault(key, value))]
    with_losses = [key for key in PRE_TRAINING if given.get(key) == "yes"]
    if given.get("pretrained") == "no" and with_losses:
        losses = " and ".join(f"{key}=yes" for key in with_losses)
        found.append(f"pretrained=no contradicts {losses}: without pre-training there are no losses of it.")
    if given.get("pretrained") == "yes" and all(given.get(key) == "no" for key in PRE_TRAINING):
        found.append(
            "pretrained=yes contradicts pre_fore=no and pre_inv=no: pre-training with neither loss is none; "
            "say pretrained=no."
        )
    return tuple(found)


def check_arm(attributes: Mapping[str, str], *, source: str = "--arm") -> None:
    """Refuse attributes that no row can have, before anything is run under them.

    Args:
        attributes: of one row: the policy's own, overridden by those that were asked for.
        source: where they come from, for the message.

    Raises:
        UsageError: naming every fault.
    """
    if found := contradictions(attributes):
        raise UsageError(f"{source}: {' '.join(found)}")


def _fault(key: str, value: str) -> str:
    """What is wrong with one attribute alone; "" where nothing is."""
    plain_key = key.strip().lower().replace("-", "_")
    if key not in _KNOWN and plain_key in _KNOWN:
        return f"{key}={value}: tables read this attribute as '{plain_key}'; write {plain_key}={value}."
    if DEFAULTS.get(key) in ("yes", "no") and value not in ("yes", "no"):
        return f"{key}={value}: {key} is yes or no."
    if key == "data":
        share = _share(value)
        if share is None or not 0 < share <= 100:
            return f"data={value}: data is the share of the demonstrations, above 0 and at most 100%, such as data=10%."
    if key == "demos" and re.fullmatch(r"[1-9]\d*", value) is None:
        return f"demos={value}: demos is a number of demonstrations a task, such as demos=100."
    return ""


def _share(value: str) -> float | None:
    """A share in percent from "10%", "10" or "0.1"; numbers above 1 are percent. None for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *(%?)", value)
    if match is None:
        return None
    number = float(match[1])
    return number if match[2] or number > 1 else 100 * number
