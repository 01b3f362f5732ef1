"""The network, against forms of it that are written another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mtact_policy.config import MtactConfig
from mtact_policy.model import Mtact, prepared_images
from mtact_policy.resnet import FilmBlock
from mtact_policy.transformer import grid_positions, sequence_positions
from seer_bench import UsageError
from tests.fakes.mtact_files import SENTENCE_DIM, tiny_config, tiny_network


def inputs(batch: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = ((batch, 8), (batch, 2, 3, 40, 70), (batch, SENTENCE_DIM))
    return tuple(torch.randn(size, generator=generator) for size in sizes)


def run(model: Mtact, *given: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(*given)


def attention(layer: nn.MultiheadAttention, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Of (L, dim), head by head."""
    weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    q, k, v = (functional.linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True))
    heads = [
        torch.softmax(a @ b.T / math.sqrt(a.shape[1]), dim=1) @ c
        for a, b, c in zip(*(x.chunk(layer.num_heads, dim=1) for x in (q, k, v)), strict=True)
    ]
    return layer.out_proj(torch.cat(heads, dim=1))


def tokens_by_hand(model: Mtact, state: torch.Tensor, images: torch.Tensor, sentence: torch.Tensor):
    """Tokens and positions of one observation, cameras side by side in one wide picture as RoboAgent lays them."""
    told = model.proj_text_emb(sentence[None])
    maps = [model.input_proj(model.backbone(image[None], told))[0] for image in images]
    dim, height, width = maps[0].shape
    place = grid_positions(dim, height, width, images.device).T.reshape(dim, height, width)
    seen = torch.cat(maps, dim=2).flatten(1).T
    places = torch.cat([place] * len(maps), dim=2).flatten(1).T
    style = model.latent_out_proj(torch.zeros(model.config.latent_dim))
    lead = torch.stack([style, model.input_proj_robot_state(state), told[0]])
    return torch.cat([lead, seen]), torch.cat([model.additional_pos_embed.weight, places])


@pytest.mark.parametrize("read", [0, 1, -1])
def test_it_is_detr_read_at_the_configured_layer(read):
    model = tiny_network(decoder_output=read)
    state, images, sentence = inputs()
    found = run(model, state, images, sentence)
    with torch.no_grad():
        for row in range(2):
            x, positions = tokens_by_hand(model, state[row], images[row], sentence[row])
            for layer in model.transformer.encoder.layers:
                x = layer.norm1(x + attention(layer.self_attn, x + positions, x + positions, x))
                x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
            queries = model.query_embed.weight
            y = torch.zeros_like(queries)
            outputs = []
            for layer in model.transformer.decoder.layers:
                y = layer.norm1(y + attention(layer.self_attn, y + queries, y + queries, y))
                y = layer.norm2(y + attention(layer.multihead_attn, y + queries, x + positions, x))
                y = layer.norm3(y + layer.linear2(layer.linear1(y).relu()))
                outputs.append(model.action_head(model.transformer.decoder.norm(y)))
            torch.testing.assert_close(found[row], outputs[read], atol=2e-5, rtol=0)
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


def test_the_style_of_a_short_demonstration_is_that_of_its_steps_alone():
    model = tiny_network()
    actions = torch.randn(1, 4, 7, generator=torch.Generator().manual_seed(1))
    padding = torch.tensor([[False, False, True, True]])
    with torch.no_grad():
        mean, log_variance = model.style(actions, padding)
        x = torch.cat([model.cls_embed.weight, model.encoder_proj(actions[0, :2])])
        positions = sequence_positions(5, 32)[:3]
        for layer in model.encoder.layers:
            x = layer.norm1(x + attention(layer.self_attn, x + positions, x + positions, x))
            x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
        wanted = model.latent_proj(x[0])
    torch.testing.assert_close(torch.cat([mean, log_variance], dim=1)[0], wanted, atol=1e-5, rtol=0)


def test_sequence_positions_are_those_of_the_formula():
    table = sequence_positions(21, 512).numpy()
    for position, channel in ((0, 0), (0, 1), (7, 10), (20, 511), (13, 256)):
        angle = position / 10000 ** (2 * (channel // 2) / 512)
        assert table[position, channel] == pytest.approx(math.cos(angle) if channel % 2 else math.sin(angle), abs=1e-6)


def test_grid_positions_are_those_of_the_formula():
    table = grid_positions(16, 3, 5, torch.device("cpu")).numpy().reshape(3, 5, 16)
    for row, column, channel in ((0, 0, 0), (2, 4, 1), (1, 3, 6), (2, 0, 7)):
        for offset, place, size in ((0, row, 3), (8, column, 5)):
            angle = (place + 1) / (size + 1e-6) * 2 * math.pi / 10000 ** (2 * (channel // 2) / 8)
            wanted = math.cos(angle) if channel % 2 else math.sin(angle)
            assert table[row, column, offset + channel] == pytest.approx(wanted, abs=1e-5)


def test_film_scales_and_shifts_what_a_block_adds():
    torch.manual_seed(0)
    block = FilmBlock(4, 6, 2).eval()
    x, film = torch.randn(2, 4, 8, 8), torch.randn(2, 2, 6)
    with torch.no_grad():
        added = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu()))
        wanted = (added * (1 + film[:, 0, :, None, None]) + film[:, 1, :, None, None] + block.downsample(x)).relu()
        torch.testing.assert_close(block(x, film), wanted)
        torch.testing.assert_close(block(x, None), block(x, torch.zeros(2, 2, 6)))


def test_the_sentence_reaches_the_image_encoder_and_the_order_of_cameras_changes_nothing():
    model = tiny_network()
    state, images, sentence = inputs()
    with torch.no_grad():
        first, second = (model.backbone(images[:, 0], model.proj_text_emb(told)) for told in (sentence, -sentence))
    assert (first - second).abs().max() > 1e-3
    swapped = run(model, state, images.flip(1), sentence)
    torch.testing.assert_close(swapped, run(model, state, images, sentence), atol=1e-5, rtol=0)


def test_published_sizes_have_the_published_number_of_parameters():
    with torch.device("meta"):
        model = Mtact(MtactConfig(state_dim=7, action_dim=8, image_height=240, image_width=424))
    assert sum(p.numel() for p in model.parameters()) == 85_910_537 - 513  # RoboAgent's, without its padding head


def test_frames_are_normalised_as_resnets_are_fed():
    config = tiny_config()
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 70, 3), dtype=np.uint8)
    seen = prepared_images(frames, config).numpy()
    for channel, (mean, deviation) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        np.testing.assert_allclose(seen[:, channel], (frames[..., channel] / 255 - mean) / deviation, atol=1e-5)
    assert prepared_images(np.zeros((1, 84, 84, 3), np.uint8), config).shape == (1, 3, 40, 70)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"chunk": 0}, "chunk is 0"),
        ({"heads": 5}, "multiple of 4 and of heads"),
        ({"decoder_output": 2}, "there are 2 decoder layers"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes, says):
    with pytest.raises(UsageError, match=says):
        tiny_config(**changes)
