"""The network against recordings of the published code, and what must hold for any of its weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from seer_policy.config import SeerConfig, TextConfig, VisionConfig
from seer_policy.model import FROZEN, Seer
from seer_policy.variants import variant

REDUCED = ["tiny_ft", "tiny_ft_width", "tiny_noobs", "tiny_pre", "tiny_pre_prop"]
TOLERANCE = 2e-5
"""Of reduced networks: rounding moves them by less than 1e-6, a wrong GELU by 2e-4."""
BF16_TOLERANCE = 1e-2
"""With a vision encoder in bfloat16, where the order of the patches alone moves actions by 2e-3."""

PUBLISHED = {
    "calvin": ("seer_state_dict_calvin.json", 67_689_614, 331_090_387),
    "calvin-large": ("seer_state_dict_large.json", 357_767_950, 621_674_291),
    "libero": ("seer_state_dict_libero.json", 67_688_462, 331_019_416),
}
"""Of each variant: list of its tensors, number of trained parameters, number of all parameters."""


@pytest.mark.parametrize("name", REDUCED)
def test_a_reduced_network_predicts_what_was_recorded(golden, name):
    record = golden.record(name)
    model, batch, recorded = record.model(), record.batch(), record.arrays
    np.testing.assert_array_equal(model.attention_mask, recorded["attention_mask"])

    output = record.run(model, batch)
    np.testing.assert_allclose(output.arm, recorded["arm"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(output.gripper, recorded["gripper"], atol=TOLERANCE, rtol=0)
    if "image_pred_strided" not in recorded:
        assert output.images is None
    else:
        images = output.images.flatten(0, 1).numpy()
        np.testing.assert_allclose(images[:, :, ::14, ::8], recorded["image_pred_strided"], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(images.mean((2, 3)), recorded["image_pred_mean"], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(images.std((2, 3)), recorded["image_pred_std"], atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(images, recorded.get("image_pred", images), atol=TOLERANCE, rtol=0)

    model.vision_encoder.bfloat16()
    output = record.run(model, batch)
    np.testing.assert_allclose(output.arm, recorded["arm_bf16vit"], atol=BF16_TOLERANCE, rtol=0)
    np.testing.assert_allclose(output.gripper, recorded["gripper_bf16vit"], atol=BF16_TOLERANCE, rtol=0)
    assert output.arm.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full_calvin", "full_libero"])
def test_a_network_of_full_size_predicts_what_was_recorded(golden, name):
    record = golden.record(name)
    recorded, model, batch = record.arrays, record.model(), record.batch()
    text = model.encode_text(torch.from_numpy(recorded["tokens"]))
    np.testing.assert_allclose(text, recorded["text_feature"], atol=1e-4, rtol=0)
    output = record.run(model, batch, text)
    images = output.images.flatten(0, 1).numpy()
    np.testing.assert_allclose(output.arm, recorded["arm"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(output.gripper, recorded["gripper"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(images[:, :, ::14, ::8], recorded["image_pred_strided"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(images.mean((2, 3)), recorded["image_pred_mean"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(images.std((2, 3)), recorded["image_pred_std"], atol=1e-4, rtol=0)
    model.vision_encoder.bfloat16()
    output = record.run(model, batch, text)
    np.testing.assert_allclose(output.arm, recorded["arm_bf16vit"], atol=BF16_TOLERANCE, rtol=0)
    np.testing.assert_allclose(output.gripper, recorded["gripper_bf16vit"], atol=BF16_TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_shapes_and_numbers_of_parameters_are_the_published_ones(shared: Path, name):
    file, trained, everything = PUBLISHED[name]
    published = json.loads((shared / "specs" / file).read_text())
    with torch.device("meta"):
        model = Seer(variant(name).phase("evaluate").config)
    shapes = {key: list(parameter.shape) for key, parameter in model.named_parameters()}
    ours = {key: shape for key, shape in shapes.items() if not key.startswith(FROZEN)}
    assert ours == published["checkpoint"]
    assert {key for key, parameter in model.named_parameters() if parameter.requires_grad} == set(ours)
    assert set(model.state_dict()) == set(shapes)
    assert sum(int(np.prod(shape)) for shape in ours.values()) == trained

    frozen = published["frozen_not_saved"]
    assert all(frozen[key] == shape for key, shape in shapes.items() if key.startswith(FROZEN))
    left_out = {key.removeprefix("vision_encoder.") for key in frozen if key not in shapes}
    unread = ("clip_model.visual.", "clip_model.logit_scale", "decoder_", "mask_token")  # of CLIP's and MAE's files
    recomputed = {"attention_mask", "image_decoder_position_embedding"}
    assert {key for key in left_out if not key.startswith(unread)} == recomputed
    buffers = {key: getattr(model, key) for key in recomputed}
    assert all(list(buffer.shape) == frozen[key] and not buffer.is_meta for key, buffer in buffers.items())
    assert sum(int(np.prod(shape)) for shape in (*ours.values(), *frozen.values())) == everything


@pytest.fixture(scope="module")
def small() -> Seer:
    config = SeerConfig(
        history=3, hidden_dim=32, layers=2, heads=4, resampler_queries=2, foresight_tokens=1, action_tokens=2,
        vision=VisionConfig(16, 1, 2), text=TextConfig(16, 1, 2, 8),
    )  # fmt: skip
    torch.manual_seed(0)
    model = Seer(config).eval()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.3)
    return model


def _inputs(model: Seer, steps: int = 3) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 1, steps, 3, 224, 224, generator=generator)
    state = torch.randn(1, steps, 7, generator=generator)
    return images[0], images[1], state, torch.randn(1, 16, generator=generator)


@torch.no_grad()
def test_the_order_of_patches_does_not_matter(small):
    images = _inputs(small)[0][0]
    tokens = small.vision_encoder.embed(images)
    order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(196)])
    features, shuffled = (small.vision_encoder.encode(t) for t in (tokens, tokens[:, order]))
    torch.testing.assert_close(shuffled, features[:, order], atol=1e-5, rtol=0)
    latents, again = (small.perceiver_resampler(f[:, 1:]) for f in (features, shuffled))
    torch.testing.assert_close(again, latents, atol=1e-5, rtol=0)


@torch.no_grad()
def test_actions_do_not_depend_on_later_steps_nor_on_decoding_images(small):
    primary, wrist, state, text = _inputs(small)
    output = small(primary, wrist, state, text)
    later = state.clone()
    later[:, 2] += 1
    changed = small(primary, wrist.index_fill(1, torch.tensor([2]), 0.5), later, text, foresight=False)
    torch.testing.assert_close(changed.arm[:, :2], output.arm[:, :2], atol=1e-6, rtol=0)
    assert (changed.arm[:, 2] - output.arm[:, 2]).abs().max() > 1e-3
    assert output.images.shape == (1, 3, 2, 196, 768)
    assert changed.images is None


@torch.no_grad()
def test_steps_called_one_by_one_give_the_same_as_forward(small):
    primary, wrist, state, text = _inputs(small)
    frames = [[small.encode_image(camera[:, t]) for camera in (primary, wrist)] for t in range(3)]
    images = torch.stack([small.image_tokens(*views) for views in frames], dim=1)
    latents = small.encode(small.assemble(small.step_tokens(images, state, text)))
    arm, gripper = small.decode_actions(latents[:, :, small.config.layout.action_slice])
    output = small(primary, wrist, state, text)
    torch.testing.assert_close(arm, output.arm, atol=1e-6, rtol=0)
    torch.testing.assert_close(gripper, output.gripper, atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_gripper_flag_is_open_from_one_on(small):
    state = torch.zeros(4, 7)
    state[:, 6] = torch.tensor([-1.0, 0.99, 1.0, 2.0])
    tokens = small.state_token(state)
    assert torch.equal(tokens[0], tokens[1])
    assert torch.equal(tokens[2], tokens[3])
    assert not torch.equal(tokens[1], tokens[2])


def test_a_new_network_has_seers_initial_weights():
    torch.manual_seed(0)
    model = Seer(SeerConfig(history=3, layers=2, vision=VisionConfig(64, 1, 2), text=TextConfig(16, 1, 2, 8)))
    assert not model.obs_tokens.any()
    assert not model.action_pred_token.any()
    assert model.transformer_backbone_position_embedding.std().item() == pytest.approx(0.02, rel=0.1)
    block = model.transformer_backbone.h[0]
    assert block.attn.c_attn.weight.std().item() == pytest.approx(0.02, rel=0.01)
    assert block.mlp.c_proj.weight.std().item() == pytest.approx(0.02 / 2, rel=0.01)
    bound = (6 / (384 + 384)) ** 0.5
    weight = model.image_decoder_obs_pred_projector.weight
    assert bound * 0.99 < weight.abs().max().item() <= bound
    assert not model.image_decoder_obs_pred_projector.bias.any()
    assert not any(p.requires_grad for p in (*model.vision_encoder.parameters(), *model.clip_model.parameters()))
