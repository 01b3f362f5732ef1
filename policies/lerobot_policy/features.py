"""What a checkpoint's `config.json` and saved processors say of its inputs and outputs, read without LeRobot.

Source of the file formats: PyPI lerobot 0.4.4.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seer_bench import CheckpointError
from seer_bench.contracts import Array

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PREPROCESSOR, POSTPROCESSOR = "policy_preprocessor.json", "policy_postprocessor.json"

Statistics = Mapping[str, Mapping[str, Array]]
"""Feature -> statistic, e.g. "min" -> its values."""

_NEEDED = {
    "MEAN_STD": ("mean", "std"),
    "MIN_MAX": ("min", "max"),
    "QUANTILES": ("q01", "q99"),
    "QUANTILE10": ("q10", "q90"),
}
"""Statistics that a kind of normalisation reads."""
_CHUNKED = ("act", "smolvla", "pi0", "pi05", "pi0_fast")
"""Types whose `select_action` looks at the observation only when no predicted action is left, if it looks at one."""
_RESIZING = {
    "smolvla": "resize_imgs_with_padding",
    "xvla": "resize_imgs_with_padding",
    "pi0": "image_resolution",
    "pi05": "image_resolution",
    "pi0_fast": "image_resolution",
}
"""Types that bring pictures to a size of their own, and the entry of `config.json` with that size."""
_MASKING = ("smolvla", "pi0", "pi05", "pi0_fast")
"""Types that are told which camera is missing."""


@dataclass(frozen=True)
class Feature:
    """One input of a policy."""

    name: str
    """E.g. "observation.images.image"."""
    kind: str
    """"VISUAL", "STATE" or "ENV"."""
    shape: tuple[int, ...]
    """Of a picture (3, height, width)."""

    @property
    def is_image(self) -> bool:
        """Whether it is a picture."""
        return self.kind == "VISUAL"


@dataclass(frozen=True)
class Description:
    """A checkpoint, as its files describe it."""

    path: Path
    type: str
    """LeRobot's name of the architecture, e.g. "act"."""
    inputs: tuple[Feature, ...]
    action_dim: int
    config: Mapping[str, Any] = field(repr=False)
    """All of `config.json`."""
    renames: Mapping[str, str]
    """Names in the data set -> names of inputs, where training renamed them."""
    steps: tuple[Mapping[str, Any], ...] = field(repr=False)
    """Of the saved preprocessor."""
    statistics: Statistics = field(repr=False)
    """Of the training data, by input, and of "action"."""

    @property
    def action_steps(self) -> int:
        """Actions that are executed of one prediction."""
        return int(self.config.get("n_action_steps") or 1)

    @property
    def looks_once(self) -> bool:
        """Whether observations in the middle of a chunk are never looked at."""
        alone = self.config.get("n_obs_steps", 1) == 1 and self.config.get("temporal_ensemble_coeff") is None
        return self.type in _CHUNKED and alone

    @property
    def resizes_to(self) -> tuple[int, int] | None:
        """The size (height, width) that the policy brings pictures to by itself."""
        size = self.config.get(_RESIZING.get(self.type, ""))
        return (int(size[0]), int(size[1])) if size else None

    @property
    def masks_missing(self) -> bool:
        """Whether a picture may be left out."""
        return self.type in _MASKING

    def is_empty_camera(self, feature: Feature) -> bool:
        """Whether an input stands for a camera that its training had not either."""
        count = int(self.config.get("empty_cameras") or 0)
        return feature.name in {f"observation.images.empty_camera_{number}" for number in range(count)}


def read_description(path: Path) -> Description:
    """Read and check what stands beside the weights.

    Raises:
        CheckpointError: a file is missing or damaged, the checkpoint is of an older LeRobot or an adapter, a step of
            its processors is no part of LeRobot, or statistics that its normalisation needs are missing.
    """
    _check_files(path)
    config = _json(path / CONFIG)
    kind = config.get("type")
    if not isinstance(kind, str) or not isinstance(config.get("input_features"), dict):
        raise CheckpointError(
            f"{path / CONFIG}: has no 'type' and 'input_features', so this is no pretrained policy of LeRobot's."
        )
    if config.get("use_peft"):
        raise CheckpointError(f"{path}: is a PEFT adapter. Merge it into its policy and save that (save_pretrained).")
    inputs = tuple(_feature(path, name, given) for name, given in config["input_features"].items())
    action = (config.get("output_features") or {}).get("action") or {}
    shape = action.get("shape") or []
    if len(shape) != 1:
        raise CheckpointError(f"{path / CONFIG}: the output 'action' has the shape {shape}; expected is one number.")
    before, after = _json(path / PREPROCESSOR), _json(path / POSTPROCESSOR)
    for name, tree in ((PREPROCESSOR, before), (POSTPROCESSOR, after)):
        _check_steps(path / name, tree)
    statistics = {**_statistics(path, PREPROCESSOR, before), **_statistics(path, POSTPROCESSOR, after)}
    renames = {k: v for step in before["steps"] for k, v in (step.get("config", {}).get("rename_map") or {}).items()}
    return Description(path, kind, inputs, int(shape[0]), config, renames, tuple(before["steps"]), statistics)


