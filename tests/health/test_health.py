"""What is found is found once, holds as long as it shows, and follows from the lines alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from series import PICTURES, WELL, health_of, lines

from gantrain.health import Detector, Finding, Health

COLLAPSED = {"health/diversity": 0.01}


def test_a_finding_is_told_once() -> None:
    health = Health(PICTURES)
    told = [found.name for line in lines(COLLAPSED) for found in health.see(int(line["step"]), line)]
    assert told == ["collapse"]
    assert [found.name for found in health.findings] == ["collapse"]


def test_it_keeps_its_step_and_tells_the_latest_evidence() -> None:
    health = health_of(lines(COLLAPSED))
    first = health.findings[0].step
    health.see(1050, {**WELL, "health/diversity": 0.02})
    assert (health.findings[0].step, first) == (first, health_of(lines(COLLAPSED)).findings[0].step)
    assert "2 %" in health.findings[0].evidence


def test_what_passes_holds_no_more_but_is_remembered() -> None:
    health = health_of([*lines(COLLAPSED, steps=500), *({**line, "step": line["step"] + 500} for line in lines())])
    assert [found.name for found in health.findings] == ["collapse"]
    assert health.holding == []


def test_one_good_line_is_no_recovery() -> None:
    health = health_of(lines(COLLAPSED, steps=500))
    health.see(550, WELL)
    assert [found.name for found in health.holding] == ["collapse"]


def test_a_run_that_goes_on_finds_the_same() -> None:
    whole = lines({"accuracy/discriminator": 1.0, "health/update/generator": 0.0}, {"health/energy_distance": 0.4})
    straight = health_of(whole)
    for cut in range(len(whole)):
        resumed = health_of(whole[:cut])
        for line in whole[cut:]:
            resumed.see(int(line["step"]), {tag: value for tag, value in line.items() if tag != "step"})
        assert resumed.findings == straight.findings
        assert resumed.holding == straight.holding
        assert resumed.verdict({}) == straight.verdict({})


def test_null_in_a_line_is_no_finite_number() -> None:
    (found,) = health_of([{"step": 50, "loss/generator/total": None, "note": "words"}]).findings  # type: ignore[dict-item]
    assert found.name == "not_finite"


def test_causes_come_before_what_follows_from_them() -> None:
    sick = {**COLLAPSED, "health/dead_units/generator": 1.0, "accuracy/discriminator": 1.0}
    health = health_of(lines(sick, {"health/energy_distance": 0.5, "health/missing_classes": 9}))
    assert [found.name for found in health.holding] == [
        "dead_units", "discriminator_wins", "collapse", "mode_dropping"
    ]  # fmt: skip


class TooLong(Detector):
    """A user's own."""

    def see(self, step: int, numbers: Mapping[str, float]) -> Finding | None:
        if step < 100:
            return None
        return Finding("too_long", step, "it takes long", f"{step} steps", "trainer.steps=50")


def test_detectors_of_ones_own_join() -> None:
    health = Health(PICTURES, [TooLong()])
    assert [found.step for step in (50, 100, 150) for found in health.see(step, {})] == [100]
    assert health.verdict({}).sentence == "doubtful: it takes long"


def test_what_was_found_elsewhere_is_taken_up_once() -> None:
    health = health_of(lines())
    found = Finding("not_finite", 7, "numbers have left the range of floats", "a weight", "a lower rate", "failure")
    assert health.add(found)
    assert not health.add(found)
    assert health.verdict({}).state == "failing"


def test_who_finds_it_elsewhere_knows_more() -> None:
    health = health_of([{"step": 50, "loss/generator/total": math.nan}])
    advice = health.findings[0].advice
    assert not health.add(Finding("not_finite", 51, "out of range", "step 51", "init_from=…", "failure"))
    assert (health.findings[0].step, health.verdict({}).advice) == (50, "init_from=…") != (50, advice)


def test_a_number_that_is_nan_is_no_alarm_but_of_losses() -> None:
    assert not health_of(lines({"health/diversity": math.nan, "accuracy/discriminator": math.nan})).findings
