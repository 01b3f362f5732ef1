"""What `seer-bench inspect` shows of a GR-1 snapshot."""

from __future__ import annotations

from pathlib import Path

from seer_bench.inspection import Fact, Inspection
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.needs import needs_torch

with needs_torch("inspecting a snapshot of GR-1's"):
    from seer_bench_nn.clip_text import ClipTextEncoder
    from seer_bench_nn.loading import compare, fault_in, shapes, uninitialised
    from seer_bench_nn.vit import MaeEncoder
    from seer_bench_nn.weights_file import open_weights

    from .checkpoint import FORESIGHT, Snapshot, is_gr1, read_snapshot, trained_shapes
    from .config import Gr1Config


def inspect(path: Path) -> Inspection | None:
    """Describe a snapshot of GR-1; None where the file is sound but something else.

    Raises:
        CheckpointError: the file cannot be opened.
    """
    if not is_gr1(open_weights(path)):
        return None
    snapshot = read_snapshot(path, Gr1Config())
    trained = {
        name: shape
        for name, shape in trained_shapes(Gr1Config()).items()
        if snapshot.foresight or not name.startswith(FORESIGHT)
    }
    faults = [str(differences)] if (differences := compare(snapshot.weights, trained)) else []
    for what, held, encoder in zip(("MAE", "CLIP"), (snapshot.mae, snapshot.clip), _frozen(), strict=True):
        if held and (differences := compare(held, shapes(encoder.state_dict()))):
            faults.append(f"{what}: {differences}")
    for name, tensor in {**snapshot.weights, **snapshot.mae, **snapshot.clip}.items():
        if fault := fault_in(tensor):
            faults.append(f"{name} {fault}")
    return Inspection("GR-1 snapshot", _facts(snapshot), tuple(faults))


def _facts(snapshot: Snapshot) -> dict[str, Fact]:
    """What is shown, in order."""
    weights = snapshot.weights
    trained = sum(tensor.numel() for name, tensor in weights.items() if name != "decoder_pos_embed")
    frozen = sum(sum(p.numel() for p in encoder.parameters()) for encoder in _frozen())
    return {
        "file": str(snapshot.path),
        "bytes": snapshot.path.stat().st_size,
        "sha256": checkpoint_sha256(snapshot.path),
        "trained on": "leaves no trace in the file; the published names are snapshot_ABC.pt and snapshot_ABCD.pt",
        "image prediction": "in the file" if snapshot.foresight else "not in the file; actions do not need it",
        "MAE encoder": "in the file" if snapshot.mae else "not in the file; seer-bench assets gr1",
        "CLIP text tower": "in the file" if snapshot.clip else "not in the file; seer-bench assets gr1",
        "left out": ", ".join(snapshot.unread) or "nothing",
        "tensors": len(weights),
        "precision": ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in weights.values()})),
        "parameters trained": trained,
        "parameters for inference": trained + frozen - _of_foresight(snapshot),
    }


def _frozen() -> tuple[MaeEncoder, ClipTextEncoder]:
    """Both frozen encoders, without weights."""
    with uninitialised():
        return MaeEncoder(), ClipTextEncoder()


def _of_foresight(snapshot: Snapshot) -> int:
    """How many trained numbers actions do not depend on."""
    return sum(
        tensor.numel()
        for name, tensor in snapshot.weights.items()
        if name.startswith(FORESIGHT) and name != "decoder_pos_embed"
    )
