"""What three rounds must show of each trick, whatever else takes part, and what must not be seen without it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from playing import QUICK, Moment, N
from torch import Tensor, nn

from gantrain.losses import TargetLoss
from gantrain.networks.layers import StddevLayer
from gantrain.training.rounds import Rounds
from gantrain.tricks.minibatch_discrimination import MinibatchLayer
from gantrain.tricks.virtual_batch_norm import ReferenceNorm

Turns = list[Moment]
Effect = Callable[[Rounds, Turns], None]
EFFECTS: dict[str, Effect] = {}


def effect_of(*tricks: str) -> Callable[[Effect], Effect]:
    def note(check: Effect) -> Effect:
        EFFECTS.update(dict.fromkeys(tricks, check))
        return check

    return note


def turns_of(player: str, turns: Turns) -> Turns:
    return [turn for turn in turns if turn.player == player]


def valued(name: str, player: str, turns: Turns) -> list[tuple[Moment, float]]:
    """The player's turns with what a term was in each of them."""
    return [(turn, turn.terms[name].item()) for turn in turns_of(player, turns)]


@effect_of("ada")
def strength_follows_the_signs(rounds: Rounds, turns: Turns) -> None:
    p, signs, threshold = 0.0, [], rounds.game.loss.adversarial.threshold
    for turn in turns_of("discriminator", turns):
        (x, _), augmented = turn.calls["ada.augment"][0]
        assert torch.allclose(x, augmented, atol=1e-4) == (p == 0)
        signs += (turn.real.logits - threshold).sign().tolist()
        if turn.number % QUICK["ada"]["interval"] == 0:
            excess = sum(signs) / len(signs) - QUICK["ada"]["target"]
            step = math.copysign(QUICK["ada"]["interval"] * N / QUICK["ada"]["images"], excess) if excess else 0.0
            p, signs = min(max(p + step, 0.0), 1.0), []
        held = [turn.held[f"ada.{name}"].item() for name in ("p", "signs", "count")]
        assert held == [p, sum(signs), len(signs)]


@effect_of("consistency")
def a_changed_verdict_costs(rounds: Rounds, turns: Turns) -> None:
    assert min(value for _, value in valued("consistency", "discriminator", turns)) > 0


@effect_of("reconstruction")
def decoders_learn_with_the_discriminator(rounds: Rounds, turns: Turns) -> None:
    own = {id(p) for p in rounds.game.get_submodule("discriminator.reconstruction").parameters()}
    places = [k for k, p in enumerate(rounds.learners["discriminator"].parameters) if id(p) in own]
    assert len(places) == len(own) > 0
    for turn, value in valued("reconstruction", "discriminator", turns):
        assert value > 0
        assert any(not torch.equal(turn.before[turn.player][k], turn.after[turn.player][k]) for k in places)


@effect_of("diffaugment")
def every_picture_is_augmented(rounds: Rounds, turns: Turns) -> None:
    for turn in turns:
        for (x, _), augmented in turn.calls["diffaugment.augment"]:
            assert x.shape == augmented.shape
            assert not any(torch.equal(a, b) for a, b in zip(x, augmented, strict=True))


@effect_of("early_stopping")
def patience_has_an_end(rounds: Rounds, turns: Turns) -> None:
    found = []
    for modes in (2, 3, 3, 3, 3, 3, 3):
        reasons = [trick.should_stop({"metrics/modes": modes}) for trick in rounds.game.tricks.each()]
        found.append(next((reason for reason in reasons if reason), None))
    assert found[:-1] == [None] * 6
    assert "has not been better than 3" in str(found[-1])


@effect_of("ema")
def the_average_goes_half_of_the_way_in_each_turn(rounds: Rounds, turns: Turns) -> None:
    average = turns[0].before["generator"]
    for turn in turns_of("generator", turns):
        average = [(slow + fast) / 2 for slow, fast in zip(average, turn.after["generator"], strict=True)]
    torch.testing.assert_close([p.detach() for p in rounds.game.network("generator").parameters()], average)
    assert not all(torch.equal(a, b) for a, b in zip(average, turns[-1].after["generator"], strict=True))


