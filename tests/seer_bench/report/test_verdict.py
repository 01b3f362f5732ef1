from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seer_bench.report.chains import summarise
from seer_bench.report.counts import Estimate
from seer_bench.report.verdict import NO_VALUE, judge, obstacles
from seer_bench.store import read_run

OURS = Estimate(0.90, 0.88, 0.92)


def percent(printed, ours=OURS, **more):
    return judge(printed, ours, scale=100, rounding=0.05, **more)


@pytest.mark.parametrize(
    ("printed", "word"),
    [(90.0, "agrees"), (88.0, "agrees"), (87.96, "agrees"), (87.9, "differs"), (92.04, "agrees"), (92.1, "differs")],
)
def test_the_print_agrees_inside_the_interval_widened_by_its_rounding(printed, word):
    verdict = percent(printed)
    assert verdict.word == word
    assert verdict.reason == ""
    assert verdict.difference == pytest.approx(90.0 - printed)


def test_what_was_not_run_or_printed_is_not_judged():
    assert percent(90.0, None).word == "not run"
    assert percent(None).word == "not comparable"
    assert percent(None).reason == NO_VALUE
    assert percent(90.0, Estimate(0.9, None, None)).word == "not comparable"


def test_obstacles_come_first_and_are_named():
    verdict = percent(90.0, obstacles=("privileged policy", "partial run"))
    assert (verdict.word, verdict.reason) == ("not comparable", "privileged policy; partial run")
    assert verdict.difference is None


@given(st.floats(0, 100), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_widening_an_interval_never_makes_it_differ(printed, value, below, above):
    narrow = percent(printed, Estimate(value, value, value)).word
    wide = percent(printed, Estimate(value, value - below, value + above)).word
    assert not (narrow == "agrees" and wide == "differs")


def test_obstacles_of_a_row(fake, write_run):
    def of(name: str, **manifest) -> str:
        protocol = manifest.pop("protocol", fake.make_protocol(count=1))
        path = write_run(name, [fake.chain(0, 5)], fake.make_manifest(protocol, **manifest))
        return "; ".join(obstacles(summarise([read_run(path)])))

    assert of("plain") == ""
    assert of("tiny", protocol=fake.make_protocol(count=1, comparable="other pixels.")) == "other pixels"
    assert of("expert", privileged=True) == "privileged policy"
    assert "fast" in of("fast", fast=True)
    assert of("partial", protocol=fake.make_protocol(count=2)) == "partial run"
