"""Finding the user's calvin_env, telling its version, and building its environment from its own configuration."""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from seer_bench.errors import MissingExtraError, SimulationError, UsageError

from .actions import Variant
from .engine import p
from .quiet import quiet
from .renderer import EGL_PACKAGES, Renderer, available
from .scene import Scene, load_scene

COMMITS: dict[Variant, str] = {"main": "797142c", "pinned": "1431a46"}
"""The commit of calvin_env that each variant follows."""

REPOSITORY = "https://github.com/mees/calvin_env"

DEPENDENCIES = (
    "gym==0.26.2",
    "hydra-core>=1.3",
    "omegaconf>=2.3",
    "opencv-python-headless",
    "gitpython",
    "numpy-quaternion",
    "rich",
)
"""What calvin_env imports, besides pybullet, NumPy and SciPy; its other requirements are for collecting data."""


class MissingUpstreamError(MissingExtraError):
    """calvin_env, which no package index has, or something that it imports is not installed."""

    def __init__(self, what: str) -> None:
        """Say what is missing and how to install everything."""
        UsageError.__init__(self, f"{what} {_how_to_install()}")


def find_checkout() -> Path:
    """The git checkout that the package calvin_env is imported from.

    Raises:
        MissingUpstreamError: it or something that it imports is not installed.
        UsageError: its import fails, or it was installed without its configuration files.
    """
    checkout = Path(_play_table_module().__file__).parents[2]
    if not (checkout / "conf" / "scene").is_dir():
        raise UsageError(
            f"calvin_env is installed in {checkout} without its folders conf/ and data/; "
            f"install it from a checkout, in place. {_how_to_install()}"
        )
    return checkout


@cache
def installed_variant(checkout: Path) -> Variant:
    """Which variant's button the installed calvin_env has, found out by resetting it once with the LED on.

    A reset takes over the LED's state as the button's on main; in the pinned version the button is off.
    """
    scene = load_scene("D")
    env = build_env(checkout, scene, "none", seed=0)
    try:
        lit = env.scene.get_obs()
        lit[5] = 1
        env.reset(scene_obs=lit)
        on = env.scene.get_info()["buttons"][scene.fixtures.button_joint]["logical_state"]
    finally:
        free_env(env)
    return "main" if on else "pinned"


def require_variant(wanted: Variant, found: Variant, checkout: Path) -> None:
    """Raise UsageError where the installed version is not the wanted one."""
    if found != wanted:
        raise UsageError(
            f"calvin_env in {checkout} behaves like the variant '{found}' ({COMMITS[found]}: its button's reset), "
            f"but the protocol's is '{wanted}'. Run: git -C {checkout} checkout {COMMITS[wanted]}"
        )


def _play_table_module() -> Any:
    name = "calvin_env.envs.play_table_env"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its old dependencies warn of what no user of it can change
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "calvin_env":
            raise MissingUpstreamError(
                "the backend 'upstream' needs the package calvin_env, which is not installed."
            ) from error
        raise MissingUpstreamError(
            f"calvin_env is installed, but needs the module '{error.name}', which is not."
        ) from error
    except Exception as error:  # old code on new libraries fails in many ways
        raise UsageError(
            f"calvin_env is installed, but importing {name} failed: {type(error).__name__}: {error}. "
            f"{_how_to_install()}"
        ) from error


def _how_to_install() -> str:
    packages = " ".join(f"'{package}'" for package in DEPENDENCIES)
    return (
        f"Install it with: git clone {REPOSITORY} && "
        f"git -C calvin_env checkout {COMMITS['main']} (protocols with variant 'pinned': {COMMITS['pinned']}) && "
        f"pip install {packages} && pip install --no-deps -e ./calvin_env"
    )


def build_env(checkout: Path, scene: Scene, renderer: Renderer, seed: int) -> Any:
    """A new `PlayTableSimEnv` with the scene's cameras, or without any for the renderer `none`.

    Raises:
        UsageError: another simulator of this process is in its way, upstream has no such scene, or it failed.
        SimulationError: EGL does not work here.
    """
    if p.isConnected(physicsClientId=0):
        raise UsageError(
            "calvin_env leaves the client id out of several engine calls, so that they reach pybullet's client 0, "
            "which another simulator of this process holds; close that one first, or use another process"
        )
    if not available(renderer):
        raise SimulationError(_NO_EGL)
    config = _configuration(checkout, scene, with_cameras=renderer != "none")
    config.update(seed=seed, use_egl=renderer == "egl", use_scene_info=True)
    try:
        with quiet():
            return _play_table_module().PlayTableSimEnv(**config)
    except SystemExit as error:  # upstream's way to say that the plugin did not load
        raise SimulationError(_NO_EGL) from error
    except Exception as error:
        raise UsageError(
            f"calvin_env in {checkout} could not build its environment: {type(error).__name__}: {error}. "
            f"{_how_to_install()}"
        ) from error


_NO_EGL = (
    "pybullet's EGL renderer does not work here. It needs OpenGL through EGL: "
    f"apt-get install {' '.join(EGL_PACKAGES)}, or a GPU driver with EGL. The renderer 'tiny' needs neither"
)


def _configuration(checkout: Path, scene: Scene, *, with_cameras: bool) -> dict[str, Any]:
    """The arguments of `PlayTableSimEnv`, put together from upstream's files as its own entry point does."""
    configs, conf = importlib.import_module("omegaconf").OmegaConf, checkout / "conf"
    scene_file = conf / "scene" / f"calvin_scene_{scene.name}.yaml"
    if not scene_file.is_file():
        raise UsageError(f"calvin_env has no scene {scene.name!r}: {scene_file} does not exist")
    cameras = scene.cameras if with_cameras else ()
    config = configs.create(
        {
            "data_path": "data",
            "use_vr": False,
            "scene": configs.load(scene_file),
            "robot": configs.merge(*(configs.load(conf / "robot" / f"{name}.yaml") for name in _ROBOT_FILES)),
            "cameras": {name: configs.load(conf / "cameras" / "cameras" / f"{name}.yaml") for name in cameras},
            "env": configs.load(conf / "env" / "play_table_env.yaml"),
        }
    )
    configs.resolve(config)
    return {key: value for key, value in config.env.items() if not key.startswith("_")}


_ROBOT_FILES = ("panda", "panda_longer_finger")
"""The second says what differs in the first."""


def free_env(env: Any) -> None:
    """Free the physics client, now and once."""
    with quiet():
        env.p.disconnect(physicsClientId=env.cid)
    env.close = _do_nothing  # the finaliser calls it, by when the client id may be another world's


def _do_nothing() -> None:
    """Stand in for upstream's `close`."""
