"""A verdict says whether a run works, by figures whose sense is known, and claims nothing from losses alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from series import PICTURES, health_of, lines

from gantrain.health import Facts, Verdict, band_of, expected_bands, facts_of

RING = replace(PICTURES, shape=(2,), modes=8, classes=8)
LINE = replace(PICTURES, shape=(1,), std=0.5, classes=None)


def verdict(figures: dict[str, float], facts: Facts = PICTURES, sick: dict[str, float] | None = None) -> Verdict:
    seen = [*lines(sick), {"step": 1000, **figures}]
    return health_of(seen, facts).verdict(figures)


def test_curves_alone_never_prove_that_a_run_works() -> None:
    said = verdict({})
    assert said.state == "unknown"
    assert "nothing measured" in said.sentence
    assert "gantrain evaluate run=…" in said.advice
    assert "balance (accuracy 0.70)" in said.evidence[0]


STATES: list[tuple[dict[str, float], Facts, str, str]] = [
    ({"metrics/modes": 8, "metrics/high_quality": 0.97}, RING, "working", "it works: 8 of 8 modes, 97 % of samples"),
    ({"metrics/modes": 8, "metrics/high_quality": 0.1}, RING, "doubtful", "10 % of samples within 3σ"),
    ({"metrics/modes": 2, "metrics/high_quality": 0.1}, RING, "failing", "parts of the data are never generated"),
    ({"metrics/wasserstein1": 0.02, "metrics/js": 0.001}, LINE, "working", "0.04 σ"),
    ({"metrics/wasserstein1": 1.2}, LINE, "failing", "2.4 σ"),
    ({"metrics/wasserstein1": 0.15}, LINE, "doubtful", "0.3 σ"),
    ({"metrics/fid": 8.0}, PICTURES, "working", "FID 8"),
    ({"metrics/fid": 300.0}, PICTURES, "failing", "FID 300"),
    ({"metrics/test_error": 0.04}, PICTURES, "working", "96 % of held-out samples named right"),
    ({"metrics/precision_classifier": 0.8, "metrics/recall_classifier": 0.7}, PICTURES, "working", "80 % of samples"),
    ({"metrics/missing_classes_classifier": 0}, PICTURES, "working", "every class"),
    ({"metrics/missing_classes_classifier": 3}, PICTURES, "failing", "3 of 10 classes"),
    ({"metrics/memorised_pixels": 0.6, "metrics/fid": 5.0}, PICTURES, "doubtful", "60 % of samples are copies"),
    ({"metrics/fid": math.nan}, PICTURES, "failing", "fid is no number"),
    ({"metrics/mind_pixels": 3.0}, PICTURES, "unknown", "nothing measured"),
    ({"metrics/of_mine": 3.0}, PICTURES, "unknown", "nothing measured"),
]


@pytest.mark.parametrize(("figures", "facts", "state", "words"), STATES)
def test_figures_are_read_with_a_sense_of_what_they_mean(
    figures: dict[str, float], facts: Facts, state: str, words: str
) -> None:
    said = verdict(figures, facts)
    assert (said.state, words in said.sentence) == (state, True), said
    assert said.advice


def test_a_failure_outweighs_good_figures() -> None:
    said = verdict({"metrics/fid": 3.0}, sick={"health/dead_units/generator": 1.0})
    assert said.state == "failing"
    assert said.sentence == "it does not work: a layer of a network is dead"
    assert "FID 3" in said.evidence


def test_a_warning_makes_good_figures_doubtful_and_gives_the_advice() -> None:
    said = verdict({"metrics/fid": 3.0}, sick={"health/average_distance/generator": 0.9})
    assert said.state == "doubtful"
    assert said.sentence.startswith("FID 3, but the averaged network lags")
    assert "tricks.ema.half_life" in said.advice


def test_figures_of_spaces_are_set_against_the_runs_own_beginning() -> None:
    early = [{"step": 100, "metrics/fid_classifier": 400.0}]
    late = {"metrics/fid_classifier": 30.0}
    said = health_of([*early, *lines(), {"step": 1000, **late}]).verdict(late)
    assert said.state == "doubtful", "half of a bad start may be bad too"
    assert "30, from 400" in said.sentence


def test_a_run_that_still_improves_is_told_to_go_on() -> None:
    figures = [{"step": step, "metrics/fid": 20.0 - step / 100} for step in range(100, 1001, 100)]
    still = health_of([*lines(), *figures]).verdict({"metrics/fid": 10.0})
    assert still.advice == "it still improves; train longer: gantrain run=… trainer.steps=2000"
    flat = [{"step": step, "metrics/fid": 10.0} for step in range(100, 1001, 100)]
    assert "improves" not in health_of([*lines(), *flat]).verdict({"metrics/fid": 10.0}).advice


def test_facts_come_from_a_config_and_forgive_what_it_lacks() -> None:
    assert facts_of({}) == Facts()
    assert facts_of({"loss": None, "optimizer": {"generator": {"lr": {"_target_": "x"}}}, "tricks": None}).rates == {}
    config = {
        "loss": {
            "adversarial": {"_target_": "gantrain.losses.NonSaturating"},
            "penalties": {"r1": {"weight": 10.0, "every": 16}},
        },
        "dataset": {"_target_": "gantrain.data.Grid", "side": 5},
        "optimizer": {"lr": 1e-3, "discriminator": {"lr": 1e-3}},
        "tricks": {"ema": {}},
        "data": {"shape": [2], "classes": 25},
    }
    facts = facts_of(config)
    assert (facts.kind, facts.modes, facts.penalties, facts.weights) == ("probability", 25, {"r1": 16}, {"r1": 10.0})
    assert facts.lower_rate("discriminator_3") == "optimizer.discriminator.lr=0.00025"
    assert facts.lighter("r1") == "loss.penalties.r1.weight=1"
    assert facts.with_tricks("packing", "ema") == "'tricks=[ema,packing]'"


EQUILIBRIA = {  # of D's and G's loss where real and generated samples are the same and D knows it
    "NonSaturating": (math.log(4), math.log(2)),
    "Minimax": (math.log(4), -math.log(2)),
    "Hinge": (2.0, 0.0),
    "LeastSquares": (0.25, 0.125),
    "RelativisticPaired": (math.log(2), math.log(2)),
    "RelativisticAverage": (math.log(4), math.log(4)),
}


@pytest.mark.parametrize("loss", EQUILIBRIA)
def test_bands_hold_the_equilibrium(loss: str) -> None:
    import torch

    from gantrain import losses

    of = getattr(losses, loss)()
    middle = torch.full((8,), 0.5 if loss == "LeastSquares" else 0.0)
    theory = float(of.discriminator(middle, middle)), float(of.generator(middle, middle))
    assert theory == pytest.approx(EQUILIBRIA[loss], rel=1e-5)
    bands = expected_bands(replace(PICTURES, loss=loss))
    for player, value in zip(("discriminator", "generator"), theory, strict=True):
        low, high = bands[f"loss/{player}/adversarial"]
        assert low <= value <= high


def test_a_band_belongs_to_each_player_of_a_role() -> None:
    bands = expected_bands(PICTURES)
    assert band_of("accuracy/discriminator_2", bands) == band_of("accuracy/discriminator", bands) is not None
    assert band_of("speed/data_wait", bands) is None
    assert all(low <= high for low, high in bands.values())


def over_time(tag: str, values: list[float], facts: Facts = PICTURES) -> Verdict:
    """The verdict on a run in which a figure was measured once in a while."""
    figures = [{"step": 1000 * (k + 1) // len(values), tag: value} for k, value in enumerate(values)]
    return health_of([*lines(), *figures], facts).verdict({tag: values[-1]})


def test_a_figure_that_is_worse_than_at_the_beginning_is_bad() -> None:
    said = over_time("metrics/fid_classifier", [40.0, 100.0, 400.0])
    assert (said.state, "fid_classifier 400, was 40" in said.sentence) == ("failing", True), said
    assert over_time("metrics/fid_classifier", [40.0, 45.0, 50.0]).state == "unknown"


def test_a_run_that_was_better_is_told_to_take_its_best_checkpoint() -> None:
    values = [400.0, 30.0, 90.0]
    said = over_time("metrics/fid_classifier", values, replace(PICTURES, best="metrics/fid_classifier"))
    assert said.evidence[0] == "fid_classifier was better: 30 at step 666, 90 now"
    assert said.advice == "take the best checkpoint: gantrain sample run=… checkpoint=best"
    assert "metrics.best=metrics/fid_classifier" in over_time("metrics/fid_classifier", values).advice
    for well in ([400.0, 100.0, 30.0], [400.0, 30.0, 33.0], [400.0, 2.0, 3.0]):
        assert "better" not in over_time("metrics/fid_classifier", well).evidence[0]


def test_what_has_passed_its_best_is_not_told_to_go_on() -> None:
    """By a seventh, which is too little for a sentence of its own."""
    facts = replace(PICTURES, best="metrics/fid_classifier")
    passed = over_time("metrics/fid_classifier", [40.0, 10.0, 11.4], facts)
    assert passed.advice == "take the best checkpoint: gantrain sample run=… checkpoint=best"
    assert "was better" not in passed.evidence[0]
    assert over_time("metrics/fid_classifier", [40.0, 10.0, 10.4], facts).advice.startswith("train longer")
    assert over_time("metrics/fid_classifier", [40.0, 10.0, 11.4]).advice.startswith("train longer")


@pytest.mark.parametrize("name", ["test_error", "code_error", "memorised_pixels", "missing_classes_pixels", "fid"])
def test_what_becomes_worse_does_not_improve(name: str) -> None:
    worse, better = [0.01, 0.02, 0.03, 0.035], [0.5, 0.4, 0.1, 0.0]
    assert "still improves" not in over_time(f"metrics/{name}", worse).advice
    assert "still improves" in over_time(f"metrics/{name}", better).advice


def test_what_is_to_rise_improves_where_it_rises() -> None:
    assert "still improves" in over_time("metrics/precision_pixels", [0.3, 0.4, 0.6, 0.9]).advice
    assert "still improves" not in over_time("metrics/precision_pixels", [0.9, 0.9, 0.8, 0.7]).advice


def test_how_a_run_goes_on_follows_from_what_ended_it() -> None:
    fair = {"metrics/fid": 50.0}
    advice = "train longer: gantrain run=…"
    for steps, minutes, option in ((1000, None, " trainer.steps=2000"), (10_000, None, "")):
        assert verdict(fair, replace(PICTURES, steps=steps, minutes=minutes)).advice == advice + option
    assert verdict(fair, replace(PICTURES, steps=10_000, minutes=30.0)).advice == f"{advice} trainer.minutes=60"


STRANGE: list[dict[str, object]] = [
    {"dataset": {"_target_": "my.Pairs", "side": "left"}},
    {"dataset": {"_target_": "gantrain.data.Grid", "side": "left", "std": "wide"}},
    {"dataset": {"_target_": "gantrain.data.Ring", "modes": [1, 2]}},
    {"data": {"shape": 3, "classes": "ten"}, "trainer": {"steps": "many", "batch_size": [8], "minutes": "1h"}},
    {"loss": {"adversarial": "gan", "penalties": {"r1": {"every": "often"}}, "n_critic": {"to": 5}}},
    {"loss": {"adversarial": {"_target_": "x.LeastSquares", "a": "1"}}, "metrics": {"best": 3}, "model": "own"},
    {"model": {"_target_": 5, "generator": {"upsample": 2}}, "data": {"shape": [None, "x"]}},
]


@pytest.mark.parametrize("config", STRANGE)
def test_a_strangers_config_is_read_as_far_as_it_is_known(config: dict[str, object]) -> None:
    facts = facts_of(config)
    assert (facts.modes, facts.steps, facts.shape, facts.classes, facts.best) == (None, 1, (), None, None)
    assert expected_bands(facts)


def test_one_good_figure_beside_bad_ones_is_no_part_that_works() -> None:
    figures = {"metrics/modes": 1.0, "metrics/high_quality": 0.001, "metrics/reverse_kl": 2.0}
    figures["metrics/diversity_values"] = 1.1
    said = health_of(lines(), RING).verdict(figures)
    assert said.state == "failing"
    assert said.sentence.startswith("it does not work")


@pytest.mark.parametrize("distance", [math.nan, 0.3])
def test_a_distance_that_is_no_number_is_not_told(distance: float) -> None:
    """Of one or two pictures there is none."""
    seen = [{"step": 0, "health/energy_distance": distance}, *lines({}, {"health/energy_distance": distance})]
    told = " ".join(health_of(seen, PICTURES).verdict({}).evidence)
    assert ("energy distance" in told) == math.isfinite(distance)
