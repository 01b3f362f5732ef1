"""The contracts between the harness, policies and benchmarks.

A policy plugin is a callable `(PolicyContext) -> Policy`, a benchmark plugin a callable `() -> Benchmark`; both are
found through entry points (`seer_bench.policies`, `seer_bench.benchmarks`). What a policy eats and emits is declared
in `seer_bench.conventions`.

Arrays are NumPy arrays. Units are SI (metres, radians, seconds); quaternions are (x, y, z, w).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from seer_bench.conventions import Interface, PolicySpec
from seer_bench.protocol import EvaluationProtocol

Array = NDArray[Any]
Json = dict[str, Any]


# --- units and results -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """The smallest thing that is scored, resumed and paired, e.g. one CALVIN chain."""

    id: str
    """Stable and unique, e.g. "calvin-abc-d/v1:chain=0417"."""
    index: int
    """Position in the protocol's list; what `--units 0:200` selects by."""

    @property
    def slug(self) -> str:
        """The part behind the protocol's name, safe as a file name, e.g. "chain=0417"."""
        return self.id.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Subtask:
    """One instruction to follow within a unit."""

    index: int
    """Position in the unit, from 0."""
    task: str
    """Name in the benchmark's task list, e.g. "open_drawer"."""
    instruction: str
    """The sentence that the policy is given."""


@dataclass(frozen=True)
class StepResult:
    """What one control step did to the unit."""

    solved: bool
    """This step solved the current subtask."""
    subtask_over: bool
    """The current subtask ended with this step: solved, or out of steps."""
    next_subtask: Subtask | None
    """The subtask to go on with after `subtask_over`; None when the unit ended."""


@dataclass(frozen=True)
class SubtaskResult:
    """How one attempted subtask ended."""

    task: str
    instruction: str
    success: bool
    steps: int
    """Control steps taken."""


@dataclass(frozen=True)
class UnitError:
    """Why a unit has no outcome, or failed without being played to its end."""

    kind: Literal["policy_error", "infrastructure_error"]
    message: str


Outcome = Literal["success", "failure", "error"]


@dataclass(frozen=True)
class UnitResult:
    """One attempt at one unit, as it is recorded."""

    unit_id: str
    attempt: int
    """1 for the first; errors are retried under the next number."""
    outcome: Outcome
    """"success": every subtask solved; "failure": not; "error": the infrastructure's fault, not scored."""
    subtasks: tuple[SubtaskResult, ...]
    """The attempted ones, in order."""
    seed: int
    """Seed of the unit, derived from the run's seed and the unit's id."""
    actions_out_of_range: int
    """Actions with a component outside [-1, 1]; executed as the benchmark's protocol says."""
    actions_sha256: str | None
    """Hash of the executed actions (dtype, shape, bytes); None for an error."""
    error: UnitError | None = None
    run_info: Mapping[str, Any] = field(default_factory=dict)
    """Everything that may differ between two correct runs: times, session, traceback."""
    initial: Mapping[str, Any] = field(default_factory=dict)
    """What the environment drew for the start state (`Environment.initial`); empty where it draws nothing."""

    @property
    def solved(self) -> int:
        """Number of solved subtasks."""
        return sum(s.success for s in self.subtasks)

    def with_run_info(self, **more: Any) -> UnitResult:
        """The same result with more volatile facts."""
        return replace(self, run_info={**self.run_info, **more})


# --- privileged state ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BodyState:
    """Pose of one body: position (3,) in metres and quaternion (4,) xyzw, world frame."""

    position: Array
    quaternion: Array


@dataclass(frozen=True)
class SimulatorState:
    """What a privileged policy may see, beyond what sensors give."""

    task: str
    """Name of the current subtask."""
    bodies: Mapping[str, BodyState]
    """Movable bodies by name, e.g. "block_red"."""
    joints: Mapping[str, float]
    """Positions of the scene's joints by name, metres or radians, e.g. "drawer"."""
    tcp_position: Array
    """Measured position of the tool centre point (3,), metres, world frame."""
    tcp_euler: Array
    """Measured orientation (3,), radians, fixed-axis xyz."""
    target_position: Array
    """Accumulated commanded position (3,), metres, world frame."""
    target_euler: Array
    """Accumulated commanded orientation (3,), radians, fixed-axis xyz; not wrapped."""
    gripper_command: float
    """The last gripper command."""
    held: frozenset[str]
    """Movable bodies that touch the robot."""


# --- policy ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PolicyContext:
    """Everything a policy is built from."""

    interface: Interface
    protocol: EvaluationProtocol
    checkpoint: Path | None = None
    """As given by `--ckpt`; None when the user gave none."""
    device: str = "cpu"
    threads: int = 1
    """CPU threads that the policy may use; fixed, because arithmetic depends on it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """`--policy-arg key=value`."""


@dataclass(frozen=True)
class Foresight:
    """What a policy expects to see."""

    steps: int
    """How many control steps ahead, counted from the observation that it was made from; at least 1."""
    images: Mapping[str, Array]
    """A picture uint8 (height, width, 3) for each field of `PolicySpec.foresight`, in the orientation of that field.
    One of another aspect ratio than the field's shows the middle of the frame."""


