"""Rows that differ in something are called differently, and in nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from seer_bench.report import build_report, report_json
from seer_bench.report.labels import with_distinct_labels
from seer_bench.report.table2 import CHAINS
from seer_bench.store import read_run


def labels(fake, write_run, *manifests) -> list[str]:
    """Of one run a manifest."""
    runs = [write_run(f"run{i}", [fake.chain(0, i % 5)], manifest) for i, manifest in enumerate(manifests)]
    summaries = [CHAINS.summarise([read_run(path)]) for path in runs]
    return [summary.label for summary in with_distinct_labels(summaries)]


def with_policy(manifest, **changes):
    return replace(manifest, policy=replace(manifest.policy, **changes))


def test_settings_tell_runs_apart_by_those_that_differ(fake, write_run):
    one = with_policy(fake.make_manifest(), settings={"precision": "float32", "clip": "ab12"})
    two = with_policy(fake.make_manifest(), settings={"precision": "bfloat16", "clip": "ab12"})
    three = with_policy(fake.make_manifest(), settings={"clip": "ab12"})
    assert labels(fake, write_run, one, two, three) == [
        "seer · epoch_19.pth (precision float32)",
        "seer · epoch_19.pth (precision bfloat16)",
        "seer · epoch_19.pth (no setting precision)",
    ]


@pytest.mark.parametrize(
    ("changes", "traits"),
    [
        ({"options": {"a": "1", "b": "2"}}, ("no a, no b", "a=1, b=2")),
        ({"batch": 8}, ("batch 1", "batch 8")),
        ({"threads": 4}, ("1 threads", "4 threads")),
        ({"chunk": 3}, ("chunk 1", "chunk 3")),
        ({"fast": True}, ("not fast", "fast")),
    ],
)
def test_whatever_of_the_policy_differs_is_named(fake, write_run, changes, traits):
    plain = fake.make_manifest()
    found = labels(fake, write_run, plain, with_policy(plain, **changes))
    assert found == [f"seer · epoch_19.pth ({trait})" for trait in traits]


def test_a_method_that_only_spells_the_policys_name_is_named_where_it_differs(fake, write_run):
    old = replace(fake.make_manifest(), arm={})
    assert labels(fake, write_run, fake.make_manifest(), old) == [
        "seer · epoch_19.pth (method=Seer)",
        "seer · epoch_19.pth (method=seer)",
    ]


def test_machines_see_all_that_shaped_the_actions(fake, write_run):
    manifest = with_policy(fake.make_manifest(), settings={"precision": "float32"}, batch=8, chunk=3, threads=2)
    path = write_run("a", [fake.chain(0, 1)], manifest)
    (run,) = json.loads(json.dumps(report_json(build_report([path]))))["tables"]["table2"]["runs"]
    assert run["policy"]["settings"] == {"precision": "float32"}
    assert [run["policy"][key] for key in ("batch", "chunk", "threads")] == [8, 3, 2]
