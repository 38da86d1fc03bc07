"""Weights out of TorchScript archives, read as data: none of the code in them is run."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantrain.untrusted import BROKEN, DataUnpickler

STORAGES: dict[str, Any] = {"FloatStorage": np.float32, "HalfStorage": np.float16, "DoubleStorage": np.float64}
STORAGES |= {"LongStorage": np.int64, "IntStorage": np.int32, "ByteStorage": np.uint8, "BoolStorage": np.bool_}


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
            root = _Reader(archive, data.removesuffix(".pkl")).load()
    except (*BROKEN, OSError) as error:
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


class _Reader(DataUnpickler):
    """Knows tensors and nothing else: any other name in the pickle is refused."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        known: dict[tuple[str, str], Any] = {("torch", name): name for name in STORAGES}
        known[("torch._utils", "_rebuild_tensor_v2")] = _tensor
        known[("torch._utils", "_rebuild_parameter")] = _first
        known[("collections", "OrderedDict")] = _mapping
        super().__init__(_member(archive, f"{folder}.pkl"), known)
        self._archive, self._folder = archive, folder
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        return _first if module == "torch.jit._pickle" else super().find_class(module, name)  # says a value's type

    def persistent_load(self, pid: Any) -> Tensor:
        _, kind, key, *_ = pid
        if key not in self._storages:
            values = np.frombuffer(bytearray(_member(self._archive, f"{self._folder}/{key}")), STORAGES[kind])
            self._storages[key] = torch.from_numpy(values)
        return self._storages[key]


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """What lies in an archive as it is: a packed member could unpack to more than there is memory."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} in it is compressed")
    return archive.read(name)


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    if math.prod(size) > storage.numel():  # a stride of 0 would make much of little
        raise ValueError("a tensor in it is larger than its values")
    return storage.as_strided(size, stride, offset).clone()


def _first(value: Any, *_: Any) -> Any:
    return value


def _mapping() -> dict[Any, Any]:
    return {}
