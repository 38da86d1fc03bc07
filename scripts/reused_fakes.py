"""Whether fakes that are made once for both players cost quality: FIDs with trainer.reuse_fakes and without, by seed.

    python scripts/reused_fakes.py                                         digits, three seeds: a quarter of an hour
    python scripts/reused_fakes.py --seeds 0 1 2 --steps 3000 model=dcgan_small loss=nonsaturating

FID in the space of a classifier of the set's own labels, at the run's end; what speed/images_per_second says is printed
beside it. The two kinds take turns, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
from pathlib import Path

from gantrain.cli import main as gantrain
from gantrain.runs import RunFolder

TAG, SPEED = "metrics/fid_classifier", "speed/images_per_second"


def played(words: list[str], seed: int, reuse: bool) -> tuple[float, float]:
    """The last FID of a run, and the median of its speeds.

    Raises:
        SystemExit: the run failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        told = [f"outputs_dir={folder}", f"seed={seed}", f"trainer.reuse_fakes={str(reuse).lower()}"]
        told += ["metrics.use=[fid_classifier]", "metrics.n=5000"]
        told += ["log.samples_every=1000000", "checkpoint.every=1000000"]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = gantrain([*words, *told])
        if code:
            raise SystemExit(said.getvalue())
        (run,) = map(RunFolder, Path(folder).glob("*/*"))
        lines = run.numbers.read()
    speeds = [line[SPEED] for line in lines[1:] if SPEED in line]
    return next(line[TAG] for line in reversed(lines) if TAG in line), statistics.median(speeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("words", nargs="*", default=["dataset=digits"], help="of the run, as gantrain takes them")
    asked = parser.parse_args()
    words = [*asked.words, f"trainer.steps={asked.steps}"]
    print("| seed | FID, own fakes | FID, made once | images/s | images/s, made once |\n|---|---|---|---|---|")
    found: dict[bool, list[float]] = {False: [], True: []}
    for seed in asked.seeds:
        speeds = {}
        for reuse in (False, True) if seed % 2 == 0 else (True, False):
            figure, speeds[reuse] = played(words, seed, reuse)
            found[reuse].append(figure)
        pair = f"{found[False][-1]:.3f} | {found[True][-1]:.3f} | {speeds[False]:,.0f} | {speeds[True]:,.0f}"
        print(f"| {seed} | {pair} |", flush=True)
    means = [f"{statistics.mean(found[reuse]):.3f} ± {statistics.stdev(found[reuse]):.3f}" for reuse in (False, True)]
    print(f"| mean | {means[0]} | {means[1]} | | |" if len(asked.seeds) > 1 else "")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
