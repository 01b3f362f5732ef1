"""Seer's inference, or GR-1's, beside the straightforward forward pass of the same weights, in one run.

    python perf/seer_inference.py [--threads 2] [--large] [--ckpt 33.pth --mae FILE --clip FILE] [--upstream DIR]
    python perf/seer_inference.py --gr1 [--threads 2]

Straightforward means what the published evaluation does at every control step: all S frames of both cameras through
the vision encoder, the sentence through the text encoder S times at all of its 77 positions, every row of the
transformer, and the images decoded. `FastSeer` does what `seer_policy.fast` says. Both see the same frames, batch 1,
and both prepare the newest pair of camera frames. The vision encoder runs in the same precision on both sides of a
ratio. With `--upstream`, a checkout of https://github.com/OpenRobotLab/Seer, the published code is a third side.

Times are medians over repeats: of a control step with a full history, and of the mean over the S steps that fill it,
the sentence included; the straightforward side does the same work in both cases. GFLOP are counted from the shapes of
the matrix products, convolutions and attentions that ran, two for a multiplication and an addition; "rest" is what
lies between the parts, mostly projections.

With `--gr1` the network is GR-1, whose published evaluation encodes one sentence a step and foresees no images; its
weights are random, and all is float32.

The last section loads files of the published layout, the optimiser's moments included, in a fresh process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from seer_loading import show_loading, write_published
from seer_sides import Episode, Fast, FastestGr1, Side, Straightforward, StraightforwardGr1, Upstream
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from gr1_policy.config import Gr1Config
from gr1_policy.fast import NewestAction
from gr1_policy.model import Gr1
from seer_bench_nn.gpt2 import Gpt2
from seer_bench_nn.resampler import PerceiverResampler
from seer_bench_nn.vit import MaeEncoder
from seer_policy.checkpoint import build_seer, read_checkpoint
from seer_policy.model import Seer
from seer_policy.newest import NewestStep
from seer_policy.variants import variant

SIDES = (Straightforward, StraightforwardGr1, Fast, FastestGr1)
NEWEST = (NewestStep, NewestAction)
PARTS: Mapping[str, tuple[tuple[type, str], ...]] = {
    "image preprocessing": tuple((side, "prepare") for side in SIDES),
    "vision encoder": ((MaeEncoder, "forward"),),
    "resampler": ((PerceiverResampler, "forward"),),
    "text encoder": ((Straightforward, "text"), (Fast, "text")),
    "transformer": (
        (Gpt2, "forward"),
        *((newest, "grow") for newest in NEWEST),
        *((newest, "recompute") for newest in NEWEST),
    ),
    "image decoder": ((Seer, "foresee"), (Gr1, "foresee")),
    "heads": ((Seer, "decode_actions"), (Gr1, "decode_actions")),
}
ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
STEADY = 4
"""Steps with a full history in one repeat."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), action="append", help="of the vision encoder")
    parser.add_argument("--gr1", action="store_true", help="GR-1 instead of Seer")
    parser.add_argument("--large", action="store_true", help="Seer-Large instead of the base network")
    parser.add_argument("--compile", action="store_true", help="FastSeer with torch.compile")
    parser.add_argument("--upstream", type=Path, help="checkout of the published code")
    parser.add_argument("--ckpt", type=Path, help="published checkpoint; without it, weights are random")
    parser.add_argument("--mae", type=Path, help="file of the image encoder, with --ckpt")
    parser.add_argument("--clip", type=Path, help="file of the text encoder, with --ckpt")
    parser.add_argument("--no-loading", action="store_true", help="leave the last section out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.gr1:
        show_gr1(parser, options)
        return
    name = "calvin-large" if options.large else "calvin"
    given = {key: getattr(options, key) for key in ("ckpt", "mae", "clip")}
    if any(given.values()) and not all(given.values()):
        parser.error("--ckpt, --mae and --clip go together")
    model = loaded(name, given) if given["ckpt"] else random_network(name)
    model.requires_grad_(False)
    print(
        f"{name}, batch 1, {options.threads} thread(s), torch {torch.__version__}, medians of {options.repeats}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        files = given if given["ckpt"] else write_published(model, Path(folder)) if not options.no_loading else {}
        compare(model, options)
        if not options.no_loading:
            show_loading(name, files)


def show_gr1(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Both sides of GR-1, with random weights."""
    if options.ckpt or options.upstream or options.large or options.compile or options.precision:
        parser.error("--gr1 goes with --threads and --repeats alone")
    torch.manual_seed(0)
    model = Gr1(Gr1Config()).eval().requires_grad_(False)
    print(f"GR-1, batch 1, {options.threads} thread(s), torch {torch.__version__}, medians of {options.repeats}")
    episode = Episode(model.config.history + STEADY, 7)
    show({"straightforward": StraightforwardGr1(model, episode)}, FastestGr1(model, episode), "float32", options)


def random_network(name: str) -> Seer:
    """Seer's initial weights, and readout tokens that differ from each other as trained ones do."""
    torch.manual_seed(0)
    model = Seer(variant(name).phase("evaluate").config).eval()
    with torch.no_grad():
        for token in (model.obs_tokens, model.action_pred_token):
            token.normal_(std=0.2)
    return model


def loaded(name: str, files: Mapping[str, Path]) -> Seer:
    """The network of a checkpoint."""
    config = variant(name).phase("evaluate").config
    return build_seer(read_checkpoint(files["ckpt"]), config, mae=files["mae"], clip=files["clip"])


def compare(model: Seer, options: argparse.Namespace) -> None:
    """All sides in each precision, then their parts."""
    episode = Episode(model.config.history + STEADY, model.config.state_dim)
    sides: dict[str, Side] = {"straightforward": Straightforward(model, episode)}
    if options.upstream:
        sides["published code"] = Upstream(model, episode, options.upstream)
    fast = Fast(model, episode, compile=options.compile)
    for precision in options.precision or ("float32", "bfloat16"):
        show(sides, fast, precision, options)


def show(sides: Mapping[str, Side], fast: Fast, precision: str, options: argparse.Namespace) -> None:
    """Time all sides in one precision, then the parts of two."""
    steps = fast.fast.model.config.history
    for side in (*sides.values(), fast):
        side.set_precision(getattr(torch, precision))
    times, worst = timed(sides, fast, steps, options.repeats)
    print(f"\nvision encoder in {precision}, all else in float32: milliseconds of a control step")
    print(f"{'':<18} {'full history':>14} {'ratio':>8} {'while it fills':>15} {'ratio':>8} {'largest difference':>20}")
    for name in sides:
        full = times[name]
        columns = (f"{1e3 * full:{width}.1f} {full / times[key]:7.2f}x" for width, key in ((14, "full"), (15, "fills")))
        print(f"{name:<18} {' '.join(columns)} {worst[name]:20.1e}")
    print(f"{type(fast.fast).__name__:<18} {1e3 * times['full']:14.1f} {'':8} {1e3 * times['fills']:15.1f}", flush=True)
    if not options.compile:
        show_parts(sides["straightforward"], fast, steps)


def timed(sides: Mapping[str, Side], fast: Fast, steps: int, repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each side, and the largest difference of its actions from FastSeer's."""
    seconds, worst = defaultdict[str, list[float]](list), dict.fromkeys(sides, 0.0)
    for repeat in range(repeats + 1):
        actions, taken = zip(*(stopwatch(fast.step, t) for t in range(steps + STEADY)), strict=True)
        checked = (repeat % steps, steps + repeat % STEADY)
        for name, side in sides.items():
            for t in checked[:1] if repeat == 0 else checked:
                action, duration = stopwatch(side.step, t)
                worst[name] = max(worst[name], (action - actions[t]).abs().max().item())
                if repeat:
                    seconds[name].append(duration)
        if repeat:  # the first one warms up
            seconds["fills"].append(statistics.mean(taken[:steps]))
            seconds["full"] += taken[steps:]
    return {name: statistics.median(values) for name, values in seconds.items()}, worst


def show_parts(straightforward: Side, fast: Fast, steps: int) -> None:
    """Where time goes, and how much is computed."""
    slow, quick = (parts(side, range(first, steps + 2)) for side, first in ((straightforward, steps), (fast, 0)))
    name = type(fast.fast).__name__
    columns = {
        "straightforward": {part: [statistics.median(values) for values in slow[part]] for part in slow},
        f"{name}, full": {part: [statistics.median(values[steps:]) for values in quick[part]] for part in quick},
        f"{name}, fills": {part: [statistics.mean(values[:steps]) for values in quick[part]] for part in quick},
    }
    print(f"{'part of a step':<20}" + "".join(f"{title:^34}" for title in columns))
    print(" " * 20 + f"{'ms':>12} {'share':>8} {'GFLOP':>12}" * len(columns))
    for part in slow:
        row = f"{part:<20}"
        for found in columns.values():
            seconds, operations = found[part]
            row += f"{1e3 * seconds:12.2f} {seconds / found['all'][0]:8.1%} {operations / 1e9:12.3f}"
        print(row, flush=True)


def parts(side: Side, steps: range) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds and operations of each part at each of some steps, in two passes over them."""
    found: dict[str, tuple[list[float], list[float]]] = {part: ([], []) for part in (*PARTS, "rest", "all")}
    for i, meter in enumerate((stopwatch, flop_counter)):
        for t in steps:
            totals = dict.fromkeys(PARTS, 0.0)
            with watched(totals, meter):
                whole = meter(side.step, t)[1]
            for part, value in (totals | {"rest": whole - sum(totals.values()), "all": whole}).items():
                found[part][i].append(value)
    return found


Meter = Callable[..., tuple[Any, float]]


def stopwatch(function: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    """Call: the result, and the seconds."""
    start = time.perf_counter()
    return function(*args), time.perf_counter() - start


def flop_counter(function: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    """Call: the result, and the floating-point operations."""
    attention = {ATTENTION: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v)}
    with FlopCounterMode(display=False, custom_mapping=attention) as counter:
        result = function(*args)
    return result, counter.get_total_flops()


@contextmanager
def watched(totals: dict[str, float], meter: Meter) -> Iterator[None]:
    """Let a meter see every call of a part."""
    with ExitStack() as stack:
        for part, methods in PARTS.items():
            for owner, name in methods:
                original = getattr(owner, name)

                def call(*args: Any, _part: str = part, _original: Callable[..., Any] = original) -> Any:
                    result, value = meter(_original, *args)
                    totals[_part] += value
                    return result

                stack.enter_context(patch.object(owner, name, call))
        yield


if __name__ == "__main__":
    main()
