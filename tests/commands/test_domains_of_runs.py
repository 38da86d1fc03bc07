"""Games of two domains through the real command: training, going on, sampling, translating, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, only_run
from PIL import Image

from gantrain.commands.exported import generator_of

TINY = "dataset=digits_domains dataset.image_size=8 trainer.batch_size=4 trainer.steps=2 metrics=none log.every=1"
NARROW = "model.generator.width=2 model.discriminator.width=2"
CYCLEGAN = f"{TINY} {NARROW} model.generator.blocks=1 model.discriminator.patch=16 model.pool=4"
COGAN = f"{TINY} {NARROW} model=cogan loss=nonsaturating dataset.domains=negative"


@pytest.mark.usefixtures("plain_pictures")
def test_a_run_of_cyclegan_translates_both_ways(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*CYCLEGAN.split()).returncode == 0
    run = only_run(tmp_path / "outputs")
    (tmp_path / "mine").mkdir()
    for k, size in enumerate([(8, 8), (13, 10)]):
        Image.new("RGB", size, (40 * k, 10, 200)).save(tmp_path / "mine" / f"picture {k}.png")
    results = {}
    for words in ([], ["to=b"], ["to=a"]):
        done = gantrain("sample", f"run={run}", "input=mine", f"out=made{len(results)}", *words)
        assert done.returncode == 0, done.stderr
        files = sorted((tmp_path / f"made{len(results)}").iterdir())
        assert [Image.open(file).size for file in files] == [(8, 8), (13, 10)]
        results[" ".join(words)] = np.asarray(Image.open(files[1]))
    assert np.array_equal(results[""], results["to=b"])
    assert not np.array_equal(results["to=a"], results["to=b"])
    done = gantrain("sample", f"run={run}", "input=mine", "to=c")
    assert (done.returncode, "a or b" in done.stderr) == (2, True)
    assert gantrain("sample", f"run={run}", "n=3", "out=s.npz").returncode == 0
    held = np.load(tmp_path / "s.npz")
    assert {"samples", "cycled", "samples_a", "cycled_b"} <= set(held)
    assert held["samples"].shape == (3, 8, 8, 3)
    assert gantrain(f"run={run}", "trainer.steps=3").returncode == 0


@pytest.mark.usefixtures("plain_pictures")
def test_each_of_cyclegans_translators_is_exported_by_itself(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*CYCLEGAN.split()).returncode == 0
    run = only_run(tmp_path / "outputs")
    picture = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(picture)
    x = torch.from_numpy(np.asarray(picture_of(picture)) / 127.5 - 1).float().permute(2, 0, 1)[None]
    for to in ("b", "a"):
        assert gantrain("export", f"run={run}", f"to={to}", f"out={to}.pt").returncode == 0
        held = torch.load(tmp_path / f"{to}.pt", weights_only=True)
        assert held["card"]["inputs"]["input"]["shape"] == ["n", 3, 8, 8]
        made = generator_of(held["card"], held["tensors"])(x)[0].detach().permute(1, 2, 0)
        assert gantrain("sample", f"run={run}", f"input={picture}", f"to={to}", f"out={to}.png").returncode == 0
        wanted = np.asarray(picture_of(tmp_path / f"{to}.png")) / 127.5 - 1
        assert np.abs(made.numpy() - wanted).max() < 1 / 127
    done = gantrain("export", f"run={run}", "to=c", "out=c.pt")
    assert (done.returncode, "a or b" in done.stderr) == (2, True)


def picture_of(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


@pytest.mark.usefixtures("plain_pictures")
def test_samples_of_cogan_are_pairs(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*COGAN.split()).returncode == 0
    run = only_run(tmp_path / "outputs")
    assert gantrain("sample", f"run={run}", "n=5", "out=s.npz").returncode == 0
    held = np.load(tmp_path / "s.npz")
    assert held["samples"].shape == held["other"].shape == (5, 8, 8, 1)
    assert gantrain("sample", f"run={run}", "n=5", "interpolate=slerp", "grid=5", "out=s.png").returncode == 0


@pytest.mark.parametrize("words", [CYCLEGAN, COGAN])
def test_a_dry_run_shows_every_player(gantrain: Command, tmp_path: Path, words: str) -> None:
    done = gantrain(*words.split(), "debug=dry")
    assert done.returncode == 0, done.stderr
    assert "discriminator" in done.stdout
    assert not (tmp_path / "outputs").exists()


def test_an_empty_domain_is_named(gantrain: Command, tmp_path: Path) -> None:
    for name in ("trainA", "trainB"):
        (tmp_path / "both" / name).mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(tmp_path / "both" / "trainA" / "0.png")
    done = gantrain("dataset=unpaired_folders", "dataset.path=both", "trainer.steps=1")
    assert done.returncode == 2
    assert "domain B is empty" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("model=cyclegan_small", "a game of two domains"),
        ("metrics.use=[same_class]", "same_class"),
        ("dataset=digits_domains model=dcgan_small metrics.use=[same_class]", "needs a game of two domains"),
        (f"{COGAN} metrics.use=[cycle_error]", "goes there and back"),
        (f"{CYCLEGAN} model.discriminator.patch=70", "has none on pictures of 8"),
    ],
)
def test_refusals(gantrain: Command, words: str, sentence: str) -> None:
    done = gantrain(*words.split())
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
