"""Who sees which samples in whose turn, with which labels, how much they count, and what a gradient runs through."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from small import POINTS
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import GMAN, MADGAN, Batch, Conditional, Game, SemiSupervised, TripleGAN
from gantrain.networks.conditional import ConditionalLayer
from gantrain.tricks import Shown, Trick
from gantrain.tricks.base import Seen

TINY = [*POINTS, "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"]


class Shift(Trick):
    """A view that nobody can overlook."""

    def view(self, x: Tensor, batch: Batch) -> Tensor:
        return x + 10.0


def game_of(*words: str) -> Game:
    torch.manual_seed(0)
    return build_game(config(*TINY, *words))


def playing(*words: str) -> Game:
    """A game that has begun, so that it holds what it keeps of the data."""
    return round_of(*TINY, *words).game


def batch_of(game: Game, n: int = 16) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.randn(n, 2), "label": torch.randint(8, (n,))}
    return Batch(data, game.latents(n), torch.zeros(()), phase={"penalties": ()})


def seen_by_d(game: Game, batch: Batch, player: str = "discriminator") -> tuple[Shown, Shown]:
    """Real and fake samples as the discriminator judged them in its turn."""
    assert isinstance(game, Conditional)
    duel = game.contest(player, game.generate(batch.latent), batch).duels[player]
    assert duel.real is not None
    return duel.real.shown, duel.fake.shown


def pairs_of(shown: Shown) -> set[tuple[float, ...]]:
    return {(*x, y) for x, y in zip(shown.samples.tolist(), shown.given["label"].tolist(), strict=True)}


# --- labels ---------------------------------------------------------------------------------------------------------


def test_a_mismatched_label_is_any_but_the_right_one() -> None:
    """Reed et al. 2016: real samples with wrong labels, of which each is as likely as the others."""
    game = game_of("model=cgan", "model.conditioning=concat", "model.mismatched=0.75")
    assert isinstance(game, Conditional)
    batch = batch_of(game, 4000)
    mixed = game.with_mismatched(game.generate(batch.latent), batch)
    off = (mixed.given["label"][:3000] - batch.data["label"][:3000]) % 8
    counts = off.bincount(minlength=8).tolist()
    assert counts[0] == 0
    assert min(counts[1:]) > 3000 / 7 * 0.8
    torch.testing.assert_close(mixed.samples[:3000], batch.data["real"][:3000])
    assert torch.equal(mixed.given["label"][3000:], batch.latent["label"][3000:])


@pytest.mark.parametrize("model", ["sgan", "triplegan"])
def test_the_few_labels_are_those_of_their_samples(model: str) -> None:
    """The first samples of each class in the run's order, each with its own label."""
    game = game_of(f"model={model}", "model.labels_per_class=3")
    assert isinstance(game, (SemiSupervised, TripleGAN))
    x, labels = torch.randn(200, 2), torch.randint(8, (200,))

    def draw(n: int, position: int = 0) -> Batch:
        part = slice(position, position + n)
        return Batch({"real": x[part], "label": labels[part]}, {}, torch.zeros(()))

    game.begin(draw, len(x))
    for label in range(8):
        assert torch.equal(game.labelled_samples[game.labelled_labels == label], x[labels == label][:3])


def test_some_labelled_samples_are_drawn_with_their_labels() -> None:
    game = playing("model=triplegan", "model.labels_per_class=2")
    assert isinstance(game, TripleGAN)
    label_of = {tuple(x): y for x, y in zip(game.labelled_samples.tolist(), game.labelled_labels.tolist(), strict=True)}
    drawn = game.some_labelled(2000)
    found = [tuple(x) for x in drawn.samples.tolist()]
    assert [label_of[x] for x in found] == drawn.given["label"].tolist()
    assert len(set(found)) == 16
    assert min(Counter(found).values()) > 2000 / 16 * 0.6


