"""From RoboAgent's layout to ours: `python -m mtact_policy.convert CKPT OUT --benchmark NAME --statistics FILE`.

RoboAgent writes `policy_best.ckpt`, a state dict, and `dataset_stats.pkl`, its statistics. Facts are those of
https://github.com/robopen/roboagent at 5d9b808. Names begin with `model.`; what is computed or never read (position
table, padding head, BatchNorm's counters) is left out. The number of heads leaves no trace in shapes: it is taken to be
RoboAgent's, 8. The weights that its authors publish predict joint positions and the gripper of their real robot, eight
numbers: they can be read, trained on and compared, but not played on CALVIN or LIBERO.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seer_bench.errors import CheckpointError, SeerBenchError
from seer_bench_nn.weights_file import open_weights, tensors_only

from .checkpoint import Checkpoint, build, is_official, kept, save_checkpoint
from .config import MtactConfig
from .embodiments import EMBODIMENTS
from .statistics import Statistics

_PREFIX = "model."
_RENAMED = {"backbones.0.0.resnet_film_model.": "backbone.resnet.", "backbones.0.0.film_models.": "backbone.film."}
_UNREAD = ("pos_table", "is_pad_head.")
_UNPICKLED: Mapping[str, Mapping[str, Any]] = {
    "numpy": {"ndarray": np.ndarray, "dtype": np.dtype},
    "numpy.core.multiarray": {"_reconstruct": np.empty(0).__reduce__()[0]},
    "numpy.core.numeric": {"_frombuffer": np.empty(0).__reduce_ex__(5)[0]},
}


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


def read_official(path: Path) -> dict[str, Tensor]:
    """Open RoboAgent's checkpoint; its tensors by the names of `model.Mtact`.

    Raises:
        CheckpointError: it cannot be opened, or is something else.
    """
    tree = open_weights(path)
    if not is_official(tree):
        raise CheckpointError(f"{path}: is no checkpoint of RoboAgent's multi-task policy, by the names in it.")
    weights: dict[str, Tensor] = {}
    for given, tensor in kept(tensors_only(tree, path, "the checkpoint")).items():
        name = given.removeprefix(_PREFIX)
        for theirs, ours in _RENAMED.items():
            if name.startswith(theirs):
                name = ours + name.removeprefix(theirs)
        if not name.startswith(_UNREAD):
            weights[name] = tensor
    return weights


def official_config(weights: Mapping[str, Tensor], image_size: tuple[int, int], path: Path) -> MtactConfig:
    """Sizes from the shapes of `read_official`'s tensors; the size of images (height, width) leaves no trace.

    Raises:
        CheckpointError: a tensor that tells a size is missing or has no two axes.
    """

    def shape(name: str) -> tuple[int, int]:
        tensor = weights.get(f"{name}.weight")
        if tensor is None or tensor.dim() < 2:
            raise CheckpointError(f"{path}: {name}.weight is missing or has no two axes; the sizes cannot be told.")
        return tensor.shape[0], tensor.shape[1]

    def layers(stack: str) -> int:
        return len({name.removeprefix(stack).split(".")[0] for name in weights if name.startswith(stack)})

    chunk, hidden = shape("query_embed")
    first, second, third, fourth = (shape(f"backbone.resnet.layer{stage}.0.conv1")[0] for stage in (1, 2, 3, 4))
    return MtactConfig(
        state_dim=shape("input_proj_robot_state")[1],
        image_height=image_size[0],
        image_width=image_size[1],
        action_dim=shape("action_head")[0],
        chunk=chunk,
        hidden_dim=hidden,
        feed_forward=shape("transformer.encoder.layers.0.linear1")[0],
        encoder_layers=layers("transformer.encoder.layers."),
        decoder_layers=layers("transformer.decoder.layers."),
        latent_dim=shape("latent_out_proj")[1],
        sentence_dim=shape("proj_text_emb")[1],
        channels=(first, second, third, fourth),
    )


def read_statistics(path: Path, state_dim: int, action_dim: int) -> Statistics:
    """Read `dataset_stats.pkl`: a dict with qpos_mean, qpos_std, action_mean and action_std. No code in it is run.

    Raises:
        CheckpointError: it cannot be read, asks for anything but arrays, or holds other statistics.
    """
    try:
        with path.open("rb") as file:
            tree = _ArraysOnly(file).load()
    except Exception as error:  # pickle raises nearly anything on damaged bytes
        raise CheckpointError(f"{path}: cannot be read as RoboAgent's statistics: {error}.") from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: holds {type(tree).__name__} instead of a dict of statistics.")
    arrays: dict[str, NDArray[Any]] = {
        str(name).replace("qpos", "state"): value for name, value in tree.items() if isinstance(value, np.ndarray)
    }
    return Statistics.read(arrays, state_dim, action_dim, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 where something cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m mtact_policy.convert", description="From RoboAgent's layout to ours."
    )
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


class _ArraysOnly(pickle.Unpickler):
    """Builds NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may build."""
        try:
            return _UNPICKLED[module.replace("numpy._core", "numpy.core")][name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array") from None


if __name__ == "__main__":
    sys.exit(main())
