"""Reed et al. 2016: the terms of each player, which captions are wrong, texts between two, samples on demand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from conftest import CPU, config, round_of, same
from playing import mostly_slow
from small import game_of
from test_every_game import LOSSES, TRICKS, check_rounds
from torch import Tensor

from gantrain.commands.assembly import build_game, plain
from gantrain.config import build
from gantrain.data import DataContext
from gantrain.errors import UserError
from gantrain.games import TextToImage
from gantrain.games.text2image import wrong_captions
from gantrain.training.rounds import Progress
from gantrain.turns import Batch

DATA = ["dataset=digits_captions", "dataset.image_size=16", "dataset.pictures=60", "dataset.wordings=2"]
DATA += ["trainer.batch_size=8", "model=text2image"]
SMALL = [*DATA, "model.encoder.width=4", "model.encoder.dim=4", "model.text_width=3", "model.encoder_batches=1"]
NARROW = [*SMALL, "model.generator.width=2", "model.discriminator.width=2"]
MLP = [*SMALL, "networks@model=mlp", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"]
MLP += ["model.generator.norm=batch", "metrics.best=metrics/digit_as_asked", "metrics.use=[as_asked]"]
PLAIN = ["loss=nonsaturating", "optimizer=adam", "tricks=[]"]


def game(*words: str) -> TextToImage:
    made = game_of(*NARROW, *PLAIN, "model.discriminator.norm=none", *words)
    assert isinstance(made, TextToImage)
    return made


def batch_of(made: TextToImage, n: int = 16) -> Batch:
    source = build(plain(config(*DATA).dataset), "dataset")
    torch.manual_seed(0)
    data = source.open(DataContext(Path(), CPU)).draw(0, n)
    return made.batch_at(0, made.latents(n), data)


def logits(made: TextToImage, x: Tensor, text: Tensor) -> Tensor:
    return made.discriminator(x, text=text)


def test_the_discriminator_minimises_the_papers_loss() -> None:
    """Algorithm 1: -log s_r - (log(1 - s_w) + log(1 - s_f)) / 2, of real pictures, wrong captions and fakes."""
    made = game("model.mismatched=0.5")
    batch = batch_of(made)
    torch.manual_seed(5)
    found = made.terms("discriminator", batch)
    text = made.text_of(batch.data["caption"])
    real, fake = batch.data["real"], made.generator(batch.latent["noise"], text)
    torch.manual_seed(5)
    mixed = made.with_mismatched("discriminator", made.generate(batch)["discriminator"], batch)
    assert torch.equal(mixed.x[:8], real[1:9])
    torch.testing.assert_close(mixed.x[8:], fake[8:])
    s_real = logits(made, real, text).sigmoid()
    s_wrong = logits(made, real[1:9], mixed.conditions["text"][:8]).sigmoid()
    s_fake = logits(made, fake[8:], text[8:]).sigmoid()
    wanted = -s_real.log().mean() - ((1 - s_wrong).log().mean() + (1 - s_fake).log().mean()) / 2
    assert set(found) == {"adversarial"}
    torch.testing.assert_close(found["adversarial"], wanted)


def test_the_generator_minimises_the_papers_loss() -> None:
    """Equation 5, with a third of the batch between two captions as in the authors' code."""
    made = game("model.interpolated=0.25", "model.beta=0.5")
    batch = batch_of(made)
    text = made.text_of(batch.data["caption"])
    mixed = text.clone()
    for k in range(4):
        mixed[k] = 0.5 * text[k] + 0.5 * text[k - 1]
    wanted = -logits(made, made.generator(batch.latent["noise"], mixed), mixed).sigmoid().log().mean()
    torch.testing.assert_close(made.terms("generator", batch)["adversarial"], wanted)


def test_the_ends_of_interpolation_are_the_captions_themselves() -> None:
    text = torch.randn(6, 4)
    assert torch.equal(game("model.beta=1").interpolate(text), text)
    assert torch.equal(game("model.beta=0", "model.interpolated=1").interpolate(text), text.roll(1, 0))
    half = game("model.beta=0.5", "model.interpolated=0.5").interpolate(text)
    torch.testing.assert_close(half[:3], (text + text.roll(1, 0))[:3] / 2)
    assert torch.equal(half[3:], text[3:])
    assert torch.equal(game("model.interpolated=0").interpolate(text), text)