def test_labelled_samples_are_seen_under_the_same_views_as_all_others() -> None:
    game = playing("model=sgan", "model.labels_per_class=2")
    assert isinstance(game, SemiSupervised)
    batch = batch_of(game)
    game.tricks["shift"] = Shift()
    torch.manual_seed(5)
    found = game.terms("discriminator", batch)["supervised"]
    torch.manual_seed(5)
    labelled = game.some_labelled(16)
    torch.testing.assert_close(found, F.cross_entropy(game.classify(labelled.samples + 10), labelled.given["label"]))


# --- Triple-GAN -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "slopes"),
    [("minimax", [-0.1054, -0.6931, -2.3026]), ("nonsaturating", [2.3026, 0.6931, 0.1054])],
)
@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_what_the_classifiers_labels_cost_it(kind: str, slopes: list[float], alpha: float) -> None:
    """The slope in p of α·p·log(1 - D) (Li et al. 2017, equation 2), or of -α·p·log D, where D is 0.1, 0.5 and 0.9."""
    words = [f"model.classifier_loss={kind}", f"model.alpha={alpha}"]
    game = playing("model=triplegan", "model.labels_per_class=2", *words)
    head = game.get_submodule("discriminator.head")
    batch = batch_of(game)
    weights = list(game.get_submodule("classifier").parameters())
    for probability, slope in zip((0.1, 0.5, 0.9), slopes, strict=True):
        torch.nn.init.zeros_(head.weight)  # type: ignore[arg-type]
        torch.nn.init.constant_(head.bias, math.log(probability / (1 - probability)))  # type: ignore[arg-type]
        found = torch.autograd.grad(game.terms("classifier", batch)["adversarial"], weights)
        sure = game.classify(batch.data["real"]).softmax(1).max(1).values.mean()
        wanted = torch.autograd.grad(alpha * slope * sure, weights)
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_shares_of_the_classifiers_pairs() -> None:
    """A quarter of the fakes and three quarters of the real pairs are C's, and no sample is in both."""
    words = ["model.labels_per_class=2", "model.alpha=0.25", "model.pseudo_real=0.75"]
    game = playing("model=triplegan", *words)
    assert isinstance(game, TripleGAN)
    batch = batch_of(game)
    x, made = batch.data["real"], game.generate(batch.latent)
    real, fake = seen_by_d(game, batch)
    named = pairs_of(Shown(x, {"label": game.classify(x).argmax(1)}))
    kept = pairs_of(Shown(game.labelled_samples, {"label": game.labelled_labels}))
    assert len(pairs_of(fake) & named) == 4
    assert len(pairs_of(fake) & pairs_of(made)) == 12
    assert len(pairs_of(real) & named) == 12
    assert pairs_of(real) <= named | kept
    assert not pairs_of(real) & pairs_of(fake)


@pytest.mark.parametrize(("alpha", "pseudo_real"), [(0.5, 0.99), (0.75, 0.5)])
def test_pairs_that_would_be_real_and_fake_are_refused(alpha: float, pseudo_real: float) -> None:
    with pytest.raises(UserError, match=r"real and as fake in one turn: set model\.alpha and model\.pseudo_real"):
        game_of("model=triplegan", f"model.alpha={alpha}", f"model.pseudo_real={pseudo_real}")


def test_the_classifiers_pairs_are_judged_under_the_views_of_all_others() -> None:
    game = playing("model=triplegan", "model.labels_per_class=2")
    assert isinstance(game, TripleGAN)
    batch = batch_of(game)
    plain = batch.data["real"]
    game.tricks["shift"] = Shift()
    chances = game.classify(plain).softmax(1).max(1)
    viewed = game.judge("discriminator", Shown(plain + 10, {"label": chances.indices})).logits
    wanted = 0.5 * (chances.values * torch.log(1 - viewed.sigmoid())).mean()
    torch.testing.assert_close(game.terms("classifier", batch)["adversarial"], wanted)


def test_triplegans_generator_plays_for_its_own_samples_alone() -> None:
    game = playing("model=triplegan", "model.labels_per_class=2", "model.pseudo_start=0")
    batch = batch_of(game)
    terms = game.terms("generator", batch)
    assert terms.keys() == {"adversarial"}
    wanted = F.softplus(-game.judge("discriminator", game.generate(batch.latent)).logits).mean()
    torch.testing.assert_close(terms["adversarial"], wanted)


