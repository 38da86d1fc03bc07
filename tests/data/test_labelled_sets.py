"""Sets that games with labels ask for."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets
from conftest import CPU, Command
from PIL import Image

from gantrain.data import Augment, CelebA, Cifar10, DataContext, Digits, FashionMnist, Mnist, StackedMnist
from gantrain.errors import UserError


def write_idx(file: Path, values: np.ndarray) -> None:
    """The format of MNIST's files: a magic number, the sizes, the bytes."""
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def tiny_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a published MNIST of 30 training images, whose brightness is their label times twenty, and five
    for testing; as Fashion-MNIST too."""
    labels = np.arange(30) % 10
    images = np.broadcast_to((labels * 20)[:, None, None], (30, 28, 28))
    for kind, name in ((Mnist, "MNIST"), (FashionMnist, "FashionMNIST")):
        raw = tmp_path / name / "raw"
        for split, count in (("train", 30), ("t10k", 5)):
            write_idx(raw / f"{split}-images-idx3-ubyte", images[:count])
            write_idx(raw / f"{split}-labels-idx1-ubyte", labels[:count])
        published = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in raw.iterdir()}
        monkeypatch.setattr(kind, "published", published)
    return tmp_path / "MNIST" / "raw"


def context(tmp_path: Path) -> DataContext:
    return DataContext(tmp_path, CPU, cache=tmp_path / "cache")


@pytest.mark.usefixtures("tiny_mnist")
def test_fashion_mnist_reads_its_own_folder(tmp_path: Path) -> None:
    batches = FashionMnist().open(context(tmp_path))
    assert batches.size == 30
    batch = batches.draw(0, 30)
    assert batch["label"].sort().values.tolist() == sorted(k % 10 for k in range(30))
    held_out = FashionMnist().held_out_part()
    assert held_out is not None
    assert held_out.open(context(tmp_path)).size == 5


@pytest.mark.usefixtures("tiny_mnist")
def test_stacked_mnist_stacks_three_digits_and_names_the_number(tmp_path: Path) -> None:
    torch.manual_seed(0)
    batch = StackedMnist(image_size=32).open(context(tmp_path)).draw(0, 500)
    assert batch["real"].shape == (500, 3, 32, 32)
    assert (batch["real"][..., :2, :] == -1).all()  # the black border
    digits = ((batch["real"][:, :, 16, 16] + 1) * 127.5 / 20).round().long()
    assert torch.equal(digits @ torch.tensor([100, 10, 1]), batch["label"])
    assert len(batch["label"].unique()) > 300
    with pytest.raises(ValueError, match="28 or 32"):
        StackedMnist(image_size=20)


@pytest.mark.usefixtures("tiny_mnist")
def test_stacked_mnist_of_few_samples_stays(tmp_path: Path) -> None:
    few = DataContext(tmp_path, CPU, cache=tmp_path / "cache", limit=4)
    batch = StackedMnist().open(few).draw(0, 8)
    assert len({x.numpy().tobytes() for x in batch["real"]}) <= 4


def test_held_out_digits_are_never_trained_on(tmp_path: Path) -> None:
    source = Digits(held_out=360)
    part = source.held_out_part()
    assert part is not None
    train, test = source.open(context(tmp_path)), part.open(context(tmp_path))
    assert (train.size, test.size) == (1437, 360)
    seen = {x.numpy().tobytes() for x in train.draw(0, 1437)["real"]}
    unseen = {x.numpy().tobytes() for x in test.draw(0, 360)["real"]}
    assert not seen & unseen
    assert Digits().held_out_part() is None


def test_what_a_kind_of_digits_holds_out_is_of_that_kind() -> None:
    class Other(Digits):
        pass

    assert type(Other(held_out=9).held_out_part()) is Other


@pytest.mark.usefixtures("tiny_mnist")
def test_stacked_mnist_stacks_the_digits_of_its_split(tmp_path: Path) -> None:
    """The five digits for testing are 0 to 4."""
    for split, largest in (("train", 999), ("test", 444)):
        torch.manual_seed(0)
        label = StackedMnist(split=split).open(context(tmp_path)).draw(0, 3000)["label"]
        assert label.max() == largest


@pytest.mark.usefixtures("tiny_mnist")
def test_what_is_held_out_is_seen_as_it_is(tmp_path: Path) -> None:
    """Another split than the training's, whole, without its augmentation."""
    part = Mnist(augment=Augment(flip=True, crop=3, rotate=90)).held_out_part()
    assert part is not None
    assert part.held_out_part() is None
    assert part.augment is None
    held = part.open(context(tmp_path)).draw(0, 5)
    expected = held["label"][:, None, None, None] * 20 / 127.5 - 1
    assert torch.allclose(held["real"], expected.expand(5, 1, 28, 28))
    digits = Digits(held_out=5, augment=Augment(flip=True)).held_out_part()
    assert digits is not None
    assert digits.augment is None


@pytest.mark.parametrize("form", ["as it is", "packed too", "packed alone"])
def test_mnist_that_is_not_the_published_one_is_refused(tmp_path: Path, tiny_mnist: Path, form: str) -> None:
    """Blackened images of the right size are no MNIST, in whichever form they lie there."""
    images, labels = tiny_mnist / "train-images-idx3-ubyte", tiny_mnist / "train-labels-idx1-ubyte"
    for file in (images, labels):
        if form != "as it is":
            Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        if form == "packed alone":
            file.unlink()
    assert Mnist().open(context(tmp_path)).size == 30
    black = images.with_suffix(".gz") if form == "packed alone" else images
    write_idx(images, np.zeros((30, 28, 28)))
    if form == "packed alone":
        black.write_bytes(gzip.compress(images.read_bytes()))
        images.unlink()
    with pytest.raises(UserError, match=f"{black.name} is damaged"):
        Mnist().open(context(tmp_path))
    with pytest.raises(UserError, match="damaged"):
        StackedMnist().open(context(tmp_path))
    assert FashionMnist().open(context(tmp_path)).size == 30, "another set's files are its own"


