"""A ResNet (He et al., 2016) whose last three stages are modulated by a sentence, as FiLM does (Perez et al., 2018)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

BLOCKS = 2
"""Residual blocks of a stage, as in ResNet-18."""


class FilmBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut; what the convolutions add may be scaled and shifted."""

    def __init__(self, dim_in: int, dim_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim_in, dim_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(dim_out)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(dim_out)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or dim_in != dim_out:
            self.downsample = nn.Sequential(nn.Conv2d(dim_in, dim_out, 1, stride, bias=False), nn.BatchNorm2d(dim_out))

    def forward(self, x: Tensor, film: Tensor | None) -> Tensor:
        """Maps (N, in, H, W) to (N, out, H / stride, W / stride); `film` (N, 2, out) holds gain - 1 and shift."""
        out: Tensor = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if film is not None:
            gain, shift = film[..., None, None].unbind(1)
            out = (1 + gain) * out + shift
        return functional.relu(out + self.downsample(x))


class ResNet(nn.Module):
    """The stages of ResNet-18 without pooling and classifier; names are torchvision's."""

    def __init__(self, channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _stage(channels[0], channels[0], 1)
        self.layer2 = _stage(channels[0], channels[1], 2)
        self.layer3 = _stage(channels[1], channels[2], 2)
        self.layer4 = _stage(channels[2], channels[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor, film: list[Tensor | None]) -> Tensor:
        """Images (N, 3, H, W) to maps (N, last channels, H / 32, W / 32), sizes rounded up.

        `film` has an entry for each stage: None, or (N, 2, blocks, channels of the stage).
        """
        x: Tensor = self.maxpool(functional.relu(self.bn1(self.conv1(images))))
        stages: Any = (self.layer1, self.layer2, self.layer3, self.layer4)
        for stage, modulation in zip(stages, film, strict=True):
            for number, block in enumerate(stage):
                x = block(x, None if modulation is None else modulation[:, :, number])
        return x


class FilmResNet(nn.Module):
    """A ResNet and the linear layers that make its modulation of a sentence; the first stage has none."""

    def __init__(self, channels: tuple[int, int, int, int], sentence_dim: int) -> None:
        super().__init__()
        self.resnet = ResNet(channels)
        self.film = nn.ModuleDict(
            {str(stage): nn.Linear(sentence_dim, BLOCKS * 2 * channels[stage]) for stage in (1, 2, 3)}
        )

    def forward(self, images: Tensor, sentence: Tensor) -> Tensor:
        """Images (N, 3, H, W) and sentences (N, sentence_dim) to maps (N, last channels, H / 32, W / 32)."""
        film: list[Tensor | None] = [None]
        film += [layer(sentence).unflatten(1, (2, BLOCKS, -1)) for layer in self.film.values()]
        maps: Tensor = self.resnet(images, film)
        return maps


def _stage(dim_in: int, dim_out: int, stride: int) -> nn.ModuleList:
    """Residual blocks, of which the first may reduce the size."""
    later = [FilmBlock(dim_out, dim_out, 1) for _ in range(BLOCKS - 1)]
    return nn.ModuleList([FilmBlock(dim_in, dim_out, stride), *later])
