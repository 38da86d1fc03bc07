"""Interpolation, truncation and layouts of `gantrain sample`."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, only_run
from PIL import Image
from untrained import asked, untrained

from gantrain.commands.interpolation import WAYS, slerp, walk
from gantrain.commands.show_samples import show_samples
from gantrain.games import Request
from gantrain.report.console import Console

SMALL = ["dataset=digits", "networks=mlp", "trainer.steps=2", "trainer.batch_size=16", "trainer.device=cpu"]


def test_slerp_goes_along_the_circle_at_even_speed() -> None:
    """A third of a right angle is 30 degrees; lengths in between; the ends are the ends."""
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    third = slerp(a, b, 1 / 3)
    torch.testing.assert_close(third, torch.tensor([[2 * math.cos(math.pi / 6), 2 * math.sin(math.pi / 6)]]))
    one, other = torch.randn(50, 32), torch.randn(50, 32)
    for way in WAYS.values():
        torch.testing.assert_close(way(one, other, 0.0), one)
        torch.testing.assert_close(way(one, other, 1.0), other)
    middle = slerp(one, other, 0.5).norm(dim=1)
    assert (middle / one.norm(dim=1)).mean() == pytest.approx(1, abs=0.05)


def test_slerp_between_noises_on_one_line_is_straight() -> None:
    a = torch.randn(5, 8)
    torch.testing.assert_close(slerp(a, a, 0.3), a)
    torch.testing.assert_close(slerp(a, -a, 0.25), a / 2)
    assert slerp(a, torch.zeros_like(a), 0.5).isfinite().all()


def test_a_walk_starts_and_ends_at_its_noises_and_keeps_whoever_makes_it(tmp_path: Path) -> None:
    """Its ends are what the game makes of them, also where the place in the batch tells who makes a sample."""
    run = untrained(tmp_path, "dataset=ring8", "model=madgan", "model.generators=3")
    first, last = (Request(7, run.game.latents(7)) for _ in range(2))
    made = walk(run, [first, last], "slerp", [0.0, 0.5, 1.0], 0)
    half = Request(7, {"noise": slerp(first.latent["noise"], last.latent["noise"], 0.5)})
    for request, part in ((first, made[0]), (half, made[1]), (last, made[2])):
        torch.testing.assert_close(part["samples"].x, run.game.sample(request)["samples"].x)
    makers = [part["samples"].conditions["generator"].tolist() for part in made]
    assert makers[0] == makers[1] == makers[2]


def test_codes_go_straight_and_labels_stay(tmp_path: Path) -> None:
    run = untrained(tmp_path, "dataset=digits", "model=infogan", "networks@model=mlp")
    first, last = (Request(4, run.game.latents(4)) for _ in range(2))
    middle = walk(run, [first, last], "linear", [0.5], 0)[0]["samples"].conditions
    torch.testing.assert_close(middle["continuous"], (first.latent["continuous"] + last.latent["continuous"]) / 2)
    assert torch.equal(middle["code_0"], first.latent["code_0"])


@pytest.mark.parametrize("model", ["acgan", "bigan", "cgan", "gman", "infogan", "madgan", "mlp", "sgan", "triplegan"])
def test_every_game_walks(model: str, tmp_path: Path) -> None:
    """Rows, single files and films of any game, with all that it says of its samples."""
    run = untrained(tmp_path, "dataset=digits", f"model={model}", "networks@model=mlp")
    shown = show_samples(run, asked(n=12, grid="3", interpolate="slerp", truncation=1.0), {}, "npz", Console())
    held = shown.arrays()
    assert held["samples"].shape == (12, 16, 16, 1)
    assert all(len(values) == 12 for values in held.values())
    assert shown.files is not None
    assert len(list(shown.files())) == 12
    film = show_samples(run, asked(n=4, frames=24), {}, "gif", Console())
    assert film.frames is not None
    frames = list(film.frames())
    assert len(frames) == 24
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert max(steps) < 3 * np.median(steps)  # it comes back as it went


def test_rows_of_classes(gantrain: Command, tmp_path: Path) -> None:
    """Ten rows of five: one class in each, which begins and ends with different noise."""
    assert gantrain(*SMALL, "model=cgan").returncode == 0
    run = f"run={only_run(tmp_path)}"
    done = gantrain("sample", run, "class=all", "interpolate=slerp", "n=50", "grid=5", "out=a.npz")
    assert done.returncode == 0, done.stderr
    held = np.load("a.npz")
    assert held["labels"].tolist() == [label for label in range(10) for _ in range(5)]
    assert held["place"][:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    rows = held["samples"].reshape(10, 5, -1).astype(int)
    ways = [np.abs(rows[:, k + 1] - rows[:, k]).mean() for k in range(4)]
    assert np.abs(rows[:, 4] - rows[:, 0]).mean() > 1.2 * max(ways)
    assert gantrain("sample", run, "class=all", "interpolate=slerp", "grid=10x5", "out=b.png").returncode == 0
    width, height = Image.open("b.png").size
    assert height / width == pytest.approx(2, abs=0.05)


def test_a_truncated_set_is_of_the_same_noise_with_less_of_it(gantrain: Command, tmp_path: Path) -> None:
    """Samples draw together as the bound falls, and none other changes with it: labels stay."""
    assert gantrain(*SMALL, "model=cgan").returncode == 0
    run, sets = f"run={only_run(tmp_path)}", []
    for words in ([], ["truncation=20"], ["truncation=0.3"]):
        assert gantrain("sample", run, "n=400", "out=t.npz", *words).returncode == 0
        sets.append(dict(np.load("t.npz")))
    assert np.abs(sets[1]["samples"].astype(int) - sets[0]["samples"]).max() <= 1
    assert sets[2]["labels"].tolist() == sets[0]["labels"].tolist()
    spread = [held["samples"].std(0).mean() for held in sets]
    assert spread[2] < 0.7 * spread[0]


def test_layouts(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SMALL, "model=cgan").returncode == 0
    run = f"run={only_run(tmp_path)}"
    for words, columns, rows in ((["grid=3x7"], 7, 3), (["grid=4", "n=8"], 4, 2)):
        assert gantrain("sample", run, "out=g.png", *words).returncode == 0
        width, height = Image.open("g.png").size
        assert width / height == pytest.approx(columns / rows, rel=0.05)
    done = gantrain("sample", run, "format=files", "class=3", "n=3", "out=each")
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in Path("each").iterdir()) == [f"00000{k}_class3.png" for k in range(3)]
    assert gantrain("sample", run, "class=3", "n=3", "out=each.npz").returncode == 0
    pictures = [np.asarray(Image.open(f"each/00000{k}_class3.png")) for k in range(3)]
    assert np.array_equal(np.stack(pictures), np.load("each.npz")["samples"][..., 0])
    again = gantrain("sample", run, "format=files", "out=each")
    assert (again.returncode, "holds files already" in again.stderr) == (2, True)
    film = gantrain("sample", run, "frames=5", "grid=2x3", "class=2", "out=w.gif")
    assert film.returncode == 0, film.stderr
    with Image.open("w.gif") as gif:
        assert (gif.n_frames, gif.info["loop"]) == (5, 0)


REFUSED = [
    (["interpolate=round"], "interpolate is slerp or linear, got round"),
    (["interpolate=slerp", "code=0"], "code=0 says what changes along a row, and so does interpolate"),
    (["interpolate=linear", "grid=1"], "two columns or more"),
    (["grid=3x"], "grid=3x should be columns, or rows x columns"),
    (["grid=3x4", "n=11"], "grid=3x4 holds 12 samples, but n=11"),
    (["grid=2x2", "code=all"], "grid=2x2 does not hold 30 samples"),
    (["truncation=0"], "truncation=0 leaves no noise"),
    (["format=gif", "frames=1"], "frames=1 makes no film"),
    (["format=gif", "show=noise"], "show=noise is one page"),
    (["show=nose"], "did you mean noise"),
    (["show=noise", "interpolate=slerp"], "interpolate= is for show=samples"),
    (["show=noise", "code=0"], "show=noise moves the noise, which code= fixes"),
    (["show=features", "n=3"], "n=3 is too few"),
    (["show=features", "space=pixel"], "did you mean pixels"),
    (["projector=true"], "projector= is for show=features"),
]


def test_what_makes_no_sense_is_refused(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SMALL, "model=infogan").returncode == 0
    run = f"run={only_run(tmp_path)}"
    for words, sentence in REFUSED:
        refused = gantrain("sample", run, *words)
        assert (refused.returncode, sentence in refused.stderr) == (2, True), (words, refused.stderr)


@pytest.mark.usefixtures("plain_pictures")
def test_numbers_have_paths_and_no_films(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", "trainer.steps=1", "model.noise.kind=uniform").returncode == 0
    run = f"run={only_run(tmp_path)}"
    for words, sentence in (
        (["format=mp4"], "format=mp4 is for samples that are pictures, but this run makes numbers"),
        (["interpolate=slerp"], "this run's noise is uniform: use interpolate=linear"),
        (["truncation=0.5"], "but this run's is uniform: leave it out"),
        (["grid=4"], "grid=… lays out pictures"),
        (["show=saliency"], "show=saliency is for pictures"),
    ):
        refused = gantrain("sample", run, *words)
        assert (refused.returncode, sentence in refused.stderr) == (2, True), refused.stderr
    assert gantrain("sample", run, "interpolate=linear", "n=16", "out=p.npz").returncode == 0
    assert np.load("p.npz")["samples"].shape == (16, 2)
    assert gantrain("sample", run, "interpolate=linear", "out=p.png").returncode == 0
