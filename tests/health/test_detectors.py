"""Each detector finds its sickness in the numbers of a run, names evidence and an option, and leaves others alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from series import LOOKED, PICTURES, WELL, found_in, health_of, lines

from gantrain.health import Facts

NUMBERS = replace(PICTURES, shape=(2,), modes=8, classes=8)
LABELLED = replace(PICTURES, conditional=True)
FAR = {"health/energy_distance": 0.4}
SICK: dict[str, tuple[dict[str, float], dict[str, float], Facts, str]] = {
    "not_finite": ({"loss/generator/adversarial": math.nan}, {}, PICTURES, "loss/generator/adversarial"),
    "constant_data": ({"health/real_spread": 0.0}, {}, PICTURES, "standard deviation is 0"),
    "no_updates": ({"health/update/generator": 0.0}, {}, PICTURES, "generator"),
    "dead_units": ({"health/dead_units/generator": 1.0}, {}, PICTURES, "100 %"),
    "discriminator_flat": ({"health/logit_spread/discriminator": 2e-4}, {}, PICTURES, "0.0002"),
    "one_class": ({"health/largest_class": 1.0}, {}, PICTURES, "64 labels"),
    "labels_say_nothing": ({}, {"health/label_excess": 1.0}, LABELLED, "chance"),
    "runs_away": ({"health/update/generator": 0.8}, {}, PICTURES, "80 %"),
    "penalty_dwarfs": (
        {"loss/discriminator/r1": 900.0},
        {},
        replace(PICTURES, penalties={"r1": 4}, weights={"r1": 100.0}),
        "225",
    ),
    "discriminator_fooled": ({"accuracy/discriminator": 0.5}, FAR, PICTURES, "50 %"),
    "discriminator_wins": ({"accuracy/discriminator": 1.0}, FAR, PICTURES, "0.4"),
    "average_far": ({"health/average_distance/generator": 0.9}, {}, PICTURES, "90 %"),
    "collapse": ({"health/diversity": 0.02}, {}, PICTURES, "2 %"),
    "mode_dropping": ({}, {"health/missing_classes": 2}, PICTURES, "2 of 10 classes"),
    "few_samples": ({}, {"health/training_samples": 20}, PICTURES, "20 pictures"),
    "memorised": ({}, {"health/copied": 0.4}, PICTURES, "40 %"),
    "discriminator_memorises": ({"accuracy/discriminator": 0.9}, {"health/overfitting": 1.3}, PICTURES, "130 %"),
    "spectrum_off": ({}, {"health/spectrum": 14.0}, PICTURES, "14 dB"),
}


@pytest.mark.parametrize("name", SICK)
def test_a_sickness_is_found_and_no_other(name: str) -> None:
    logged, looked, facts, evidence = SICK[name]
    found = found_in(lines(logged, looked), facts)
    assert set(found) == {name}
    assert evidence in found[name].evidence
    assert "=" in found[name].advice, "one thing to try, with the option to type"
    assert "  " not in found[name].advice


def test_a_healthy_run_is_left_alone() -> None:
    assert not found_in(lines())
    assert not found_in(lines(), LABELLED)
    assert not found_in([])
    assert not found_in([{"step": 50}, {"step": 100, "mine": 3.0}])


def test_few_pictures_that_are_augmented_already_should_be_more() -> None:
    few = lines({}, {"health/training_samples": 20})
    assert "tricks=[ema,diffaugment]" in found_in(few)["few_samples"].advice
    for trick in ("diffaugment", "ada"):
        advice = found_in(few, replace(PICTURES, tricks=("ema", trick)))["few_samples"].advice
        assert "add pictures" in advice
        assert "tricks=" not in advice


EDGES: list[tuple[dict[str, Any], dict[str, float], Facts]] = [
    ({"accuracy/discriminator": 1.0}, {}, PICTURES),  # D is sure, and samples are near: dcgan on small pictures
    ({"accuracy/discriminator": 1.0}, FAR, replace(PICTURES, kind="critic", loss="Wasserstein")),
    ({"accuracy/discriminator": 0.5}, {}, PICTURES),  # the equilibrium
    ({"health/update/generator": 0.0, "lr/generator": 1e-9}, {}, PICTURES),
    ({"logits/discriminator/real": 500.0}, {}, replace(PICTURES, kind="relativistic")),  # only differences count
    ({"health/largest_class": 1.0}, {}, replace(PICTURES, classes=1)),
    ({}, {"health/label_excess": 0.0}, PICTURES),  # nobody uses the labels
    ({}, {"health/overfitting": 4.0}, PICTURES),  # noise, for D tells nothing apart
    ({}, {"health/missing": 0.8}, PICTURES),  # pictures of a small network
    ({"health/diversity": 0.5}, {}, PICTURES),
    ({"loss/discriminator/r1": 900.0}, {}, PICTURES),  # no penalty, but a term of somebody's trick
]


@pytest.mark.parametrize("number", range(len(EDGES)))
def test_what_only_looks_like_a_sickness(number: int) -> None:
    logged, looked, facts = EDGES[number]
    if "lr/generator" in logged:  # the last lines of a cosine
        seen = lines(steps=700) + [{**line, "step": line["step"] + 700} for line in lines(logged, steps=300)]
    else:
        seen = lines(logged, looked)
    assert not found_in(seen, facts)


def test_a_generator_on_its_way_has_not_collapsed() -> None:
    rising = [{"step": 50 * k, **WELL, "health/diversity": 0.05 * k} for k in range(1, 21)]
    assert not found_in(rising)
    still = [{"step": 50 * k, **WELL, "health/diversity": 0.3} for k in range(1, 21)]
    assert set(found_in(still)) == {"collapse"}


def test_what_becomes_less_is_on_its_way() -> None:
    counts = [5, 4, 4, 3, 3, 2, 2, 1, 1, 0]
    looks = [{"step": 100 * (k + 1), **LOOKED, "health/missing_classes": count} for k, count in enumerate(counts)]
    assert set(found_in(looks[:1])) == set()
    falling = [{"step": 100 * (k + 1), **LOOKED, "health/energy_distance": 0.8 * 0.6**k} for k in range(10)]
    sure = [{"step": 50 * k, **WELL, "accuracy/discriminator": 1.0} for k in range(1, 21)]
    assert not found_in(sorted([*falling, *sure], key=lambda line: line["step"]))


def test_a_spectrum_on_its_way_is_not_off() -> None:
    falling = [{"step": 100 * (k + 1), **LOOKED, "health/spectrum": 20.0 * 0.85**k} for k in range(10)]
    assert not found_in(falling)


def test_modes_are_counted_by_the_metric_where_there_is_one() -> None:
    missing = [*lines(), {"step": 1000, "metrics/modes": 5}]
    assert "5 of 8 modes" in found_in(missing, NUMBERS)["mode_dropping"].evidence
    assert not found_in([*lines(), {"step": 1000, "metrics/modes": 8}, {"step": 1000, "health/missing": 1.0}], NUMBERS)
    copies = found_in([*lines(), {"step": 1000, "metrics/memorised_classifier": 0.3}])
    assert "30 %" in copies["memorised"].evidence


def test_modes_that_are_on_their_way_are_not_missing() -> None:
    """They count once they are missing in two evaluations, or in the last one."""
    early = [*lines(), {"step": 400, "metrics/modes": 7}]
    assert not found_in(early, NUMBERS)
    assert not found_in([*early, {"step": 500, "metrics/modes": 8}], NUMBERS)
    assert "7 of 8" in found_in([*early, {"step": 500, "metrics/modes": 7}], NUMBERS)["mode_dropping"].evidence


def test_swings_of_accuracy_are_an_oscillation() -> None:
    swinging = [{"step": 50 * k, **WELL, "accuracy/discriminator": 0.95 if k // 3 % 2 else 0.3} for k in range(1, 41)]
    long = replace(PICTURES, steps=2000)
    found = found_in(swinging, long)
    assert set(found) == {"oscillates"}
    assert "30 %" in found["oscillates"].evidence
    calm = [{"step": 50 * k, **WELL, "accuracy/discriminator": 0.9 if k % 2 else 0.6} for k in range(1, 41)]
    assert not found_in(calm, long)


def test_players_of_a_kind_are_each_watched() -> None:
    several = {"health/dead_units/discriminator_2": 1.0, "health/update/generator_1": 0.9}
    found = found_in(lines(several))
    assert "discriminator_2" in found["dead_units"].evidence
    assert "optimizer.generator.lr=2e-05" in found["runs_away"].advice, "the rate that they share"


def test_weights_that_grow_manifold_run_away() -> None:
    start = {"step": 0, "health/weights/generator": 0.05}
    found = found_in([start, *lines({"health/weights/generator": 0.6})])
    assert "from 0.05 to 0.6" in found["runs_away"].evidence
    assert not found_in([start, *lines({"health/weights/generator": 0.25})]), "still small"
    assert not found_in([{**start, "health/weights/generator": 0.45}, *lines({"health/weights/generator": 0.7})])


@pytest.mark.parametrize(("tag", "value"), [("logits/discriminator/real", 90.0), ("health/weights/generator", 5.0)])
def test_what_grows_without_end_runs_away(tag: str, value: float) -> None:
    assert set(found_in(lines({tag: value}))) == {"runs_away"}


def test_labels_that_pixels_do_not_show_are_a_hint_that_changes_no_verdict() -> None:
    seen = [*lines({}, {"health/label_excess": 0.8}), {"step": 1000, "metrics/precision_pixels": 0.9}]
    health = health_of(seen, LABELLED)
    assert [(found.name, found.severity) for found in health.findings] == [("labels_say_nothing", "hint")]
    assert "either labels were shuffled, or pixels do not show them" in health.findings[0].evidence
    assert health.holding == []
    assert health.verdict({"metrics/precision_pixels": 0.9}).state == "working"


@pytest.mark.parametrize("facts", [replace(PICTURES, batch_size=8), replace(PICTURES, batch_size=64, accumulate=8)])
def test_a_few_labels_can_well_be_of_one_class(facts: Facts) -> None:
    assert not found_in(lines({"health/largest_class": 1.0}), facts)


@pytest.mark.parametrize(
    ("offset", "facts", "option"),
    [
        (14.0, replace(PICTURES, settings=frozenset({"upsample"}), upsample="transposed"), "upsample=nearest"),
        (14.0, replace(PICTURES, settings=frozenset({"upsample"}), upsample="nearest"), "upsample=pixelshuffle"),
        (14.0, PICTURES, "networks=dcgan"),
        (14.0, replace(PICTURES, convolves=True), "trainer.steps=2000"),
        (-14.0, replace(PICTURES, settings=frozenset({"upsample"}), upsample="transposed"), "trainer.steps=2000"),
        (-14.0, replace(PICTURES, penalties={"r1": 1}, weights={"r1": 10.0}), "loss.penalties.r1.weight=1"),
    ],
)
def test_the_advice_on_fine_detail_goes_by_its_sign(offset: float, facts: Facts, option: str) -> None:
    assert option in found_in(lines({}, {"health/spectrum": offset}), facts)["spectrum_off"].advice


@pytest.mark.parametrize(("now", "then"), [(None, 2), (1, 2), (5, 6)])
def test_turns_of_d_are_only_raised(now: int | None, then: int) -> None:
    facts = replace(PICTURES, rates={}, n_critic=now)
    found = found_in(lines({"accuracy/discriminator": 0.5}, FAR), facts)
    assert found["discriminator_fooled"].advice.endswith(f"loss.n_critic={then}")


def test_a_relativistic_discriminator_wins_as_others_do() -> None:
    facts = replace(PICTURES, kind="relativistic", loss="RelativisticAverage")
    assert set(found_in(lines({"accuracy/discriminator": 1.0}, FAR), facts)) == {"discriminator_wins"}


def test_half_of_the_modes_missing_is_a_failure_by_the_metric_alone() -> None:
    one = health_of([{"step": 1000, "metrics/modes": 1}], NUMBERS)
    assert one.findings[0].severity == "failure"
    one.see(1000, {"metrics/modes": 7})
    assert one.findings[0].severity == "warning", "a branch that weighs nothing keeps no old weight"
    absent = [*lines({}, {"health/missing_classes": 9}), *lines({}, {"health/missing_classes": 0, "health/missing": 1})]
    health = health_of(absent)
    assert health.findings[0].severity == "warning"


def test_skipped_and_taken_back_steps_are_no_alarm() -> None:
    broken = lines({"loss/generator/adversarial": math.nan})
    assert not found_in(broken, replace(PICTURES, steers=True))


def test_a_flat_discriminator_is_no_trouble_where_nothing_can_be_told_apart_or_logits_have_no_scale() -> None:
    flat = {"health/logit_spread/discriminator": 1e-5}
    assert not found_in(lines(flat), NUMBERS)
    assert not found_in(lines(flat), replace(PICTURES, kind="critic"))
    assert "optimizer.discriminator.lr" in found_in(lines(flat), PICTURES)["discriminator_flat"].advice
