"""What a row of a table is: attributes such as method and pre-training, of runs and of the paper's rows alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seer_bench.arms import DEFAULTS, PRE_TRAINING, contradictions, usual
from seer_bench.store import Manifest

USUAL_POLICIES: Mapping[str, str] = MappingProxyType(
    {
        "Seer": "seer",
        "Expert": "expert",
        "Random": "random",
        "GR-1": "gr1",
        "MTACT": "mtact",
        "MVP": "mvp",
        "MPI": "mpi",
    }
)
"""Method as tables call it -> name that a policy plugin of it usually has; for hints alone."""

HEAD_OF_OURS = ("MVP", "MPI")
"""Methods of which an image encoder is public and no policy. Their plugins put a policy head of this project's on it,
and what they play is a row of its own, with the attribute head=ours."""

METHODS = (*USUAL_POLICIES, "OpenVLA", "RoboFlamingo", "SuSIE", "3D Diffuser Actor")
"""Methods as tables call them."""

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
        given = {key: usual(key, value) for key, value in attributes.items() if value.strip()}
        if given.get("pretrained") == "no":
            given = {**dict.fromkeys(PRE_TRAINING, "no"), **given}
        if all(given.get(key) == "no" for key in PRE_TRAINING):
            given = {"pretrained": "no", **given}
            if given["pretrained"] == "no":
                given = {key: value for key, value in given.items() if key not in PRE_TRAINING}
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
    """The row that a run belongs to; its method is the policy's name where neither policy nor run gave one."""
    return Arm.of(_attributes(manifest))


def arm_of_paper(method: str, **attributes: str) -> Arm:
    """The arm of a row of the paper, e.g. of "Seer (w/o pretrain)"."""
    if method.endswith(_SCRATCH):
        return Arm.of({"method": method.removesuffix(_SCRATCH), "pretrained": "no", **attributes})
    return Arm.of({"method": method, **attributes})


def policy_of(method: str) -> str | None:
    """The name that a policy plugin of `method` usually has; None where none is known."""
    return USUAL_POLICIES.get(method)


def own_attributes(manifest: Manifest) -> dict[str, str]:
    """What sets a run's arm apart from defaults and is not said by the policy's name; what a row's name shows."""
    arm = arm_of_run(manifest)
    return arm.options if _bare(arm.method) == _bare(manifest.policy.name) else dict(arm.pairs)


def contradiction_note(manifest: Manifest) -> str:
    """Why a run's attributes fit no row at all; "" where they are sound.

    Runs are refused with such attributes, but records may be older than that, or written by somebody else.
    """
    found = contradictions(_attributes(manifest))
    return f"No row can have its attributes, so it is compared with none. {' '.join(found)}" if found else ""


def _attributes(manifest: Manifest) -> dict[str, str]:
    """A run's attributes as they were written, its method always among them, and spelt as the tables spell it.

    That holds for a method that somebody gave: the name of a plugin alone is no claim to be the paper's method.
    """
    given = dict(manifest.arm)
    if "method" in given:
        names = {_joined(name): name for name in METHODS}
        given["method"] = names.get(_joined(given["method"]), given["method"])
    return {"method": manifest.policy.name, **given}


def _joined(name: str) -> str:
    """A name in small letters without spaces, "-" and "_"; "Seer+" stays another one than "Seer"."""
    return re.sub(r"[\s_-]", "", name.casefold())


def _bare(name: str) -> str:
    """A name's letters and digits, so that "GR-1" and "gr1" are the same."""
    return "".join(character for character in name.casefold() if character.isalnum())
