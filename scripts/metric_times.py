"""How long figures over 10,000 generated pictures take, with a DCGAN on mnist.

    python scripts/metric_times.py [--n 10000] [--pictures 500] [--data FOLDER] [--threads 2]

First FID in the space of the classifier, once with the classifier ready and real samples not yet mapped, then again as
later evaluations of a run have it. Then Inception with random weights, on fewer pictures, scaled up.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from gantrain.commands.evaluation import evaluation_of
from gantrain.commands.parts import build_parts
from gantrain.config import complete, compose, hydra_at
from gantrain.metrics import Inception, RealData, evaluate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--data", default=None)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    data = [f"data_dir={arguments.data}"] if arguments.data else []
    words = ["dataset=mnist", "model=dcgan", "metrics.use=[fid_classifier]", *data]
    words += [f"metrics.known.fid.samples={arguments.n}", f"trainer.threads={arguments.threads}"]
    with hydra_at():
        cfg = complete(compose(words))
    parts = build_parts(cfg, None, lambda text: None)
    real = RealData(parts.source, parts.context)
    for metric in parts.metrics.values():
        metric.prepare(real)
    for what in ("first", "later"):
        began, used = time.perf_counter(), time.process_time()
        evaluate(parts.metrics, evaluation_of(parts.game, real, parts.machine, 0, 64, 0))
        took = f"{time.perf_counter() - began:.1f} s, {time.process_time() - used:.1f} s of the processor"
        threads = torch.get_num_threads()
        print(f"fid_classifier of {arguments.n:,} pictures, the {what} time: {took} ({threads} threads)")
    with tempfile.TemporaryDirectory() as folder:
        space = Inception(str(random_inception(Path(folder) / "random.pth")))
        space.prepare(real)
        x = torch.randint(256, (arguments.pictures, 1, 28, 28), dtype=torch.uint8)
        began, used = time.perf_counter(), time.process_time()
        space.features(x, real, None)
        scale = 10_000 / arguments.pictures
        took, used = (time.perf_counter() - began) * scale / 60, (time.process_time() - used) * scale / 60
        print(f"Inception: {took:.0f} min for 10,000 pictures, {used:.0f} min of the processor")
    return 0


def random_inception(file: Path) -> Path:
    """Random weights in a file of Inception's layout."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Random(FeatureExtractorInceptionV3):
        """Reads no file."""

        def load_state_dict(self, state: Any, *_: Any, **__: Any) -> Any:
            return None

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.save(Random("inception-v3-compat", ["2048"], nothing).state_dict(), file)
    return file


if __name__ == "__main__":
    raise SystemExit(main())
