from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seer_bench import CheckpointError, ConventionError, UnknownNameError, UsageError
from vla_eval_policy.options import VlaEvalOptions
from vla_eval_policy.policy import make_policy

from .conftest import context

URL = "ws://127.0.0.1:8000"


def test_what_is_left_out():
    assert VlaEvalOptions.parse({"url": URL}) == VlaEvalOptions(URL, 300.0, 30.0, 1, "check")


def test_the_address_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("SEER_BENCH_VLA_EVAL_URL", URL)
    assert VlaEvalOptions.parse({}).url == URL
    assert VlaEvalOptions.parse({"url": "ws://other"}).url == "ws://other"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "needs the address"),
        ({"url": "http://127.0.0.1:8000"}, "ws://HOST:PORT"),
        ({"url": URL, "timeout": "0"}, "above 0"),
        ({"url": URL, "wait": "long"}, "above 0"),
        ({"url": URL, "batch": "0"}, "at least 1"),
        ({"url": URL, "specs": "no"}, "choose check or ignore"),
    ],
)
def test_what_cannot_be(given, text):
    with pytest.raises(UsageError, match=text):
        VlaEvalOptions.parse(given)


def test_an_unknown_option():
    with pytest.raises(UnknownNameError, match="Did you mean 'timeout'"):
        VlaEvalOptions.parse({"url": URL, "timeuot": "3"})


def test_a_checkpoint_is_refused():
    with pytest.raises(CheckpointError, match="Leave --ckpt out"):
        make_policy(replace(context(URL), checkpoint=Path("model.pt")))


def test_another_protocol_of_libero_is_refused():
    with pytest.raises(ConventionError, match="--protocol libero-long/openvla-v1"):
        make_policy(context(URL, "libero-long/seer-v1"))