@effect_of("experience_replay")
def half_of_the_fakes_are_old_ones(rounds: Rounds, turns: Turns) -> None:
    """The pool holds half a batch, so that it is full after one turn and new after each."""
    pool: set[tuple[float, ...]] = set()
    for turn in turns_of("discriminator", turns):
        (((_, new), mixed),) = turn.calls["experience_replay.fakes"]
        assert turn.context.fakes["discriminator"] is mixed
        first, rest = (rows(half) for half in mixed.x.split(N // 2))
        assert rest < rows(new.x)
        assert first <= pool if pool else first | rest == rows(new.x)
        assert len(rest) == N // 2
        pool = rest


def rows(x: Tensor) -> set[tuple[float, ...]]:
    return {tuple(row) for row in x.flatten(1).tolist()}


@effect_of("feature_matching")
def features_take_the_place_of_logits(rounds: Rounds, turns: Turns) -> None:
    for turn, value in valued("feature_matching", "generator", turns):
        real, fake = (scores.features.flatten(1).mean(0) for scores in (turn.real, turn.fake))
        assert value == pytest.approx((real - fake).square().sum().item(), rel=1e-3)
        assert value > 0
        assert turn.terms["adversarial"] == 0


@effect_of("gradient_clipping")
def no_gradient_is_longer(rounds: Rounds, turns: Turns) -> None:
    for turn in turns:
        assert turn.clipped == pytest.approx(min(turn.norm, QUICK["gradient_clipping"]["max_norm"]), rel=1e-3)


@effect_of("historical_averaging")
def leaving_the_mean_of_past_weights_costs(rounds: Rounds, turns: Turns) -> None:
    for player in rounds.learners:
        past: list[Tensor] = []
        for turn, value in valued("historical_averaging", player, turns):
            past.append(torch.cat([w.flatten() for w in turn.before[player]]).double())
            away = (past[-1] - torch.stack(past).mean(0)).square().sum().item()
            assert value == pytest.approx(1e-3 * away, rel=0.01, abs=1e-12)
            assert (value > 0) == (len(past) > 1)


@effect_of("instance_noise")
def noise_has_its_strength(rounds: Rounds, turns: Turns) -> None:
    noise = [(noisy - x).flatten() for turn in turns for (x, _), noisy in turn.calls["instance_noise.augment"]]
    assert torch.cat(noise).std().item() == pytest.approx(0.1, rel=0.3)


@effect_of("label_flipping", "label_smoothing")
def targets_are_those_named(rounds: Rounds, turns: Turns) -> None:
    """The loss's own where no trick is named."""
    own: set[float | None] = {0.9 if "label_smoothing" in rounds.game.tricks else None}
    wanted: dict[str, set[float | None]] = {"real": own, "fake": {None}}
    if "label_flipping" in rounds.game.tricks:
        wanted = {"real": {0.9 if 0.9 in own else 1.0, 0.0}, "fake": {0.0, 1.0}}
    for kind, values in wanted.items():
        found: dict[str, set[float | None]] = {"discriminator": set(), "generator": set()}
        for turn in turns:
            for player, inputs in turn.inputs:
                target = getattr(inputs, f"{kind}_target")
                given = [] if target is None else torch.as_tensor(target).flatten().tolist()
                found[player] |= {float(f"{x:.4f}") for x in given} or {None}
        assert found == {"discriminator": values, "generator": {None}}, f"targets of {kind} samples"


@effect_of("lecam")
def logits_far_from_the_averages_cost(rounds: Rounds, turns: Turns) -> None:
    averages: list[Tensor] = []
    for turn, value in valued("lecam", "discriminator", turns):
        logits = [turn.real.logits.detach(), turn.fake.logits.detach()]
        now = [x.mean() for x in logits]
        averages = averages or now
        (real, fake), (real_mean, fake_mean) = logits, averages
        away = ((real - fake_mean).clamp(min=0) ** 2).mean() + ((real_mean - fake).clamp(min=0) ** 2).mean()
        wanted = 0.3 * away.item() if turn.step >= QUICK["lecam"]["start"] else 0.0
        assert value == pytest.approx(wanted, rel=1e-3, abs=1e-9)
        averages = [(average + x) / 2 for average, x in zip(averages, now, strict=True)]


@effect_of("minibatch_discrimination")
def closeness_is_seen(rounds: Rounds, turns: Turns) -> None:
    see_others(rounds, turns, MinibatchLayer, 5)


@effect_of("minibatch_stddev")
def spread_is_seen(rounds: Rounds, turns: Turns) -> None:
    see_others(rounds, turns, StddevLayer, 1)


@effect_of("minibatch_tutorial")
def closeness_is_seen_instead_of_a_block(rounds: Rounds, turns: Turns) -> None:
    see_others(rounds, turns, MinibatchLayer, 5)
    assert isinstance(rounds.game.get_submodule("discriminator.trunk.3"), nn.Identity)


@torch.no_grad()
def see_others(rounds: Rounds, turns: Turns, kind: type[nn.Module], extra: int) -> None:
    """The head sees the features and, beside them, what follows from the other samples."""
    layer, head = rounds.game.get_submodule("discriminator.head").children()
    assert isinstance(layer.eval(), kind)
    features = turns[-1].fake.features
    others = torch.cat([features[:1], features[1:] + torch.randn_like(features[1:])])
    seen, changed = layer(features)[0], layer(others)[0]
    assert torch.equal(seen[:-extra], features[0])
    assert torch.equal(changed[:-extra], features[0])
    assert (seen[-extra:] != changed[-extra:]).all()
    assert isinstance(head, nn.Linear)
    assert head.in_features == len(seen)


@effect_of("mode_seeking")
def likeness_of_fakes_costs(rounds: Rounds, turns: Turns) -> None:
    for turn, value in valued("mode_seeking", "generator", turns):
        halves = [x.chunk(2) for x in (turn.batch.latent["noise"], turn.made.x)]
        noise, samples = ((first - second).abs().mean().item() for first, second in halves)
        assert value == pytest.approx(noise / samples, rel=0.05)


@effect_of("n_critic")
def the_discriminator_moves_twice(rounds: Rounds, turns: Turns) -> None:
    assert [turn.player for turn in turns[:3]] == ["discriminator", "discriminator", "generator"]


@effect_of("orthogonal")
def likeness_of_filters_costs(rounds: Rounds, turns: Turns) -> None:
    assert min(value for _, value in valued("orthogonal", "generator", turns)) > 0


@effect_of("packing")
def packs_are_judged(rounds: Rounds, turns: Turns) -> None:
    channels = rounds.batches.draw(0, N)["real"].shape[1]
    for turn in turns:
        assert turn.fake.samples.x.shape[:2] == (N // 2, 2 * channels)
        assert turn.fake.logits.shape == (N // 2,)


@effect_of("spectral_norm")
@torch.no_grad()
def the_largest_singular_value_is_one(rounds: Rounds, turns: Turns) -> None:
    for layer in linear_layers(rounds.game.get_submodule("discriminator")):
        for _ in range(30):
            weight = layer.train().weight  # each look is a step of the power iteration
        assert isinstance(weight, Tensor)
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)


def linear_layers(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]


@effect_of("topk")
def the_best_fakes_teach(rounds: Rounds, turns: Turns) -> None:
    for turn in turns_of("generator", turns):
        inputs, logits = turn.inputs[0][1], turn.fake.logits
        best = logits.topk(len(logits) // (2 if turn.number > 1 else 1)).indices
        assert torch.equal(inputs.fake, logits[best])
        assert inputs.real is None or torch.equal(inputs.real, turn.real.logits[best])


@effect_of("ttur")
def the_discriminator_is_faster(rounds: Rounds, turns: Turns) -> None:
    rates = {name: learner.rates for name, learner in rounds.learners.items()}
    assert rates == {"generator": [1e-4], "discriminator": [4e-4]}


@effect_of("unrolled")
def the_generator_plays_against_a_later_discriminator(rounds: Rounds, turns: Turns) -> None:
    for turn in turns_of("generator", turns):
        steps = ["discriminator"] * QUICK["unrolled"]["steps"]
        assert [player for player, _ in turn.inputs] == ["generator", *steps, "discriminator"]
        now, later = turn.inputs[0][1], turn.inputs[-1][1]
        assert not torch.equal(now.fake, later.fake)
        assert later.real is not None
        loss = rounds.game.loss.adversarial
        targets = (later.real_target, later.fake_target) if isinstance(loss, TargetLoss) else ()
        torch.testing.assert_close(turn.terms["adversarial"], -loss.discriminator(later.real, later.fake, *targets))


@effect_of("virtual_batch_norm", "reference_batch_norm")
@torch.no_grad()
def statistics_come_from_a_constant_batch(rounds: Rounds, turns: Turns) -> None:
    generator = rounds.game.get_submodule("generator")
    (name,) = rounds.game.tricks.keys() & {"virtual_batch_norm", "reference_batch_norm"}
    norms = [m for m in generator.modules() if isinstance(m, ReferenceNorm)]
    assert {norm.with_sample for norm in norms} == {name == "virtual_batch_norm"}
    reference = rounds.game.get_buffer(f"tricks.{name}.reference_generator_0")
    assert len(reference) == QUICK[name]["size"]
    for turn in turns:
        assert torch.equal(turn.held[f"{name}.reference_generator_0"], reference)
    noise = turns[-1].batch.latent["noise"]
    torch.testing.assert_close(generator(noise)[:1], generator(noise[:1]), rtol=1e-4, atol=1e-5)


@effect_of("weight_clipping")
def weights_stay_small(rounds: Rounds, turns: Turns) -> None:
    limit = QUICK["weight_clipping"]["limit"]
    assert largest(turns[0].before["discriminator"]) > limit
    for turn in turns_of("discriminator", turns):
        assert largest(turn.after["discriminator"]) == pytest.approx(limit)


def largest(weights: list[Tensor]) -> float:
    return max(w.abs().max().item() for w in weights)


@effect_of("weight_regularisation")
def large_weights_cost(rounds: Rounds, turns: Turns) -> None:
    for turn, value in valued("l2", "discriminator", turns):
        squares = sum(w.square().sum().item() for w in turn.before["discriminator"] if w.dim() > 1)
        assert value == pytest.approx(1e-4 * squares, rel=1e-4)
