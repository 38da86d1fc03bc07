"""Sets that games with labels ask for."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU

from gantrain.data import Digits, FashionMnist, Place, StackedMnist


def write_idx(file: Path, values: np.ndarray) -> None:
    """The format of MNIST's files: a magic number, the sizes, the bytes."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(header + values.astype(np.uint8).tobytes())


def tiny_mnist(folder: Path, name: str = "MNIST", n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """n training images whose brightness is their label times twenty, and five for testing."""
    labels = np.arange(n) % 10
    images = np.broadcast_to((labels * 20)[:, None, None], (n, 28, 28))
    for split, count in (("train", n), ("t10k", 5)):
        write_idx(folder / name / "raw" / f"{split}-images-idx3-ubyte", images[:count])
        write_idx(folder / name / "raw" / f"{split}-labels-idx1-ubyte", labels[:count])
    return images, labels


def place(tmp_path: Path) -> Place:
    return Place(tmp_path, CPU, cache=tmp_path / "cache")


def test_fashion_mnist_reads_its_own_folder(tmp_path: Path) -> None:
    tiny_mnist(tmp_path, "FashionMNIST")
    batches = FashionMnist().open(place(tmp_path))
    assert batches.size == 30
    batch = batches.draw(0, 30)
    assert batch["label"].sort().values.tolist() == sorted(k % 10 for k in range(30))
    held_out = FashionMnist().held_out_part()
    assert held_out is not None
    assert held_out.open(place(tmp_path)).size == 5


def test_stacked_mnist_stacks_three_digits_and_names_the_number(tmp_path: Path) -> None:
    tiny_mnist(tmp_path)
    torch.manual_seed(0)
    batch = StackedMnist(image_size=32).open(place(tmp_path)).draw(0, 500)
    assert batch["real"].shape == (500, 3, 32, 32)
    assert (batch["real"][..., :2, :] == -1).all()  # the black border
    digits = ((batch["real"][:, :, 16, 16] + 1) * 127.5 / 20).round().long()
    assert torch.equal(digits @ torch.tensor([100, 10, 1]), batch["label"])
    assert len(batch["label"].unique()) > 300
    with pytest.raises(ValueError, match="28 or 32"):
        StackedMnist(image_size=20)


def test_stacked_mnist_of_few_samples_stays(tmp_path: Path) -> None:
    tiny_mnist(tmp_path)
    few = Place(tmp_path, CPU, cache=tmp_path / "cache", limit=4)
    batch = StackedMnist().open(few).draw(0, 8)
    assert len({x.numpy().tobytes() for x in batch["real"]}) <= 4


def test_held_out_digits_are_never_trained_on(tmp_path: Path) -> None:
    source = Digits(held_out=360)
    part = source.held_out_part()
    assert part is not None
    train, test = source.open(place(tmp_path)), part.open(place(tmp_path))
    assert (train.size, test.size) == (1437, 360)
    seen = {x.numpy().tobytes() for x in train.draw(0, 1437)["real"]}
    unseen = {x.numpy().tobytes() for x in test.draw(0, 360)["real"]}
    assert not seen & unseen
    assert Digits().held_out_part() is None
