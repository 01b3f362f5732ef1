"""What `--policy-arg` says to a policy: values, defaults, refusals."""

import pytest

from seer_bench import PolicyArgs, UnknownNameError, UsageError

KEYS = ("name", "batch", "speed", "order", "wait", "url")


def args(**given: str) -> PolicyArgs:
    return PolicyArgs("mynet", given, KEYS)


def address(given: PolicyArgs) -> str:
    return given.address("url", "ws", "wss", variable="MYNET_URL", start="Start one.")


def test_values_are_read_and_defaults_stand_in():
    given = args(name="a b", batch="16", speed="2.5e-1", order="last", wait="off", url="wss://host/path")
    assert given.text("name", None) == "a b"
    assert given.whole("batch", None) == 16
    assert given.number("speed", 1.0) == 0.25
    assert given.choice("order", "first", ("first", "last")) == "last"
    assert given.switch("wait", default=True) is False
    assert address(given) == "wss://host/path"
    assert "batch" in given
    none = args()
    assert none.text("name", None) is None
    assert none.whole("batch", 1) == 1
    assert none.number("speed", None) is None
    assert none.choice("order", "first", ("first", "last")) == "first"
    assert none.switch("wait", default=True) is True
    assert "batch" not in none


def test_a_misspelt_key_is_refused_with_the_closest_one():
    with pytest.raises(UnknownNameError, match=r"unknown option 'bach'\. Did you mean 'batch'.* the policy 'mynet'"):
        PolicyArgs("mynet", {"bach": "1"}, KEYS)


def test_a_policy_without_options_refuses_every_key():
    with pytest.raises(UsageError, match="'mynet' has no options; leave --policy-arg batch=1 out"):
        PolicyArgs("mynet", {"batch": "1"})


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "²", "٣"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(UsageError, match=f"--policy-arg batch={text}: give a whole number of at least 1"):
        args(batch=text).whole("batch", None)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", ""])
def test_what_is_no_number_above_0_is_refused(text):
    with pytest.raises(UsageError, match=f"--policy-arg speed={text}: give a number of m/s above 0"):
        args(speed=text).number("speed", 1.0, "m/s")


@pytest.mark.parametrize("text", ["-0.1", "nan", "inf", "x"])
def test_a_number_may_have_another_bound(text):
    assert args(speed="0").number("speed", 1.0, at_least=0) == 0
    with pytest.raises(UsageError, match=f"--policy-arg speed={text}: give a number of at least 0"):
        args(speed=text).number("speed", 1.0, at_least=0)


def test_other_words_are_refused_with_the_right_ones():
    with pytest.raises(UsageError, match="--policy-arg order=middle: choose first or last"):
        args(order="middle").choice("order", "first", ("first", "last"))
    with pytest.raises(UsageError, match="--policy-arg wait=true: choose on or off"):
        args(wait="true").switch("wait", default=False)


def test_an_address_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("MYNET_URL", "ws://there")
    assert address(args()) == "ws://there"
    assert address(args(url="ws://here")) == "ws://here"


def test_a_missing_address_is_asked_for(monkeypatch):
    monkeypatch.setenv("MYNET_URL", "")
    said = r"'mynet' needs .* --policy-arg url=ws://HOST:PORT, or the variable MYNET_URL\. Start one\."
    with pytest.raises(UsageError, match=said):
        address(args())


@pytest.mark.parametrize(
    "text",
    ["host:1", "http://host:1", "ws://", "ws://host:x", "ws://host:0", "ws://host:70000", "ws://me:secret@host:1"],
)
def test_what_is_no_address_is_refused(text, monkeypatch):
    with pytest.raises(UsageError, match=f"--policy-arg url={text}: give ws://HOST:PORT or wss://HOST:PORT"):
        address(args(url=text))
    monkeypatch.setenv("MYNET_URL", text)
    with pytest.raises(UsageError, match=f"MYNET_URL={text}: give ws"):
        address(args())