def test_the_test_error_is_that_of_the_averaged_classifier() -> None:
    words = ["model=triplegan", "model.labels_per_class=2", "tricks=[ema]", "tricks.ema.players=[classifier]"]
    game = playing(*words)
    assert isinstance(game, TripleGAN)
    assert list(game.averages) == ["classifier"]
    with torch.no_grad():
        for parameter in game.averages["classifier"].parameters():
            parameter.zero_()
    x = torch.randn(5, 2)
    assert (game.classify(x) == 0).all()
    assert (game.classifier(x) != 0).any()


# --- labels in every layer ------------------------------------------------------------------------------------------


def test_a_layer_told_the_label_has_it_beside_its_input() -> None:
    """Li et al. 2017: the weights of [x, one-hot label] fall into those of x and those of the label."""
    layer = ConditionalLayer(torch.nn.Linear(3, 4), classes=5)
    layer.label = torch.tensor([4, 0, 2])
    x = torch.randn(3, 3)
    whole = torch.cat([layer.layer.weight, layer.of_label.weight.T], 1)  # type: ignore[list-item]
    beside = torch.cat([x, F.one_hot(layer.label, 5).float()], 1)
    torch.testing.assert_close(layer(x), F.linear(beside, whole, layer.layer.bias))  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [["networks@model=mlp"], ["networks@model=dcgan_small", "dataset=digits"]])
def test_every_layer_of_both_players_is_told_the_label(words: list[str]) -> None:
    torch.manual_seed(0)
    game = build_game(config("dataset=ring8", "model=cgan", *words, "loss=r1", "model.conditioning=every_layer"))
    for player in ("generator", "discriminator.trunk"):
        network = game.get_submodule(player)
        weighted = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
        layers = [name for name, m in network.named_modules() if isinstance(m, weighted)]
        assert layers
        assert all(name.endswith(".layer") for name in layers)
    latent = game.latents(4)
    made = game.generate(latent)
    again = {**latent, "label": (latent["label"] + 1) % game.classes}  # type: ignore[operator]
    assert not torch.allclose(made.samples, game.generate(again).samples)
    one = game.judge("discriminator", made)
    other = game.judge("discriminator", Shown(made.samples, {"label": again["label"]}))
    assert not torch.allclose(one.features, other.features)
    at_the_head = game.get_submodule("discriminator.of_label").weight  # type: ignore[union-attr]
    head = game.get_submodule("discriminator.head")
    rest = head(one.features).flatten() + at_the_head[latent["label"], 0]  # type: ignore[operator,index]
    torch.testing.assert_close(one.logits, rest)


# --- MAD-GAN --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generators", [2, 4])
def test_where_all_densities_are_equal_d_believes_one_in_k_plus_1(generators: int) -> None:
    """Ghosh et al. 2018, theorem 1: D(x) = p_d / (p_d + Σ p_i)."""
    game = game_of("model=madgan", f"model.generators={generators}")
    assert isinstance(game, MADGAN)
    logit = torch.zeros((), requires_grad=True)
    for _ in range(500):
        (slope,) = torch.autograd.grad(game.value(Seen(real=logit.expand(8), fake=logit.expand(8))), logit)
        logit = (logit - slope).detach().requires_grad_(True)
    assert logit.sigmoid().item() == pytest.approx(1 / (generators + 1), abs=1e-4)


@pytest.mark.parametrize("loss", ["r3", "wgan", "hinge"])
def test_where_logits_are_no_log_odds_either_kind_counts_the_same(loss: str) -> None:
    game = game_of("model=madgan", f"loss={loss}")
    batch = batch_of(game)
    terms = game.terms("discriminator", batch)
    made = game.generate(batch.latent)
    real, fake = (game.judge("discriminator", shown) for shown in (game.real(batch), made))
    torch.testing.assert_close(terms["adversarial"], game.loss.adversarial.discriminator(real.logits, fake.logits))
    named = game.get_submodule("discriminator.heads.generator")(fake.features)
    torch.testing.assert_close(terms["identification"], F.cross_entropy(named, made.given["generator"]))


