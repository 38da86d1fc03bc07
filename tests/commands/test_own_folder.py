"""A folder of one's own from `dataset.path=` alone, by the real command: odd files, few of them, sweeps, resuming."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, job_folder, only_run
from omegaconf import OmegaConf
from PIL import Image

from gantrain.data import source

SHORT = ("trainer.steps=2", "trainer.batch_size=4", "model=dcgan_small", "loss=nonsaturating", "optimizer=adam")
SIZES = [(30, 40), (40, 30), (48, 27), (20, 20), (64, 48)]


def blot(height: int, width: int, seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height))


def photographs(folder: Path, n: int) -> None:
    """As they come from a telephone and from friends: of any size and mode, turned, moving, broken, hidden."""
    (folder / "2023").mkdir(parents=True)
    for k in range(n):
        picture = blot(*SIZES[k % 5], k)
        name = f"{'2023/' if k % 2 else ''}IMG_{k:04}"
        if k % 10 == 1:
            exif = Image.Exif()
            exif[0x0112] = (3, 6, 8)[k % 3]
            picture.save(folder / f"{name}.jpg", exif=exif)
        elif k % 10 == 2:
            picture.convert("L").save(folder / f"{name}.JPG", "JPEG")
        elif k % 10 == 3:
            picture.convert("CMYK").save(folder / f"{name}.jpeg")
        elif k % 10 == 4:
            Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(folder / f"{name}.png")
        elif k % 10 == 5:
            picture.putalpha(90)
            picture.save(folder / f"{name}.png")
        elif k % 10 == 6:
            picture.save(folder / f"{name}.gif", save_all=True, append_images=[blot(*SIZES[k % 5], n + k)])
        else:
            picture.save(folder / f"{name}.jpg")
    (folder / "cut.jpg").write_bytes((folder / "IMG_0000.jpg").read_bytes()[:300])
    (folder / "empty.png").write_bytes(b"")
    (folder / "IMG_1.HEIC").write_bytes(b"x")
    (folder / "clip.mov").write_bytes(b"x")
    (folder / "._IMG_0000.jpg").write_bytes(b"x")


def config_of(run: Path) -> OmegaConf:
    return OmegaConf.load(run / "config.yaml")  # type: ignore[return-value]


def test_a_thousand_odd_photographs_train_and_are_told_of(gantrain: Command, tmp_path: Path) -> None:
    photographs(tmp_path / "my photos", 1000)
    done = gantrain("dataset.path=my photos", *SHORT)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("data: ")]
    for words in (
        "image_size=16 (nearly all pictures reach it), channels=3 (there is colour), augment.flip=true (",
        "left out 1 .heic, of a format that is not read: convert",
        "skipped cut.jpg: ",
        "skipped empty.png: it is empty",
        "2 of 1,002 pictures are broken and were skipped",
        "100 turned upright, as the camera was held; 100 with several pictures, of which the first is taken; "
        "100 see-through in parts, which became white",
        "1,000 samples of image_folder",
    ):
        assert sum(words in line for line in said) == 1, words
    assert len(said) <= 8
    assert "are few" not in done.stdout, "1,000 are enough at 16 pixels"
    cfg = config_of(only_run(tmp_path / "outputs"))
    dataset, shown = cfg.dataset, gantrain("data", "dataset.path=my photos", *SHORT)
    assert (dataset.image_size, dataset.channels, dataset.classes, dataset.augment.flip) == (16, 3, 2, True)
    assert said[0] in shown.stdout
    assert "1,000, packed 16 high and 16 wide, 3 channels (colour)" in shown.stdout
    assert "dataset.augment: flip" not in shown.stdout
    thoughts = shown.stdout.partition("worth a thought:")[2]
    for word in ("image_size", "channels", "tricks", "fit="):
        assert word not in thoughts, "what was chosen is not advised against"
    assert ".heic (1)" in thoughts


def test_few_pictures_and_going_on(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photographs(tmp_path / "photos", 90)
    done = gantrain("dataset.path=photos", *SHORT)
    assert done.returncode == 0, done.stderr
    assert "data: 92 pictures are few: DiffAugment is on ('tricks=[ema]' turns it off)" in done.stdout
    assert "heart" not in gantrain("data", "dataset.path=photos", *SHORT).stdout
    run = only_run(tmp_path / "outputs")
    before = config_of(run)
    assert list(before.tricks) == ["ema", "diffaugment"]

    def refuse(folder: Path) -> None:
        raise AssertionError("the pictures are looked at again")

    monkeypatch.setattr("gantrain.data.folders.glance_at", refuse)
    monkeypatch.setattr(source, "FEW", {4096: 0})
    again = gantrain(f"run={run}", "trainer.steps=3")
    assert again.returncode == 0, again.stderr
    assert "pictures are few" not in again.stdout
    after = config_of(run)
    assert (after.dataset, after.tricks) == (before.dataset, before.tricks)


def test_a_sweep_does_the_same(gantrain: Command, tmp_path: Path) -> None:
    photographs(tmp_path / "some", 20)
    (tmp_path / "others").mkdir()
    for k in range(12):
        blot(64, 96, k).convert("L").save(tmp_path / "others" / f"{k}.png")
    done = gantrain("-m", "dataset.path=some,others", *SHORT)
    assert done.returncode == 0, done.stderr
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    some, others = (config_of(job_folder(sweep, job)) for job in ("000", "001"))
    assert (some.dataset.image_size, some.dataset.channels, list(some.tricks)) == (16, 3, ["ema", "diffaugment"])
    assert (others.dataset.image_size, others.dataset.channels) == ([64, 96], 1)
    assert list(others.tricks) == ["ema", "diffaugment"]
    for count in (22, 12):
        assert done.stdout.count(f"data: {count} pictures are few: DiffAugment is on") == 1
    assert "dataset=image_folder" in (sweep / "sweep.json").read_text()


@pytest.mark.slow
def test_the_facades_and_faces_by_their_path_alone(gantrain: Command, tmp_path: Path, real_data: Path) -> None:
    pairs = sorted((real_data / "facades").rglob("*.jpg"))
    faces = sorted((real_data / "celeba" / "img_align_celeba").glob("*.jpg"))[:300]
    if not pairs or not faces:
        pytest.skip("the facades or CelebA are not here")
    for name in ("facades", "faces"):
        (tmp_path / name).mkdir()
    for file in pairs:
        Image.open(file).crop((0, 0, 256, 256)).save(tmp_path / "facades" / f"{file.parent.name}{file.stem}.png")
    for file in faces:
        (tmp_path / "faces" / file.name).write_bytes(file.read_bytes())
    for name, count in (("facades", len(pairs)), ("faces", 300)):
        done = gantrain(f"dataset.path={name}", f"outputs_dir={name}-runs", *SHORT)
        assert done.returncode == 0, done.stderr
        assert f"{count} pictures are few" in done.stdout
        dataset = config_of(only_run(tmp_path / f"{name}-runs")).dataset
        assert (dataset.image_size, dataset.channels, dataset.augment.flip) == (64, 3, True)


def test_the_config_that_is_shown_is_the_one_that_is_trained(gantrain: Command, tmp_path: Path) -> None:
    photographs(tmp_path / "photos", 20)
    shown = gantrain("dataset.path=photos", "--cfg", "job", "--resolve", "-p", "dataset")
    assert "image_size: 16" in shown.stdout, shown.stderr
    assert "hydra:" in gantrain("dataset.path=photos", "--cfg", "all").stdout
