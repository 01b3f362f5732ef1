"""The policy `mtact`: a checkpoint of MT-ACT, played with temporal aggregation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from seer_bench import CheckpointError, Policy, PolicyArgs, PolicyContext, PolicySpec, UsageError
from seer_bench.contracts import Array
from seer_bench.store import checkpoint_sha256
from seer_bench_nn.ensembling import TemporalEnsemble
from seer_bench_nn.needs import needs_torch

with needs_torch("the policy 'mtact'"):
    import torch
    from torch import Tensor

    from seer_bench_nn.device import usable_device, usual_batch
    from seer_bench_nn.minilm import VOCABULARY, WEIGHTS, SentenceEncoder

    from .assets import locate
    from .checkpoint import Checkpoint, build, read_checkpoint
    from .model import Mtact, prepared_images

from .embodiments import EMBODIMENTS, Embodiment
from .statistics import Statistics

METHOD = "MTACT"
"""What tables call it."""


class MtactPolicy(Policy):
    """A network of MT-ACT on a benchmark.

    It predicts a chunk at every step and executes the average of what this and earlier steps predicted for now, the
    oldest weighing most. As in RoboAgent's evaluation, averages are taken of normalised actions, and a prediction with
    a number that is exactly 0 is left out; the noise of 0.025 that it adds to actions on its robot is not added.

    Args:
        model: in evaluation mode, on the device that it shall compute on.
        statistics: of the demonstrations that it was trained on.
        embodiment: of the benchmark that it plays.
        embed: embedding (sentence_dim,) of a sentence, on the CPU.
        settings: what else shapes its actions, for the run's identity.
        batch: slots of one call.
    """

    def __init__(
        self,
        model: Mtact,
        statistics: Statistics,
        embodiment: Embodiment,
        embed: Callable[[str], Tensor],
        *,
        settings: Mapping[str, str] | None = None,
        batch: int = 1,
    ) -> None:
        self.spec = PolicySpec(
            observations=dict(embodiment.observations),
            action=embodiment.action,
            batch=batch,
            settings=dict(settings or {}),
            arm={"method": METHOD},
        )
        self._model, self._statistics, self._embodiment, self._embed = model, statistics, embodiment, embed
        self._device = next(model.parameters()).device
        config = model.config
        self._ensemble = TemporalEnsemble(config.chunk, config.action_dim)
        self._told: dict[int, Tensor] = {}
        """Embedding of the sentence of each slot."""

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A subtask begins: predictions are forgotten, the first line of its sentence is told. Nothing is random."""
        self._ensemble.reset(slots)
        for slot, instruction in zip(slots, instructions, strict=True):
            self._told[slot] = self._embed(instruction.split("\n", 1)[0])

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float64; the gripper's number is 1 or -1."""
        cameras = [prepared_images(observations[name], self._model.config) for name in self._embodiment.cameras]
        state = self._statistics.normal_state(self._embodiment.states(observations))
        inputs = (
            torch.from_numpy(state),
            torch.stack(cameras, dim=1),
            torch.stack([self._told[slot] for slot in slots]),
        )
        with torch.inference_mode():
            predicted = self._model(*(values.to(self._device) for values in inputs)).cpu().numpy()
        actions = self._statistics.action(self._ensemble.average(slots, predicted))
        return np.ascontiguousarray(self._embodiment.executed(actions)[:, None])


def make_policy(context: PolicyContext) -> Policy:
    """Load a checkpoint for the benchmark that `context` describes.

    Its options are `minilm`, a folder with files of MiniLM's layout instead of those that are installed, and `batch`,
    slots of one call (1, on a GPU 16).

    Raises:
        AssetError: MiniLM's files are not installed, and no others are given.
        CheckpointError: there is none, it cannot be used, or was trained on another benchmark.
        UsageError: the benchmark, an option or the device cannot be used.
    """
    benchmark = context.interface.benchmark
    if benchmark not in EMBODIMENTS:
        raise UsageError(f"the policy 'mtact' does not play '{benchmark}'; it plays: {', '.join(EMBODIMENTS)}.")
    args = PolicyArgs("mtact", context.options, ("minilm", "batch"))
    device = usable_device(context.device, "mtact")
    batch = args.whole("batch", usual_batch(device))
    checkpoint = _checkpoint(context.checkpoint, benchmark)
    given = args.text("minilm", None)
    folder = locate() if given is None else Path(given)
    embed = SentenceEncoder(folder)
    if embed.dim != checkpoint.config.sentence_dim:
        raise CheckpointError(
            f"{folder}: gives embeddings of {embed.dim} numbers; the network in {checkpoint.path} was trained on "
            f"{checkpoint.config.sentence_dim}."
        )
    torch.set_num_threads(context.threads)
    settings = {
        "minilm": checkpoint_sha256(folder / WEIGHTS),
        "vocabulary": checkpoint_sha256(folder / VOCABULARY),
        "device": device.type,
    }
    model = build(checkpoint).to(device)
    embodiment = EMBODIMENTS[benchmark]
    return MtactPolicy(model, checkpoint.statistics, embodiment, embed, settings=settings, batch=batch)


def _checkpoint(path: Path | None, benchmark: str) -> Checkpoint:
    """The checkpoint that was given, if it is for that benchmark; raises CheckpointError."""
    if path is None:
        raise CheckpointError(
            "the policy 'mtact' needs a checkpoint: --ckpt FILE. None is published for CALVIN or LIBERO: train one "
            "with mtact_policy.training and write it with mtact_policy.checkpoint.save_checkpoint (docs/mtact.md)."
        )
    checkpoint = read_checkpoint(path)
    if checkpoint.benchmark != benchmark:
        raise CheckpointError(
            f"{path}: was trained on '{checkpoint.benchmark}' and cannot play '{benchmark}'. Give one that was trained "
            "on its demonstrations."
        )
    config, embodiment = checkpoint.config, EMBODIMENTS[benchmark]
    for what, found, needed in (
        ("state_dim", config.state_dim, embodiment.state_dim),
        ("action_dim", config.action_dim, embodiment.action.dim),
    ):
        if found != needed:
            raise CheckpointError(f"{path}: {what} is {found}; {benchmark} needs {needed}.")
    return checkpoint
