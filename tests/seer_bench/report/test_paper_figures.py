from __future__ import annotations

import pytest

from seer_bench.errors import UsageError
from seer_bench.report.paper_figures import (
    FractionNeeded,
    RelativeGain,
    load_data_efficiency,
    load_generalization,
    parse_data_efficiency,
    parse_generalization,
)

GAIN = {"benchmark": "calvin", "fraction": 0.1, "relative_improvement_over_scratch_percent": 150}
FIGURE3 = {
    "title": "T",
    "fractions": [0.1, 1.0],
    "benchmarks": {"calvin": "avg_len"},
    "series": ["Seer"],
    "values": None,
    "statements": [GAIN],
}
FIGURE5 = {"title": "T", "values": None, "disturbances": [{"task": "a", "disturbance": "light, strong"}]}


def test_figure3_holds_what_the_prose_says_and_no_curve():
    figure = load_data_efficiency()
    assert figure.fractions == (0.1, 0.2, 0.4, 0.7, 1.0)
    assert dict(figure.metrics) == {"libero": "success rate (%)", "calvin": "avg_len"}
    assert figure.gains == (RelativeGain("libero", 0.1, 187.0), RelativeGain("calvin", 0.1, 150.0))
    assert figure.needed == (FractionNeeded("libero", 0.7), FractionNeeded("calvin", 0.4))


def test_figure5_disturbs_every_task_of_table4_in_whole_sentences():
    words = {entry.task: entry.words for entry in load_generalization().disturbances}
    assert words["stack_cups"] == "black backdrop removed, natural background"
    assert words["flip_white_bowl"].endswith("around the white one")
    assert len(words) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fractions": [1.0, 0.1]}, "they must rise"),
        ({"fractions": [0.1, 0.5]}, "they must rise"),
        ({"fractions": [0.0, 1.0]}, "they must rise"),
        ({"values": {"calvin": [1.0]}}, "its source is a picture"),
        ({"statements": [{**GAIN, "benchmark": "rlbench"}]}, "not drawn"),
        ({"statements": [{**GAIN, "fraction": 0.3}]}, "not drawn"),
        ({"statements": [{**GAIN, "seeds": 3}]}, "neither a gain nor"),
    ],
)
def test_figure3_refuses_what_it_cannot_hold(changes: dict, message: str):
    assert parse_data_efficiency(FIGURE3, source="x").gains == (RelativeGain("calvin", 0.1, 150.0),)
    with pytest.raises(UsageError, match=message):
        parse_data_efficiency({**FIGURE3, **changes}, source="x")


def test_figure5_refuses_other_tasks_and_split_texts():
    assert parse_generalization(FIGURE5, tasks=frozenset({"a"}), source="x").disturbances[0].words == "light, strong"
    with pytest.raises(UsageError, match=r"disturbs a; the tasks of Table 4 are a, b"):
        parse_generalization(FIGURE5, tasks=frozenset({"a", "b"}), source="x")
    split = {**FIGURE5, "disturbances": [{"task": "a", "disturbance": "light", "strong": None}]}
    with pytest.raises(UsageError, match="quote texts with commas"):
        parse_generalization(split, tasks=frozenset({"a"}), source="x")
