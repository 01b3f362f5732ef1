"""The policy `mtact`: a checkpoint of MT-ACT, played with temporal aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seer_bench import CheckpointError, Policy, PolicyContext, PolicySpec, UsageError
from seer_bench.contracts import Array
from seer_bench_nn.ensembling import TEMPERATURE, TemporalEnsemble
from seer_bench_nn.needs import needs_torch

with needs_torch("the policy 'mtact'"):
    import torch
    from torch import Tensor

    from seer_bench_nn.device import CUDA_BATCH, usable_device

    from .checkpoint import build, read_checkpoint
    from .images import prepared
    from .model import Mtact
    from .sentences import Embed, from_minilm, from_table

from .embodiments import EMBODIMENTS, Embodiment
from .options import MtactOptions
from .statistics import Statistics

METHOD = "MTACT"
"""What tables call it."""


class MtactPolicy(Policy):
    """A network of MT-ACT on a benchmark.

    It predicts a chunk at every step and executes the average of what this and earlier steps predicted for now, the
    oldest weighing most. Averages are taken of normalised actions. RoboAgent's evaluation on its robot adds noise of
    0.025 to every action; none is added here.

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
        embed: Embed,
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
        self._ensemble = TemporalEnsemble(
            config.chunk, config.action_dim, temperature=TEMPERATURE, zero_means_empty=False
        )
        self._told: dict[int, Tensor] = {}
        """Embedding of the sentence of each slot."""

    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """A subtask begins: predictions are forgotten, the first line of its sentence is told. Nothing is random."""
        self._ensemble.reset(slots)
        for slot, instruction in zip(slots, instructions, strict=True):
            self._told[slot] = self._embed(instruction.split("\n", 1)[0])

    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Actions (n, 1, 7), float64; the gripper's number is 1 or -1."""
        cameras = [prepared(observations[name], self._model.config) for name in self._embodiment.cameras]
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

    Raises:
        CheckpointError: there is none, it cannot be used, or was trained on another benchmark.
        UsageError: the benchmark, an option or the device cannot be used.
    """
    benchmark = context.interface.benchmark
    if benchmark not in EMBODIMENTS:
        raise UsageError(f"the policy 'mtact' does not play '{benchmark}'; it plays: {', '.join(EMBODIMENTS)}.")
    options = MtactOptions.parse(context.options)
    if context.checkpoint is None:
        raise CheckpointError(
            "the policy 'mtact' needs a checkpoint: --ckpt FILE. None is published for CALVIN or LIBERO: train one "
            "with mtact_policy.training and write it with mtact_policy.checkpoint.save_checkpoint."
        )
    device = usable_device(context.device, "mtact")
    checkpoint = read_checkpoint(context.checkpoint)
    if checkpoint.benchmark != benchmark:
        raise CheckpointError(
            f"{checkpoint.path}: was trained on '{checkpoint.benchmark}' and cannot play '{benchmark}'. Give one that "
            "was trained on its demonstrations."
        )
    embodiment, config = EMBODIMENTS[benchmark], checkpoint.config
    for what, found, needed in (
        ("state_dim", config.state_dim, embodiment.state_dim),
        ("action_dim", config.action_dim, embodiment.action.dim),
    ):
        if found != needed:
            raise CheckpointError(f"{checkpoint.path}: {what} is {found}; {benchmark} needs {needed}.")
    sentences = (from_minilm if options.source == "minilm" else from_table)(options.path)
    if sentences.dim != config.sentence_dim:
        raise CheckpointError(
            f"{options.path}: gives embeddings of {sentences.dim} numbers; the network in "
            f"{checkpoint.path} was trained on {config.sentence_dim}."
        )
    torch.set_num_threads(context.threads)
    settings = {
        "statistics": checkpoint.statistics.sha256,
        "sentences": sentences.sha256,
        "aggregation": str(TEMPERATURE),
        "device": device.type,
    }
    batch = options.batch or (CUDA_BATCH if device.type == "cuda" else 1)
    model = build(checkpoint).to(device)
    return MtactPolicy(model, checkpoint.statistics, embodiment, sentences.embed, settings=settings, batch=batch)
