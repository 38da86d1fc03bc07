"""What a sweep takes beyond its jobs: seconds of processors per job of a sweep of trivial ones, and where they go.

    python scripts/sweep_overhead.py            # 20 jobs of 1 step on ring8
    python scripts/sweep_overhead.py 6 60       # six of 60 steps

The job itself is what one run of the same words takes in a process that has trained one before: drawing its pictures,
training, measuring, saving and reporting. What a sweep adds is the rest: composing and checking configs, and its own
table and report. The time until the first run trains, most of it for loading PyTorch, is counted by itself.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

STARTED = time.process_time()

from gantrain.cli import main  # noqa: E402

WORDS = ["dataset=ring8", "metrics=modes"]
PARTS = {
    "composing configs": ("gantrain.config.trust", "Loader", "load_configuration"),
    "completing configs": ("gantrain.commands.budgeting", None, "complete"),
    "pictures": ("gantrain.report.plots", "Plot", "render"),
    "training": ("gantrain.training.rounds", "Rounds", "play"),
    "reports of runs": ("gantrain.commands.report", None, "write_run_report"),
    "report of the sweep": ("gantrain.commands.report", None, "write_sweep_report"),
    "evaluation": ("gantrain.commands.train", None, "evaluate"),
    "checkpoints": ("gantrain.runs.checkpoints", "CheckpointFiles", "save"),
}


@contextlib.contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Within, the processors' seconds in each of `PARTS` add up, those of the outermost call."""
    import importlib

    inside: list[str] = []
    held = []

    def wrapped(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            if inside:
                return function(*args, **options)
            inside.append(name)
            began = time.process_time()
            try:
                return function(*args, **options)
            finally:
                inside.pop()
                spent[name] = spent.get(name, 0.0) + time.process_time() - began

        return call

    for name, (module, owner, attribute) in PARTS.items():
        place = importlib.import_module(module)
        place = getattr(place, owner) if owner else place
        held.append((place, attribute, getattr(place, attribute)))
        setattr(place, attribute, wrapped(name, getattr(place, attribute)))
    try:
        yield
    finally:
        for place, attribute, function in held:
            setattr(place, attribute, function)


def run(*words: str) -> float:
    """The processors' seconds that a command takes in this process."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        code = main([*words, f"outputs_dir={Path(folder) / 'outputs'}"])
    if code:
        raise SystemExit(f"gantrain {' '.join(words)} ended with {code}")
    return time.process_time() - began


def report(jobs: int, steps: int) -> None:
    words = [*WORDS, f"trainer.steps={steps}"]
    first = run(*words)
    start = time.process_time() - STARTED
    alone = min(run(*words, f"seed={k}") for k in range(3))
    spent: dict[str, float] = {}
    with timed(spent):
        whole = run("-m", *words, f"seed=range({jobs})")
    print(f"start until the first run is over: {start:.1f} s of processors, of it the run about {alone:.2f} s")
    print(f"a run by itself, in a process that has had one: {alone:.2f} s (the first {first:.2f} s)")
    print(f"a sweep of {jobs} such runs: {whole:.1f} s, {whole / jobs:.2f} s each; beyond the run itself")
    print(f"{whole / jobs - alone:+.2f} s each")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {name:<22} {seconds / jobs:6.3f} s each")
    print(f"  {'everything else':<22} {(whole - sum(spent.values())) / jobs:6.3f} s each")


if __name__ == "__main__":
    report(*(int(word) for word in (sys.argv[1:] or ["20", "1"])))
