"""What figures say of real pictures, of copies and of blurred ones: MNIST and CIFAR-10, in pixels.

    python scripts/figure_calibration.py DATA_DIR

Samples are held-out pictures, training pictures, or both; the figures are set against the training part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.data import Cifar10, DataContext, Mnist, Source
from gantrain.metrics import (
    DensityCoverage,
    Diversity,
    Evaluation,
    Memorised,
    Metric,
    Pixels,
    PrecisionRecall,
    RealData,
    SpectrumError,
    Vendi,
)


def measure(source: Source, data_dir: Path) -> None:
    """Prints the figures of one set."""
    real = RealData(source, DataContext(data_dir, torch.device("cpu")))
    training, fresh = (
        torch.cat([batch["real"] for batch in real.batches(part, 8000)]) for part in ("train", "held_out")
    )
    half = F.interpolate(F.avg_pool2d(fresh[:2000], 2), scale_factor=2, mode="bilinear")
    in_pixels = [PrecisionRecall(Pixels()), DensityCoverage(Pixels()), Diversity(Pixels()), Vendi(Pixels())]
    rows: list[tuple[str, Tensor, list[Metric]]] = [
        ("held out", fresh, [*in_pixels, SpectrumError()]),
        ("held out, half the resolution", half, [SpectrumError()]),
        ("2,000 others held out", fresh[2000:4000], [Memorised(Pixels())]),
        ("copies", training[4000:6000], [Memorised(Pixels())]),
        ("a tenth copies", torch.cat([training[:200], fresh[2000:3800]]), [Memorised(Pixels())]),
    ]
    for what, x, metrics in rows:
        evaluation = Evaluation(real, lambda n, x=x: [x[:n]])  # type: ignore[misc]
        figures = {key: value for metric in metrics for key, value in metric(evaluation).items()}
        print(f"{type(source).__name__}, {what}: " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    arguments = parser.parse_args()
    for source in (Mnist(), Cifar10()):
        measure(source, arguments.data_dir)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
