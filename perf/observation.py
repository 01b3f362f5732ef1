"""An observation with both cameras against two plain `getCameraImage` calls of the same views.

    python perf/observation.py [--protocol calvin-abc-d/v1-tiny] [--states 30]

Both ways run in turn on the same states and must give the same pixels. The plain calls use pybullet's defaults, as
upstream does: segmentation buffer included, nothing hidden.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pybullet as p

from calvin_benchmark.backend import make_backend, renderer_for
from calvin_benchmark.chains import initial_state_vectors, load_chains
from calvin_benchmark.protocols import load_protocol
from calvin_benchmark.world import World


def main() -> None:
    """Measure both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", default="calvin-abc-d/v1-tiny")
    parser.add_argument("--states", type=int, default=30)
    options = parser.parse_args()
    protocol = load_protocol(options.protocol)
    world = make_backend(protocol, renderer=renderer_for(protocol, "exact"))
    world.reset(*initial_state_vectors(load_chains()[0].initial_state))
    rng = np.random.default_rng(0)
    sizes = {name: tuple(size) for name, size in protocol.settings["cameras"].items()}
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    differing = 0
    for state in range(options.states):
        for _ in range(5):
            world.step(np.append(rng.uniform(-1, 1, 6), 1.0))
        pictures = {}
        ways = ("ours", "plain") if state % 2 else ("plain", "ours")
        for way in ways:
            started = time.perf_counter()
            pictures[way] = [observe(world, way, name, size) for name, size in sizes.items()]
            seconds[way].append(time.perf_counter() - started)
        differing += sum(int((a != b).sum()) for a, b in zip(*pictures.values(), strict=True))
    for way, values in seconds.items():
        print(f"{way:<6} {1000 * statistics.median(values):7.2f} ms an observation (median of {len(values)})")
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["plain"])
    print(f"ratio  {ratio:7.3f}      renderer {world.renderer}, differing values: {differing}")


def observe(world: World, way: str, name: str, size: tuple[int, int]) -> np.ndarray:
    """RGB of one camera, by our way or by the plain call."""
    if way == "ours":
        return world.render(name, size=size, depth=True).rgb
    camera = world._cameras[name]
    width, height = size
    answer = p.getCameraImage(
        width,
        height,
        camera.view_matrix(),
        camera.projection_matrix(width / height),
        physicsClientId=world._client,
    )
    return np.reshape(answer[2], (height, width, 4))[:, :, :3]


if __name__ == "__main__":
    main()