def test_the_discriminator_never_sees_texts_between_two() -> None:
    made = game("model.interpolated=1")
    batch = batch_of(made)
    context = made.discriminator_turn("discriminator", made.generate(batch)["discriminator"], batch)
    real = context.comparisons["discriminator"].real
    assert real is not None
    torch.testing.assert_close(real.samples.conditions["text"], made.text_of(batch.data["caption"]))


def test_the_game_teaches_the_encoder_nothing() -> None:
    made = game()
    batch = batch_of(made)
    for player in ("discriminator", "generator"):
        torch.stack(list(made.terms(player, batch).values())).sum().backward()
        assert all(p.grad is None for p in made.encoder.parameters())
    made.terms("encoder", batch)["matching"].backward()
    assert all(p.grad is not None for p in made.encoder.text.parameters())


def test_without_matching_pairs_all_fakes_are_generated() -> None:
    made = game("model.mismatched=0")
    batch = batch_of(made)
    fakes = made.generate(batch)["discriminator"]
    assert made.with_mismatched("discriminator", fakes, batch) is fakes


def test_a_wrong_caption_is_true_of_no_picture_that_it_is_shown_with() -> None:
    made = game("model.mismatched=0.75")
    batch = batch_of(made, 48)
    mixed = made.with_mismatched("discriminator", made.generate(batch)["discriminator"], batch)
    said = {tuple(c): f for c, f in zip(batch.data["caption"].tolist(), batch.data["said"].tolist(), strict=True)}
    for k in range(36):
        assert torch.equal(mixed.x[k], batch.data["real"][k + 1]), "not beside itself, where no line leads anywhere"
        facts, shown = said[tuple(mixed.conditions["caption"][k].tolist())], batch.data["shown"][k + 1].tolist()
        assert any(fact not in (-1, there) for fact, there in zip(facts, shown, strict=True))
        torch.testing.assert_close(mixed.conditions["text"][k], made.text_of(mixed.conditions["caption"][k][None])[0])


def test_a_caption_that_leaves_something_out_is_wrong_only_where_it_says_so() -> None:
    shown, said = torch.tensor([[7, 1, 0], [7, 1, 2]]), torch.tensor([[7, 1, -1], [7, 1, 2]])
    data = {"caption": torch.tensor([[1], [2]]), "shown": shown, "said": said}
    assert wrong_captions(Batch(data, {}, torch.zeros(()))).tolist() == [[False, True], [False, False]]
    assert wrong_captions(Batch({"caption": data["caption"]}, {}, torch.zeros(()))).tolist() == [[0, 1], [1, 0]]


def test_where_no_caption_is_wrong_fakes_stay() -> None:
    made = game()
    batch = batch_of(made, 4)
    alike = {name: values[:1].expand_as(values) for name, values in batch.data.items()}
    batch = replace(batch, data=alike)
    fakes = made.generate(batch)["discriminator"]
    assert torch.equal(made.with_mismatched("discriminator", fakes, batch).x, fakes.x)


def test_where_samples_meet_wrong_captions_go_through_d_by_themselves() -> None:
    """Else D could tell fakes by the real pictures beside them, which the generator's turn never has."""
    made = game_of(*NARROW, *PLAIN, "model.discriminator.norm=batch")
    assert isinstance(made, TextToImage)
    batch = batch_of(made)
    sizes: list[int] = []
    made.discriminator.register_forward_pre_hook(lambda *_: None)
    score = made.discriminator.score
    made.discriminator.score = lambda x, **known: (sizes.append(len(x)), score(x, **known))[1]  # type: ignore
    made.terms("discriminator", batch)
    assert sizes == [16, 8, 8]
    with pytest.raises(UserError, match="makes a batch of one of 2 samples"):
        build_game(config(*NARROW, *PLAIN, "model.discriminator.norm=batch", "trainer.batch_size=2"))


def test_words_become_a_request() -> None:
    made = game()
    request = made.request(6, {"text": "A big RED 7 on the left"})
    assert made.sample(request)["samples"].x.shape == (6, 3, 16, 16)
    assert made.captions(made.sample(request)["samples"]) == ["a big red 7 on the left"] * 6
    several = made.request(6, {"text": "a 7\n\na 3\n"})
    assert (several.n, several.columns) == (6, 3)
    assert made.captions(made.sample(several)["samples"]) == ["a 7"] * 3 + ["a 3"] * 3
    for text, sentence in (("a (7)", r"\( \)"), ("a" * 65, "65 letters"), (" ", "empty")):
        with pytest.raises(ValueError, match=sentence):
            made.request(6, {"text": text})


