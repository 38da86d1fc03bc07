"""A budget is a time, and decides a run's length where nothing else does."""

from __future__ import annotations

import pytest

from gantrain.config import left_to_budget, minutes_of, names_recipe
from gantrain.errors import UserError


@pytest.mark.parametrize(("budget", "minutes"), [("5m", 5), ("30 m", 30), ("1.5h", 90), ("1d", 1440), ("90s", 1.5)])
def test_times(budget: str, minutes: float) -> None:
    assert minutes_of(budget) == pytest.approx(minutes)


@pytest.mark.parametrize("budget", ["30", "m", "-5m", "0m", "5 minutes", "soon", "", "1h30m", "infm"])
def test_no_time(budget: str) -> None:
    with pytest.raises(UserError, match=r"says no time: give a number with its unit.*budget=30m"):
        minutes_of(budget)


@pytest.mark.parametrize("length", ["trainer.steps", "trainer.minutes"])
def test_a_length_beside_a_budget_is_refused_and_beside_auto_counts(length: str) -> None:
    with pytest.raises(UserError, match=f"leave out {length}, or leave out budget"):
        left_to_budget("5m", {"dataset", length})
    assert left_to_budget("auto", {"dataset", length}) is None


@pytest.mark.parametrize("named", ["experiment", "trainer", "debug", "debug.overfit"])
def test_who_names_a_recipe_s_length_has_no_automatic_budget(named: str) -> None:
    assert left_to_budget("auto", {named}) is None
    assert left_to_budget("5m", {named}) == "5m"


def test_no_budget_and_an_automatic_one() -> None:
    assert left_to_budget(None, {"trainer.steps"}) is None
    assert left_to_budget("auto", {"dataset", "model", "seed", "trainer.batch_size"}) == "auto"


@pytest.mark.parametrize("named", ["model", "loss", "tricks", "networks@model", "optimizer", "experiment"])
def test_choosing_a_part_is_choosing_the_recipe(named: str) -> None:
    assert names_recipe({"dataset", named})


@pytest.mark.parametrize("named", ["dataset", "seed", "dataset.image_size", "trainer.batch_size"])
def test_a_setting_of_data_or_trainer_is_no_recipe(named: str) -> None:
    assert not names_recipe({named})
