"""CLIP's text tower against a recording at full size."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import torch

from seer_bench_nn.clip_text import ClipTextEncoder


def test_features_are_those_recorded(shared):
    folder = shared / "golden" / "seer"
    spec = importlib.util.spec_from_file_location("clip_recipe", folder / "recipe.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    seed = json.loads((folder / "clip_text.json").read_text())["weight_seed"]
    encoder = ClipTextEncoder()
    with np.load(folder / "clip_text.npz") as recorded, torch.no_grad():
        for name, parameter in encoder.named_parameters():
            parameter.copy_(torch.from_numpy(recipe.weight(name, tuple(parameter.shape), seed)))
        features = encoder(torch.from_numpy(recorded["tokens"]))
        np.testing.assert_allclose(features, recorded["features"], atol=1e-4, rtol=0)
        alone = encoder(torch.from_numpy(recorded["tokens"][2:3]))
        np.testing.assert_allclose(alone, features[2:3], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_what_lies_behind_the_end_token_is_not_read():
    encoder = ClipTextEncoder(16, 2, 4, vocabulary=10)
    tokens = torch.tensor([[8, 3, 9, 0, 0, 0], [8, 1, 2, 3, 9, 0]])
    other = torch.tensor([[8, 3, 9, 5, 5, 5], [8, 1, 2, 3, 9, 7]])
    torch.testing.assert_close(encoder(tokens), encoder(other), atol=0, rtol=0)
    assert not torch.allclose(encoder(tokens)[0], encoder(torch.tensor([[8, 4, 9, 0, 0, 0]]))[0])
