"""Which units a run plays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from seer_bench.contracts import Unit
from seer_bench.errors import UsageError

_RANGE = re.compile(r"([0-9]*):([0-9]*)|([0-9]+)")


def shard_of(units: Sequence[Unit], shard: tuple[int, int]) -> list[Unit]:
    """Every n-th unit from the i-th on, for shard (i, n); shards share no unit and leave none out."""
    index, count = shard
    return list(units[index::count])


def parse_shard(text: str | None, environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Shard (i, n) from `--shard i/n`, else from the variables RANK and WORLD_SIZE, else None.

    Raises:
        UsageError: it is no such pair, or i is not below n.
    """
    source = f"--shard {text!r}"
    if text is None:
        given = {name: environment[name] for name in ("RANK", "WORLD_SIZE") if name in environment}
        if not given:
            return None
        source = "the environment's " + ", ".join(f"{name}={value!r}" for name, value in given.items())
        text = f"{given.get('RANK')}/{given.get('WORLD_SIZE')}"
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise UsageError(
            f"{source} is no shard; write --shard 0/4 to 3/4 for four of them, or set RANK and WORLD_SIZE likewise."
        )
    return int(match[1]), int(match[2])


def parse_gpus(text: str | None) -> tuple[int, ...]:
    """Numbers of GPUs from `--egl-devices 0,1`; none where `text` is None.

    Raises:
        UsageError: it is no list of numbers.
    """
    if text is None:
        return ()
    if re.fullmatch(r"[0-9]+(,[0-9]+)*", text) is None:
        raise UsageError(f"--egl-devices {text!r} is no list of GPUs; write their numbers, e.g. 0 or 0,1.")
    return tuple(map(int, text.split(",")))


def select_units(units: Sequence[Unit], text: str | None) -> list[Unit]:
    """The units that `text` names, in the order of the protocol.

    Args:
        units: all units of the protocol, by index.
        text: comma-separated indices and half-open ranges, "0:200", "17" or "0:10,50,990:"; None for all.

    Raises:
        UsageError: the text is no such list, names nothing, or reaches beyond the last unit.
    """
    if text is None:
        return list(units)
    chosen: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"--units {text!r}: '{part}' is no index and no range; write 17, 0:200 or 0:10,50,990:")
        if match[3] is not None:
            start, stop = int(match[3]), int(match[3]) + 1
        else:
            start, stop = int(match[1] or 0), int(match[2] or len(units))
        if start >= stop or stop > len(units):
            raise UsageError(
                f"--units {text!r}: '{part}' selects {start}:{stop}, but the protocol's units are 0:{len(units)}."
            )
        chosen.update(range(start, stop))
    return [units[i] for i in sorted(chosen)]
