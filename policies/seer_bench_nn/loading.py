"""Putting weights from a file into a network: names and shapes are checked first, and all faults told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seer_bench.errors import CheckpointError

Shape = tuple[int, ...]
_SHOWN = 6
_PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class Differences:
    """How the tensors of a file differ from those a network needs."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, Shape, Shape], ...]
    """Name, shape in the file, shape needed."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.missing or self.unexpected or self.reshaped)

    def __str__(self) -> str:
        """All kinds of faults, the first names of each."""
        shapes = [f"{name} is {_product(got)}, needed is {_product(need)}" for name, got, need in self.reshaped]
        parts = [
            f"{len(names)} {what}: {_first(names)}"
            for what, names in (("missing", self.missing), ("unexpected", self.unexpected), ("of wrong shape", shapes))
            if names
        ]
        return "; ".join(parts) or "no difference"


def compare(found: Mapping[str, Tensor], needed: Mapping[str, Shape]) -> Differences:
    """Compare names and shapes; no tensor is read."""
    both = [name for name in needed if name in found]
    return Differences(
        missing=tuple(name for name in needed if name not in found),
        unexpected=tuple(name for name in found if name not in needed),
        reshaped=tuple(
            (name, tuple(found[name].shape), needed[name]) for name in both if tuple(found[name].shape) != needed[name]
        ),
    )


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    """Shape by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def fill(module: nn.Module, weights: Mapping[str, Tensor], path: Path, *, leave: Iterable[str] = ()) -> None:
    """Copy weights into a network, in its precision and on its device.

    Args:
        module: the network.
        weights: tensor by the network's parameter name.
        path: the file they are from, for messages.
        leave: names, or beginnings of names, that the file does not hold and that keep their values.

    Raises:
        CheckpointError: a name is missing or unexpected, a shape is wrong, or a number is not finite; nothing or only
            a part is copied then.
    """
    kept = tuple(leave)
    targets = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith(kept)}
    if differences := compare(weights, shapes(targets)):
        raise CheckpointError(f"{path}: does not fit the network: {differences}.")
    with torch.no_grad(), _one_thread():
        for name, target in targets.items():
            source = weights[name]
            if source.dtype in _PRECISIONS:
                target.copy_(source)
            fault = fault_in(target if source.dtype in _PRECISIONS else source)  # the target's pages are warm
            if fault:
                raise CheckpointError(f"{path}: {name} {fault}. Fetch it again, or take another.")


def fault_in(tensor: Tensor) -> str:
    """Why the numbers of a tensor cannot be weights, e.g. "holds NaN or infinite numbers"; empty where they can."""
    if tensor.dtype not in _PRECISIONS:
        return f"holds {str(tensor.dtype).removeprefix('torch.')} instead of floating-point numbers"
    if not tensor.numel():
        return ""
    least, greatest = torch.aminmax(tensor)  # both are NaN where any number is; far cheaper than isfinite of all
    return "" if bool(torch.isfinite(least) & torch.isfinite(greatest)) else "holds NaN or infinite numbers"


class uninitialised(TorchFunctionMode):  # noqa: N801 - a context manager, named as it reads
    """Context in which modules are built without drawing random weights, for networks that are filled from a file.

    What is computed or constant (position embeddings, masks, LayerNorm gains) is built as always; the generator's
    state does not change.
    """

    _SKIPPED = frozenset(
        {
            Tensor.normal_,
            Tensor.uniform_,
            nn.init.normal_,
            nn.init.uniform_,
            nn.init.trunc_normal_,
            nn.init.kaiming_uniform_,
            nn.init.xavier_uniform_,
        }
    )

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the tensor as it is instead of filling it."""
        if func in self._SKIPPED:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Copying waits for memory: on a busy machine, threads that wait for one another take four times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _first(names: Sequence[str]) -> str:
    """The first few of them."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _product(shape: Shape) -> str:
    """E.g. 384x512; a scalar is named so."""
    return "x".join(map(str, shape)) or "a scalar"
