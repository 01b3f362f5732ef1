from __future__ import annotations

import numpy as np
import pytest

from calvin_benchmark.benchmark import CalvinBenchmark
from calvin_benchmark.protocols import all_protocols
from seer_bench import EvaluationProtocol, UsageError
from seer_bench.protocol import differences

BENCHMARK = CalvinBenchmark()


def test_the_protocols_are_those_that_are_documented():
    assert set(all_protocols()) == {
        "calvin-abc-d/v1",
        "calvin-abc-d/v1-tiny",
        "calvin-abc-d/seer-v1",
        "calvin-abc-d/seer-v1-tiny",
        "calvin-abc-d/diffuser-actor-v1",
        "calvin-embedded/v1",
    }
    assert len({p.fingerprint for p in all_protocols().values()}) == 6


@pytest.mark.parametrize(
    ("a", "b", "differ"),
    [
        ("calvin-abc-d/v1", "calvin-abc-d/v1-tiny", {"renderer"}),
        ("calvin-abc-d/v1", "calvin-abc-d/seer-v1", {"variant"}),
        ("calvin-abc-d/seer-v1", "calvin-abc-d/seer-v1-tiny", {"renderer"}),
        ("calvin-abc-d/v1-tiny", "calvin-embedded/v1", {"scene"}),
        ("calvin-abc-d/v1", "calvin-abc-d/diffuser-actor-v1", {"chain.steps_per_subtask"}),
    ],
)
def test_protocols_differ_in_what_their_names_say_and_in_nothing_else(a, b, differ):
    lines = differences(all_protocols()[a].settings, all_protocols()[b].settings)
    assert {line.split(":")[0] for line in lines} == differ


def test_units_are_the_thousand_chains():
    for protocol in all_protocols().values():
        units = BENCHMARK.units(protocol)
        assert len(units) == protocol.settings["chain"]["count"] == 1000
        assert units[417].id == f"{protocol.name}:chain=0417"
        assert units[417].slug == "chain=0417"


def test_a_protocol_for_another_chain_list_is_refused():
    protocol = all_protocols()["calvin-abc-d/v1"]
    settings = protocol.settings | {"chain": protocol.settings["chain"] | {"list_sha256": "0" * 64}}
    altered = EvaluationProtocol.from_json(protocol.to_json() | {"settings": settings}, source="test")
    with pytest.raises(UsageError, match="Reinstall"):
        BENCHMARK.units(altered)


def test_the_probe_is_stable_and_tells_simulations_apart():
    embedded = all_protocols()["calvin-embedded/v1"]
    first = BENCHMARK.probe(embedded, cameras=True, backend="own")
    assert first == BENCHMARK.probe(embedded, cameras=True, backend="own")
    assert set(first) == {"assets", "physics", "frame"}
    assert "frame" not in BENCHMARK.probe(embedded, cameras=False, backend="own")


def test_the_probe_of_the_official_scene_differs_from_the_embedded_one(shared, monkeypatch):
    monkeypatch.setenv("SEER_BENCH_CALVIN_ASSETS", str(shared / "calvin_assets"))
    probes = [
        BENCHMARK.probe(all_protocols()[name], cameras=False, backend="own")
        for name in ("calvin-abc-d/v1", "calvin-embedded/v1")
    ]
    assert probes[0]["assets"] != probes[1]["assets"]
    assert probes[0]["physics"] != probes[1]["physics"]


def test_policies_are_not_given_the_state_of_the_scene():
    fields = BENCHMARK.interface(all_protocols()["calvin-abc-d/v1"]).observations
    assert set(fields) == {"rgb_static", "rgb_gripper", "depth_static", "depth_gripper", "robot_obs"}
    assert (fields["rgb_gripper"].height, fields["rgb_gripper"].width) == (84, 84)


def test_an_environment_for_an_engine_renders_only_when_asked_to():
    protocol = all_protocols()["calvin-embedded/v1"]
    blind = BENCHMARK.make_env(protocol, cameras="off", backend="own")
    assert blind.renderer == "none"
    blind.close()
    seeing = BENCHMARK.make_env(protocol, cameras="exact", backend="own")
    seeing.begin(BENCHMARK.units(protocol)[0])
    film = seeing.film(120)
    assert list(film) == ["static", "gripper"]
    assert all(picture.shape == (120, 120, 3) and picture.dtype == np.uint8 for picture in film.values())
    seeing.close()
