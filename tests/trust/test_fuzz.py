"""Some of scripts/fuzz.py: damaged and odd input ends in a result or one sentence, and stays in its sandbox."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st

from gantrain.errors import UserError

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))
import fuzz
import fuzzed_overrides

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
FEW = {"overrides": 15, "checkpoints": 40, "idx": 300, "pickles": 200, "pictures": 200}


@pytest.mark.parametrize("name", FEW)
def test_few_cases_end_well(name: str) -> None:
    counts = fuzz.fuzz(name, FEW[name], 0)
    assert counts["refused"] > FEW[name] // 10, "many are no good"


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_many_cases_end_well(name: str) -> None:
    fuzz.fuzz(name, 2000, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_the_whole_command_ends_well(name: str) -> None:
    fuzz.fuzz(name, 5, 1, fuzz.command)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "count"), [(1, 3000)])
def test_any_bad_value_is_one_sentence_that_names_its_setting(seed: int, count: int) -> None:
    dice = random.Random(seed)
    for _ in range(count):
        choice, word = fuzzed_overrides.case(dice)
        verdict, said = fuzzed_overrides.outcome(choice, word)
        assert verdict in ("ok", "refused"), f"{choice} {word}: {said}"


@pytest.mark.slow
def test_the_choices_that_are_fuzzed_can_be_run() -> None:
    choices = fuzzed_overrides.CHOICES
    assert {choice: fuzzed_overrides.outcome(choice, "seed=1") for choice in choices} == dict.fromkeys(
        choices, ("ok", "")
    )


def test_a_finding_is_found(tmp_path: Path) -> None:
    """What writes elsewhere, starts a program, says several lines or fails with more than a sentence."""

    def elsewhere(case: int, folder: Path) -> None:
        (tmp_path / "out").write_text("x")

    def program(case: int, folder: Path) -> None:
        import subprocess

        subprocess.run(["true"], check=True)

    def lines(case: int, folder: Path) -> None:
        raise UserError("two\nlines")

    def raw(case: int, folder: Path) -> None:
        raise KeyError(case)

    def inside(case: int, folder: Path) -> None:
        (folder / "x").write_text("x")

    for bad in (elsewhere, program, lines, raw):
        with pytest.raises((AssertionError, KeyError)):
            fuzz.attempt(fuzz.Kind(st.integers(), bad, lambda case, folder: []), 1, Counter())
    fuzz.attempt(fuzz.Kind(st.integers(), inside, lambda case, folder: []), 1, Counter())