def _check_files(path: Path) -> None:
    """Refuse a folder that lacks a file, with what to do."""
    if not path.is_dir():
        raise CheckpointError(f"{path}: a pretrained policy of LeRobot's is a folder with {CONFIG} and {WEIGHTS}.")
    missing = [name for name in (CONFIG, WEIGHTS, PREPROCESSOR, POSTPROCESSOR) if not (path / name).is_file()]
    if not missing:
        return
    if (path / "pretrained_model" / CONFIG).is_file():
        raise CheckpointError(f"{path}: give the folder inside it: --ckpt {path / 'pretrained_model'}")
    hint = ""
    if CONFIG not in missing and WEIGHTS not in missing:
        hint = (
            " It was saved by a LeRobot older than 0.4, which kept statistics elsewhere. Convert it with: "
            f"python -m lerobot.processor.migrate_policy_normalization --pretrained-path {path}"
        )
    raise CheckpointError(f"{path}: lacks {', '.join(missing)}.{hint}")


def _json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}).") from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: holds no JSON object.")
    return tree


def _feature(path: Path, name: str, given: Any) -> Feature:
    """One input, of a kind that a benchmark can give."""
    kind = given.get("type") if isinstance(given, dict) else None
    shape = given.get("shape") if isinstance(given, dict) else None
    lengths = {"VISUAL": 3, "STATE": 1, "ENV": 1}
    if kind not in lengths or not isinstance(shape, list) or len(shape) != lengths[kind]:
        raise CheckpointError(f"{path / CONFIG}: the input '{name}' is {given}, which no benchmark can give.")
    return Feature(name, kind, tuple(int(size) for size in shape))


def _check_steps(path: Path, tree: Mapping[str, Any]) -> None:
    """Refuse classes from elsewhere: the file would say which code is imported."""
    steps = tree.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise CheckpointError(f"{path}: has no list of steps.")
    for step in steps:
        if "registry_name" not in step and not str(step.get("class", "")).startswith("lerobot."):
            raise CheckpointError(f"{path}: its step {step.get('class')!r} is no part of LeRobot and is not run.")


def _statistics(path: Path, name: str, tree: Mapping[str, Any]) -> Statistics:
    """The statistics of a processor, none of which may be missing: LeRobot would leave values as they are."""
    found: dict[str, dict[str, Array]] = {}
    for step in tree["steps"]:
        config = step.get("config", {})
        if "norm_map" not in config:
            continue
        kept: dict[str, dict[str, Array]] = {}
        for key, values in _tensors(path, step.get("state_file")):
            feature, _, statistic = key.rpartition(".")
            kept.setdefault(feature, {})[statistic] = values
        for feature, given in config.get("features", {}).items():
            if name == PREPROCESSOR and given.get("type") == "ACTION":
                continue  # of use in training alone
            mode = config["norm_map"].get(given.get("type"), "IDENTITY")
            lacking = [statistic for statistic in _NEEDED.get(mode, ()) if statistic not in kept.get(feature, {})]
            if lacking:
                raise CheckpointError(
                    f"{path / name}: '{feature}' is normalised with {mode}, but {' and '.join(lacking)} are not saved, "
                    "and LeRobot would leave its values as they are. Save the processors with the statistics of the "
                    "data set (make_pre_post_processors(..., dataset_stats=...))."
                )
        found.update(kept)
    return found


def _tensors(path: Path, name: str | None) -> Iterator[tuple[str, Array]]:
    """The arrays in a processor's file of statistics."""
    if name is None:
        return
    from safetensors import SafetensorError, safe_open

    if Path(name).name != name:
        raise CheckpointError(f"{path}: a processor names the file {name!r}, which lies elsewhere.")
    try:
        with safe_open(path / name, framework="np") as file:
            for key in file.keys():  # noqa: SIM118 - the file is no dictionary
                yield key, np.asarray(file.get_tensor(key))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path / name}: cannot be read ({error}).") from error
