"""What `--policy-arg` may say, and the network that it and the checkpoint ask for together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args

from seer_bench.errors import CheckpointError, UsageError
from seer_bench.policy_args import PolicyArgs

from .checkpoint import Checkpoint, Sizes, fitting
from .config import SeerConfig
from .quirks import Quirks
from .variants import variant

Precision = Literal["bfloat16", "float32"]

PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "calvin": ("calvin", "calvin-large"),
    "libero": ("libero",),
    "real_robot": ("real",),
}
"""Variants by benchmark; their phase `evaluate` is what is run. Checkpoints of all are published but of `real`, which
every lab fine-tunes for itself."""


@dataclass(frozen=True)
class SeerOptions:
    """`--policy-arg key=value`; the fields are the keys."""

    variant: str | None = None
    """Whose heads and form of the gripper state the checkpoint has, which leave no trace in it; None: the published
    one of the benchmark that has all its sizes."""
    heads: int | None = None
    """Attention heads, where they are not the variant's."""
    quirks: Quirks = "upstream"
    """Whether to do as the published evaluation code does, or what was meant; see `quirks.QUIRKS`."""
    vit: Precision = "bfloat16"
    """Precision of the image encoder; the published numbers were made with bfloat16."""
    batch: int | None = None
    """Slots of one call; None: 16 on a GPU, 1 on the CPU."""
    compile: bool = False
    """Compile the network, which takes minutes at the start."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> SeerOptions:
        """Read what the command line gives.

        Raises:
            UnknownNameError: there is no such option, or no such variant.
            UsageError: a value cannot be.
        """
        args = PolicyArgs("seer", given, [field.name for field in fields(cls)])
        named = args.text("variant", None)
        return cls(
            variant=None if named is None else variant(named).name,
            heads=args.whole("heads", None),
            quirks=args.choice("quirks", cls.quirks, get_args(Quirks)),
            vit=args.choice("vit", cls.vit, get_args(Precision)),
            batch=args.whole("batch", None),
            compile=args.switch("compile", cls.compile),
        )


def network_of(checkpoint: Checkpoint, benchmark: str, options: SeerOptions) -> tuple[str, SeerConfig]:
    """The variant that a checkpoint is run as, and the network of its sizes.

    Raises:
        CheckpointError: no published variant has its sizes, and none was named.
        UsageError: the variant that was named cannot be run on the benchmark, or heads do not fit.
    """
    name = options.variant or _published(checkpoint, benchmark)
    config = variant(name).phase("evaluate").config
    if config.finger_widths and benchmark != "libero":
        raise UsageError(
            f"--policy-arg variant={name}: its networks read two finger positions, which {benchmark} does not give. "
            f"Choose one of: {', '.join(PUBLISHED[benchmark])}."
        )
    hidden = checkpoint.sizes.hidden_dim
    if options.heads is None and hidden != config.hidden_dim:
        raise UsageError(
            f"{checkpoint.path}: hidden_dim is {hidden} and not {config.hidden_dim} as in the variant '{name}', so "
            "that the number of attention heads cannot be told. Add: --policy-arg heads=N"
        )
    heads = options.heads or config.heads
    if hidden % heads:
        raise UsageError(f"--policy-arg heads={heads}: does not divide the checkpoint's hidden_dim, {hidden}.")
    return name, checkpoint.sizes.applied_to(replace(config, hidden_dim=hidden, heads=heads))


def _published(checkpoint: Checkpoint, benchmark: str) -> str:
    """The benchmark's variant that has the checkpoint's sizes; raises CheckpointError."""
    configs = {name: variant(name).phase("evaluate").config for name in PUBLISHED[benchmark]}
    for name, config in configs.items():
        if Sizes.of(config) == checkpoint.sizes:
            return name
    has = ", ".join(f"{name} {size}" for name, size in asdict(checkpoint.sizes).items())
    gaps = "; ".join(f"'{name}': {', '.join(checkpoint.sizes.against(Sizes.of(c)))}" for name, c in configs.items())
    others = ", ".join(f"{name} ({'/'.join(phases)})" for name, phases in fitting(checkpoint.sizes).items())
    raise CheckpointError(
        f"{checkpoint.path}: none of the variants published for {benchmark} has its sizes ({has}). It differs from "
        f"{gaps}. {f'Its sizes are those of {others}. ' if others else ''}To run it all the same, name the variant "
        f"whose attention heads and gripper state it was trained with: --policy-arg variant={PUBLISHED[benchmark][0]} "
        f"(and --policy-arg heads=N if it has others). Look into it with: seer-bench inspect {checkpoint.path}"
    )
