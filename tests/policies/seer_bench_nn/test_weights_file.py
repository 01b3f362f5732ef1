from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from seer_bench.errors import CheckpointError
from seer_bench_nn.weights_file import file_kind, open_weights, tensors_only

WEIGHTS = {"a": torch.arange(5000.0), "b": torch.ones(2, 3, dtype=torch.float16)}


class Bomb:
    """Creates a folder when it is unpickled without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["torch", "legacy torch", "safetensors"])
def test_every_form_gives_the_same_tensors(tmp_path: Path, form: str) -> None:
    path = tmp_path / "weights"
    if form == "safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=form == "torch")
    assert file_kind(path) == form
    found = open_weights(path)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in WEIGHTS.items())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html><body>Virus scan warning</body></html>", "web page"),
        (b"<html lang=en>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n", "git lfs pull"),
        (b"\x1f\x8b\x08" + bytes(40), "compressed archive"),
        (bytes(257) + b"ustar" + bytes(300), "compressed archive"),
        (pickle.dumps({"a": 1}), "pickles can hold code"),
        (b"hello, world" * 10, "no file of weights"),
        (b"\x10\0\0\0\0\0\0\0{not json at all", "damaged"),
    ],
)
def test_what_is_no_file_of_weights_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "33.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words) as caught:
        open_weights(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", ["torch", "legacy torch", "safetensors"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, kept: float) -> None:
    path = tmp_path / "33.pth"
    if form == "safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=form == "torch")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CheckpointError, match=r"cut short|damaged"):
        open_weights(path)


def test_bytes_overwritten_in_the_pickle_are_damage_not_code(tmp_path: Path) -> None:
    path = tmp_path / "33.pth"
    torch.save(WEIGHTS, path)
    content = bytearray(path.read_bytes())
    middle = content.find(b"_rebuild_tensor")
    content[middle - 20 : middle + 20] = b"\x01" * 40
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        open_weights(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_the_pickle_is_named_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "33.pth", tmp_path / "trace"
    torch.save({"model_state_dict": WEIGHTS, "extra": Bomb(trace)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"holds more than weights.*mkdir"):
        open_weights(path)
    assert not trace.exists()


def test_other_archives_are_told_apart(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        archive.writestr("checkpoints/33.pth", b"x")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        for name in ("script/data.pkl", "script/constants.pkl", "script/code/__torch__.py"):
            archive.writestr(name, b"x")
    with pytest.raises(CheckpointError, match="Unpack"):
        open_weights(tmp_path / "files.zip")
    assert file_kind(tmp_path / "script.pt") == "torchscript"
    with pytest.raises(CheckpointError, match="a program"):
        open_weights(tmp_path / "script.pt")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        open_weights(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="is a directory"):
        open_weights(tmp_path)


@pytest.mark.parametrize("tree", [[1, 2], {}, {"a": 3}, {"a": {"b": torch.ones(1)}}, {7: torch.ones(1)}])
def test_a_state_dict_is_flat_and_of_tensors(tree: Any) -> None:
    with pytest.raises(CheckpointError, match="the file"):
        tensors_only(tree, Path("x.pth"), "the file")
