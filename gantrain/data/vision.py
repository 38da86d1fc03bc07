"""Sets that torchvision knows how to fetch and verify."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.data.augment import Augment
from gantrain.data.batches import Batches, DeviceBatches, DrawnBatches, to_real
from gantrain.data.source import PackedSource, Place, Source, fingerprint_of
from gantrain.errors import UserError
from gantrain.seeding import mix, seed_default

MNIST_FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


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
        self.augment = augment and augment.fitting(self.shape)

    @abstractmethod
    def read(self, data_dir: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 (N, C, H, W) and labels (N,)."""

    def held_out_part(self) -> VisionSource | None:
        return type(self)("test") if self.split == "train" else None

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
    folder = "MNIST"
    files = tuple(f"MNIST/raw/{part}" for part in MNIST_FILES)
    get = "put the four MNIST files *-ubyte.gz into {data_dir}/MNIST/raw"

    def read(self, data_dir: Path, download: bool) -> tuple[np.ndarray, np.ndarray]:
        import torchvision.datasets
        from torchvision.datasets.utils import check_integrity, extract_archive

        kind = getattr(torchvision.datasets, self.folder)
        raw = data_dir / self.folder / "raw"
        for name, md5 in kind.resources:  # torchvision trusts files that are already extracted
            if (raw / name).is_file():
                if not check_integrity(str(raw / name), md5):
                    raise RuntimeError(f"{raw / name} is damaged")
                if not (raw / name).with_suffix("").is_file():
                    extract_archive(str(raw / name), str(raw))
        held = kind(str(data_dir), train=self.split == "train", download=download)
        return held.data.numpy()[:, None], held.targets.numpy()


class FashionMnist(Mnist):
    """Fashion-MNIST: 60,000 pictures of ten kinds of clothes, 28x28 grey (Xiao et al. 2017)."""

    name = "fashion_mnist"
    folder = "FashionMNIST"
    files = tuple(f"FashionMNIST/raw/{part}" for part in MNIST_FILES)
    get = "put the four Fashion-MNIST files *-ubyte.gz into {data_dir}/FashionMNIST/raw"


class StackedMnist(Source):
    """Three MNIST digits as the channels of one picture: 1,000 modes (Metz et al. 2017; Lin et al. 2018).

    Drawn afresh for every batch, so that there are as many as one likes; the label is the number that the three make.

    Args:
        image_size: 28, or 32 with a black border.

    Raises:
        ValueError: another size.
    """

    shape: Sequence[int]
    classes = 1000

    def __init__(self, image_size: int = 28, split: str = "train") -> None:
        if image_size not in (28, 32):
            raise ValueError(f"image_size is 28 or 32, got {image_size}")
        self.digits = Mnist(split)
        self.border = (image_size - 28) // 2
        self.shape = [3, image_size, image_size]

    def open(self, place: Place) -> Batches:
        digits = self.digits.fields(place)
        images, labels = (torch.from_numpy(np.array(digits[key])).to(place.device) for key in ("real", "label"))
        images = F.pad(images[:, 0], (self.border,) * 4)
        powers = torch.tensor([100, 10, 1], device=place.device)

        def sample(n: int, device: torch.device) -> dict[str, Tensor]:
            index = torch.randint(len(images), (n, 3), device=device)
            return {"real": to_real(images[index]), "label": (labels[index] * powers).sum(1)}

        if place.limit is None:
            return DrawnBatches(sample, place.device)
        seed_default(mix(place.seed, 2), place.device)
        index = torch.randint(len(images), (place.limit, 3), device=place.device)
        fixed = {"real": images[index].cpu().numpy(), "label": (labels[index] * powers).sum(1).cpu().numpy()}
        return DeviceBatches(fixed, place.device, place.seed)


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
