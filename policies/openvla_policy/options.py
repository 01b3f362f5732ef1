"""What `--policy-arg` and the environment say to the policy `openvla`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from seer_bench import PolicyArgs

URL_VARIABLE = "SEER_BENCH_OPENVLA_URL"


@dataclass(frozen=True)
class OpenVlaOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    url: str
    """Of the server, e.g. "http://127.0.0.1:8000". In the environment it is no part of the run's identity, so that the
    server may move."""
    unnorm_key: str | None = None
    """Data set whose statistics undo the normalization of actions; None: the suite's name, else that followed by
    "_no_noops", as OpenVLA's evaluation looks for it."""
    center_crop: bool = True
    """Whether the checkpoint was trained with random crops, as the published LIBERO ones were."""
    timeout: float = 300.0
    """Seconds to wait for an action; the first may include compiling."""
    wait: float = 30.0
    """Seconds for which connecting is tried."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> OpenVlaOptions:
        """Read what the command line and the environment give.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: the address is missing, or a value cannot be.
        """
        args = PolicyArgs("openvla", given, [field.name for field in fields(cls)])
        start = "Start one in OpenVLA's repository with: python vla-scripts/deploy.py --openvla_path CHECKPOINT"
        return cls(
            url=args.address("url", "http", "https", variable=URL_VARIABLE, start=start),
            unnorm_key=args.text("unnorm_key", None),
            center_crop=args.switch("center_crop", cls.center_crop),
            timeout=args.number("timeout", cls.timeout, "seconds"),
            wait=args.number("wait", cls.wait, "seconds"),
        )
