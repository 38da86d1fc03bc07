"""How many small faults, put into the code one at a time, make a quick test fail.

    pip install cosmic-ray pytest-cov
    python scripts/mutation_rate.py training games data report --sample 40

Cosmic Ray makes the faults (a sign, a bound, a number, a condition turned round …), `--sample` of each room, drawn by
`--seed`. The quick tests are run once to learn which of them reach which line; a fault then meets those that reach its
line (its file, where the line is read before any test begins), the room's own first and quick ones before slow ones, up
to `--seconds` of them. What they do not see survives, as does a fault in a line that no test reaches. Type annotations
are left alone. Survivors are listed, and the rates come last.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import itertools
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

REPOSITORY = Path(__file__).parent.parent
BINARY = "Add_Sub Sub_Add Mul_Div Div_Mul Pow_Mul FloorDiv_Mul Mod_Mul"
COMPARISON = "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is"
OTHER = (
    "ReplaceUnaryOperator_Delete_USub ReplaceUnaryOperator_Delete_Not AddNot ReplaceTrueWithFalse ReplaceFalseWithTrue "
    "ReplaceAndWithOr ReplaceOrWithAnd ReplaceBreakWithContinue ReplaceContinueWithBreak NumberReplacer "
    "ZeroIterationForLoop"
)
OPERATORS = [
    *(f"core/ReplaceBinaryOperator_{name}" for name in BINARY.split()),
    *(f"core/ReplaceComparisonOperator_{name}" for name in COMPARISON.split()),
    *(f"core/{name}" for name in OTHER.split()),
]


@dataclass(frozen=True)
class Mutant:
    """One fault: the `occurrence`-th place in a file where an operator applies."""

    file: str
    line: int
    operator: str
    occurrence: int

    @property
    def room(self) -> str:
        return Path(self.file).parts[1]

    def __str__(self) -> str:
        text = (REPOSITORY / self.file).read_text().splitlines()[self.line - 1].strip()
        return f"{self.file}:{self.line} {self.operator.removeprefix('core/')} #{self.occurrence}: {text}"


def annotated(source: str) -> set[tuple[int, int]]:
    """The (line, column) of everything inside type annotations."""
    places: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(source)):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for inner in ast.walk(part) if isinstance(part, ast.AST) else ():
                if hasattr(inner, "lineno"):
                    last = (inner.end_lineno, inner.end_col_offset)
                    places |= {
                        (inner.lineno, c) for c in range(inner.col_offset, last[1] if inner.lineno == last[0] else 200)
                    }
    return places


def mutants_of(room: str) -> Iterator[Mutant]:
    """Every fault of a room."""
    for file in sorted((REPOSITORY / "gantrain" / room).glob("*.py")):
        skipped = annotated(file.read_text())
        tree = get_ast(file.read_text())
        for name in OPERATORS:
            operator = get_operator(name)()
            places = [place for node in _walk(tree) for place in operator.mutation_positions(node)]
            for occurrence, (start, _) in enumerate(places):
                if start not in skipped:
                    yield Mutant(str(file.relative_to(REPOSITORY)), start[0], name, occurrence)


def _walk(node: object) -> Iterator[object]:
    yield node
    for child in getattr(node, "children", ()):
        yield from _walk(child)


def learn(folder: Path) -> tuple[coverage.CoverageData, dict[str, float]]:
    """Which tests reach which line, and the seconds of each."""
    report = folder / "durations.txt"
    if not report.is_file():
        words = [
            "-q",
            "-p",
            "no:cacheprovider",
            "--cov=gantrain",
            "--cov-context=test",
            "--cov-report=",
            "--durations=0",
        ]
        env = {**os.environ, "COVERAGE_FILE": str(folder / ".coverage"), "PYTHONPATH": str(REPOSITORY)}
        with report.with_suffix(".part").open("w") as stream:
            subprocess.run([sys.executable, "-m", "pytest", *words], cwd=REPOSITORY, env=env, stdout=stream, check=True)
        report.with_suffix(".part").rename(report)
    seconds: dict[str, float] = {}
    for line in report.read_text().splitlines():
        if found := re.match(r"([\d.]+)s (?:setup|call|teardown)\s+(tests/.*)", line):
            seconds[found[2].strip()] = seconds.get(found[2].strip(), 0.0) + float(found[1])
    data = coverage.CoverageData(str(folder / ".coverage"))
    data.read()
    return data, seconds


class Tests:
    """The tests that reach a line."""

    def __init__(self, data: coverage.CoverageData, seconds: dict[str, float], limit: float) -> None:
        self._data, self._seconds, self._limit = data, seconds, limit
        self._files = {
            str(Path(file).relative_to(REPOSITORY)): file
            for file in data.measured_files()
            if Path(file).is_relative_to(REPOSITORY)
        }

    def of(self, mutant: Mutant) -> list[str]:
        """Those that reach the fault's line, up to the limit of seconds."""
        lines = self._data.contexts_by_lineno(self._files.get(mutant.file, ""))
        names = _tests(lines.get(mutant.line, []))
        if not names and mutant.line in lines:  # a default or a constant, which is read before any test begins
            names = {name for contexts in lines.values() for name in _tests(contexts)}
        chosen, total = [], 0.0
        for name in sorted(names, key=lambda n: (f"tests/{mutant.room}/" not in n, self._seconds.get(n, 0.0), n)):
            total += self._seconds.get(name, 0.0) + 0.01
            if chosen and total > self._limit:
                break
            chosen.append(name)
        return chosen


