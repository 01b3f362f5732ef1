"""What a model server says of itself, checked against what vla-eval's benchmark gives and takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seer_bench import ConventionError

_FLAGS = ("send_wrist_image", "send_state", "absolute_action", "quat_no_antipodal")
"""Parameters that choose what is sent, and what an action means."""
_PROTOCOL = ("seed", "env_seed", "ep_len", "max_steps", "num_steps_wait", "suite")
"""Parameters of vla-eval's benchmarks that the protocol decides here; what a server asks is told and not done."""


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
    """Parameters that the server asks for and the protocol decides, e.g. "ep_len=720"; else empty."""

    @classmethod
    def read(cls, said: Mapping[str, Any], formats: Mapping[bool, Mapping[str, str]], *, check: bool) -> Greeting:
        """Check a server's greeting.

        Args:
            said: payload of the greeting.
            formats: what vla-eval's benchmark takes, component -> format, with absolute actions (True) and without.
            check: refuse other formats.

        Raises:
            ConventionError: it asks for what cannot be given, or declares other actions.
        """
        asked = said.get("observation_params") or {}
        if not isinstance(asked, Mapping):
            raise ConventionError(f"the model server's observation_params are {asked!r}; expected a map.")
        for name, value in asked.items():
            if name not in _FLAGS + _PROTOCOL or (name in _FLAGS and not isinstance(value, bool)):
                raise ConventionError(
                    f"the model server asks for observations with {name}={value!r}, which this policy cannot give. "
                    f"It understands: {', '.join(_FLAGS)} (true or false)."
                )
        absolute = bool(asked.get("absolute_action", False))
        if absolute not in formats:
            raise ConventionError("the model server answers with absolute poses, which this benchmark does not take.")
        if check:
            _check_actions(said.get("action_spec") or {}, formats[absolute])
        return cls(
            server=str(said.get("model_server", "unknown")),
            version=str(said.get("harness_version", "unknown")),
            wrist_image=bool(asked.get("send_wrist_image", False)),
            state=bool(asked.get("send_state", False)),
            absolute_action=absolute,
            whole_turns=bool(asked.get("quat_no_antipodal", False)),
            not_done=", ".join(f"{name}={asked[name]}" for name in sorted(asked) if name in _PROTOCOL),
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
