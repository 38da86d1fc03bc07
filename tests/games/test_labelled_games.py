"""Games with labels and codes: their loss terms are the papers' equations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from small import PICTURES, POINTS, fakes_of, game_of, only_latent, real_of, ring
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Conditional, Game, Request, SemiSupervised, TripleGAN
from gantrain.training.rounds import Progress
from gantrain.turns import Batch, Samples


def logits(game: Game, samples: Samples, name: str = "discriminator") -> Tensor:
    return game.score(name, samples, game.batch_at(0)).logits


# --- conditional ----------------------------------------------------------------------------------------------------


def test_projection_adds_the_inner_product_of_label_and_features() -> None:
    """Miyato & Koyama 2018, equation 4: f(x, y) = y'V φ(x) + ψ(φ(x))."""
    game = game_of(*POINTS, "model=cgan", "model.conditioning=projection", "model.generator.norm=batch")
    judge = game.get_submodule("discriminator")
    x, label = torch.randn(5, 2), torch.tensor([0, 1, 2, 3, 4])
    features = judge.trunk(x)  # type: ignore[operator,union-attr]
    v = judge.embedding.weight  # type: ignore[union-attr]
    wanted = judge.head(features).squeeze(1) + torch.stack([v[y] @ f for y, f in zip(label, features, strict=True)])  # type: ignore[operator,union-attr,index]
    torch.testing.assert_close(judge(x, label=label), wanted)


@pytest.mark.parametrize("conditioning", ["concat", "embedding", "projection"])
@pytest.mark.parametrize(
    "words", [[*POINTS, "model.generator.norm=batch"], PICTURES, [*PICTURES, "networks@model=mlp"]]
)
def test_both_players_listen_to_the_label(words: list[str], conditioning: str) -> None:
    game = game_of(*words, "model=cgan", f"model.conditioning={conditioning}")
    with torch.no_grad():
        for parameter in game.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # away from initial gains, which are the same for all
    latent = game.latents(4)
    one, other = ({**latent, "label": torch.full((4,), label)} for label in (1, 3))
    made = fakes_of(game, only_latent(one))
    assert not torch.allclose(made.x, fakes_of(game, only_latent(other)).x)
    assert not torch.allclose(logits(game, made), logits(game, Samples(made.x, {"label": other["label"]})))


def test_concat_puts_one_hot_labels_beside_noise_and_maps() -> None:
    game = game_of(*PICTURES, "model=cgan", "model.conditioning=concat")
    first = next(m for m in game.get_submodule("discriminator").modules() if isinstance(m, torch.nn.Conv2d))
    assert first.in_channels == 1 + 10
    stem = next(m for m in game.get_submodule("generator").modules() if isinstance(m, torch.nn.Linear))
    assert stem.in_features == 64 + 10


@pytest.mark.parametrize(("conditioning", "told"), [("concat", 10), ("embedding", 32), ("projection", 0)])
def test_flat_networks_are_told_labels_as_numbers(conditioning: str, told: int) -> None:
    game = game_of(*PICTURES, "model=cgan", "networks@model=mlp", f"model.conditioning={conditioning}")
    first = next(m for m in game.get_submodule("discriminator").modules() if isinstance(m, torch.nn.Linear))
    assert first.in_features == 16 * 16 + told


def test_mismatched_pairs_are_real_samples_with_a_wrong_label() -> None:
    game = game_of(*POINTS, "model=cgan", "model.conditioning=concat", "model.mismatched=0.25")
    assert isinstance(game, Conditional)
    batch = ring(game)
    made = fakes_of(game, batch)
    mixed = game.with_mismatched("discriminator", made, batch)
    torch.testing.assert_close(mixed.x[:4], batch.data["real"][:4])
    assert (mixed.conditions["label"][:4] != batch.data["label"][:4]).all()
    assert (mixed.conditions["label"] < 8).all()
    torch.testing.assert_close(mixed.x[4:], made.x[4:])
    assert torch.equal(mixed.conditions["label"][4:], made.conditions["label"][4:])


# --- acgan ----------------------------------------------------------------------------------------------------------


def test_acgan_adds_the_classification_of_real_and_fake_samples() -> None:
    """Odena et al. 2017, equations 2 and 3: D maximises L_S + L_C, G maximises L_C - L_S."""
    game = game_of(*POINTS, "model=acgan")
    batch = ring(game)
    terms = game.terms("discriminator", batch)
    torch.manual_seed(2)
    fake, head = fakes_of(game, batch), game.get_submodule("discriminator.heads.label")
    trunk = game.get_submodule("discriminator.trunk")
    l_c = {k: F.cross_entropy(head(trunk(x)), y) for k, x, y in (
        ("real", batch.data["real"], batch.data["label"]), ("fake", fake.x, batch.latent["label"]))}  # fmt: skip
    torch.testing.assert_close(terms["classification"], l_c["real"] + l_c["fake"])
    l_s = F.softplus(-logits(game, real_of(game, batch))).mean() + F.softplus(logits(game, fake)).mean()
    torch.testing.assert_close(terms["adversarial"], l_s)
    of_generator = game.terms("generator", batch)
    torch.testing.assert_close(of_generator["classification"], l_c["fake"])
    torch.testing.assert_close(of_generator["adversarial"], F.softplus(-logits(game, fake)).mean())


