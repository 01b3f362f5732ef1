"""Who the letters of a blind campaign are: drawn from no seed, sealed in a file of its own, opened on the record.

The plan holds a commitment, the sha256 of the key together with a secret salt, so that the key cannot be exchanged
afterwards, and cannot be found by trying all assignments either: the salt is in the sealed file alone.

With a passphrase the file is encrypted (scrypt and Fernet), and whoever does not know it cannot open the key. Without
one the file is encoded, not encrypted: it is tamper-evident only. Nobody reads it by accident, but whoever wants to
can, and no trace is left; give it to a second person, or use a passphrase.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seer_bench.errors import MissingExtraError, UsageError
from seer_bench.store import CheckpointId

KEY_FILE = "KEY.sealed"
OPENED = "KEY.opened.json"
"""The key once it was opened on the record, beside the sealed one."""
SCHEMA = "seer-bench/real-key/1"
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
"""32 MiB and some 0.1 s a guess."""


class SealError(UsageError):
    """The key of a campaign cannot be opened: it is missing, another one, or the passphrase is wrong."""


@dataclass(frozen=True)
class Arm:
    """One policy of a campaign; a row of the table."""

    label: str
    """Its name in the campaign, e.g. "seer" or "seer/20-demos"."""
    policy: str
    """Name that the policy is registered under, the label's first part."""
    distribution: str
    """The distribution that declares it; "not installed" for a policy that runs elsewhere."""
    version: str
    checkpoint: CheckpointId | None
    path: str
    """Of the checkpoint, as it was given; "" for none."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What the row is, e.g. {"demos": "20", "pretrained": "no"}."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the policy."""

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Arm:
        """Read what `asdict` made."""
        checkpoint = tree["checkpoint"]
        return cls(**{**tree, "checkpoint": None if checkpoint is None else CheckpointId(**checkpoint)})


Key = Mapping[str, Arm]
"""Letter -> policy."""


@dataclass(frozen=True)
class Sealed:
    """A key under its seal."""

    commitment: str
    """sha256 that the plan holds."""
    encrypted: bool
    """A passphrase is needed."""
    text: str
    """Contents of the file."""


def draw(arms: Sequence[Arm], letters: Sequence[str]) -> dict[str, Arm]:
    """Give every policy a letter at random, from the operating system's randomness and no seed."""
    shuffled = list(arms)
    secrets.SystemRandom().shuffle(shuffled)
    return dict(zip(letters, shuffled, strict=True))


def seal(key: Key, passphrase: str | None) -> Sealed:
    """Seal a key.

    Args:
        key: letter -> policy.
        passphrase: encrypts it; None only encodes it.

    Raises:
        MissingExtraError: a passphrase was given and the package that encrypts is not installed.
        UsageError: the passphrase is empty.
    """
    tree = {"salt": secrets.token_hex(32), "key": {letter: asdict(arm) for letter, arm in key.items()}}
    plain = _canonical(tree)
    commitment = hashlib.sha256(plain).hexdigest()
    if passphrase is None:
        body: dict[str, Any] = {"seal": "encoded", "text": base64.b64encode(plain).decode()}
    elif not passphrase:
        raise UsageError("the passphrase is empty.")
    else:
        salt = secrets.token_bytes(16)
        token = _fernet(passphrase, salt).encrypt(plain).decode()
        body = {"seal": "encrypted", "scrypt_salt": salt.hex(), "text": token}
    note = "Who is who in a blind campaign. Open it with `seer-bench real finish`, which puts the opening on record."
    return Sealed(
        commitment, passphrase is not None, json.dumps({"schema": SCHEMA, "note": note, **body}, indent=2) + "\n"
    )


def unseal(path: Path, commitment: str, passphrase: str | None) -> bytes:
    """The opened key, as `read_opened` reads it.

    Raises:
        SealError: the file is missing or damaged, the passphrase is missing or wrong, or it is not the key that the
            plan was made with.
        MissingExtraError: it is encrypted and the package that decrypts is not installed.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        kind, text = str(tree["seal"]), str(tree["text"])
        salt = bytes.fromhex(tree["scrypt_salt"]) if kind == "encrypted" else b""
    except OSError as error:
        raise SealError(
            f"{path}: the key cannot be read: {error.strerror or error}. If a second person keeps it, name their file: "
            "--key FILE"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SealError(f"{path}: is no sealed key ({error}); restore it from a copy.") from error
    plain = _decrypt(path, text, salt, passphrase) if kind == "encrypted" else _decode(path, text)
    read_opened(plain, commitment, path)
    return plain


def read_opened(plain: bytes, commitment: str, path: Path) -> dict[str, Arm]:
    """Letter -> policy from an opened key.

    Raises:
        SealError: it is not the key that the plan was made with.
    """
    if hashlib.sha256(plain).hexdigest() != commitment:
        raise SealError(f"{path}: is not the key that this campaign was planned with; its plan commits to another one.")
    return {letter: Arm.from_json(arm) for letter, arm in json.loads(plain)["key"].items()}


def _decode(path: Path, text: str) -> bytes:
    """A key that is only encoded."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SealError(f"{path}: is damaged ({error}); restore it from a copy.") from error


def _decrypt(path: Path, token: str, salt: bytes, passphrase: str | None) -> bytes:
    """A key under a passphrase."""
    if passphrase is None:
        raise SealError(f"{path}: the key is encrypted; name the file with its passphrase: --passphrase-file FILE")
    fernet = _fernet(passphrase, salt)
    from cryptography.fernet import InvalidToken

    try:
        return bytes(fernet.decrypt(token.encode()))
    except InvalidToken as error:
        raise SealError(f"{path}: the passphrase is wrong, or the file was altered.") from error


def _fernet(passphrase: str, salt: bytes) -> Any:
    """The cipher of a passphrase."""
    try:
        from cryptography.fernet import Fernet
    except ModuleNotFoundError as error:
        raise MissingExtraError("a passphrase", "cryptography", "real") from error
    key = hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, maxmem=1 << 26, **_SCRYPT)
    return Fernet(base64.urlsafe_b64encode(key))


def _canonical(tree: object) -> bytes:
    """The same bytes for the same tree."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
