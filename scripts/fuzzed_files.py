"""Files for scripts/fuzz.py: checkpoints, data files and pictures, damaged by edits, and what comes of reading them."""

from __future__ import annotations

import contextlib
import io
import pickle
import random
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

from gantrain.cli import main
from gantrain.commands.assembly import build_game, build_learners, config_of
from gantrain.data.cifar import read_batch
from gantrain.data.fitting import Fitting
from gantrain.data.pictures import open_picture
from gantrain.data.vision import read_idx
from gantrain.errors import UserError
from gantrain.games import Sampler
from gantrain.runs import load_checkpoint
from gantrain.training.checkpoints import load_game, load_optimizers
from gantrain.training.state import Progress
from gantrain.untrusted import WORDS

SMALL = ["dataset=ring8", "loss=r1", "trainer.steps=2", "trainer.batch_size=8", "trainer.device=cpu", "metrics.use=[]"]
SMALL += ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "tricks=[ema]"]
ODD: tuple[Any, ...] = (None, True, -1, 0, 2**70, 1e308, float("nan"), "", "x" * 1000, "\x1b[31m", b"\0", [], [[]], {})
ODD += ({"a": {}}, {"step": -1}, {1: 2}, torch.zeros(0), torch.zeros(1).expand(2**40), torch.full((3,), float("nan")))
ODD += (torch.zeros(2, dtype=torch.complex64), torch.zeros(2, dtype=torch.int64), torch.eye(2).to_sparse())
FORMATS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "BMP": "bmp", "PPM": "ppm", "TIFF": "tif", "WEBP": "webp"}

Edit = tuple[str, float, bytes]


def edits() -> st.SearchStrategy[list[Edit]]:
    """What is done to the bytes of a file: how, where as a share of it, with which bytes."""
    kinds = st.sampled_from(["over", "in", "out", "end", "twice"])
    return st.lists(st.tuples(kinds, st.floats(0, 1), st.binary(min_size=1, max_size=12)), min_size=1, max_size=6)


def edited(content: bytes, changes: Sequence[Edit]) -> bytes:
    """The bytes with some written over, put in, taken out, cut off at the end, or repeated."""
    for kind, share, new in changes:
        at = int(share * len(content))
        after = {"over": at + len(new), "in": at, "out": at + len(new), "end": len(content), "twice": max(0, at - 40)}
        content = content[:at] + (new if kind in ("over", "in") else b"") + content[after[kind] :]
    return content


@cache
def honest() -> bytes:
    """A checkpoint as a run wrote it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        assert main([*SMALL, f"outputs_dir={folder}"]) == 0
        return next(Path(folder).rglob("step_*.pt")).read_bytes()


def checkpoints() -> st.SearchStrategy[bytes]:
    """Damaged at random, in the pickle alone with right checksums, or with a value of another kind in it."""
    return st.one_of(
        edits().map(lambda changes: edited(honest(), changes)),
        edits().map(_with_pickle),
        st.randoms(use_true_random=False).map(_with_value),
    )


def _with_pickle(changes: Sequence[Edit]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(honest())) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, edited(content, changes) if name.endswith("data.pkl") else content)
    return made.getvalue()


def _with_value(dice: random.Random) -> bytes:
    state = torch.load(io.BytesIO(honest()), weights_only=True)
    for _ in range(dice.randint(1, 3)):
        node: Any = state
        while True:
            key = dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node))
            if not isinstance(node[key], (dict, list)) or not node[key] or dice.random() < 0.2:
                break
            node = node[key]
        if key == "config" and isinstance(node[key], str) and dice.random() < 0.8:
            words = node[key].splitlines()
            words[dice.randrange(len(words))] += dice.choice([" x", ": {", " null", "0", "_"])
            node[key] = "\n".join(words)
        elif isinstance(node, dict) and dice.random() < 0.2:
            del node[key]
        else:
            node[key] = dice.choice(ODD)
    made = io.BytesIO()
    torch.save(state, made)
    return made.getvalue()


def try_checkpoint(content: bytes, folder: Path) -> None:
    """As far as sampling and going on get before they make anything."""
    file = folder / "lone.pt"
    file.write_bytes(content)
    state = load_checkpoint(file)
    cfg = config_of(state, str(file))
    Progress.of(state["progress"], str(file))
    game = build_game(cfg)
    load_game(game, state, str(file))
    load_optimizers(build_learners(cfg, game), state)
    Sampler(game, state["data"], state["progress"]["step"])


IDX = b"\0\0\x08\x03" + struct.pack(">3I", 5, 4, 4) + bytes(80)


def idx_files() -> st.SearchStrategy[bytes]:
    """Files of MNIST's format, damaged; or any bytes behind a right beginning."""
    return st.one_of(
        edits().map(lambda changes: edited(IDX, changes)), st.binary(max_size=64).map(lambda end: IDX[:3] + end)
    )