# --- few labels -----------------------------------------------------------------------------------------------------


def test_sgan_is_a_classifier_with_one_class_more() -> None:
    """Salimans et al. 2016, section 5: D(x) = Z/(Z + 1), Z = Σ exp l_k; the supervised term among K classes."""
    rounds = round_of(*POINTS, "model=sgan", "model.labels_per_class=3")
    game = rounds.game
    assert isinstance(game, SemiSupervised)
    x = torch.randn(6, 2)
    named = game.classify(x)
    padded = torch.cat([named, torch.zeros(6, 1)], 1).softmax(1)
    torch.testing.assert_close(logits(game, Samples(x)).sigmoid(), 1 - padded[:, -1])
    assert game.labelled_labels.bincount().tolist() == [3] * 8
    batch = ring(game)
    torch.manual_seed(5)
    terms = game.terms("discriminator", batch)
    torch.manual_seed(5)
    labelled = game.some_labelled(16)
    torch.testing.assert_close(
        terms["supervised"], F.cross_entropy(game.classify(labelled.x), labelled.conditions["label"])
    )


@pytest.mark.parametrize("model", ["sgan", "triplegan"])
def test_the_few_labels_belong_to_their_samples(model: str) -> None:
    """Points of ring8 lie within a tenth of their mode, and modes are far apart."""
    rounds = round_of(*POINTS, f"model={model}", "model.labels_per_class=5")
    game = rounds.game
    assert isinstance(game, SemiSupervised | TripleGAN)
    data = rounds.batches.draw(0, 2000)
    modes = torch.stack([data["real"][data["label"] == label].mean(0) for label in range(8)])
    assert torch.equal(torch.cdist(game.labelled_samples, modes).argmin(1), game.labelled_labels)
    assert game.labelled_labels.bincount().tolist() == [5] * 8
    drawn = game.some_labelled(100)
    assert torch.equal(torch.cdist(drawn.x, modes).argmin(1), drawn.conditions["label"])
    assert len(drawn.conditions["label"].unique()) == 8


def test_unlabelled_samples_may_weigh_half() -> None:
    """In the reference code of Salimans et al. 2016 each of the two unsupervised terms has the factor ½."""
    words = [*POINTS, "model=sgan", "model.labels_per_class=3"]
    whole, half = round_of(*words).game, round_of(*words, "model.unsupervised_weight=0.5").game
    terms = []
    for game in (whole, half):
        batch = ring(game)
        torch.manual_seed(5)
        terms.append(game.terms("discriminator", batch))
    torch.testing.assert_close(terms[1]["adversarial"], 0.5 * terms[0]["adversarial"])
    torch.testing.assert_close(terms[1]["supervised"], terms[0]["supervised"])
    with pytest.raises(UserError, match="0 or more"):
        game_of(*words, "model.unsupervised_weight=-1")


def test_labels_are_kept_with_the_run_and_come_back() -> None:
    words = [*POINTS, "model=sgan", "model.labels_per_class=2"]
    game = round_of(*words).game
    fresh = build_game(config(*words, "seed=1"))
    fresh.load_state_dict(game.state_dict())
    assert torch.equal(fresh.labelled_samples, game.labelled_samples)  # type: ignore[arg-type]


def test_triplegan_terms() -> None:
    """Li et al. 2017, equations 2 to 4, the classifier's reward for its most likely label."""
    rounds = round_of(*POINTS, "model=triplegan", "model.labels_per_class=2", "model.pseudo_start=5")
    game = rounds.game
    assert isinstance(game, TripleGAN)
    assert [turn.player for turn in game.turns] == ["discriminator", "generator", "classifier"]
    batch = ring(game)
    torch.manual_seed(3)
    terms = game.terms("classifier", batch)
    torch.manual_seed(3)
    labelled = game.some_labelled(16)
    chances = game.classify(batch.data["real"]).softmax(1)
    pair = Samples(batch.data["real"], {"label": chances.argmax(1)})
    wanted = 0.5 * (chances.max(1).values * torch.log(1 - logits(game, pair).sigmoid())).mean()
    torch.testing.assert_close(terms["adversarial"], wanted)
    torch.testing.assert_close(
        terms["supervised"], F.cross_entropy(game.classify(labelled.x), labelled.conditions["label"])
    )
    assert terms["pseudo"] == 0
    made = fakes_of(game, batch)
    later = game.terms("classifier", Batch(batch.data, batch.latent, torch.tensor(5)))
    named = F.cross_entropy(game.classify(made.x), made.conditions["label"])
    torch.testing.assert_close(later["pseudo"], 0.1 * named)


