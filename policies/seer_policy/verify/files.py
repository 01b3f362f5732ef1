"""Comparing files in the published layouts: read as for an evaluation, matched by their weights with other records.

A file says neither how many heads its network has nor what it put out. Where a record of a network in the same folder
has the same weights, both are known from there, and what is loaded has to put out the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seer_bench.errors import UsageError
from seer_bench.verification.compare import Comparison
from seer_bench.verification.recording import RecordError, Recording
from seer_bench_nn.frozen import load_mae, mae_weights
from seer_bench_nn.loading import Shape, compare, fault_in, fill, shapes, uninitialised
from seer_bench_nn.recordings.fields import Fields
from seer_bench_nn.recordings.weights import draw_weight
from seer_bench_nn.vit import MaeEncoder

from ..checkpoint import Sizes, read_checkpoint
from ..inspect import needed_shapes
from ..model import FROZEN, Seer
from .network import RecordedNetwork, build_network, read_network, use_recorded_mask
from .networks import GivenInputs, compare_outputs
from .recipe import COMPUTED
from .tolerances import FULL, PIXEL, REDUCED

CHECKPOINT, MAE = "official_checkpoint", "mae_checkpoint"
"""Kinds of records that are files."""

_VISION = "vision_encoder."
_OUTPUTS = {"reduced_model": REDUCED, "full_model": FULL}
"""Kinds of records that hold outputs of a network, and their tolerance."""
_NETWORKS = (*_OUTPUTS, "wrapper_calvin", "wrapper_libero")
"""Kinds of records that tell the weights of a network."""
_NAMED = 4


@dataclass(frozen=True)
class _Relative:
    """A record that tells the weights of a network."""

    recording: Recording
    fields: Fields
    network: RecordedNetwork

    def differing(self, weights: Mapping[str, Tensor], prefix: str = "") -> list[str]:
        """Names of tensors that are not, bit for bit, what the record draws; computed ones are left out."""
        return [name for name, tensor in weights.items() if not self._draws(prefix + name, tensor)]

    def fits(self, weights: Mapping[str, Tensor], prefix: str = "") -> bool:
        """Whether a file is meant to be of this network: most small tensors are its own; of another seed, none is."""
        small = sorted(weights.items(), key=lambda item: item[1].numel())[: len(weights) // 2]
        drawn = {name: tensor for name, tensor in small if prefix + name not in COMPUTED}
        return len(self.differing(drawn, prefix)) < len(drawn) / 2

    def _draws(self, name: str, tensor: Tensor) -> bool:
        if name in COMPUTED:
            return True
        if tensor.dtype != torch.float32:
            return False
        return np.array_equal(tensor.numpy(), draw_weight(name, tuple(tensor.shape), self.network.weight_seed))


class Files:
    """Compares files in the published layouts.

    Args:
        recordings: all records of the folder, among which a file's network may be.
    """

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self._recordings = [dataclasses.replace(recording) for recording in recordings]  # what is read here is not
        # what their own comparisons have read

    def compare_checkpoint(self, recording: Recording, comparison: Comparison) -> None:
        """A checkpoint as Seer's authors publish them: trained tensors alone, the optimiser's state ignored."""
        checkpoint = read_checkpoint(recording.path(""))
        comparison.note("no epoch" if checkpoint.epoch is None else f"epoch {checkpoint.epoch}")
        relatives = [
            one
            for one in self._relatives()
            if Sizes.of(one.network.config) == checkpoint.sizes and one.fits(checkpoint.weights)
        ]
        comparison.expect(1 + len(relatives))
        with comparison.unit("tensors"):
            _compare_shapes(comparison, checkpoint.weights, needed_shapes(checkpoint.sizes))
        for one in relatives:
            with comparison.unit(f"weights of {one.recording.name}"):
                _compare_weights(comparison, one, checkpoint.weights)
                if one.recording.kind in _OUTPUTS:
                    model = build_network(one.network)
                    fill(model, checkpoint.weights, checkpoint.path, leave=FROZEN)
                    if mae := self._mae_of(one):
                        load_mae(model.vision_encoder, mae)
                        comparison.note(f"images encoded with {mae.name}")
                    _compare_outputs(comparison, one, model)
        _note_relatives(comparison, relatives)

    def compare_mae(self, recording: Recording, comparison: Comparison) -> None:
        """A file of the image encoder as MAE's authors publish it."""
        path = recording.path("")
        weights = mae_weights(path)
        encoder = _encoder_for(weights, path)
        comparison.expect(1)
        with comparison.unit("tensors"):
            _compare_shapes(comparison, weights, shapes(encoder.state_dict()))
            comparison.within("pos_embed", weights["pos_embed"].numpy(), encoder.pos_embed.numpy(), PIXEL)
        relatives = [one for one in self._relatives() if _is_encoder_of(one, weights)]
        for one in relatives:
            with comparison.unit(f"weights of {one.recording.name}"):
                _compare_weights(comparison, one, weights, _VISION)
                if one.recording.kind in _OUTPUTS:
                    model = build_network(one.network)
                    load_mae(model.vision_encoder, path)
                    _compare_outputs(comparison, one, model)
        _note_relatives(comparison, relatives)

    def _relatives(self) -> Iterator[_Relative]:
        """Records of networks; those that cannot be read have verdicts of their own."""
        for recording in self._recordings:
            if recording.kind in _NETWORKS:
                try:
                    fields = Fields.of(recording)
                    yield _Relative(recording, fields, read_network(fields))
                except (RecordError, UsageError):
                    continue

    def _mae_of(self, relative: _Relative) -> Path | None:
        """The folder's file of the image encoder of a network."""
        for recording in self._recordings:
            if recording.kind == MAE:
                try:
                    path = recording.path("")
                    if _is_encoder_of(relative, mae_weights(path)):
                        return path
                except (RecordError, UsageError):
                    continue
        return None


