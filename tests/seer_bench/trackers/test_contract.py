from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

from seer_bench.store import PolicyId, read_run
from seer_bench.trackers import TrackedRun, Tracker
from seer_bench.trackers.monitor import TRACKERS
from seer_bench.trackers.scores import RunningScore, summarise

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "trackers.md").read_text()


def test_the_config_is_flat_and_says_what_was_run(lab):
    run = lab.run()
    config = run.config
    assert config["protocol"] == "toy/v1"
    assert config["protocol_fingerprint"] == run.manifest.protocol.fingerprint
    assert (config["policy"], config["policy_version"]) == ("push", "push-policy 1.0")
    assert (config["checkpoint"], config["checkpoint_sha256"]) == ("weights.pth", "c" * 64)
    assert (config["arm/data"], config["option/speed"], config["setting/half"]) == ("10%", "fast", "no")
    assert (config["simulation/physics"], config["seed"], config["run_directory"]) == ("b2", 0, str(run.path))
    assert {"seer_bench", "python", "host"} <= set(config)
    assert all(isinstance(value, str | int | bool) for value in config.values())
    assert json.loads(json.dumps(config)) == config


def test_a_run_without_weights_is_named_without_them(lab):
    run = TrackedRun(lab.manifest(checkpoint=None, policy=PolicyId("expert", "seer-bench", "0.1")), lab.root / "r")
    assert (run.name, run.config["checkpoint"]) == ("expert on toy/v1", "none")


def test_the_id_follows_the_directory_wherever_it_is_moved(lab):
    run = lab.run()
    assert TrackedRun(run.manifest, run.path.parent / "elsewhere" / run.path.name).id == run.id
    shard = TrackedRun(run.manifest, run.path / "shard-0-of-2")
    assert shard.id != run.id
    assert shard.group == run.group
    assert len(run.id) == len(run.group) == 16


def test_what_a_process_is_given_can_be_sent_to_it(lab):
    run = lab.run()
    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301 - our own bytes


def test_the_tracker_of_the_guide_works_as_it_is_printed(lab):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, type[Tracker]] = {}
    exec(compile(code, "docs/trackers.md", "exec"), names)  # noqa: S102 - our own text
    tracker = names["CsvTracker"]()
    run = lab.run([lab.chain(0, 2)])
    assert tracker.start(run) == f"in {lab.root}/{run.id}.csv"
    tracker.result(lab.chain(0, 2), RunningScore(3, [lab.chain(0, 2)]).progress)
    tracker.finish(summarise(read_run(run.path), complete=True))
    lines = (lab.root / f"{run.id}.csv").read_text().splitlines()
    assert lines[0] == "toy/v1:unit=0,2,1"
    assert "average_length,2.0" in lines
    assert f'[project.entry-points."{TRACKERS}"]' in GUIDE
