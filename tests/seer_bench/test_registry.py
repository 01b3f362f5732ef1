from __future__ import annotations

import sys

import pytest

from seer_bench import MissingExtraError, PolicyContext, UnknownNameError, UsageError
from seer_bench.registry import BENCHMARKS, POLICIES, find_protocol, load_benchmark, load_policy, load_verifier, plugins
from tests.fakes.tally_plugins import ACTION, FIELDS, Interface, protocol

CONTEXT = PolicyContext(Interface("tally", FIELDS, ACTION), protocol())


def test_our_own_plugins_are_found():
    assert {"calvin"} <= set(plugins(BENCHMARKS))
    assert {"expert", "random", "replay"} <= set(plugins(POLICIES))


@pytest.mark.usefixtures("tally")
def test_plugins_of_another_distribution_are_found_with_its_version():
    info = plugins(POLICIES)["add"]
    assert (info.distribution, info.version) == ("tally-plugins", "0.3")
    assert load_benchmark("tally").name == "tally"
    assert load_policy("add", CONTEXT).spec.chunk == 1


def test_an_unknown_name_offers_close_ones_and_the_command_that_lists_them():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'expert'.*seer-bench list"):
        load_policy("exprt", CONTEXT)


def test_an_unknown_protocol_offers_close_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'calvin-abc-d/seer-v1'"):
        find_protocol(load_benchmark("calvin"), "calvin-abc-d/seerv1")
    assert find_protocol(load_benchmark("calvin"), None).name == "calvin-abc-d/v1"


@pytest.mark.usefixtures("tally")
@pytest.mark.parametrize(
    ("name", "words"), [("chunk", "ValueError: invalid literal"), ("step", "ValueError: could not")]
)
def test_a_policy_that_cannot_be_built_is_refused_in_words(name, words):
    with pytest.raises(UsageError, match=f"'add' could not be built: {words}"):
        load_policy("add", PolicyContext(CONTEXT.interface, CONTEXT.protocol, options={name: "much"}))


@pytest.mark.usefixtures("tally")
def test_a_policy_without_a_spec_is_refused(monkeypatch):
    import tally_plugins

    monkeypatch.setattr(tally_plugins.AddPolicy, "__init__", lambda self, context: None)
    with pytest.raises(UsageError, match="has no `spec`"):
        load_policy("add", CONTEXT)


@pytest.mark.usefixtures("tally")
def test_a_plugin_that_cannot_be_imported_is_refused_with_its_distribution(monkeypatch):
    import tally_plugins

    monkeypatch.delattr(tally_plugins, "AddPolicy")
    with pytest.raises(UsageError, match=r"'add' of tally-plugins 0.3 cannot be imported: AttributeError"):
        load_policy("add", CONTEXT)


@pytest.mark.usefixtures("tally")
def test_a_plugin_that_builds_no_policy_is_refused(monkeypatch):
    import tally_plugins

    monkeypatch.setattr(tally_plugins, "AddPolicy", lambda context: object())
    with pytest.raises(UsageError, match="built object, which is no"):
        load_policy("add", CONTEXT)


@pytest.fixture
def no_pybullet(monkeypatch):
    for module in [name for name in sys.modules if name.startswith(("calvin_benchmark", "pybullet"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pybullet", None)


def test_a_benchmark_is_listed_without_its_simulator(no_pybullet):
    benchmark = load_benchmark("calvin")
    protocol = find_protocol(benchmark, None)
    assert len(benchmark.units(protocol)) == 1000
    assert benchmark.backends() == ("own", "upstream")
    assert "rgb_static" in benchmark.interface(protocol).observations


@pytest.mark.parametrize(
    "use",
    [
        lambda: load_verifier("calvin"),
        lambda: load_benchmark("calvin").make_env(_default_protocol(), cameras="off", backend="own"),
        lambda: load_benchmark("calvin").probe(_default_protocol(), cameras=False, backend="own"),
    ],
    ids=["verifier", "make_env", "probe"],
)
def test_a_missing_simulator_names_the_pip_command(no_pybullet, use):
    with pytest.raises(MissingExtraError, match=r"pip install 'seer-bench\[calvin\]'"):
        use()


def _default_protocol():
    return find_protocol(load_benchmark("calvin"), None)
