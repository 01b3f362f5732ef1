from __future__ import annotations

from dataclasses import replace

import pytest

from seer_bench import ConventionError, ImageSpec, Interface, PolicySpec, VectorSpec
from seer_bench.conventions import check_conventions
from tests.fakes.tally_plugins import ACTION, FIELDS

INTERFACE = Interface("tally", FIELDS, ACTION)


def test_a_policy_that_asks_for_what_is_given_passes():
    check_conventions(PolicySpec({"picture": FIELDS["picture"]}, ACTION), INTERFACE)
    check_conventions(PolicySpec({}, ACTION), INTERFACE)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            PolicySpec({"wrist": ImageSpec(4, 6)}, ACTION),
            "'wrist', which tally does not give. It gives: total, picture",
        ),
        (PolicySpec({"picture": ImageSpec(8, 6)}, ACTION), "'picture': height is 8 for the policy and 4"),
        (PolicySpec({"picture": ImageSpec(4, 6, orientation="rot180")}, ACTION), "orientation is 'rot180'"),
        (PolicySpec({"picture": VectorSpec(4, "x")}, ACTION), "declares VectorSpec, the benchmark ImageSpec"),
        (PolicySpec({}, replace(ACTION, gripper_open=-1)), "action: gripper_open is -1 for the policy and 1"),
        (PolicySpec({}, replace(ACTION, rotation="axis_angle")), "action: rotation"),
        (PolicySpec({}, ACTION, chunk=0), "chunk=0"),
        (PolicySpec({}, ACTION, foresight=("picture",)), "foresight of 'picture', which is no RGB image"),
        (PolicySpec({"total": FIELDS["total"]}, ACTION, foresight=("total",)), "foresight of 'total'"),
        (PolicySpec({}, ACTION, arm={"pretrained": False}), "declares arm with 'pretrained': False; both must be text"),
        (PolicySpec({}, ACTION, settings={"heads": 12}), "declares settings with 'heads': 12"),
    ],
)
def test_the_field_that_does_not_fit_is_named(spec, words):
    with pytest.raises(ConventionError, match=words):
        check_conventions(spec, INTERFACE)
