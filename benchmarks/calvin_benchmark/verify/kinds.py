"""Which kinds of records there are, and what compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seer_bench.verification.compare import Comparison
from seer_bench.verification.records import Comparator

from .recording import CalvinRecording
from .replays import WorldFactory, compare_chains, compare_reset_images, compare_resets, compare_rollouts
from .tables import compare_initial_states, compare_oracle, compare_sequences, compare_tasks


@dataclass(frozen=True)
class Kind:
    """How records of one kind are compared."""

    compare: Callable[[CalvinRecording, Comparison, WorldFactory], None]
    simulates: bool
    """Whether the scene's files are needed."""

    def with_worlds(self, make_world: WorldFactory) -> Comparator[CalvinRecording]:
        """The comparison, bound to what builds its worlds."""
        return lambda recording, comparison: self.compare(recording, comparison, make_world)


def _table(compare: Callable[[CalvinRecording, Comparison], None]) -> Kind:
    return Kind(lambda recording, comparison, _: compare(recording, comparison), simulates=False)


KINDS = {
    "rollouts": Kind(compare_rollouts, simulates=True),
    "post_reset": Kind(compare_resets, simulates=True),
    "reset_images": Kind(compare_reset_images, simulates=True),
    "expert_chains": Kind(compare_chains, simulates=True),
    "oracle_truth": _table(compare_oracle),
    "eval_sequences": _table(compare_sequences),
    "eval_init_states": _table(compare_initial_states),
    "tasks_and_annotations": _table(compare_tasks),
}
"""By the name that an index gives them."""