def test_triplegan_shows_the_classifiers_pairs_as_fakes() -> None:
    rounds = round_of(*POINTS, "model=triplegan", "model.labels_per_class=2")
    game = rounds.game
    batch = ring(game)
    context = game.discriminator_turn("discriminator", fakes_of(game, batch), batch)
    fake = context.comparisons["discriminator"].fake.samples
    torch.testing.assert_close(fake.x[:8], batch.data["real"][:8])
    assert torch.equal(fake.conditions["label"][:8], game.classify(batch.data["real"][:8]).argmax(1))


def test_triplegan_with_very_few_labels() -> None:
    """Li et al. 2017, section 3.3, and their reference code: C's labels among D's real pairs, and two terms for C."""
    few = ["model.pseudo_real=0.25", "model.confidence=0.3", "model.balance=0.2"]
    game = round_of(*POINTS, "model=triplegan", "model.labels_per_class=2", *few).game
    assert isinstance(game, TripleGAN)
    batch = ring(game)
    x = batch.data["real"]
    real = real_of(game, batch)
    assert torch.equal(real.x[:4], x[12:])
    assert torch.equal(real.conditions["label"][:4], game.classify(x[12:]).argmax(1))
    kept = {tuple(sample) for sample in game.labelled_samples.tolist()}
    assert all(tuple(sample) in kept for sample in real.x[4:].tolist())
    terms = game.terms("classifier", batch)
    chances = game.classify(x).softmax(1)
    entropy = torch.distributions.Categorical(chances).entropy().mean()
    torch.testing.assert_close(terms["confidence"], 0.3 * entropy)
    even = F.cross_entropy(chances.mean(0).log()[None], torch.full((1, 8), 1 / 8))
    torch.testing.assert_close(terms["balance"], 0.2 * even)


# --- asking ---------------------------------------------------------------------------------------------------------


def test_samples_are_of_the_class_asked_for() -> None:
    game = game_of(*PICTURES, "model=cgan")
    assert game.sample(game.request(5, {"class": "3"}))["samples"].conditions["label"].tolist() == [3] * 5
    rows = game.request(40, {"class": "all"})
    assert (rows.columns, rows.latent["label"].tolist()) == (4, [k for k in range(10) for _ in range(4)])
    preview_request = game.preview_request(64)
    assert preview_request.columns == 6
    assert torch.equal(preview_request.latent["noise"][:6], preview_request.latent["noise"][6:12])


@pytest.mark.parametrize(
    ("words", "asked", "sentence"),
    [
        (["model=cgan"], {"class": "10"}, "use 0 to 9, or all"),
        (["model=cgan"], {"class": "cat"}, "use 0 to 9, or all"),
        (["model=infogan"], {"code": "3"}, "use 0 to 2, or all"),
        (["model=dcgan_small"], {"class": "1"}, "does not know"),
        (["model=acgan"], {"code": "1"}, "does not know"),
    ],
)
def test_what_a_game_does_not_know_is_refused(words: list[str], asked: dict[str, str], sentence: str) -> None:
    game = game_of(*PICTURES, *words)
    with pytest.raises(ValueError, match=sentence):
        game.request(4, asked)


@pytest.mark.parametrize("model", ["cgan", "acgan", "sgan", "triplegan"])
def test_a_set_without_labels_is_refused(model: str) -> None:
    with pytest.raises(UserError, match="needs a dataset with labels"):
        build_game(config("dataset=gaussian1d", f"model={model}", "networks@model=mlp"))


@pytest.mark.parametrize("model", ["sgan", "triplegan"])
def test_more_labels_than_there_are_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match=r"more than there are: a class has 17\d samples"):
        round_of(*PICTURES, f"model={model}", "model.labels_per_class=500")


def test_a_game_with_labels_resumes_bit_for_bit() -> None:
    words = [*POINTS, "model=cgan", "model.conditioning=concat"]
    whole, half = round_of(*words), round_of(*words)
    progress = Progress()
    for _ in range(4):
        whole.play(progress)
    progress = Progress()
    half.play(progress)
    half.play(progress)
    again = round_of(*words)
    again.game.load_state_dict(half.game.state_dict())
    for name, learner in again.learners.items():
        learner.optimizer.load_state_dict(half.learners[name].optimizer.state_dict())
    for _ in range(2):
        again.play(progress)
    for a, b in zip(whole.game.state_dict().values(), again.game.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_request_of_plain_games() -> None:
    game = game_of(*PICTURES, "model=dcgan_small")
    assert game.request(3, {}) == Request(3)
