"""Games of two domains: their loss terms are the papers' equations, what is shared, and what they play with."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of, same
from playing import mostly_slow
from small import game_of
from test_every_game import LOSSES, TRICKS, check_rounds
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.commands.sampling import side_by_side
from gantrain.errors import UserError
from gantrain.games import CoGAN, CycleGAN, Game, Request
from gantrain.training.state import Progress
from gantrain.turns import Batch

SMALL = "dataset=digits_domains dataset.image_size=8 trainer.batch_size=8 metrics=none tricks=[]"
GAMES = {
    "cyclegan": "model=cyclegan_small model.generator.width=2 model.generator.blocks=1 model.discriminator.width=2 "
    "model.discriminator.patch=16 model.pool=8",
    "cogan": "model=cogan dataset.domains=negative model.generator.width=2 model.discriminator.width=2",
}


def words(game: str, *more: str) -> list[str]:
    return [*SMALL.split(), *GAMES[game].split(), *more]


def small_game(game: str, *more: str) -> Game:
    return game_of(*words(game, *more))


def both_domains(game: Game, n: int = 6, channels: int = 3) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.rand(n, channels, 8, 8) * 2 - 1, "other": torch.rand(n, channels, 8, 8) * 2 - 1}
    return Batch(data, game.latents(n), torch.zeros(()))


# --- cyclegan --------------------------------------------------------------------------------------------------------


def test_the_generators_of_cyclegan_minimise_equation_3_and_the_identity_loss() -> None:
    """λ 10 for both cycles, half of it for both identities, (D - 1)² over all patches; worked out by hand."""
    game = small_game("cyclegan", "model.pool=0")
    assert isinstance(game, CycleGAN)
    batch = both_domains(game)
    a, b = batch.data["other"], batch.data["real"]
    to_b, to_a = game.generator.a_to_b, game.generator.b_to_a
    terms = game.terms("generator", batch)
    d_a, d_b = (game.get_submodule(name).score for name in game.discriminators)
    wanted = {
        "adversarial": ((d_b(to_b(a))[0] - 1) ** 2).mean() + ((d_a(to_a(b))[0] - 1) ** 2).mean(),
        "cycle": 10 * (F.l1_loss(to_a(to_b(a)), a) + F.l1_loss(to_b(to_a(b)), b)),
        "identity": 5 * (F.l1_loss(to_b(b), b) + F.l1_loss(to_a(a), a)),
    }
    assert terms.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(terms[name], value)


@pytest.mark.parametrize(
    ("name", "start", "real"), [("discriminator_a", "real", "other"), ("discriminator_b", "other", "real")]
)
def test_each_discriminator_of_cyclegan_judges_its_own_domain(name: str, start: str, real: str) -> None:
    game = small_game("cyclegan", "model.pool=0")
    assert isinstance(game, CycleGAN)
    batch = both_domains(game)
    make = game.generator.b_to_a if name == "discriminator_a" else game.generator.a_to_b
    score = game.get_submodule(name).score
    wanted = ((score(batch.data[real])[0] - 1) ** 2).mean() + (score(make(batch.data[start]))[0] ** 2).mean()
    torch.testing.assert_close(game.terms(name, batch)["adversarial"], wanted / 2)


def test_generators_that_change_nothing_come_home_at_no_cost() -> None:
    game = small_game("cyclegan")
    assert isinstance(game, CycleGAN)
    for network in game.ways():
        network.forward = lambda x: x  # type: ignore[method-assign,assignment,misc]
    terms = game.terms("generator", both_domains(game))
    assert terms["cycle"].item() == terms["identity"].item() == 0


def test_no_identity_loss_where_it_has_no_weight() -> None:
    game = small_game("cyclegan", "model.identity=0")
    assert set(game.terms("generator", both_domains(game))) == {"adversarial", "cycle"}


def test_a_picture_shows_source_translation_and_way_back_of_both_directions() -> None:
    game = small_game("cyclegan")
    assert isinstance(game, CycleGAN)
    given = {name: both_domains(game).data[name] for name in ("real", "other")}
    request = Request(6, inputs=given, columns=game.columns)
    made = game.sample(request)
    assert next(iter(made)) == "samples"
    shown, columns = side_by_side(made, request, game.grid)
    assert columns == 12
    to_b, to_a = (network.eval() for network in game.ways())
    with torch.no_grad():
        b, a = to_b(given["other"]), to_a(given["real"])
        wanted = [given["other"], b, to_a(b), given["real"], a, to_b(a)]
    for place, x in enumerate(wanted):
        torch.testing.assert_close(shown[place::6], x)
    only = game.sample(Request(6, inputs={"other": given["other"]}))
    assert list(only) == ["samples", "cycled"], "the other direction is made where it is asked for alone"


def test_the_word_to_says_the_direction() -> None:
    game = small_game("cyclegan")
    assert game.translator({}) is game.generator.a_to_b
    assert game.translator({"to": "a"}) is game.generator.b_to_a
    for asked, sentence in (({"to": "c"}, "a or b"), ({"class": "3"}, "class=")):
        with pytest.raises(ValueError, match=sentence):
            game.translator(asked)
    with pytest.raises(ValueError, match="add input="):
        game.request(3, {"to": "a"})


# --- cogan -----------------------------------------------------------------------------------------------------------


def test_cogan_minimises_the_mean_of_both_domains_values() -> None:
    """Equation 3 with the generator's nonsaturating loss, over both domains; from one noise for both generators."""
    game = small_game("cogan", "model.discriminator.norm=none", "loss=nonsaturating")
    assert isinstance(game, CoGAN)
    batch = both_domains(game, channels=1)
    makers, judges = game.generator, game.discriminator
    a, b = (make(batch.latent["noise"]) for make in (makers.a, makers.b))
    logit_a, logit_b = (lambda x: judges.head(judges.trunk.a(x))), (lambda x: judges.head(judges.trunk.b(x)))
    real_a, real_b = batch.data["other"], batch.data["real"]

    def value(real: Tensor, fake: Tensor) -> Tensor:
        return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()

    wanted = (value(logit_a(real_a), logit_a(a)) + value(logit_b(real_b), logit_b(b))) / 2
    torch.testing.assert_close(game.terms("discriminator", batch)["adversarial"], wanted)
    wanted = (-F.logsigmoid(logit_a(a)).mean() - F.logsigmoid(logit_b(b)).mean()) / 2
    torch.testing.assert_close(game.terms("generator", batch)["adversarial"], wanted)


