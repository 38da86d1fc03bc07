"""What a finding tells a user to type builds a game."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import config
from omegaconf import OmegaConf

from gantrain.commands.assembly import build_game
from gantrain.config import prepare
from gantrain.health import Facts, Health, facts_of

sys.path.insert(0, str(Path(__file__).parent.parent / "health"))
from series import lines
from test_detectors import SICK

RECIPES = {
    "digits": ["dataset=digits"],
    "ring8": ["dataset=ring8", "loss=nonsaturating", "optimizer=adam"],
    "cgan": ["experiment=cgan_digits"],
    "wgan_gp": ["dataset=digits", "model=dcgan", "loss=wgan_gp", "tricks=[ema,packing]"],
}


@cache
def facts(recipe: str) -> Facts:
    plain = OmegaConf.to_container(config(*RECIPES[recipe]), resolve=True)
    assert isinstance(plain, dict)
    return facts_of(plain)


def options(advice: str) -> Iterator[str]:
    """The overrides in an advice, without placeholders and words of other commands."""
    for word in re.sub(r"gantrain (\w+ )?\w+=[^;]*", "", advice).split():
        if re.match(r"'?[a-z][\w.]*=[^…]+$", word):
            yield word.strip("'")


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_advice_can_be_typed(recipe: str) -> None:
    typed = set()
    for name, (logged, looked, _, _) in SICK.items():
        if name == "spectrum_off" and not facts(recipe).pictures:
            continue
        health = Health(facts(recipe))
        health.replay(lines(logged, looked, steps=4000))
        typed |= {option for found in health.findings for option in options(found.advice)}
    assert len(typed) > 5
    for option in sorted(typed):
        build_game(config(*map(prepare, [*RECIPES[recipe], option])))
