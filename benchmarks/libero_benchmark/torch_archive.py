"""Reading upstream's initial states, a NumPy array in a `torch.save` archive, without torch and without trust."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that a pickled array of numbers needs; none of it can run code of the file's choosing."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"it holds {module}.{name}, and not just an array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_torch_array(path: Path) -> NDArray[np.float64]:
    """The array in a `torch.save` archive.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such archive, or holds anything but one array of float64.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            if name is None:
                raise ValueError("it holds no data.pkl")
            array = _ArrayUnpickler(io.BytesIO(archive.read(name))).load()
    except OSError:
        raise
    except Exception as error:  # a damaged archive or pickle raises whatever its bytes lead to
        raise ValueError(f"it is no torch archive ({error})") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        raise ValueError("it holds no array of float64")
    return array
