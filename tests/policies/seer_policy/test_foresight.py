"""Foreseen patches as pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seer_bench_nn.clip_image import clip_image, denormalise
from seer_bench_nn.foreseen import foreseen_images
from seer_bench_nn.patches import patchify
from seer_policy.calvin import CalvinWrapper
from seer_policy.config import SeerConfig, TextConfig, VisionConfig
from seer_policy.fast import FastSeer
from seer_policy.losses import image_labels
from seer_policy.model import Seer
from seer_policy.policy import SeerPolicy

RNG = np.random.default_rng(0)


def picture(height: int, width: int) -> np.ndarray:
    """Smooth colours, a flat corner and a noisy one."""
    y, x = np.mgrid[0:height, 0:width]
    frame = np.stack([255 * y / height, 255 * x / width, 127 + 127 * np.sin(x / 9)], axis=-1).astype(np.uint8)
    frame[: height // 3, : width // 3] = 200
    frame[-height // 3 :, -width // 3 :] = RNG.integers(0, 256, frame[-height // 3 :, -width // 3 :].shape)
    return frame


def cut(frame: np.ndarray) -> np.ndarray:
    """What the network sees of a frame, (224, 224, 3)."""
    return denormalise(clip_image(frame)).permute(1, 2, 0).numpy()


def pictures(patches: torch.Tensor, frames: list[np.ndarray]) -> list[np.ndarray]:
    """What is shown of foreseen patches."""
    return foreseen_images(patches, torch.stack([clip_image(frame) for frame in frames]), denormalise)


@pytest.mark.parametrize("size", [(200, 200), (84, 84), (128, 128), (480, 640)])
def test_a_perfect_prediction_of_the_current_frame_gives_it_back(size):
    frames = [picture(*size), picture(*size)[:, ::-1].copy()]
    labels = image_labels(torch.stack([clip_image(frame) for frame in frames]))
    for image, frame in zip(pictures(labels, frames), frames, strict=True):
        assert image.shape == (224, 224, 3)
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - cut(frame)).max() <= 1


def test_brightness_and_contrast_of_a_patch_are_those_of_the_present():
    """A frame that differs in nothing else is predicted by the same patches, so that the present one comes back."""
    now = picture(224, 224)
    brighter = 1.5 * clip_image(now) + 0.7
    (image,) = pictures(image_labels(brighter[None]), [now])
    assert np.abs(image.astype(int) - now).max() <= 1


def test_the_pattern_within_a_patch_comes_from_the_prediction():
    now = picture(224, 224) // 2 + 64
    (image,) = pictures(-image_labels(clip_image(now)[None]), [now])
    assert np.abs(image.astype(int) - now)[160:, 160:].mean() > 20
    # Normalised, picture and negative add up to twice the patch's mean.
    both = patchify(clip_image(image) + clip_image(now))
    assert both.std(dim=-1).max() < 0.02


def tiny_policy(foresight_tokens: int = 4) -> SeerPolicy:
    """A network with random weights, the same at every call, behind CALVIN's wrapper."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        vision, text = VisionConfig(32, 1, 2), TextConfig(layers=1, vocabulary=2)
        config = SeerConfig(3, 32, 1, 2, foresight_tokens=foresight_tokens, vision=vision, text=text)
        network = Seer(config).eval().requires_grad_(False)
        sentence = torch.randn(512)
    seer = FastSeer(network, actions=CalvinWrapper.actions)
    return SeerPolicy(seer, CalvinWrapper(), batch=2, sentence=lambda _: sentence)


def observation(step: int) -> dict[str, np.ndarray]:
    """Two rows, one the negative of the other."""
    views = {}
    for name, side in (("rgb_static", 200), ("rgb_gripper", 84)):
        frame = np.roll(picture(side, side), 9 * step, axis=0)
        views[name] = np.stack([frame, 255 - frame])
    return {**views, "robot_obs": np.random.default_rng(step).normal(size=(2, 15))}


def test_the_policy_foresees_both_cameras_of_a_slot_and_looking_changes_no_action():
    observations = [observation(step) for step in range(5)]
    watched, unwatched = tiny_policy(), tiny_policy()
    assert watched.spec.foresight == ("rgb_static", "rgb_gripper")
    for policy in (watched, unwatched):
        policy.reset([0, 1], ["push", "pull"], [0, 0])
    assert watched.foresee(0) is None
    for given in observations:
        acted = [policy.act([0, 1], given) for policy in (watched, unwatched)]
        assert acted[0].tobytes() == acted[1].tobytes()
        for slot in (0, 1):
            foreseen = watched.foresee(slot)
            assert foreseen.steps == 3
            for name in watched.spec.foresight:
                image, frame = foreseen.images[name], cut(given[name][slot])
                assert image.shape == (224, 224, 3)
                brightness = [patchify(clip_image(x)).mean(-1) for x in (image, frame)]
                assert (brightness[0] - brightness[1]).abs().median() < 0.2, "patches are as bright as this slot's now"


def test_a_network_without_foresight_tokens_foresees_nothing():
    policy = tiny_policy(foresight_tokens=0)
    assert policy.spec.foresight == ()
    policy.reset([0, 1], ["push", "pull"], [0, 0])
    policy.act([0, 1], observation(0))
    assert policy.foresee(0) is None