class Policy(ABC):
    """A policy, batched over slots; a slot is one environment that is being played.

    Per-slot memory (history, ensembling) is the policy's own. The harness executes chunks. Slots are numbers below
    the number of workers plus `spec.batch` - 1: the last ones belong to rows that fill up a batch.
    """

    spec: PolicySpec
    """Set it on the class or in `__init__`."""

    @abstractmethod
    def reset(self, slots: Sequence[int], instructions: Sequence[str], seeds: Sequence[int]) -> None:
        """Forget everything about `slots` and take the sentence and seed of the subtask that begins in each."""

    @abstractmethod
    def act(self, slots: Sequence[int], observations: Mapping[str, Array]) -> Array:
        """Choose the next actions.

        Args:
            slots: the n slots that wait for an action.
            observations: the fields declared in `spec.observations`, each with a leading axis of length n, in the
                order of `slots`. Read only, and overwritten after the call: copy what a history keeps.

        Returns:
            Actions of shape (n, `spec.chunk`, `spec.action.dim`), of a floating dtype. The dtype reaches the
            simulator untouched.
        """

    def begin(self, slots: Sequence[int], units: Sequence[Unit]) -> None:
        """A unit begins in each of `slots`; called before the `reset` for its first subtask."""

    def see(self, slots: Sequence[int], states: Sequence[SimulatorState]) -> None:
        """Take the simulator's state; called before every `act`, only where `spec.privileged`."""

    def foresee(self, slot: int) -> Foresight | None:
        """What the policy expected when it last acted in `slot`; None where it expects nothing.

        Asked for films, and only of policies that declare `spec.foresight`. Looking must not change any later action.
        """

    def explain(self, slot: int) -> str | None:
        """What the policy was about when it last acted in `slot`, in a few words, e.g. "waypoint 2 of 5, gripper open".

        Asked of privileged policies while a failure is replayed, and shown in the report beside what happened; None
        where there is nothing to say. Telling must not change any later action.
        """

    def close(self) -> None:
        """Release what the policy holds."""


# --- benchmark -------------------------------------------------------------------------------------------


class Environment(Protocol):
    """One simulator, as the engine drives it.

    Registered environments are `gymnasium.Env`s that also offer these methods: a control step split into physics
    (`advance`) and sensing (`observe`), because images are rendered only when somebody looks.

    An environment that chooses part of a start state by itself also has an attribute `initial`: what it chose for the
    unit that `begin` was called with, as a JSON tree. It becomes part of the unit's record.
    """

    @property
    def renderer(self) -> str:
        """What draws the images, e.g. "egl"; "none" where nothing does."""

    def begin(self, unit: Unit) -> Subtask:
        """Put the simulator into the unit's start state, which depends on the unit alone; the first subtask."""

    def advance(self, action: Array) -> StepResult:
        """One control step with an action (dim,); raises InvalidActionError before any physics."""

    def observe(self, fields: Collection[str]) -> dict[str, Array]:
        """The named observation fields of the current state."""

    def state(self) -> SimulatorState:
        """What a privileged policy may see."""

    def film(self, size: int) -> dict[str, Array]:
        """The current state for a person: camera name -> upright uint8 (size, size, 3)."""

    def close(self) -> None:
        """Release the simulator."""


Cameras = Literal["off", "exact", "any"]
"""Which renderer an environment sets up: none, the protocol's, or the protocol's where it can be had and else another
one, for films."""


class Benchmark(Protocol):
    """A simulator plus tasks, under one or more protocols."""

    name: str

    @property
    def default_protocol(self) -> str:
        """The protocol that `run` takes when none is named."""

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        """All protocols by name."""

    def backends(self) -> Sequence[str]:
        """Names for `--backend`, the default first."""

    def interface(self, protocol: EvaluationProtocol) -> Interface:
        """What is given and taken under the protocol."""

    def units(self, protocol: EvaluationProtocol) -> Sequence[Unit]:
        """All units of the protocol, by index."""

    def make_env(self, protocol: EvaluationProtocol, *, cameras: Cameras, backend: str) -> Environment:
        """A simulator.

        Raises:
            AssetError: assets are missing or altered.
            MissingExtraError: the simulator's packages are not installed.
            SimulationError: the renderer cannot be had.
        """

    def probe(self, protocol: EvaluationProtocol, *, cameras: bool, backend: str) -> dict[str, str]:
        """Hashes that identify the simulation: assets, a short physics trace and, with `cameras`, one frame."""

    def facts(self, *, cameras: bool) -> dict[str, str]:
        """Versions and, with `cameras`, drivers; shown and never compared."""
