from __future__ import annotations

import pytest

from seer_bench.report.arms import Arm, arm_of_paper, arm_of_run, own_attributes, policy_of


@pytest.mark.parametrize(
    ("written", "pairs"),
    [
        ({}, {}),
        ({"pretrained": "yes", "l_fore": "True", "data": "100%"}, {}),
        ({"pretrained": "False", "pre_fore": ""}, {"pretrained": "no"}),
        ({"pre_fore": "no", "pre_inv": "no"}, {"pretrained": "no"}),
        ({"pretrained": "no", "pre_fore": "no", "pre_inv": "no"}, {"pretrained": "no"}),
        ({"pre_inv": "no"}, {"pre_inv": "no"}),
        ({"data": "0.1"}, {"data": "10%"}),
        ({"data": "10 %"}, {"data": "10%"}),
        ({"data": "40"}, {"data": "40%"}),
        ({"data": "1"}, {}),
        ({"data": "the first half"}, {"data": "the first half"}),
        ({"demos": "100", "lab": "ours"}, {"demos": "100", "lab": "ours"}),
    ],
)
def test_equal_arms_are_equal_however_they_are_written(written, pairs):
    assert dict(Arm.of(written).pairs) == pairs


@pytest.mark.parametrize("written", [{"pretrained": "no", "pre_fore": "yes"}, {"l_inv": "perhaps"}])
def test_contradictions_and_unknown_values_equal_no_row_of_the_paper(written):
    arm = Arm.of({"method": "Seer", **written})
    assert arm not in {arm_of_paper("Seer"), arm_of_paper("Seer (w/o pretrain)")}


def test_printed_names_hold_attributes():
    assert arm_of_paper("Seer (w/o pretrain)") == Arm.of({"method": "Seer", "pretrained": "no"})
    assert arm_of_paper("Seer", demos="20")["demos"] == "20"
    assert arm_of_paper("Seer").options == {}
    assert arm_of_paper("GR-1")["pretrained"] == "yes"


def test_the_manifest_gives_the_method_or_else_the_policys_name_is_it(fake):
    assert arm_of_run(fake.make_manifest(policy="their_net", arm={})).method == "their_net"
    assert arm_of_run(fake.make_manifest(arm={"method": "Seer+"})).method == "Seer+"


@pytest.mark.parametrize("written", ["seer", "SEER", "Seer"])
def test_a_method_that_is_given_may_be_spelt_otherwise_and_a_plugins_name_claims_nothing(fake, written):
    assert arm_of_run(fake.make_manifest(policy="mine", arm={"method": written})) == arm_of_paper("Seer")
    assert arm_of_run(fake.make_manifest(policy="gr1", arm={"method": "gr1"})) == arm_of_paper("GR-1")
    assert arm_of_run(fake.make_manifest(policy="gr1", arm={})) != arm_of_paper("GR-1")
    assert arm_of_run(fake.make_manifest(arm={"method": "Seer+ours"})).method == "Seer+ours"


def test_names_show_what_is_not_the_default(fake):
    assert own_attributes(fake.make_manifest(arm={"method": "Seer", "pretrained": "yes", "data": "0.1"})) == {
        "data": "10%"
    }
    assert own_attributes(fake.make_manifest(arm={"method": "Mine"})) == {"method": "Mine"}


def test_policies_of_methods():
    assert policy_of("Seer") == "seer"
    assert policy_of("RoboFlamingo") is None
