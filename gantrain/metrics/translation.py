"""How far translated pictures are from the true ones."""

from __future__ import annotations

from gantrain.data import Source
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import within


class TranslationError(Metric):
    """Translations against the true pictures of their pairs, held-out ones where there are such. The figures:

    - `mae`: the mean absolute error of a pixel's channels, in [-1, 1], where black and white are 2 apart,
    - `psnr`: the peak signal-to-noise ratio 10 log10(2² / mean squared error) of a picture, in dB, on average.

    Args:
        samples: pairs that are looked at, all where there are fewer.
    """

    keys = ("mae", "psnr")
    higher_is_better = frozenset({"psnr"})
    needs_pairs = True

    def __init__(self, samples: int = 1000) -> None:
        within("[1, 10000000]", samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if source.input_shape is None:
            raise ValueError(
                "metric mae needs pairs of pictures: use dataset=paired_folder or digits_pairs, or leave it out"
            )

    def prepare(self, real: RealData) -> None:
        real.open(real.unseen)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        real = evaluation.real
        n = min(self.n, real.count(real.unseen))
        return self.protocol_of(evaluation, samples=n, real=n, split=real.unseen)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        assert evaluation.sets is not None, "every run's evaluation has them"
        real = evaluation.real
        n = min(self.n, real.count(real.unseen))
        absolute = noise = 0.0
        for part in evaluation.sets(n):
            difference = (part["samples"] - part["real"]).double().flatten(1)
            absolute += difference.abs().mean(1).sum().item()
            noise += (10 * (4 / difference.square().mean(1).clamp(min=1e-12)).log10()).sum().item()
        return {"mae": absolute / n, "psnr": noise / n}
