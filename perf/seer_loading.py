"""How long a checkpoint of Seer takes to load, and how much memory it then needs, in a fresh process.

python perf/seer_inference.py     shows both
python perf/seer_loading.py VARIANT CKPT MAE CLIP float32|bfloat16     measures and prints JSON
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from seer_sides import Episode, Fast
from torch import Tensor

from seer_policy.checkpoint import build_seer, read_checkpoint
from seer_policy.model import FROZEN, Seer
from seer_policy.variants import variant


def show_loading(name: str, files: Mapping[str, Path]) -> None:
    """Load in both precisions and print."""
    print(
        "\nloading in a fresh process (files in the page cache)    read files    load    resident after a step    peak"
    )
    for precision in ("float32", "bfloat16"):
        command = [
            sys.executable,
            __file__,
            name,
            *(str(files[part]) for part in ("ckpt", "mae", "clip")),
            precision,
        ]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print(
            f"{'vision encoder in ' + precision:<54} {found['read']:8.2f} s {found['load']:6.2f} s "
            f"{found['resident']:18.0f} MB {found['peak']:10.0f} MB"
        )


def write_published(model: Seer, folder: Path) -> dict[str, Path]:
    """Files in the layouts of the published ones, from a network's weights; the moments are real tensors, of zeros."""
    state = model.state_dict()
    trained = {name: tensor for name, tensor in state.items() if not name.startswith(FROZEN)}
    moments = {
        i: {"exp_avg": torch.zeros_like(t), "exp_avg_sq": torch.zeros_like(t)} for i, t in enumerate(trained.values())
    }
    files = {name: folder / f"{name}.pth" for name in ("ckpt", "mae", "clip")}
    torch.save(
        {
            "epoch": 0,
            "model_state_dict": {f"module.{name}": tensor for name, tensor in trained.items()},
            "optimizer_state_dict": {"state": moments, "param_groups": [{"params": list(moments)}]},
            "lr_scheduler_state_dict": {},
        },
        files["ckpt"],
    )
    torch.save({"model": _part(state, "vision_encoder.")}, files["mae"])
    torch.save(_part(state, "clip_model."), files["clip"])
    return files


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of one frozen encoder, by its own names."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def measure(name: str, ckpt: Path, mae: Path, clip: Path, precision: torch.dtype) -> dict[str, float]:
    """Seconds to read the files' bytes and to load them; MB resident after a step, and at most."""
    start = time.perf_counter()
    for path in (ckpt, mae, clip):
        with path.open("rb") as file:
            while file.read(1 << 22):
                pass
    read = time.perf_counter()
    checkpoint = read_checkpoint(ckpt)
    config = variant(name).phase("evaluate").config
    model = build_seer(checkpoint, config, mae=mae, clip=clip, vision_precision=precision)
    load = time.perf_counter()
    del checkpoint
    gc.collect()
    Fast(model, Episode(1, config.state_dim), compile=False).step(0)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resident, peak = (int(status[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM"))
    return {"read": read - start, "load": load - read, "resident": resident, "peak": peak}


if __name__ == "__main__":
    name, *paths, dtype = sys.argv[1:]
    print(json.dumps(measure(name, *map(Path, paths), precision=getattr(torch, dtype))))
