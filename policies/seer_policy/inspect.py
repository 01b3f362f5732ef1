"""What `seer-bench inspect` shows of a Seer checkpoint."""

from __future__ import annotations

from pathlib import Path

from seer_bench.inspection import Fact, Inspection
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.needs import needs_torch

from .config import SeerConfig

with needs_torch("inspecting a checkpoint of Seer's"):
    from seer_bench_nn.loading import Shape, compare, fault_in, shapes, uninitialised
    from seer_bench_nn.patches import PATCHES
    from seer_bench_nn.weights_file import open_weights

    from .checkpoint import Checkpoint, Sizes, fitting, is_seer, read_checkpoint
    from .model import FROZEN, Seer, UnusedWeights

_MEBI = 2**20
_MAE_ENCODER, _MAE_WHOLE = 85_798_656, 111_907_840
"""Parameters of MAE ViT-B/16, without and with its decoder."""
_CLIP_TEXT, _CLIP_WHOLE = 63_428_096, 151_277_313
"""Parameters of CLIP ViT-B/32: its text tower, and with the image tower and the logit scale."""


def inspect(path: Path) -> Inspection | None:
    """Describe a checkpoint of Seer; None where the file is sound but something else.

    Raises:
        CheckpointError: the file cannot be opened, or its sizes cannot be told.
    """
    tree = open_weights(path)
    if not is_seer(tree):
        return None
    checkpoint = read_checkpoint(path)
    needed = needed_shapes(checkpoint.sizes)
    differences = compare(checkpoint.weights, needed)
    faults = [str(differences)] if differences else []
    faults += [f"{name} {fault}" for name, tensor in checkpoint.weights.items() if (fault := fault_in(tensor))]
    return Inspection("Seer checkpoint", _facts(checkpoint), tuple(faults))


def needed_shapes(sizes: Sizes) -> dict[str, Shape]:
    """Shape by name of all tensors that a checkpoint of these sizes holds."""
    with uninitialised():
        model = Seer(_shape_config(sizes))
    return {name: shape for name, shape in shapes(model.state_dict()).items() if not name.startswith(FROZEN)}


def unused_parameters(sizes: Sizes) -> int:
    """How many numbers of such a checkpoint nothing reads."""
    with uninitialised():
        return sum(parameter.numel() for parameter in UnusedWeights(_shape_config(sizes)).parameters())


def paper_total(trained: int, sizes: Sizes) -> int:
    """Parameters as the paper counts them, given how many are trained.

    All that the authors' module registers is in it: MAE with the decoder that is never run, CLIP with its image
    tower, the attention mask, and the position embedding of the image decoder. The paper then divides by 2**20.
    """
    tokens = _shape_config(sizes).layout.per_step * sizes.history
    positions = (sizes.foresight_tokens + PATCHES) * sizes.hidden_dim
    return trained + _MAE_WHOLE + _CLIP_WHOLE + tokens**2 + positions


def _facts(checkpoint: Checkpoint) -> dict[str, Fact]:
    """What is shown, in order."""
    sizes, weights = checkpoint.sizes, checkpoint.weights
    trained = sum(tensor.numel() for tensor in weights.values())
    unused = unused_parameters(sizes)
    layout = _shape_config(sizes).layout
    variants = "; ".join(f"{name} ({', '.join(phases)})" for name, phases in fitting(sizes).items())
    facts: dict[str, Fact] = {
        "file": str(checkpoint.path),
        "bytes": checkpoint.path.stat().st_size,
        "sha256": checkpoint_sha256(checkpoint.path),
        "variant": variants or "none of the published ones has these sizes",
        "epoch": checkpoint.epoch,
        "peak learning rate": checkpoint.peak_learning_rate,
        "history": sizes.history,
        "hidden_dim": sizes.hidden_dim,
        "layers": sizes.layers,
        "resampler_queries": sizes.resampler_queries,
        "foresight_tokens": sizes.foresight_tokens,
        "action_tokens": sizes.action_tokens,
        "tokens": f"{layout.per_step} a step, {layout.per_step * sizes.history} in all",
        "heads, gripper state": "leave no trace in the file; the variant decides",
        "tensors": len(weights),
        "precision": ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in weights.values()})),
        "parameters trained": trained,
        "parameters trained, in 2^20": f"{trained / _MEBI:.2f} (the paper's way of counting)",
        "parameters never used": unused,
    }
    if sizes.vision_width == SeerConfig(sizes.history).vision.width:  # the frozen encoders are the published ones
        total = paper_total(trained, sizes)
        facts["parameters for inference"] = trained - unused + _MAE_ENCODER + _CLIP_TEXT
        facts["parameters in all"] = total
        facts["parameters in all, in 2^20"] = f"{total / _MEBI:.2f} (the paper's way of counting)"
    facts["optimiser and others, bytes"] = checkpoint.other_bytes
    return facts


def _shape_config(sizes: Sizes) -> SeerConfig:
    """A configuration of these sizes; the number of heads, which changes no shape, is one that always divides."""
    return sizes.applied_to(SeerConfig(sizes.history, hidden_dim=16, heads=16))
