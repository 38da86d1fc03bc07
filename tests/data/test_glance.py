"""What a look at a folder's pictures makes of settings left at `auto`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from sklearn.datasets import load_digits

from gantrain.data import ImageFolder, glance
from gantrain.data.fitting import Fitting
from gantrain.data.glance import Glance, glance_at, told_from_mirrors
from gantrain.data.pictures import open_picture, pictures_below, size_of
from gantrain.errors import UserError


def folder_of(folder: Path, pictures: list[Image.Image]) -> Path:
    folder.mkdir()
    for k, picture in enumerate(pictures):
        picture.save(folder / f"{k:04}.png")
    return folder


def auto(folder: Path, key: str) -> object:
    return ImageFolder.auto(key, {"path": str(folder)}, folder)


@pytest.mark.parametrize(
    ("sizes", "chosen"),  # (width, height) and how many
    [
        ({(64, 64): 40}, 64),
        ({(500, 400): 39, (63, 63): 1}, 64),
        ({(500, 400): 37, (63, 63): 3}, 32),
        ({(2000, 63): 20, (63, 2000): 20}, 32),
        ({(31, 40): 40}, 16),
        ({(8, 8): 40}, 16),
        ({(400, 300): 36, (12, 12): 4}, 64),
        ({(400, 300): 20, (12, 12): 20}, 16),
        ({(400, 300): 34, (40, 40): 2, (12, 12): 4}, 32),
        ({(400, 300): 40}, 64),
        ({(300, 200): 39, (200, 200): 1}, [64, 96]),
        ({(200, 300): 40}, [96, 64]),
        ({(300, 200): 20, (200, 300): 20}, 64),
        ({(300, 200): 36, (200, 200): 4}, 64),
        ({(96, 48): 40}, [32, 64]),
        ({(1280, 64): 40}, [64, 256]),
        ({(200, 20): 40}, [16, 64]),
    ],
)
def test_the_size_is_one_that_nearly_all_reach(
    tmp_path: Path, sizes: dict[tuple[int, int], int], chosen: object
) -> None:
    pictures = [Image.new("L", size) for size, n in sizes.items() for _ in range(n)]
    folder = folder_of(tmp_path / "pictures", pictures)
    assert auto(folder, "image_size") == chosen
    said = ImageFolder.reason("image_size", {"path": str(folder)})
    assert said.startswith(f"image_size={str(chosen).replace(' ', '')} (")
    assert ("only 0% of the pictures" in said) == ((8, 8) in sizes)
    assert ("own shape" in said) == isinstance(chosen, list)


def painted(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (40, 40), colour)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pictures", "channels"),
    [
        ([painted("RGB", (k, k, k)) for k in range(20)], 1),
        ([painted("RGB", (k + 3, k, k)) for k in range(20)], 1),
        ([painted("L", 3), painted("1", 1), painted("I;16", 7)] * 5, 1),
        ([painted("RGB", (90, 90, 90))] * 19 + [painted("RGB", (90, 60, 40))], 3),
        ([painted("RGBA", (200, 0, 0, 255))] * 20, 3),
        ([painted("RGBA", (200, 0, 0, 0))] * 5 + [painted("RGB", (0, 0, 7))] * 15, 1),
        ([painted("RGBA", (200, 0, 0, 0))] * 7 + [painted("RGB", (0, 0, 90))] * 13, 4),
    ],
)
def test_channels_are_those_that_say_something(tmp_path: Path, pictures: list[Image.Image], channels: int) -> None:
    assert auto(folder_of(tmp_path / "pictures", pictures), "channels") == channels


def digits(n: int) -> list[Image.Image]:
    return [Image.fromarray((x * 15).astype(np.uint8)).resize((32, 32)) for x in load_digits().images[:n]]


def noise(n: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).resize((32, 32)) for _ in range(n)]


@pytest.mark.parametrize(
    ("make", "n", "mirrored", "why"),
    [
        (digits, 200, False, "differ from their mirrors"),
        (noise, 200, True, "look no different"),
        (noise, 63, False, "too few pictures to tell"),
        (lambda n: noise(n) * 3, 80, True, "look no different"),
        (lambda n: noise(n) * 3, 50, False, "too few pictures to tell"),
    ],
)
def test_pictures_are_mirrored_where_nobody_could_tell(
    tmp_path: Path, make: Callable[[int], list[Image.Image]], n: int, mirrored: bool, why: str
) -> None:
    folder = folder_of(tmp_path / "pictures", make(n))
    assert auto(folder, "augment.flip") is mirrored
    assert why in ImageFolder.reason("augment.flip", {"path": str(folder)})


@pytest.mark.parametrize(("share", "told"), [(1.0, 1.0), (0.8, 0.8), (0.0, 1.0)])
def test_the_share_that_can_be_told_is_that_of_one_side(share: float, told: float) -> None:
    """Pictures bright at the left, a share of them, and at the right, the others: one cannot do better than bet."""
    x = np.zeros((200, 8, 8))
    x[: int(200 * share), :, 0] = 1
    x[int(200 * share) :, :, 7] = 1
    assert told_from_mirrors(x) == pytest.approx(told, abs=0.01)
    assert told_from_mirrors(np.ones((200, 8, 8))) == 0.5


def test_each_picture_is_judged_by_the_others() -> None:
    x = np.random.default_rng(0).normal(size=(30, 8, 8)) + np.arange(8) / 8
    apart = (x - x[:, :, ::-1])[:, :, :4].reshape(30, -1)
    unit = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    right = 0
    for k in range(30):
        others = np.delete(unit, k, 0)
        w = np.linalg.solve(others.T @ others + np.eye(32), others.sum(0))
        right += unit[k] @ w > 0
    assert told_from_mirrors(x) == right / 30


def test_faces_and_facades_are_mirrored_and_written_digits_are_not(tmp_path: Path, real_data: Path) -> None:
    faces = sorted((real_data / "celeba" / "img_align_celeba").glob("*.jpg"))[:400]
    pairs = sorted((real_data / "facades").rglob("*.jpg"))
    if not faces or not pairs:
        pytest.skip("CelebA or the facades are not here")
    look = Glance(faces)
    assert (look.image_size, look.channels, look.flip) == (64, 3, True)
    (tmp_path / "facades").mkdir()
    for file in pairs:
        Image.open(file).crop((0, 0, 256, 256)).save(tmp_path / "facades" / f"{file.parent.name}{file.stem}.jpg")
    look = glance_at(tmp_path / "facades")
    assert (look.image_size, look.channels, look.flip) == (64, 3, True)
    look = Glance(pairs)  # the photograph at the left, its parts at the right: in no other order
    assert (look.image_size, look.flip) == ([64, 128], False)


def test_a_size_is_read_without_decoding_and_as_the_camera_was_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for ending in ("png", "jpg", "tif", "webp"):
        Image.new("RGB", (30, 20)).save(tmp_path / f"plain.{ending}")
        Image.new("RGB", (30, 20)).save(tmp_path / f"turned.{ending}", exif=exif)
    for file in pictures_below(tmp_path):
        assert (
            size_of(file)
            == open_picture(file, Fitting((8, 8)), 3)[1].size
            == ((30, 20) if "turned" in file.name else (20, 30))
        )

    def refuse(self: object) -> None:
        raise AssertionError("a picture is decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", refuse)
    assert [size_of(tmp_path / f"{name}.png") for name in ("plain", "turned")] == [(20, 30), (30, 20)]


def test_of_many_pictures_some_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, opened = folder_of(tmp_path / "pictures", noise(200)), list[Path]()

    def counted(file: Path, fitting: Fitting, channels: int) -> object:
        opened.append(file)
        return open_picture(file, fitting, channels)

    monkeypatch.setattr(glance, "open_picture", counted)
    monkeypatch.setattr(glance, "LOOKED_AT", 100)
    assert (auto(folder, "channels"), auto(folder, "augment.flip")) == (3, True)
    assert len(opened) == len(set(opened)) == 100
    (folder / "0000.png").unlink()
    auto(folder, "channels")
    assert len(opened) == 200, "the folder has changed"


def test_broken_pictures_are_passed_over(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures", [Image.new("L", (40, 40))])
    (folder / "a.png").write_bytes(b"x")
    assert (auto(folder, "image_size"), auto(folder, "channels")) == (32, 1)
    (folder / "0000.png").write_bytes(b"")
    for key in ("image_size", "channels", "augment.flip"):
        auto(folder, key)  # that all are broken is said where they are read
    with pytest.raises(ValueError, match="crop has no automatic value"):
        auto(folder, "crop")
    with pytest.raises(UserError, match=r"add dataset\.path="):
        ImageFolder.auto("channels", {"path": None}, tmp_path)
