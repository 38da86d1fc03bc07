"""Weights out of TorchScript archives, read as data: none of the code in them is run."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

STORAGES: dict[str, Any] = {"FloatStorage": np.float32, "HalfStorage": np.float16, "DoubleStorage": np.float64}
STORAGES |= {"LongStorage": np.int64, "IntStorage": np.int32, "ByteStorage": np.uint8, "BoolStorage": np.bool_}

BROKEN: tuple[type[Exception], ...] = (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError, RuntimeError)
BROKEN += (AttributeError, LookupError, TypeError, ValueError)
"""What unpickling raises of a file that is damaged, or was made to harm."""


def is_torchscript(file: Path) -> bool:
    """Whether it is such an archive, rather than what `torch.save` writes."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(file: Path) -> dict[str, Tensor]:
    """Parameters and buffers by their names in the module, on the CPU.

    Raises:
        ValueError: it is damaged, or holds other things than modules, tensors and plain values.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            (data,) = (name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl"))
            with archive.open(data) as stream:
                root = _Reader(stream, archive, data.removesuffix(".pkl")).load()
    except BROKEN as error:
        raise ValueError(f"{error}") from error
    if not isinstance(root, _Module):
        raise ValueError("its outermost object is no module")
    return dict(_tensors(root, ""))


class _Module:
    """Stands for an object of any class that the archive defines: its attributes, without its code."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)


def _tensors(module: _Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f"{prefix}{name}.")


class _Reader(pickle.Unpickler):
    """Knows tensors and nothing else: any other name in the pickle is refused."""

    def __init__(self, stream: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(stream)
        self._archive, self._folder = archive, folder
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if module == "torch" and name in STORAGES:
            return name
        if module == "torch.jit._pickle":  # wraps plain values in what their types are called
            return _first
        known: dict[tuple[str, str], Any] = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _first,
        }
        known[("collections", "OrderedDict")] = OrderedDict
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no tensor")
        return known[(module, name)]

    def persistent_load(self, pid: Any) -> Tensor:
        _, kind, key, *_ = pid
        if key not in self._storages:
            content = bytearray(self._archive.read(f"{self._folder}/{key}"))
            values = np.frombuffer(content, STORAGES[kind])
            self._storages[key] = torch.from_numpy(values)
        return self._storages[key]


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset).clone()


def _first(value: Any, *_: Any) -> Any:
    return value
