"""How well pictures are told from their mirrors, which `dataset.augment.flip=auto` goes by: data sets known by name.

python scripts/mirrored.py [data_dir]; of each set four samples of 250 pictures, or as many as there are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gantrain.data import CelebA, Cifar10, DataContext, Digits, FashionMnist, ImageFolder, Mnist
from gantrain.data.glance import SMALL, TELLABLE, coarse, told_from_mirrors
from gantrain.data.source import PackedSource

PICTURES, SAMPLES = 250, 4


def grey_of(pictures: np.ndarray) -> np.ndarray:
    """Pictures uint8 (N, C, H, W) as grey ones (N, SMALL, SMALL)."""
    grey = [Image.fromarray(x.mean(0).round().astype(np.uint8)).resize((SMALL, SMALL), Image.LANCZOS) for x in pictures]
    return np.array(grey, np.float64)


def main() -> None:
    data_dir = Path(sys.argv[1] if len(sys.argv) > 1 else "data").expanduser()
    pairs = str(data_dir / "facades")
    sources: dict[str, tuple[PackedSource, slice]] = {
        "digits": (Digits(16), slice(None)),
        "mnist": (Mnist(), slice(None)),
        "fashion_mnist": (FashionMnist(), slice(None)),
        "cifar10": (Cifar10(), slice(None)),
        "celeba": (CelebA(64), slice(None)),
        "facades, photographs": (ImageFolder(pairs, [64, 128]), slice(0, 64)),
        "facades, parts": (ImageFolder(pairs, [64, 128]), slice(64, 128)),
        "facades, side by side": (ImageFolder(pairs, [64, 128]), slice(None)),
    }
    print(f"mirrored where at most {TELLABLE:.0%} are told")
    for name, (source, columns) in sources.items():
        real = source.fields(DataContext(data_dir, torch.device("cpu")))["real"]
        order = np.random.default_rng(1).permutation(len(real))[: SAMPLES * PICTURES]
        parts = [order[k : k + PICTURES] for k in range(0, len(order) - PICTURES + 1, PICTURES)]
        told = [told_from_mirrors(coarse(grey_of(np.asarray(real[np.sort(part)])[..., columns]))) for part in parts]
        print(f"{name:24} {' '.join(f'{share:.0%}' for share in told)}")


if __name__ == "__main__":
    main()
