"""Checkpoints on the Hugging Face Hub, brought to this machine by `huggingface_hub`, which LeRobot needs anyway."""

from __future__ import annotations

import re
from pathlib import Path

from seer_bench import CheckpointError, MissingExtraError

_CACHED = re.compile(r"models--(?P<owner>[\w.-]+?)--(?P<name>[\w.-]+)")
"""What the cache calls the folder of a model."""
_REPOSITORY = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def find_checkpoint(text: str) -> Path:
    """The folder of "OWNER/NAME" or "OWNER/NAME@REVISION", downloaded where it is not in the cache yet.

    The folder's name is the commit. Without a revision it is the newest commit of the main branch.

    Raises:
        CheckpointError: the name cannot be read, there is no such checkpoint, or the Hub cannot be reached.
        MissingExtraError: LeRobot, which brings what speaks to the Hub, is not installed.
    """
    match = _REPOSITORY.fullmatch(text)
    if match is None:
        raise CheckpointError(
            f"--ckpt {text}: there is no such folder, and it is no model of the Hugging Face Hub, which would be "
            "OWNER/NAME or OWNER/NAME@REVISION."
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"fetching {text}", error.name or "huggingface_hub", "lerobot") from error
    try:
        # all of it: a part would be hashed otherwise once somebody else has fetched the rest
        return Path(snapshot_download(match["id"], revision=match["revision"]))
    except GatedRepoError as error:
        raise CheckpointError(f"--ckpt {text}: is given to those alone who asked for it. See: hf auth login") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(f"--ckpt {text}: there is no such folder, and no such model on the Hub.") from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"--ckpt {text}: the model has no revision '{match['revision']}'.") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise CheckpointError(
            f"--ckpt {text}: there is no such folder, and the Hugging Face Hub cannot be reached. Fetch the model "
            f"where there is a network (hf download {match['id']} --local-dir DIR) and give the folder: --ckpt DIR"
        ) from error


def origin(path: Path) -> str | None:
    """OWNER/NAME@COMMIT of a folder in the Hub's cache; None for another one."""
    match = _CACHED.fullmatch(path.parent.parent.name) if path.parent.name == "snapshots" else None
    return f"{match['owner']}/{match['name']}@{path.name}" if match else None