def test_every_sample_is_said_to_be_of_the_generator_that_made_it() -> None:
    game = game_of("model=madgan", "model.generators=3")
    batch = batch_of(game, 7)
    made = game.generate(batch.latent)
    each = list(game.get_submodule("generator.each").children())
    for noise, sample, maker in zip(batch.latent["noise"], made.samples, made.given["generator"], strict=True):
        torch.testing.assert_close(each[int(maker)](noise[None])[0], sample)
    assert set(game.terms("generator", batch)) == {"adversarial"}


def test_the_gallery_has_a_row_for_each_generator() -> None:
    game = game_of("model=madgan")
    request = game.gallery(20)
    assert request.columns == 5
    makers = game.sample(request)["generator"].view(4, 5)
    assert torch.equal(makers, torch.arange(4)[:, None].expand(4, 5))
    assert game.gallery(21).columns is None


# --- GMAN -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hardness", [0.0, 1.0, 3.0])
def test_what_is_minimised_is_the_softmax_mean_itself(hardness: float) -> None:
    """Durugkar et al. 2017, section 4.2: of Σ w·l with w = softmax(λ·l) the slope in l is w·(1 + λ·(l - Σ w·l))."""
    game = game_of("model=gman", f"model.hardness={hardness}")
    assert isinstance(game, GMAN)
    losses = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64, requires_grad=True)
    mean = game.aggregate(list(losses))
    (slopes,) = torch.autograd.grad(mean, losses)
    weights = torch.tensor([math.exp(hardness * loss) for loss in (0.5, 1.0, 2.5)], dtype=torch.float64)
    weights /= weights.sum()
    torch.testing.assert_close(slopes, weights * (1 + hardness * (losses - mean)).detach())
    assert slopes.sum().item() == pytest.approx(1)


def test_the_generator_hears_the_harshest_discriminator_alone() -> None:
    game = game_of("model=gman", "model.aggregate=max")
    losses = torch.tensor([0.5, 2.5, 1.0], requires_grad=True)
    (slopes,) = torch.autograd.grad(game.aggregate(list(losses)), losses)
    assert slopes.tolist() == [0, 1, 0]


def test_discriminators_are_dropped_as_often_as_asked() -> None:
    """Mordido et al. 2018: each by itself with probability d; where all would fall, one stays."""
    game = game_of("model=gman", "model.aggregate=mean", "model.drop_discriminator=0.3")
    values = [torch.tensor(v) for v in (1.0, 10.0, 100.0)]
    heard = Counter(round(game.aggregate(values).item(), 3) for _ in range(4000))
    alone = 0.7 * 0.3**2 + 0.3**3 / 3
    assert heard[37.0] / 4000 == pytest.approx(0.7**3, abs=0.03)
    for value in (1.0, 10.0, 100.0):
        assert heard[value] / 4000 == pytest.approx(alone, abs=0.02)
    for value in (5.5, 50.5, 55.0):
        assert heard[value] / 4000 == pytest.approx(0.7**2 * 0.3, abs=0.03)


@pytest.mark.parametrize("roles", ["same", "scales"])
def test_gmans_generator_hears_every_discriminator_of_its_samples(roles: str) -> None:
    torch.manual_seed(0)
    words = ["dataset=digits", "model=gman", "networks@model=dcgan_small", "model.aggregate=mean", "tricks=[]"]
    game = build_game(config(*words, "loss=nonsaturating", f"model.roles={roles}", "model.count=2"))
    batch = Batch({}, game.latents(4), torch.zeros(()))
    terms = game.terms("generator", batch)
    made = game.generate(batch.latent).samples
    losses = []
    for k, name in enumerate(("discriminator_0", "discriminator_1")):
        shown = F.avg_pool2d(made, 2) if roles == "scales" and k else made
        losses.append(F.softplus(-game.get_submodule(name)(shown)).mean())
    torch.testing.assert_close(terms["adversarial"], torch.stack(losses).mean())
