"""Sets that torchvision knows how to fetch and verify."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.data.augment import Augment
from gantrain.data.source import PackedSource, fingerprint_of
from gantrain.errors import UserError


class VisionSource(PackedSource):
    """A torchvision set: verified by md5, downloaded on first use.

    Raises:
        ValueError: `split` is neither train nor test.
    """

    classes = 10
    files: tuple[str, ...]
    """The files that are read, below `data_dir`."""
    get: str
    """What to put where when there is no network."""

    def __init__(self, split: str = "train", augment: Augment | None = None) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"split is train or test, got {split!r}")
        self.split = split
        self.augment = augment

    @abstractmethod
    def read(self, data_dir: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 (N, C, H, W) and labels (N,)."""

    def settings(self) -> dict[str, Any]:
        return {"split": self.split}

    def fingerprint(self, data_dir: Path) -> str:
        if not all((data_dir / file).is_file() for file in self.files):
            self._read(data_dir, download=True)
        return fingerprint_of([data_dir / file for file in self.files])

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        images, labels = self._read(data_dir, download=False)
        return {"real": images, "label": labels.astype(np.int64)}

    def _read(self, data_dir: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
        try:
            return self.read(data_dir, download)
        except (RuntimeError, OSError, EOFError, ValueError) as error:
            reason = " ".join(str(error).split())[:150]
            what = f"is not there and could not be downloaded ({reason})" if download else f"cannot be read ({reason})"
            raise UserError(f"{self.name} {what}: {self.get.format(data_dir=data_dir)}, or set data_dir=…") from error


class Mnist(VisionSource):
    """MNIST: 60,000 handwritten digits, 28x28 grey (LeCun et al. 1998)."""

    name = "mnist"
    shape = (1, 28, 28)
    files = tuple(
        f"MNIST/raw/{part}"
        for split in ("train", "t10k")
        for part in (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte")
    )
    get = "put the four MNIST files *-ubyte.gz into {data_dir}/MNIST/raw"

    def read(self, data_dir: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
        from torchvision.datasets import MNIST
        from torchvision.datasets.utils import check_integrity, extract_archive

        raw = data_dir / "MNIST" / "raw"
        for name, md5 in MNIST.resources:  # torchvision trusts files that are already extracted
            if (raw / name).is_file():
                if not check_integrity(str(raw / name), md5):
                    raise RuntimeError(f"{raw / name} is damaged")
                if not (raw / name).with_suffix("").is_file():
                    extract_archive(str(raw / name), str(raw))
        held = MNIST(str(data_dir), train=self.split == "train", download=download)
        return held.data.numpy()[:, None], held.targets.numpy()


class Cifar10(VisionSource):
    """CIFAR-10: 50,000 colour pictures of ten kinds of things, 32x32 (Krizhevsky 2009)."""

    name = "cifar10"
    shape = (3, 32, 32)
    files = tuple(f"cifar-10-batches-py/{part}" for part in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"))
    get = "unpack cifar-10-python.tar.gz in {data_dir}, so that cifar-10-batches-py lies there with its eight files"

    def read(self, data_dir: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
        from torchvision.datasets import CIFAR10

        held = CIFAR10(str(data_dir), train=self.split == "train", download=download)
        return np.ascontiguousarray(held.data.transpose(0, 3, 1, 2)), np.asarray(held.targets)
