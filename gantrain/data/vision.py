"""Sets that torchvision knows how to fetch and verify."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.data.augment import Augment
from gantrain.data.batches import Batches, DeviceBatches, DrawnBatches, to_real
from gantrain.data.cifar import LARGEST, read_batch, unpack
from gantrain.data.fitting import sides
from gantrain.data.source import LABELLED, DataContext, PackedSource, Source, fingerprint_of
from gantrain.errors import UserError
from gantrain.seeding import Purpose, mix, seed_default

IDX_OF_BYTES = b"\0\0\x08"
"""How a file of MNIST's format begins whose values are bytes."""


class VisionSource(PackedSource):
    """A torchvision set: verified by md5 before it is packed, downloaded on first use.

    Raises:
        ValueError: `split` is neither train nor test.
    """

    classes = 10
    suited_metrics = LABELLED
    suited_samples = 2500
    folder: str
    """Where the files lie, below `data_dir`."""
    get: str
    """What to put where when there is no network."""
    names: ClassVar[Sequence[str]] = ()
    """Of the classes."""

    def __init__(self, split: str = "train", augment: Augment | None = None) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"split is train or test, got {split!r}")
        self.split = split
        self.augment = augment and augment.fitting(self.shape)

    @abstractmethod
    def files(self, folder: Path) -> list[Path]:
        """The files that are read; empty where one is missing."""

    @abstractmethod
    def fetch(self, data_dir: Path) -> None:
        """Downloads the files."""

    @abstractmethod
    def read(self, data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 (N, C, H, W) and labels (N,), verified."""

    def class_names(self, data_dir: Path) -> Sequence[str]:
        return self.names

    def held_out_part(self) -> VisionSource | None:
        return type(self)("test") if self.split == "train" else None

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"split": self.split, "folder": str(data_dir / self.folder)}

    def fingerprint(self, data_dir: Path) -> str:
        if not self.files(data_dir / self.folder):
            self._try(self.fetch, data_dir, "is not there and could not be downloaded")
        return fingerprint_of(self.files(data_dir / self.folder))

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        images, labels = self._try(self.read, data_dir, "cannot be read")
        return {"real": images, "label": labels.astype(np.int64)}

    def _try(self, act: Callable[[Path], Any], data_dir: Path, what: str) -> Any:
        try:
            return act(data_dir)
        except (RuntimeError, OSError, EOFError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            way_out = self.get.format(data_dir=data_dir)
            raise UserError(f"{self.name} {what} ({reason}): {way_out}, or set data_dir=…") from error


class Mnist(VisionSource):
    """MNIST: 60,000 handwritten digits, 28x28 grey (LeCun et al. 1998)."""

    name = "mnist"
    licence = "CC BY-SA 3.0"
    version = 2
    shape = (1, 28, 28)
    folder = "MNIST/raw"
    get = "put the four MNIST files *-ubyte.gz into {data_dir}/MNIST/raw"
    published: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    """The md5 of each file when it is unpacked; torchvision knows those of the packed ones alone."""

    def files(self, folder: Path) -> list[Path]:
        forms = [[f for f in (folder / name, folder / f"{name}.gz") if f.is_file()] for name in self.published]
        return [file for found in forms for file in found] if all(forms) else []

    def fetch(self, data_dir: Path) -> None:
        import torchvision.datasets
        from torchvision.datasets.utils import download_url

        kind = getattr(torchvision.datasets, self.folder.split("/")[0])
        for name, md5 in kind.resources:
            failure: Exception | None = None
            for mirror in kind.mirrors:
                try:
                    download_url(mirror + name, str(data_dir / self.folder), name, md5)
                    break
                except (RuntimeError, OSError) as error:
                    failure = error
            else:
                raise RuntimeError(f"{name}: {failure}") from failure

    def read(self, data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
        raw = data_dir / self.folder
        prefix = "train" if self.split == "train" else "t10k"
        contents = {name: self._verified(raw, name) for name in self.published}
        return contents[f"{prefix}-images-idx3-ubyte"][:, None], contents[f"{prefix}-labels-idx1-ubyte"]

    def _verified(self, raw: Path, name: str) -> np.ndarray:
        """What a file holds, after each form in which it lies there was found to be as published."""
        for file in (raw / name, raw / f"{name}.gz"):
            if file.is_file():
                content = verified(file, self.published[name])
        return read_idx(content)


def verified(file: Path, md5: str) -> bytes:
    """What a file holds, unpacked where it is packed.

    Raises:
        ValueError: it is damaged, or not the file of this md5.
    """
    try:
        with file.open("rb") if file.suffix != ".gz" else gzip.open(file) as opened:
            content = opened.read(LARGEST)  # a bound for what unpacks without end
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ValueError(f"{file} is damaged: it is not the published file, remove it")
    return content


def read_idx(content: bytes) -> np.ndarray:
    """The array uint8 in a file of MNIST's format: two zeros, a type, the number of axes, their sizes, the values.

    Raises:
        ValueError: it holds values of another type, or fewer or more than its sizes say.
    """
    if len(content) < 4 or content[:3] != IDX_OF_BYTES:
        raise ValueError("it is no file of bytes in MNIST's format")
    try:
        sizes = struct.unpack_from(f">{content[3]}I", content, 4)
    except struct.error as error:
        raise ValueError("it ends before its sizes") from error
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)


class FashionMnist(Mnist):
    """Fashion-MNIST: 60,000 pictures of ten kinds of clothes, 28x28 grey (Xiao et al. 2017)."""

    name = "fashion_mnist"
    licence = "MIT"
    folder = "FashionMNIST/raw"
    get = "put the four Fashion-MNIST files *-ubyte.gz into {data_dir}/FashionMNIST/raw"
    names = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    published: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }


class StackedMnist(Source):
    """Three MNIST digits as the channels of one picture: 1,000 modes (Metz et al. 2017; Lin et al. 2018).

    Drawn afresh for every batch, so that there are as many as one likes; the label is the number that the three make.

    Args:
        image_size: 28, or 32 with a black border; or [height, width] of these.

    Raises:
        ValueError: another size.
    """

    shape: Sequence[int]
    classes = 1000
    suited_metrics = ("stacked_modes",)
    suited_samples = 25_600
    licence = Mnist.licence

    def __init__(self, image_size: int | list[int] = 28, split: str = "train") -> None:
        height, width = sides(image_size)
        if not {height, width} <= {28, 32}:
            raise ValueError(f"image_size is 28 or 32, got {image_size}")
        self.digits = Mnist(split)
        across, down = (width - 28) // 2, (height - 28) // 2
        self.borders = (across, across, down, down)
        self.inside = (slice(down, down + 28), slice(across, across + 28))  # where the digits lie
        self.shape = [3, height, width]

    def open(self, context: DataContext) -> Batches:
        digits = self.digits.fields(context)
        images, labels = (torch.from_numpy(np.array(digits[key])).to(context.device) for key in ("real", "label"))
        images = F.pad(images[:, 0], self.borders)
        powers = torch.tensor([100, 10, 1], device=context.device)

        def sample(n: int, device: torch.device) -> dict[str, Tensor]:
            index = torch.randint(len(images), (n, 3), device=device)
            return {"real": to_real(images[index]), "label": (labels[index] * powers).sum(1)}

        if context.limit is None:
            return DrawnBatches(sample, context.device)
        seed_default(mix(context.seed, Purpose.FIXED_DATA), context.device)
        index = torch.randint(len(images), (context.limit, 3), device=context.device)
        fixed = {"real": images[index].cpu().numpy(), "label": (labels[index] * powers).sum(1).cpu().numpy()}
        return DeviceBatches(fixed, context.device, context.seed)


class Cifar10(VisionSource):
    """CIFAR-10: 50,000 colour pictures of ten kinds of things, 32x32 (Krizhevsky 2009)."""

    name = "cifar10"
    licence = "none is stated by its authors"
    shape = (3, 32, 32)
    folder = "cifar-10-batches-py"
    get = "unpack cifar-10-python.tar.gz in {data_dir}, so that cifar-10-batches-py lies there with its eight files"
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    published: ClassVar[Mapping[str, str]] = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    }
    """The md5 of each file."""

    def files(self, folder: Path) -> list[Path]:
        found = [folder / name for name in self.published]
        return found if all(file.is_file() for file in found) else []

    def fetch(self, data_dir: Path) -> None:
        from torchvision.datasets import CIFAR10
        from torchvision.datasets.utils import download_url

        download_url(CIFAR10.url, str(data_dir), CIFAR10.filename, CIFAR10.tgz_md5)  # not where it lies there already
        unpack(data_dir / CIFAR10.filename, data_dir / self.folder, self.published)

    def read(self, data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
        contents = {name: verified(data_dir / self.folder / name, self.published[name]) for name in self.published}
        names = [name for name in contents if name.startswith("data" if self.split == "train" else "test")]
        images, labels = zip(*(read_batch(contents[name]) for name in names), strict=True)
        return np.concatenate(images), np.concatenate(labels)
