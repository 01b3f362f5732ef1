"""What a row of a table is: attributes such as method and pre-training, of runs and of the paper's rows alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seer_bench.store import Manifest

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

METHODS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "seer": {"": "Seer", "calvin-large": "Seer-Large"},
        "expert": {"": "Expert"},
        "gr1": {"": "GR-1"},
        "mtact": {"": "MTACT"},
        "mvp": {"": "MVP"},
        "mpi": {"": "MPI"},
    }
)
"""Policy -> variant that it was set up as ("" for any other) -> method as tables call it; a policy that is not named
here is its own method."""

_WORDS = {"true": "yes", "false": "no"}
_OBJECTIVES = ("pre_fore", "pre_inv")
_SCRATCH = " (w/o pretrain)"


@dataclass(frozen=True, order=True)
class Arm:
    """The attributes of one row, in the one form in which equal arms are equal."""

    pairs: tuple[tuple[str, str], ...]
    """Sorted; without those that have their default value."""

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> Arm:
        """Read attributes as somebody wrote them.

        An empty value counts as absent, "true" as "yes", a share of the data as percent ("0.1" as "10%"). Pre-training
        with neither loss is no pre-training, and without pre-training there are no losses of it. What contradicts this
        is left as it stands, so that it equals no row of the paper.
        """
        given = {key: _value(key, value) for key, value in attributes.items() if value.strip()}
        if given.get("pretrained") == "no":
            given = {**dict.fromkeys(_OBJECTIVES, "no"), **given}
        if all(given.get(key) == "no" for key in _OBJECTIVES):
            given = {"pretrained": "no", **given}
            if given["pretrained"] == "no":
                given = {key: value for key, value in given.items() if key not in _OBJECTIVES}
        return cls(tuple(sorted((key, value) for key, value in given.items() if DEFAULTS.get(key) != value)))

    def __getitem__(self, key: str) -> str:
        """The value of `key`, its default where absent, "" where it has none."""
        return dict(self.pairs).get(key, DEFAULTS.get(key, ""))

    @property
    def method(self) -> str:
        """The method's name."""
        return self["method"]

    @property
    def options(self) -> dict[str, str]:
        """The attributes beside the method, as `--arm` takes them."""
        return {key: value for key, value in self.pairs if key != "method"}

    def varies_only(self, keys: Collection[str]) -> bool:
        """Whether nothing but `keys` and the method sets it apart from an arm of defaults."""
        return set(self.options) <= set(keys)


def arm_of_run(manifest: Manifest) -> Arm:
    """The row that a run belongs to: what the policy says of itself, overridden by the run's own attributes."""
    return Arm.of({"method": default_method(manifest), **manifest.arm})


def arm_of_paper(method: str, **attributes: str) -> Arm:
    """The arm of a row of the paper, e.g. of "Seer (w/o pretrain)"."""
    if method.endswith(_SCRATCH):
        return Arm.of({"method": method.removesuffix(_SCRATCH), "pretrained": "no", **attributes})
    return Arm.of({"method": method, **attributes})


def default_method(manifest: Manifest) -> str:
    """The method that a run's policy is, unless the run says otherwise."""
    policy = manifest.policy
    names = METHODS.get(policy.name, {"": policy.name})
    return names.get(policy.settings.get("variant", ""), names[""])


def policy_of(method: str) -> str | None:
    """The policy that is `method` by default; None where none is known."""
    return next((policy for policy, names in METHODS.items() if names[""] == method), None)


def own_attributes(manifest: Manifest) -> dict[str, str]:
    """What sets a run's arm apart from its policy's defaults; what a row's name shows."""
    arm = arm_of_run(manifest)
    return arm.options if arm.method == default_method(manifest) else dict(arm.pairs)


def _value(key: str, text: str) -> str:
    """One value in its usual form."""
    value = _WORDS.get(text.strip().lower(), text.strip())
    if DEFAULTS.get(key) in ("yes", "no") and value.lower() in ("yes", "no"):
        return value.lower()
    share = re.fullmatch(r"(\d+(?:\.\d+)?) *(%?)", value) if key == "data" else None
    if share is None:
        return value
    number = float(share[1])
    return f"{number if share[2] or number > 1 else 100 * number:g}%"
