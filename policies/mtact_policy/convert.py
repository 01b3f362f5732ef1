"""From RoboAgent's layout to ours: `python -m mtact_policy.convert CKPT OUT --benchmark NAME --statistics FILE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from seer_bench.errors import CheckpointError, SeerBenchError

from .checkpoint import Checkpoint, build, save_checkpoint
from .embodiments import EMBODIMENTS
from .official import official_config, read_official, read_statistics


def convert(source: Path, out: Path, benchmark: str, statistics: Path, image_size: tuple[int, int] | None) -> None:
    """Read RoboAgent's two files and write one of ours.

    Args:
        source: `policy_best.ckpt`.
        out: what is written.
        benchmark: whose demonstrations it was trained on.
        statistics: `dataset_stats.pkl`.
        image_size: height and width that it was trained on; None is the benchmark's.

    Raises:
        CheckpointError: a file cannot be used, or the network is not for that benchmark.
    """
    embodiment = EMBODIMENTS[benchmark]
    weights = read_official(source)
    config = official_config(weights, image_size or embodiment.image_size, source)
    wanted = (embodiment.state_dim, embodiment.action.dim)
    if (config.state_dim, config.action_dim) != wanted:
        raise CheckpointError(
            f"{source}: reads {config.state_dim} numbers of the robot's state and predicts {config.action_dim}; "
            f"{benchmark} has {wanted[0]} and {wanted[1]}. It was trained for another robot and cannot be played there."
        )
    numbers = read_statistics(statistics, config.state_dim, config.action_dim)
    model = build(Checkpoint(source, benchmark, config, numbers, weights))
    save_checkpoint(out, model, numbers, benchmark)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 where something cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m mtact_policy.convert", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--benchmark", required=True, choices=sorted(EMBODIMENTS))
    parser.add_argument("--statistics", required=True, type=Path, help="RoboAgent's dataset_stats.pkl")
    parser.add_argument("--image", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"), help="frames that it was trained on")
    given = parser.parse_args(arguments)
    try:
        size = (given.image[0], given.image[1]) if given.image else None
        convert(given.checkpoint, given.out, given.benchmark, given.statistics, size)
    except SeerBenchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
