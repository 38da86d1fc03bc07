"""Films: pictures one after the other, which begin anew at their end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from gantrain.errors import UserError
from gantrain.files import replacing

RATE = 15
"""Pictures in a second of an MP4."""
GIF_PAUSE = 70
"""Milliseconds that a GIF shows a picture: it counts in tens, so that this is 14.3 pictures in a second."""
PALETTE_FROM = 8
"""Pictures of a GIF whose colours make its palette."""


def write_gif(frames: Iterable[np.ndarray], file: Path) -> None:
    """A GIF of pictures (height, width, C) uint8 of one size, in one palette: else still parts would flicker."""
    pictures = [Image.fromarray(frame).convert("RGB") for frame in frames]
    some = pictures[:: max(1, len(pictures) // PALETTE_FROM)]
    palette = Image.fromarray(np.concatenate([np.asarray(picture) for picture in some])).quantize(256)
    paletted = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    with replacing(file) as stream:
        paletted[0].save(stream, "GIF", save_all=True, append_images=paletted[1:], duration=GIF_PAUSE, loop=0)


def write_mp4(frames: Iterable[np.ndarray], file: Path) -> None:
    """An MP4 (H.264) of pictures (height, width, C) uint8 of one size; an odd row or column is repeated.

    Raises:
        UserError: imageio-ffmpeg is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError('format=mp4 needs imageio-ffmpeg: pip install "gantrain[video]", or use format=gif') from error
    with tempfile.TemporaryDirectory() as folder:
        made, writer = Path(folder) / "film.mp4", None
        for frame in frames:
            rgb = np.asarray(Image.fromarray(frame).convert("RGB"))
            rgb = np.pad(rgb, ((0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)), "edge")
            if writer is None:
                size = (rgb.shape[1], rgb.shape[0])
                writer = imageio_ffmpeg.write_frames(str(made), size, fps=RATE, quality=8, macro_block_size=2)
                writer.send(None)
            writer.send(np.ascontiguousarray(rgb))
        assert writer is not None, "a film has pictures"
        writer.close()
        with replacing(file) as stream:
            stream.write(made.read_bytes())