@pytest.mark.parametrize(("generator", "discriminator"), [(1, 1), (2, 0)])
def test_shared_layers_are_one_and_the_others_are_not(generator: int, discriminator: int) -> None:
    game = small_game("cogan", f"model.generator_own={generator}", f"model.discriminator_own={discriminator}")
    assert isinstance(game, CoGAN)
    for player, first, second, own, last in (
        ("generator", game.generator.a, game.generator.b, generator, True),
        ("discriminator", game.discriminator.trunk.a, game.discriminator.trunk.b, discriminator, False),
    ):
        pairs = list(zip(first.modules(), second.modules(), strict=True))
        layers = [one is two for one, two in pairs if list(one.parameters(recurse=False))]
        apart = [False] * own
        rest = [True] * (len(layers) - own)
        assert layers == (rest + apart if last else apart + rest), player
        parameters = game.parameters_of(player)
        assert len({id(p) for p in parameters}) == len(parameters), "the optimizer holds each of them once"


def test_a_shared_layer_moves_once_a_turn() -> None:
    """One step of plain gradient descent from the gradients of both domains together."""
    rounds = round_of(
        *words("cogan", "loss=nonsaturating", "optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=0.1")
    )
    game = rounds.game
    layer = game.get_submodule("discriminator.head")
    assert isinstance(layer, nn.Linear)
    before = layer.weight.detach().clone()
    rounds.turn(game.turns[0], 0, Progress(), observe=False)
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight, before - 0.1 * layer.weight.grad)


def test_what_both_generators_share_is_computed_once_and_changes_nothing() -> None:
    game = small_game("cogan")
    assert isinstance(game, CoGAN)
    noise = torch.randn(5, game.noise.dim)
    alone = copy.deepcopy(game.generator)
    a, b = game.generator(noise)
    torch.testing.assert_close(a, alone.a(noise))
    torch.testing.assert_close(b, alone.b(noise))
    calls = []
    first = game.generator.a.net[0]
    first.register_forward_hook(lambda *_: calls.append(1))
    game.generator(noise)
    assert len(calls) == 1


