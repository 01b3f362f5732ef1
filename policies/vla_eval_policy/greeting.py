"""What a model server says of itself, checked against what vla-eval's benchmark gives and takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from seer_bench import ConventionError


@dataclass(frozen=True)
class Greeting:
    """The checked greeting."""

    server: str
    """Class of the model server, e.g. "OpenVLAModelServer"."""
    version: str
    """Of vla-eval at the server."""
    wrist_image: bool
    state: bool
    absolute_action: bool
    """Actions are absolute poses, rotation as axis times angle, a positive gripper closes."""
    whole_turns: bool
    """The angle of an axis-angle state is 0 to 2 pi and not at most pi."""
    not_done: str
    """What else the server asks for, e.g. "ep_len=720"; else empty. vla-eval would set its benchmark's step limits and
    seeds so, which the protocol decides here, and drops what the benchmark does not know."""

    @classmethod
    def read(
        cls, said: Mapping[str, Any], flags: Collection[str], formats: Mapping[bool, Mapping[str, str]], *, check: bool
    ) -> Greeting:
        """Check a server's greeting.

        Args:
            said: payload of the greeting.
            flags: parameters of vla-eval's benchmark that choose what is sent, and what an action means.
            formats: what that benchmark takes, component -> format, with absolute actions (True) and without.
            check: refuse other formats.

        Raises:
            ConventionError: it asks for what cannot be given, or declares other actions.
        """
        asked = said.get("observation_params") or {}
        if not isinstance(asked, Mapping):
            raise ConventionError(f"the model server's observation_params are {asked!r}; expected a map.")
        chosen = {name: asked.get(name, False) for name in flags}
        for name, value in chosen.items():
            if not isinstance(value, bool):
                raise ConventionError(f"the model server asks for observations with {name}={value!r}; true or false?")
        absolute = chosen["absolute_action"]
        if absolute not in formats:
            raise ConventionError("the model server answers with absolute poses, which this benchmark does not take.")
        if check:
            _check_actions(said.get("action_spec") or {}, formats[absolute])
        return cls(
            server=str(said.get("model_server", "unknown")),
            version=str(said.get("harness_version", "unknown")),
            wrist_image=chosen["send_wrist_image"],
            state=chosen["send_state"],
            absolute_action=absolute,
            whole_turns=chosen.get("quat_no_antipodal", False),
            not_done=", ".join(f"{name}={asked[name]}" for name in sorted(asked, key=str) if name not in flags),
        )


def _check_actions(declared: Mapping[str, Any], taken: Mapping[str, str]) -> None:
    """Compare the components that the server declares; "raw" declares nothing."""
    for component, wanted in taken.items():
        spec = declared.get(component)
        found = spec.get("format", "raw") if isinstance(spec, Mapping) else "raw"
        if found not in ("raw", wanted):
            raise ConventionError(
                f"the model server declares the {component} of its actions as '{found}', but vla-eval's benchmark "
                f"takes '{wanted}'. If the server converts all the same: --policy-arg specs=ignore"
            )