def _encoder_for(weights: Mapping[str, Tensor], path: Path) -> MaeEncoder:
    """An encoder of a file's width and depth; the number of heads, which changes no shape, is any."""
    width = weights["cls_token"].shape[-1]
    depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    if width % 4 or not width:
        raise RecordError(f"{path.name}: cls_token has {width} channels; position embeddings need a multiple of 4")
    with uninitialised():
        return MaeEncoder(width, depth, heads=1).requires_grad_(False)


def _is_encoder_of(relative: _Relative, weights: Mapping[str, Tensor]) -> bool:
    """Whether an encoder's file is meant to be of a record's network."""
    return relative.network.config.vision.width == weights["cls_token"].shape[-1] and relative.fits(weights, _VISION)


def _compare_shapes(comparison: Comparison, weights: Mapping[str, Tensor], needed: Mapping[str, Shape]) -> None:
    """Every tensor there, of the right shape, and finite."""
    if differences := compare(weights, needed):
        raise RecordError(str(differences))
    for name, tensor in weights.items():
        if fault := fault_in(tensor):
            raise RecordError(f"{name} {fault}")
    comparison.count(tensors=len(weights))


def _compare_weights(
    comparison: Comparison, relative: _Relative, weights: Mapping[str, Tensor], prefix: str = ""
) -> None:
    """Every tensor equal, bit for bit."""
    comparison.count(numbers=sum(tensor.numel() for tensor in weights.values()))
    if differing := relative.differing(weights, prefix):
        more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        comparison.fault(f"other numbers in {', '.join(differing[:_NAMED])}{more}")


def _compare_outputs(comparison: Comparison, relative: _Relative, model: Seer) -> None:
    """What a network loaded from files puts out, against what was recorded of the network of its weights."""
    arrays = relative.recording.arrays
    use_recorded_mask(model, relative.network, arrays, relative.fields)
    given = GivenInputs.of(relative.fields, relative.network)
    text = torch.from_numpy(arrays["text_feature"]) if relative.network.reads_text else None
    output = given.run(model.eval(), text)
    compare_outputs(relative.recording, comparison, output, _OUTPUTS[relative.recording.kind])


def _note_relatives(comparison: Comparison, relatives: list[_Relative]) -> None:
    """Say what the verdict rests on."""
    if not relatives:
        comparison.note(
            "no record in this folder tells its weights: reading, names, shapes and finite numbers were checked alone"
        )
