"""The upstream backend: what it says where calvin_env is not as needed, and, live, that it equals our own world.

The live tests need calvin_env (README, "Upstream as a backend"); run them once for each of its two commits:

    pytest -m upstream tests/benchmarks/calvin_benchmark/test_upstream.py
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calvin_benchmark.actions import Action, Variant
from calvin_benchmark.assets import ROOT_VARIABLE, locate
from calvin_benchmark.backend import Backend
from calvin_benchmark.chains import initial_state_vectors, load_chains
from calvin_benchmark.oracle import TASK_NAMES, solved
from calvin_benchmark.renderer import Renderer, available
from calvin_benchmark.scene import load_scene
from calvin_benchmark.upstream import UpstreamWorld
from calvin_benchmark.upstream_package import MissingUpstreamError, find_checkout, installed_variant, require_variant
from calvin_benchmark.world import World
from seer_bench import InvalidActionError, RunRequest, UsageError, read_run, run
from seer_bench.store import canonical_lines, read_actions

# --- without calvin_env ------------------------------------------------------------------------------------


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing of calvin_env had been imported yet."""
    for name in [name for name in sys.modules if name.split(".")[0] == "calvin_env"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def package(forgotten: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package called calvin_env whose simulator module is still to be written; the path of that module."""
    module = tmp_path / "calvin_env" / "envs" / "play_table_env.py"
    module.parent.mkdir(parents=True)
    (tmp_path / "calvin_env" / "__init__.py").touch()
    (tmp_path / "calvin_env" / "envs" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield module
    for name in [name for name in sys.modules if name.split(".")[0] == "calvin_env"]:
        del sys.modules[name]


def test_says_how_to_install_a_missing_calvin_env(forgotten: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calvin_env", None)  # what Python does for "not to be found"
    with pytest.raises(MissingUpstreamError, match="not installed") as caught:
        UpstreamWorld(load_scene("D"), variant="main")
    message = str(caught.value)
    assert "git clone https://github.com/mees/calvin_env" in message
    assert "797142c" in message
    assert "1431a46" in message
    assert "pip install --no-deps -e ./calvin_env" in message


def test_does_not_take_a_folder_of_that_name_for_the_package(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    for module in (package.parent / "__init__.py", package.parents[1] / "__init__.py"):
        module.unlink()  # leaves what a clone of the repository looks like from the folder above it
    with pytest.raises(MissingUpstreamError, match="not installed"):
        find_checkout()


def test_names_a_missing_dependency(package: Path) -> None:
    package.write_text("import a_module_that_nobody_has")
    with pytest.raises(
        MissingUpstreamError, match=r"the module 'a_module_that_nobody_has'.*pip install 'gym==0\.26\.2'"
    ):
        find_checkout()


def test_reports_what_old_code_fails_with(package: Path) -> None:
    package.write_text("import numpy\nnumpy.array([1], dtype=numpy.float)")
    with pytest.raises(UsageError, match=r"importing calvin_env\.envs\.play_table_env failed: AttributeError"):
        find_checkout()


def test_refuses_an_installation_without_its_configuration(package: Path, tmp_path: Path) -> None:
    package.touch()
    with pytest.raises(UsageError, match=r"without its folders conf/ and data/.*-e \./calvin_env"):
        find_checkout()
    (tmp_path / "conf" / "scene").mkdir(parents=True)
    assert find_checkout() == tmp_path


@pytest.mark.parametrize(("wanted", "found", "commit"), [("main", "pinned", "797142c"), ("pinned", "main", "1431a46")])
def test_names_the_command_for_the_other_version(wanted: Variant, found: Variant, commit: str) -> None:
    with pytest.raises(UsageError, match=f"'{found}'.*'{wanted}'. Run: git -C /somewhere checkout {commit}$"):
        require_variant(wanted, found, Path("/somewhere"))
    require_variant(found, found, Path("/somewhere"))


# --- with calvin_env ---------------------------------------------------------------------------------------

CHAINS = (0, 417, 999)
STEPS = 90
BACKENDS = ("own", "upstream")
PROTOCOLS: dict[Variant, str] = {"main": "calvin-abc-d/v1-tiny", "pinned": "calvin-abc-d/seer-v1-tiny"}


@pytest.fixture(scope="module")
def variant() -> Variant:
    return installed_variant(find_checkout())


@pytest.fixture(autouse=True)
def assets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our world is built from upstream's own files, which must be those that the manifest names."""
    if request.node.get_closest_marker("upstream"):
        monkeypatch.setenv(ROOT_VARIABLE, str(find_checkout() / "data"))


def build(backend: str, variant: Variant, renderer: Renderer = "none") -> Backend:
    """Worlds are built one after the other: upstream wants the process to itself."""
    if backend == "upstream":
        return UpstreamWorld(load_scene("D"), variant=variant, renderer=renderer)
    return World(load_scene("D"), locate(), variant=variant, renderer=renderer)


def begin(world: Backend, chain: int) -> None:
    world.reset(*initial_state_vectors(load_chains()[chain].initial_state))


def state(world: Backend) -> tuple[object, ...]:
    """All that a backend tells but images, to the last bit."""
    vectors = (world.robot_obs(), world.scene_obs(), world.target_position, world.target_euler)
    return (*(vector.tobytes() for vector in vectors), world.snapshot())


def play(world: Backend, chain: int, actions: NDArray[np.floating]) -> list[tuple[object, ...]]:
    """State at the start of a chain and after each action."""
    begin(world, chain)
    seen = [state(world)]
    for action in actions:
        world.step(action)
        seen.append(state(world))
    return seen


def wander(seed: int, dtype: type = np.float64) -> NDArray[np.floating]:
    """Smooth random motion with an opening and closing gripper, (STEPS, 7)."""
    rng = np.random.default_rng(seed)
    walk = np.zeros((STEPS, 7))
    for before, now in itertools.pairwise(walk):
        now[:6] = 0.9 * before[:6] + 0.4 * rng.normal(size=6)
    walk[:, 6] = np.where(np.arange(STEPS) % 40 < 20, 1, -1)
    return walk.astype(dtype)


class Silent:
    """A monitor that shows nothing."""

    def started(self, protocol, total, recorded): ...

    def stepped(self, steps): ...

    def finished(self, result): ...

    def closed(self): ...


def run_expert(out: Path, variant: Variant, backend: str, units: str) -> list[str]:
    """Canonical records of a run of the expert."""
    run(RunRequest("calvin", "expert", out, protocol=PROTOCOLS[variant], units=units, backend=backend), Silent())
    return canonical_lines(read_run(out).results.values())


@pytest.mark.upstream
@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_chains_are_bit_identical_to_our_world(variant: Variant, dtype: type) -> None:
    seen: dict[str, list[list[tuple[object, ...]]]] = {}
    for backend in BACKENDS:
        world = build(backend, variant)
        seen[backend] = []
        for chain in CHAINS:
            world.rebuild()
            seen[backend].append(play(world, chain, wander(chain, dtype)))
        world.close()
    assert seen["own"] == seen["upstream"]


@pytest.mark.upstream
@pytest.mark.parametrize("renderer", ["tiny", "egl"])
def test_images_are_those_of_our_world(variant: Variant, renderer: Renderer) -> None:
    if not available(renderer):
        pytest.skip("this machine has no OpenGL through EGL")
    images = {}
    for backend in BACKENDS:
        world = build(backend, variant, renderer)
        images[backend] = []
        for chain in CHAINS[:2]:
            world.rebuild()
            begin(world, chain)
            for action in wander(1)[:20]:
                world.step(action)
            images[backend] += [world.render(camera) for camera in ("static", "gripper")]
            images[backend].append(world.render("static", size=(96, 96)))
        world.close()
    for own, upstream in zip(images["own"], images["upstream"], strict=True):
        np.testing.assert_array_equal(own.rgb, upstream.rgb)
        np.testing.assert_array_equal(own.depth, upstream.depth)


@pytest.mark.upstream
def test_a_run_gives_the_records_of_our_own_backend(variant: Variant, tmp_path: Path) -> None:
    own, upstream = (run_expert(tmp_path / backend, variant, backend, "1,417") for backend in BACKENDS)
    assert len(own) == 2
    assert own == upstream
    manifests = [read_run(tmp_path / backend).manifest for backend in BACKENDS]
    assert [manifest.backend for manifest in manifests] == list(BACKENDS)
    assert manifests[0].simulation == manifests[1].simulation


@pytest.mark.upstream
def test_task_checks_agree_with_upstreams_on_a_chain_that_is_solved(variant: Variant, tmp_path: Path) -> None:
    omegaconf = importlib.import_module("omegaconf").OmegaConf
    tasks = omegaconf.load(find_checkout() / "conf" / "tasks" / "new_playtable_tasks.yaml").tasks
    checks = importlib.import_module("calvin_env.envs.tasks").Tasks(tasks)
    run_expert(tmp_path / "run", variant, "upstream", "1")
    (result,) = read_run(tmp_path / "run").results.values()
    ends = list(itertools.accumulate(subtask.steps for subtask in result.subtasks))
    world = UpstreamWorld(load_scene("D"), variant=variant)
    begin(world, 1)
    start, start_info, found = world.snapshot(), world.info, set()
    for step, action in enumerate(read_actions(tmp_path / "run", result), start=1):
        world.step(action)
        now = world.snapshot()
        theirs = checks.get_task_info(start_info, world.info)
        assert {task for task in TASK_NAMES if solved(task, start, now)} == theirs
        found |= theirs
        if step in ends:
            start, start_info = now, world.info
    world.close()
    assert {subtask.task for subtask in result.subtasks if subtask.success} <= found


@pytest.mark.upstream
def test_a_rebuilt_world_remembers_nothing(variant: Variant) -> None:
    world = UpstreamWorld(load_scene("D"), variant=variant)
    first = play(world, 3, wander(5))
    world.rebuild()
    assert play(world, 3, wander(5)) == first
    world.close()


@pytest.mark.upstream
def test_takes_every_action_form(variant: Variant) -> None:
    pose, turn, quaternion = np.array([0.1, -0.1, 0.6]), np.array([3.0, 0.0, 1.5]), np.array([1.0, 0.0, 0.0, 0.0])
    joints = np.array([-1.2, 1.0, 2.1, -2.3, -0.9, 1.6, 0.5])
    actions: list[Action] = [(pose, turn, np.float64(1)), (pose, quaternion, -1)]
    if variant == "main":
        actions.append({"type": "joint_abs", "action": np.append(joints, 1.0).astype(np.float32)})
        actions.append({"type": "joint_rel", "action": np.append(0.01 * np.ones(7), -1.0)})
        actions.append({"type": "cartesian_abs", "action": np.concatenate([pose, quaternion, [1.0]])})
        actions.append({"type": "cartesian_rel", "action": np.array([0.5, 0, 0, 0, 0, -0.3, 1])})
    states: dict[str, list[tuple[object, ...]]] = {}
    for backend in BACKENDS:
        world = build(backend, variant)
        begin(world, 0)
        states[backend] = []
        for action in actions:
            for _ in range(5):
                world.step(action)
            states[backend].append(state(world))
        world.close()
    assert states["own"] == states["upstream"]


@pytest.mark.upstream
def test_refuses_a_malformed_action_and_leaves_the_world_unchanged(variant: Variant) -> None:
    world = UpstreamWorld(load_scene("D"), variant=variant)
    begin(world, 0)
    before = state(world)
    with pytest.raises(InvalidActionError, match="gripper"):
        world.step(np.array([0, 0, 0, 0, 0, 0, 0.5]))
    assert state(world) == before
    world.close()


@pytest.mark.upstream
def test_refuses_pictures_that_upstream_cannot_take(variant: Variant) -> None:
    world = UpstreamWorld(load_scene("D"), variant=variant, renderer="tiny")
    with pytest.raises(UsageError, match=r"square pictures.*200 x 100"):
        world.render("static", size=(200, 100))
    with pytest.raises(UsageError, match="unknown camera 'tactile'"):
        world.render("tactile")
    world.close()
    world = UpstreamWorld(load_scene("D"), variant=variant)
    with pytest.raises(UsageError, match="renders nothing"):
        world.render("static")
    world.close()


@pytest.mark.upstream
def test_refuses_a_second_simulator_in_the_process(variant: Variant) -> None:
    world = UpstreamWorld(load_scene("D"), variant=variant)
    with pytest.raises(UsageError, match="client 0, which another simulator of this process holds"):
        UpstreamWorld(load_scene("D"), variant=variant)
    world.close()
    world.close()
    UpstreamWorld(load_scene("D"), variant=variant).close()


@pytest.mark.upstream
def test_refuses_the_version_of_the_other_variant(variant: Variant) -> None:
    other: Variant = "pinned" if variant == "main" else "main"
    with pytest.raises(UsageError, match=r"git -C .* checkout"):
        UpstreamWorld(load_scene("D"), variant=other)


@pytest.mark.upstream
def test_refuses_a_scene_that_upstream_has_not(variant: Variant) -> None:
    with pytest.raises(UsageError, match="no scene 'embedded'"):
        UpstreamWorld(load_scene("embedded"), variant=variant)