def test_the_encoder_rests_after_its_steps() -> None:
    rounds = round_of(*NARROW, *PLAIN, "model.encoder_steps=2")
    progress, held = Progress(), []
    for _ in range(4):
        rounds.play(progress)
        held.append([p.detach().clone() for p in rounds.learners["encoder"].parameters])
    moved = [not all(torch.equal(a, b) for a, b in zip(*pair, strict=True)) for pair in pairwise(held)]
    assert moved == [True, False, False]


@pytest.mark.parametrize("dataset", ["digits", "ring8"])
def test_captions_are_needed(dataset: str) -> None:
    with pytest.raises(UserError, match="needs captions: use dataset=digits_captions"):
        build_game(config("model=text2image", f"dataset={dataset}", "loss=nonsaturating"))


def test_a_run_that_is_resumed_equals_one_that_never_stopped() -> None:
    words = [*NARROW, "loss=hinge", "tricks=[ema,experience_replay]", "tricks.ema.players=[generator,encoder]"]
    whole, first, second = (round_of(*words) for _ in range(3))
    progress, halfway = Progress(), Progress()
    for _ in range(4):
        whole.play(progress)
    for _ in range(2):
        first.play(halfway)
    second.game.load_state_dict(first.game.state_dict())
    for name, learner in second.learners.items():
        learner.optimizer.load_state_dict(first.learners[name].optimizer.state_dict())
    for _ in range(2):
        second.play(halfway)
    assert same(dict(whole.game.state_dict()), dict(second.game.state_dict()))


# --- with every loss and every trick --------------------------------------------------------------------------------

REFUSED = {
    "packing": "a label or code of its own",
    "minibatch_tutorial": r"no linear block 'trunk\.3'",
    "reconstruction": "maps that a discriminator makes of pictures",
}
PICTURES = {"ada", "diffaugment", "consistency", "virtual_batch_norm", "spectral_norm", "reconstruction"}


PLAYED = [*((loss, "fp32") for loss in LOSSES), ("hinge", "bf16"), ("wgan_gp", "bf16"), ("r3", "bf16")]


@pytest.mark.parametrize(("loss", "precision"), PLAYED)
def test_with_a_loss(loss: str, precision: str) -> None:
    check_rounds(round_of(*NARROW, f"loss={loss}", f"trainer.precision={precision}", "tricks=[ema]"))


@pytest.mark.parametrize("trick", mostly_slow(sorted({*TRICKS} - PICTURES | {"reconstruction"})))
def test_with_a_trick(trick: str) -> None:
    asked = [*MLP, "metrics.every=100", "loss=nonsaturating", "optimizer=adam", f"tricks=[{trick}]"]
    if trick == "minibatch_stddev":
        asked.append("tricks.minibatch_stddev.group_size=2")
    if sentence := REFUSED.get(trick):
        with pytest.raises(UserError, match=sentence):
            build_game(config(*asked))
    else:
        check_rounds(round_of(*asked))


@pytest.mark.parametrize("trick", sorted(PICTURES))
def test_of_pictures_with_a_trick(trick: str) -> None:
    check_rounds(round_of(*NARROW, *PLAIN[:2], f"tricks=[{trick}]"))


def test_it_is_not_played_in_parts() -> None:
    with pytest.raises(UserError, match="the encoder compares every caption of a batch"):
        round_of(*NARROW, *PLAIN, "trainer.accumulate=2")


def test_texts_and_pictures_are_compared_in_full_precision() -> None:
    game = round_of(*NARROW, *PLAIN).game
    with torch.autocast("cpu", torch.bfloat16):
        products = game.get_submodule("encoder")(torch.randn(2, *game.shape), torch.ones(2, 5, dtype=torch.int64))  # type: ignore[attr-defined]
    assert products.dtype == torch.float32


def test_other_games_play_on_pictures_with_captions() -> None:
    check_rounds(
        round_of(*DATA, "model=mlp", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]", "tricks=[]")
    )
