"""OpenVLA's image preparation on LIBERO, without TensorFlow.

Source: github.com/openvla/openvla @ c8f03f4, `experiments/robot/libero/libero_utils.py` and `openvla_utils.py`. The
picture, already turned by 180 degrees, is compressed as JPEG and read back, as the training data were; reduced to 224 x
224 pixels with a Lanczos filter; and, for checkpoints trained with random crops, its middle is cut out and enlarged to
224 x 224. The deployment server does none of this.

Compared with TensorFlow 2.21 on three pictures: the JPEG stage is the same bit for bit, the two others differ by 1 in
less than 0.1 % of all values.
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seer_bench import MissingExtraError

try:
    import simplejpeg
except ModuleNotFoundError as missing:
    raise MissingExtraError("the policy 'openvla'", "simplejpeg", "openvla") from missing

SIZE = 224
"""Pixels of a side of what the network sees."""
JPEG_QUALITY = 95
CROP_AREA = 0.9
"""Part of the area that is cut out."""


def prepare(picture: NDArray[np.uint8], *, center_crop: bool) -> NDArray[np.uint8]:
    """What the server is sent, uint8 (224, 224, 3), of a picture (height, width, 3) turned by 180 degrees."""
    reduced = _resize(_jpeg_round_trip(picture))
    return _crop(reduced) if center_crop else reduced


def _jpeg_round_trip(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compress and read back as TensorFlow does.

    Colours at half resolution. TensorFlow reads with the fast, less exact inverse cosine transform, which Pillow cannot
    be told to use; with the exact one two thirds of all values come out otherwise, by 1 on average and by up to 15.
    """
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    read: NDArray[np.uint8] = simplejpeg.decode_jpeg(file.getvalue(), fastdct=True)
    return read


def _resize(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reduce in floating point, so that values are rounded once."""
    channels = [Image.fromarray(picture[:, :, c].astype(np.float32)) for c in range(3)]
    reduced = np.stack([np.asarray(c.resize((SIZE, SIZE), Image.Resampling.LANCZOS)) for c in channels], axis=2)
    rounded: NDArray[np.uint8] = np.clip(np.rint(reduced), 0, 255).astype(np.uint8)
    return rounded


def _crop(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of the picture, bilinear between pixel centres; corners of the cut-out fall on corner pixels."""
    side = np.float32(math.sqrt(CROP_AREA))
    first = (1 - side) / 2
    places = np.float32(first * (SIZE - 1)) + np.arange(SIZE, dtype=np.float32) * side
    low = np.floor(places).astype(int)
    high = np.ceil(places).astype(int)
    part = (places - low).astype(np.float32)
    unit = picture.astype(np.float32) * np.float32(1 / 255)
    left, right = unit[:, low], unit[:, high]
    columns = left + (right - left) * part[None, :, None]
    top, bottom = columns[low], columns[high]
    cut = top + (bottom - top) * part[:, None, None]
    scaled: NDArray[np.uint8] = (np.clip(cut, 0, 1) * np.float32(255.5)).astype(np.uint8)
    return scaled