def try_idx(content: bytes, folder: Path) -> None:
    """Reads it."""
    _refused(lambda: read_idx(content))


def cifar_file(pixels: bytes, labels: Sequence[int]) -> bytes:
    """A file of CIFAR-10 as NumPy wrote it in Python 2."""
    shape = b"M" + struct.pack("<H", len(labels)) + b"M" + struct.pack("<H", len(pixels) // len(labels))
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape + b"\x86"
    array += kind + b"\x89T" + struct.pack("<I", len(pixels)) + pixels + b"tb"
    told = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + told + b"u."


def pickles() -> st.SearchStrategy[bytes]:
    """Files of CIFAR-10, damaged; or pickle's instructions in any order, with numbers and names that it knows."""
    told = {"data": np.zeros((3, 3072), np.uint8), "labels": [1, 2, 3], "filenames": ["a", "b", "c"]}
    honest_ones = [cifar_file(bytes(3 * 3072), [1, 2, 3]), *(pickle.dumps(told, protocol) for protocol in range(6))]
    names = ("numpy.core.multiarray _reconstruct", "numpy dtype", "numpy ndarray", "builtins eval", "os system")
    named = [f"c{name.replace(' ', chr(10))}\n".encode() for name in names]
    codes = [getattr(pickle, word) for word in WORDS.split()]
    piece = st.one_of(st.sampled_from([*codes, *named, b"}", b"(", b"K\x01", b"U\x01a"]), st.binary(max_size=4))
    return st.one_of(
        st.builds(edited, st.sampled_from(honest_ones), edits()),
        st.lists(piece, max_size=60).map(lambda parts: b"\x80\x02" + b"".join(parts) + b"."),
    )


def try_pickle(content: bytes, folder: Path) -> None:
    """Reads it."""
    _refused(lambda: read_batch(content))


@cache
def drawn() -> dict[str, bytes]:
    """A picture in each format."""
    found = {}
    pixels = np.random.default_rng(0).integers(256, size=(24, 20, 3), dtype=np.uint8)
    for kind in FORMATS:
        stream = io.BytesIO()
        picture = Image.fromarray(pixels)
        exif = Image.Exif()
        exif[274] = 6  # the camera was held sideways
        picture.save(stream, kind, **({"exif": exif} if kind in ("PNG", "JPEG", "TIFF", "WEBP") else {}))
        found[kind] = stream.getvalue()
    return found


def pictures() -> st.SearchStrategy[tuple[str, bytes]]:
    """The ending of a file, and a picture of that or another format, damaged."""
    changed = st.builds(edited, st.sampled_from(sorted(drawn())).map(lambda kind: drawn()[kind]), edits())
    return st.tuples(st.sampled_from(sorted(FORMATS.values())), changed)


def try_picture(case: tuple[str, bytes], folder: Path) -> None:
    """Reads it as one of a folder's, which is left out where it is broken; how it may be broken is documented."""
    ending, content = case
    file = folder / f"it.{ending}"
    file.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            open_picture(file, Fitting((8, 8), "crop"), 3)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(str(error)) from error
    file.unlink()


def _refused(read: Callable[[], object]) -> None:
    """A ValueError is how these readers refuse; the source says it in a sentence."""
    try:
        read()
    except ValueError as error:
        raise UserError(str(error)) from error