def _tests(contexts: list[str]) -> set[str]:
    return {context.partition("|")[0] for context in contexts if context}


def mutated(mutant: Mutant) -> str | None:
    """The file's text with the fault in it; None where that is no Python."""
    text = mutate_code((REPOSITORY / mutant.file).read_text(), get_operator(mutant.operator)(), mutant.occurrence)
    with contextlib.suppress(SyntaxError):
        compile(text, mutant.file, "exec")
        return text
    return None


def survives(mutant: Mutant, tests: list[str], copy: Path, patience: float) -> bool:
    """Puts the fault into a copy of the tree and runs the tests there, in a fork that has the libraries loaded."""
    if not tests:
        return True
    file = copy / mutant.file
    file.write_text(mutated(mutant) or "")
    process = multiprocessing.get_context("fork").Process(target=_run, args=(copy, tests))
    try:
        process.start()
        process.join(patience)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode == 0
    finally:
        shutil.copyfile(REPOSITORY / mutant.file, file)


def _run(copy: Path, tests: list[str]) -> None:
    import pytest

    os.chdir(copy)
    os.setsid()
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:cov", *tests])
    os._exit(int(code))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="+", help="folders of gantrain/")
    parser.add_argument("--sample", type=int, default=40, help="faults of each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=40, help="of tests that a fault meets")
    parser.add_argument("--learnt", type=Path, help="a folder that keeps what the tests reach, for the next time")
    asked = parser.parse_args()
    sys.dont_write_bytecode = True
    os.environ["OMP_NUM_THREADS"] = "1"
    for module in ("matplotlib.pyplot", "sklearn.svm", "torch.utils.tensorboard", "torchvision"):
        importlib.import_module(module)  # so that no fork needs to
    with tempfile.TemporaryDirectory() as place:
        folder = asked.learnt or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        tests = Tests(*learn(folder), asked.seconds)
        copy = Path(place) / "copy"
        ignored = shutil.ignore_patterns(".git", "outputs", "__pycache__", "data.part")
        shutil.copytree(REPOSITORY, copy, ignore=ignored)
        rates = []
        for room in asked.rooms:
            every = list(mutants_of(room))
            shuffled = random.Random(asked.seed).sample(every, len(every))
            sample = list(itertools.islice((m for m in shuffled if mutated(m)), asked.sample))
            survivors = []
            for mutant in sample:
                if survives(mutant, tests.of(mutant), copy, 60 + 5 * asked.seconds):
                    survivors.append(mutant)
                    print(f"survives: {mutant}", flush=True)
            killed = len(sample) - len(survivors)
            rates.append(
                f"{room}: {killed} of {len(sample)} killed, {100 * killed / len(sample):.0f} % (of {len(every)})"
            )
            print(rates[-1], flush=True)
    print("\n" + "\n".join(rates))


if __name__ == "__main__":
    main()
