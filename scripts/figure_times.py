"""How long each figure takes, once the features are there.

    python scripts/figure_times.py [--size 5000x128 10000x2048] [--threads 2]

As many real as generated points, drawn from a Gaussian, of which classifiers and class balance know ten classes. The
nearest training sample is looked for among six times as many points, as among 60,000 for 10,000 samples. Seconds of
one pass.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from gantrain.metrics.class_balance import balance, class_shares
from gantrain.metrics.distances import discrepancy, drawn_subsets, frechet_distance, gaussian_of, sliced_distance
from gantrain.metrics.diversity import vendi
from gantrain.metrics.features import Features
from gantrain.metrics.inception_score import inception_score
from gantrain.metrics.neighbours import density_coverage, precision_recall
from gantrain.metrics.pairwise import mean_distance, nearest
from gantrain.metrics.parzen import WIDTHS, parzen_log_likelihood
from gantrain.metrics.probes import probe_accuracy
from gantrain.metrics.spectrum import spectrum, upper_third


def figures(n: int, d: int) -> dict[str, Callable[[], object]]:
    """What is timed on n points of d dimensions, by name."""
    torch.manual_seed(0)
    real, generated, training = torch.randn(n, d), torch.randn(n, d), torch.randn(6 * n, d)
    labels = (generated @ torch.randn(d, 10)).argmax(1)
    pictures = torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8)
    plane, held = torch.randn(n, 2), torch.randn(1000, 2)
    logits = torch.randn(n, 1008)

    def balanced() -> object:
        shares: Tensor = class_shares(generated[:, :10])
        return balance(shares, shares)

    return {
        "fid": lambda: frechet_distance(gaussian_of(Features(generated)), gaussian_of(Features(real))),
        "kid": lambda: discrepancy((generated[a], real[b]) for a, b in drawn_subsets(n, n, 100, 1000)),
        "mind": lambda: sliced_distance(generated, real),
        "inception score (1,008 classes)": lambda: inception_score(logits, 10),
        "precision, recall": lambda: precision_recall(real, generated),
        "density, coverage": lambda: density_coverage(real, generated),
        "vendi of 2,000": lambda: vendi(generated[:2000]),
        "diversity": lambda: mean_distance(generated),
        "class balance": balanced,
        "memorised of 2,000": lambda: nearest(generated[:2000], training),
        "a linear probe": lambda: probe_accuracy([(generated, labels)], (real, labels)),
        "parzen (plane)": lambda: parzen_log_likelihood(held, plane, WIDTHS),
        "spectrum of 2,000 (3x32x32)": lambda: upper_third(spectrum([pictures[:2000]]), spectrum([pictures[:2000]])),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=["5000x128", "10000x2048"])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table: dict[str, list[float]] = {}
    for size in arguments.size:
        for name, figure in figures(*map(int, size.split("x"))).items():
            start = time.perf_counter()
            figure()
            table.setdefault(name, []).append(time.perf_counter() - start)
    print(f"{'seconds':32}" + "".join(f"{size:>14}" for size in arguments.size))
    for name, seconds in table.items():
        print(f"{name:32}" + "".join(f"{second:14.2f}" for second in seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
