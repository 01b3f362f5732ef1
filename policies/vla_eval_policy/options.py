"""What `--policy-arg` and the environment say to the policy `vla_eval`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from seer_bench import PolicyArgs

URL_VARIABLE = "SEER_BENCH_VLA_EVAL_URL"


@dataclass(frozen=True)
class VlaEvalOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    url: str
    """Of the model server, e.g. "ws://127.0.0.1:8000". In the environment it is no part of the run's identity, so that
    the server may move."""
    timeout: float = 300.0
    """Seconds to wait for an action; the first may include compiling."""
    wait: float = 30.0
    """Seconds for which connecting is tried."""
    batch: int = 1
    """Slots that are asked at once, so that a server with max_batch_size computes them together."""
    specs: str = "check"
    """"check" refuses a server that declares other actions than vla-eval's benchmark takes; "ignore" goes on, as
    vla-eval itself does."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> VlaEvalOptions:
        """Read what the command line and the environment give.

        Raises:
            UnknownNameError: there is no such option.
            UsageError: the address is missing, or a value cannot be.
        """
        args = PolicyArgs("vla_eval", given, [field.name for field in fields(cls)])
        start = "Start one from PyPI's vla-eval, e.g. with: vla-eval serve --config FILE"
        return cls(
            url=args.address("url", "ws", "wss", variable=URL_VARIABLE, start=start),
            timeout=args.number("timeout", cls.timeout, "seconds"),
            wait=args.number("wait", cls.wait, "seconds"),
            batch=args.whole("batch", cls.batch),
            specs=args.choice("specs", cls.specs, ("check", "ignore")),
        )