def test_mnist_unpacks_what_is_there(tmp_path: Path, tiny_mnist: Path) -> None:
    for file in list(tiny_mnist.iterdir()):
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    batch = Mnist().open(context(tmp_path)).draw(0, 30)
    assert torch.allclose(batch["real"][:, 0, 0, 0], batch["label"] * 20 / 127.5 - 1)
    packed = tiny_mnist / "t10k-labels-idx1-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"labels-idx1-ubyte\.gz is damaged"):
        Mnist("test").open(context(tmp_path))


def test_cifar10_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    """And never unpickled: this one would leave a file."""

    class Leaves:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "left",)

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Leaves()))
    with pytest.raises(UserError, match="cifar10 cannot be read"):
        Cifar10().open(context(tmp_path))
    assert not (tmp_path / "left").exists()


def test_mnist_is_fetched_from_the_first_mirror_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors = torchvision.datasets.MNIST.mirrors
    names = [name for name, _ in torchvision.datasets.MNIST.resources]
    asked: list[str] = []
    gone: set[str] = {mirrors[0]}

    def download(url: str, root: str, name: str, md5: str) -> None:
        assert (root, len(md5)) == (str(tmp_path / "MNIST" / "raw"), 32)
        asked.append(url)
        if url.removesuffix(name) in gone:
            raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download)
    Mnist().fetch(tmp_path)
    assert asked == [mirror + name for name in names for mirror in mirrors[:2]]
    gone.update(mirrors)
    with pytest.raises(RuntimeError, match=f"{names[0]}: no route to host"):
        Mnist().fetch(tmp_path)


ATTRIBUTES = {
    "list_attr_celeba.txt": "4\nMale Smiling\n1.jpg -1  1\n2.jpg  1 -1\n3.jpg  1  1\n4.jpg -1 -1\n",
    "list_attr_celeba.csv": "image_id,Male,Smiling\n1.jpg,-1,1\n2.jpg,1,-1\n3.jpg,1,1\n4.jpg,-1,-1\n",
}


def faces(tmp_path: Path, table: str | None) -> Path:
    """Four faces, whose brightness is 50 times their number, and their attributes."""
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for k in range(1, 5):
        Image.new("RGB", (89, 109), (50 * k,) * 3).save(folder / f"{k}.jpg")
    if table is not None:
        (tmp_path / "celeba" / table).write_text(ATTRIBUTES[table])
    return folder


@pytest.mark.parametrize("table", list(ATTRIBUTES))
def test_every_attribute_of_celeba_comes_from_one_pack(tmp_path: Path, table: str) -> None:
    """The table as its authors wrote it, and as Kaggle has it."""
    faces(tmp_path, table)
    said: list[str] = []
    there = DataContext(tmp_path, CPU, cache=tmp_path / "cache", say=said.append)
    for attribute, labels in (("Male", [0, 1, 1, 0]), ("Smiling", [1, 0, 1, 0])):
        batch = CelebA(16, attribute).open(there).draw(0, 4)
        number = ((batch["real"].mean((1, 2, 3)) + 1) * 127.5 / 50).round().long()
        assert [labels[k - 1] for k in number.tolist()] == batch["label"].tolist()
    assert sum("packing" in line for line in said) == 1
    assert CelebA.auto("classes", {}, tmp_path) == 2


def test_a_face_without_a_row_has_no_label_and_is_refused(tmp_path: Path) -> None:
    (faces(tmp_path, "list_attr_celeba.txt") / "4.jpg").rename(tmp_path / "celeba" / "img_align_celeba" / "5.jpg")
    with pytest.raises(UserError, match="no row for 1 of 4 faces, 5 first"):
        CelebA(16).open(context(tmp_path))


def test_each_face_has_its_own_label_where_others_are_broken(tmp_path: Path) -> None:
    table = "list_attr_celeba.txt"
    folder = faces(tmp_path, table)
    whole = CelebA(16).open(context(tmp_path)).draw(0, 4)
    own = {round(x.mean().item(), 1): label for x, label in zip(whole["real"], whole["label"].tolist(), strict=True)}
    (folder / "1.jpg").write_bytes(b"cut short")
    left = CelebA(16).open(context(tmp_path)).draw(0, 3)
    assert [own[round(x.mean().item(), 1)] for x in left["real"]] == left["label"].tolist()


def test_faces_without_attributes_have_no_labels(tmp_path: Path, gantrain: Command) -> None:
    faces(tmp_path, None)
    assert set(CelebA(16).open(context(tmp_path)).draw(0, 4)) == {"real"}
    words = ("dataset=celeba", "dataset.image_size=16", f"data_dir={tmp_path}", "networks=mlp", "trainer.batch_size=4")
    refused = gantrain(*words, "model=cgan", "debug=dry")
    assert refused.returncode == 2
    assert "list_attr_celeba.txt" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    told = gantrain(*words, "model=cgan", "debug=dry", "dataset.classes=2")
    assert told.returncode == 2
    assert "list_attr_celeba.txt" in told.stderr
    assert not (tmp_path / "outputs").exists()
    unlabelled = gantrain(*words, "model=mlp", "debug=dry")
    assert unlabelled.returncode == 0, unlabelled.stderr
    (tmp_path / "celeba" / "list_attr_celeba.csv").write_text(ATTRIBUTES["list_attr_celeba.csv"])
    done = gantrain(*words, "model=cgan", "debug=dry")
    assert done.returncode == 0, done.stderr
