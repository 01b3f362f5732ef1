from __future__ import annotations

import pytest
from typer.testing import CliRunner

from seer_bench.cli import app
from seer_bench.errors import UnknownNameError


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["protocol", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_every_protocol_of_every_benchmark_is_listed():
    text = printed("list")
    for words in (
        "protocols of calvin:",
        "protocols of libero:",
        "calvin-abc-d/seer-v1-tiny",
        "libero-long/openvla-v1",
    ):
        assert words in text


def test_a_protocol_is_shown_with_the_conventions_to_copy():
    text = printed("show", "calvin-abc-d/v1")
    for words in ("count: 1000", "'rgb_static': ImageSpec(height=200", "ActionSpec(kind='cartesian_rel'"):
        assert words in text


def test_a_difference_names_both_values():
    text = printed("diff", "libero-long/seer-v1", "libero-long/openvla-v1")
    assert "here: libero-long/seer-v1, there: libero-long/openvla-v1" in text
    assert "600 here, 520 there" in text
    assert "no difference" in printed("diff", "libero-long/v1", "libero-long/v1")


def test_an_unknown_protocol_is_refused():
    with pytest.raises(UnknownNameError, match="calvin-abc-d/v1"):
        CliRunner().invoke(app, ["protocol", "show", "calvin-abcd/v1"], catch_exceptions=False)
