"""What `--policy-arg` may say to the policy `lerobot`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seer_bench import PolicyArgs

from .mapping import parse_map


@dataclass(frozen=True)
class LeRobotOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    map: Mapping[str, str] = field(default_factory=dict)
    """Input -> source, for inputs whose source is not derived."""
    gripper: str | None = None
    """"open:1,closed:0": the numbers that the policy emits; the benchmark's if not given."""
    resize: bool = False
    """Whether pictures of another size are resized."""
    n_action_steps: int | None = None
    """Actions of a prediction that are executed; as saved if not given."""
    ranges: bool = True
    """Whether the range of the actions that it was trained on is checked."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> LeRobotOptions:
        """Read what the command line gives.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: a value cannot be.
        """
        args = PolicyArgs("lerobot", given, ("map", "gripper", "resize", "n_action_steps", "ranges"))
        stated = args.text("map", None)
        return cls(
            map={} if stated is None else parse_map(stated),
            gripper=args.text("gripper", None),
            resize=args.choice("resize", "refuse", ("refuse", "bilinear")) == "bilinear",
            n_action_steps=args.whole("n_action_steps", None),
            ranges=args.choice("ranges", "check", ("check", "ignore")) == "check",
        )
