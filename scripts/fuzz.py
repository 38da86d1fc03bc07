"""Throws damaged and odd input at gantrain, and says which ends in anything but a result or one sentence.

    python scripts/fuzz.py [overrides checkpoints idx pickles pictures] [--cases 10000] [--commands 20] [--seed 0]

A finding is an error that is no sentence, more than 10 s of processor time, or a file, folder, program or connection
outside the sandbox. Cases are made by hypothesis, and what it finds is made as small as it can. Those of --cases are
tried in this process as far as a run gets before it trains; those of --commands by the whole command, each in a
process of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzzed_files as files
import fuzzed_overrides as overrides
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gantrain.cli import main as gantrain
from gantrain.errors import UserError

SECONDS = 10
"""Of processor time, which one case may take."""
MEMORY = 8 * 2**30
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
TOUCHES = ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink", "os.link", "os.chmod", "os.truncate")
STARTS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")
RAW = re.compile(r"^gantrain: \w*(Error|Exception|Exit|Interrupt)\b.*: |^Traceback ", re.MULTILINE)
"""How an error is told that is no sentence."""


@dataclass(frozen=True)
class Kind:
    """One kind of input: its cases, what is done with one here, and the command that meets it with its files."""

    cases: st.SearchStrategy[Any]
    attempt: Callable[[Any, Path], object]
    command: Callable[[Any, Path], list[str]]


def _try_override(case: tuple[str, str], folder: Path) -> None:
    verdict, said = overrides.outcome(*case)
    assert verdict in ("ok", "refused"), f"{verdict}: {said}"
    if verdict == "refused":
        raise UserError(said)


def _lone(content: bytes, folder: Path) -> list[str]:
    (folder / "lone.pt").write_bytes(content)
    return random.Random(content).choice([["run=lone.pt", "trainer.steps=3"], ["sample", "run=lone.pt", "n=4"]])


def _mnist(content: bytes, folder: Path) -> list[str]:
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte{random.Random(content).choice(['', '.gz'])}").write_bytes(content)
    return ["dataset=mnist", "data_dir=data", *SHORT]


def _cifar(content: bytes, folder: Path) -> list[str]:
    home = folder / "data" / "cifar-10-batches-py"
    home.mkdir(parents=True)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"):
        (home / name).write_bytes(content)
    return ["dataset=cifar10", "data_dir=data", *SHORT]


def _images(case: tuple[str, bytes], folder: Path) -> list[str]:
    (folder / "set" / "\x1b[31m").mkdir(parents=True)
    for number, content in enumerate([case[1], *files.drawn().values()]):
        ending = case[0] if number == 0 else sorted(files.FORMATS.items())[number - 1][1]
        (folder / "set" / "\x1b[31m" / f"{number}.{ending}").write_bytes(content)
    return ["data", "dataset.path=set", "out=page.png"]


SHORT = ["trainer.steps=1", "trainer.batch_size=2", "trainer.device=cpu", "metrics.use=[]"]
KINDS = {
    "overrides": Kind(
        st.randoms(use_true_random=False).map(overrides.case),
        _try_override,
        lambda case, folder: [*case[0].split(), case[1], *SHORT[1:], "debug.dry=true"],
    ),
    "checkpoints": Kind(files.checkpoints(), files.try_checkpoint, _lone),
    "idx": Kind(files.idx_files(), files.try_idx, _mnist),
    "pickles": Kind(files.pickles(), files.try_pickle, _cifar),
    "pictures": Kind(files.pictures(), files.try_picture, _images),
}

_sandbox: list[Path] = []
_outside: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Notes what is written, begun or connected to outside the sandbox while there is one."""
    if not _sandbox:
        return
    if event in STARTS:
        _outside.append(f"{event} {arguments[0]!r}")
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
    if (not writes and event not in TOUCHES) or isinstance(arguments[0], int):
        return
    place = Path(os.path.abspath(os.fsdecode(arguments[0])))
    if place != Path(os.devnull) and not place.is_relative_to(_sandbox[0]):
        _outside.append(f"{event} {place}")