def test_samples_of_cogan_are_pairs_of_one_noise() -> None:
    game = small_game("cogan")
    latent = game.latents(4)
    made = game.sample(Request(4, latent))
    assert list(made) == ["samples", "other"]
    again = game.sample(Request(4, {"noise": latent["noise"].flip(0)}))
    for name in made:
        torch.testing.assert_close(made[name].x, again[name].x.flip(0))
    shown, columns = side_by_side(made, Request(4, latent), game.grid)
    assert columns == 8
    assert torch.equal(shown[0::2], made["other"].x)


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", GAMES)
def test_a_dataset_of_one_domain_is_refused(game: str) -> None:
    with pytest.raises(UserError, match="a game of two domains, and the dataset has one"):
        game_of("dataset=digits", f"model={game}")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["cyclegan", "model.discriminator.patch=70"], "70x70 patches has none on pictures of 8"),
        (["cyclegan", "model.generator.halvings=3"], "halvings=3 leaves too little"),
        (["cyclegan", "trainer.batch_size=16"], "a larger model.pool"),
        (["cogan", "model.generator_own=99"], "generator_own=99 leaves nothing to share"),
        (["cogan", "model.discriminator_own=99"], "discriminator_own=99 leaves nothing to share"),
    ],
)
def test_refusals(more: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config(*words(*more)))


REFUSED = {
    ("cogan", "minibatch_tutorial"): r"no linear block 'trunk\.3'",
    ("cyclegan", "minibatch_tutorial"): "stands before a linear layer",
    **{(game, "packing"): "a label or code of its own" for game in GAMES},
    **{("cyclegan", f"{kind}_batch_norm"): "takes the place of batch norm" for kind in ("virtual", "reference")},
    ("cyclegan", "minibatch_discrimination"): "stands before a linear layer",
    ("cyclegan", "mode_seeking"): "no generator takes any here",
    ("cogan", "reconstruction"): "maps that a discriminator makes of pictures",
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("game", GAMES)
def test_it_plays_with_a_loss(game: str, loss: str) -> None:
    norm = ["model.discriminator.norm=none"] if game == "cogan" else []
    check_rounds(round_of(*words(game, f"loss={loss}", *norm)))


@pytest.mark.parametrize("trick", mostly_slow(TRICKS))
@pytest.mark.parametrize("game", GAMES)
def test_it_plays_with_a_trick(game: str, trick: str) -> None:
    asked = [
        word for word in words(game, "loss=nonsaturating", "optimizer=adam", f"tricks=[{trick}]") if word != "tricks=[]"
    ]
    if trick == "minibatch_stddev":
        asked.append("tricks.minibatch_stddev.group_size=2")
    if trick == "early_stopping":
        asked += ["metrics.use=[mind_pixels]", "metrics.best=metrics/mind_pixels", "metrics.every=100"]
    if sentence := REFUSED.get((game, trick)):
        with pytest.raises(UserError, match=sentence):
            build_game(config(*asked))
    else:
        check_rounds(round_of(*asked))


@pytest.mark.parametrize("game", GAMES)
def test_bf16_and_parts_of_a_batch(game: str) -> None:
    check_rounds(round_of(*words(game, "trainer.precision=bf16", "trainer.accumulate=2", "tricks=[ema]")[:]))


@pytest.mark.parametrize("game", GAMES)
def test_going_on_equals_never_having_stopped(game: str) -> None:
    """The pool, the orders of both domains and all weights are in the state."""
    whole = round_of(*words(game, "loss=lsgan"))
    progress = Progress()
    for _ in range(4):
        whole.play(progress)
    stopped, again = round_of(*words(game, "loss=lsgan")), round_of(*words(game, "loss=lsgan"))
    progress = Progress()
    for _ in range(2):
        stopped.play(progress)
    again.game.load_state_dict(stopped.game.state_dict())
    for name, learner in again.learners.items():
        learner.optimizer.load_state_dict(copy.deepcopy(stopped.learners[name].optimizer.state_dict()))
    for _ in range(2):
        again.play(progress)
    assert same(dict(whole.game.state_dict()), dict(again.game.state_dict()))
