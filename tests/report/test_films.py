"""Films of pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantrain.errors import UserError
from gantrain.report.films import GIF_PAUSE, RATE, write_gif, write_mp4

SHADES = [0, 60, 120, 180, 240]
FRAMES = [np.full((33, 47, 3), shade, np.uint8) for shade in SHADES]


def test_a_gif_shows_every_picture_and_begins_anew(tmp_path: Path) -> None:
    write_gif(iter(FRAMES), tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.info["loop"]) == (5, 0)
        assert film.info["duration"] == GIF_PAUSE, "the format counts hundredths of a second"
        film.seek(3)
        assert film.convert("L").getpixel((4, 4)) == pytest.approx(SHADES[3], abs=2)


def test_a_gif_keeps_colours_that_its_first_picture_lacks(tmp_path: Path) -> None:
    """A walk begins with grey and goes through red."""
    frames = [np.full((8, 8, 3), 128, np.uint8), np.zeros((8, 8, 3), np.uint8)]
    frames[1][..., 0] = 250
    write_gif(iter(frames), tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        film.seek(1)
        assert film.convert("RGB").getpixel((4, 4)) == pytest.approx((250, 0, 0), abs=8)


def test_an_mp4_holds_every_picture_also_of_an_odd_size(tmp_path: Path) -> None:
    reader = pytest.importorskip("imageio_ffmpeg")
    write_mp4(iter(FRAMES), tmp_path / "film.mp4")
    stream = reader.read_frames(str(tmp_path / "film.mp4"))
    facts = next(stream)
    assert (facts["size"], facts["fps"], facts["codec"]) == ((48, 34), RATE, "h264")
    shades = [float(np.frombuffer(frame, np.uint8).mean()) for frame in stream]
    assert shades == pytest.approx(SHADES, abs=4)


def test_what_is_missing_for_an_mp4_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"pip install .gantrain\[video\]., or use format=gif"):
        write_mp4(iter(FRAMES), tmp_path / "film.mp4")