sys.addaudithook(_watch)


@contextmanager
def sandbox() -> Iterator[Path]:
    """An empty folder, outside which nothing may be touched.

    Raises:
        AssertionError: something was, or it took too long.
    """
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home).resolve()
        _outside.clear()
        _sandbox[:] = [folder]
        began = time.process_time()
        try:
            yield folder
        finally:
            _sandbox.clear()
        assert not _outside, f"outside the sandbox: {_outside}"
        assert time.process_time() - began < SECONDS, f"it took more than {SECONDS} s"


def attempt(kind: Kind, case: Any, counts: Counter[str]) -> None:
    """Tries a case in this process.

    Raises:
        Exception: a finding.
    """
    said = ""
    with sandbox() as folder:
        try:
            kind.attempt(case, folder)
            counts["ok"] += 1
        except UserError as error:
            said = str(error)
            counts["refused"] += 1
    assert "\n" not in said, f"several lines: {said}"


def command(kind: Kind, case: Any, counts: Counter[str]) -> None:
    """Tries a case by the whole command, in a process and a folder of its own.

    Raises:
        AssertionError: a finding.
    """
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home).resolve()
        words = kind.command(case, folder)
        child = os.fork()
        if child == 0:
            os._exit(_in_a_child(words, folder))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = (folder / "said").read_text(errors="replace")
        assert code in (0, 2), f"exit code {code}: {said[-2000:]}"
        assert not RAW.search(said), said[-2000:]
        assert "\x1b" not in said, f"escape codes: {said!r}"
        counts["ok" if code == 0 else "refused"] += 1


def _in_a_child(words: list[str], folder: Path) -> int:
    os.chdir(folder)
    output = os.open("said", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(GANTRAIN_CACHE=str(folder / "cache"), HOME=str(folder), TMPDIR=str(folder))
    tempfile.tempdir = None
    used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS, used + SECONDS))
    _sandbox[:] = [folder]
    code = gantrain(words)
    sys.stdout.flush()
    return 99 if _outside and print(f"outside the sandbox: {_outside}", flush=True) is None else code


def fuzz(name: str, count: int, number: int, how: Callable[[Kind, Any, Counter[str]], None] = attempt) -> Counter[str]:
    """Tries so many cases of a kind, and returns how many gave a result and how many were refused in a sentence.

    Raises:
        Exception: the first finding, made as small as it can be.
    """
    kind, counts = KINDS[name], Counter[str]()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(case=kind.cases)
    def tried(case: Any) -> None:
        how(kind, case, counts)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried()
    return counts


def _finding(error: BaseException) -> str:
    """What went wrong, where, and the smallest case of it."""
    trace = traceback.extract_tb(error.__traceback__)
    place = next((f"{line.filename}:{line.lineno}" for line in reversed(trace) if "/gantrain/" in line.filename), "")
    notes = " ".join(getattr(error, "__notes__", []))
    return f"finding: {type(error).__name__}: {str(error)[:2000]} at {place}\n{notes[:2000]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="kind", help=f"some of {', '.join(KINDS)}; all by default")
    parser.add_argument("--cases", type=int, default=10_000, help="of each kind, in this process")
    parser.add_argument("--commands", type=int, default=100, help="of each kind, by the whole command")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # what asks for more must say so, not be killed
    files.honest()
    found = 0
    for name in asked.kinds or KINDS:
        for how, count in ((attempt, asked.cases), (command, asked.commands)):
            if not count:
                continue
            began = time.monotonic()
            try:
                counts = fuzz(name, count, asked.seed, how)
                told = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(counts.items()))
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                told = "\n".join(map(_finding, findings := getattr(error, "exceptions", [error])))
                found += len(findings)
            where = "in process" if how is attempt else "by command"
            print(f"{name} {where}, {count:,} asked, {time.monotonic() - began:.0f} s: {told}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
