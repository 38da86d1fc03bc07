"""Pictures of what a text says (Reed et al. 2016, "Generative Adversarial Text to Image Synthesis")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from gantrain.captions import decoded, encoded
from gantrain.games.base import Request
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.text import (
    JointEncoder,
    TextConditioning,
    TextDiscriminator,
    TextEncoder,
    TextGenerator,
    matching_loss,
)
from gantrain.ranges import COUNT, SHARE, WIDTH, within
from gantrain.tricks import RunPlan, Trick, TurnContext
from gantrain.turns import Batch, Samples, Scores, Turn

PREVIEWED = 32
"""Pictures that show a run, each over its caption."""


class TextToImage(Standard):
    """Generator and discriminator are told a caption, as numbers that an encoder makes of its letters.

    GAN-CLS (algorithm 1): of the pictures that D learns to reject a share are real ones with a wrong caption; with a
    half, as in the paper, L_D = -log D(x, t) - ½ log(1 - D(x, t̂)) - ½ log(1 - D(G(z, t), t)). GAN-INT (equation 5): a
    share of G's turn is told β·t₁ + (1 - β)·t₂, between the captions of two pictures.

    The encoder learns in turns of its own which captions are true of which pictures (`matching_loss`), and nothing from
    the game, in which its numbers are given: in the paper it was trained before.

    Args:
        alphabet, caption_length: the letters that captions may have, and how many of them.
        shape: of what the discriminator is shown.
        encoder: makes the encoder of captions, given how many letters there are.
        picture: makes a network whose trunk looks at pictures beside it; the discriminator's by default.
        text_width: how many numbers become of a caption in either player.
        conditioning: how D is told it: `concat`, as in the paper, or `projection`.
        norm: of the layers in D where caption and picture meet by `concat`.
        mismatched: so many of the fakes that D sees, as a share of the batch, are real samples with a caption that is
            not true of them; 0 leaves GAN-CLS out.
        interpolated: the share of G's batch whose captions are interpolated; 0 leaves GAN-INT out.
        beta: where between the two captions.
        encoder_steps: in how many first steps the encoder learns; None for all.
        encoder_batches: how many times the batch size its turn plays: the more pictures are compared, the more of them
            differ in what is hard to tell alone.

    Raises:
        ValueError: the dataset has no captions; a share is none; samples meet where the loss forbids it.
    """

    conditions: tuple[str, ...] = ("text",)
    given = ("text",)
    inputs = ("caption",)
    encoders = ("encoder",)
    labelled = True
    only_adversarial = False

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        alphabet: str | None,
        caption_length: int | None,
        shape: list[int],
        encoder: Callable[..., TextEncoder] = TextEncoder,
        picture: Callable[..., Discriminator] | None = None,
        text_width: int = 128,
        conditioning: TextConditioning = "concat",
        norm: Literal["batch", "layer", "none"] = "none",
        mismatched: float = 0.5,
        interpolated: float = 1 / 3,
        beta: float = 0.5,
        encoder_steps: int | None = None,
        encoder_batches: int = 1,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        if not alphabet or not caption_length:
            raise ValueError(
                "this game needs captions: use dataset=digits_captions, or a folder of pictures with a captions.csv "
                "(columns file and caption)"
            )
        within("[0, 1)", mismatched=mismatched)
        within(SHARE, interpolated=interpolated, beta=beta)
        within(WIDTH, text_width=text_width)
        within(COUNT, encoder_steps=encoder_steps)
        within("[1, 10000]", encoder_batches=encoder_batches)
        if conditioning == "projection" and norm != "none":
            raise ValueError("norm is of the layers of conditioning=concat: leave model.norm out, or set that")
        if norm == "batch" and loss.per_sample:
            raise ValueError(
                "samples meet in batch norm, but this loss takes a gradient per sample: set model.norm=layer"
            )
        self.alphabet, self.caption_length, self.shape = alphabet, caption_length, shape
        self.make_encoder, self.make_picture = encoder, picture or discriminator
        self.text_width, self.conditioning, self.norm = text_width, conditioning, norm
        self.mismatched, self.interpolated, self.beta = mismatched, interpolated, beta
        self.encoder_steps, self.encoder_batches = encoder_steps, encoder_batches
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        self.encoder = JointEncoder(
            partial(self.make_encoder, letters=len(self.alphabet)), partial(self.make_picture, shape=self.shape)
        )
        text = self.encoder.text.dim
        self.generator = TextGenerator(generator, self.noise.dim, text, self.text_width)
        self.discriminator = TextDiscriminator(
            discriminator, self.shape, text, self.text_width, self.norm, self.conditioning
        )

    def install(self, tricks: Mapping[str, Trick]) -> None:
        super().install(tricks)
        self.turns = (Turn("encoder", batches=self.encoder_batches), *self.turns)

    def turns_at(self, step: int) -> tuple[Turn, ...]:
        over = self.encoder_steps is not None and step >= self.encoder_steps
        return self.turns[1:] if over else self.turns

    def without_reuse(self) -> str | None:
        return "the generator is asked for texts between those that the discriminator judges; leave it out"

    def text_of(self, captions: Tensor) -> Tensor:
        """Captions (N, L) as both players are told them, (N, dim) float32: numbers that they cannot change.

        They come from the live encoder always, which has come to rest when an average of it would still lag behind.
        """
        with torch.no_grad():
            return self.encoder.text(captions).float()

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        data = batch.data
        text = data["asked"] if "asked" in data else self.text_of(data["caption"])
        fakes = self.network("generator", averaged)(batch.latent["noise"], text)
        return self.to_each(Samples(fakes, {"text": text, "caption": data["caption"]}))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        data = batch.data
        text = data["text"] if "text" in data else self.text_of(data["caption"])
        return self.to_each(Samples(data["real"], {"text": text, "caption": data["caption"]}))

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        if player not in self.encoders:
            text = self.text_of(batch.data["caption"])  # once for the whole turn
            asked = self.interpolate(text) if player in self.generators else text
            return super().terms(player, replace(batch, data={**batch.data, "text": text, "asked": asked}))
        products = self.encoder(batch.data["real"], batch.data["caption"])
        terms = {"matching": matching_loss(products, wrong_captions(batch))}
        return self.trick_terms(player, TurnContext(self, batch, {}, {}, terms))

    def interpolate(self, text: Tensor) -> Tensor:
        """Texts (N, dim), the first share of them β of the way from another one to themselves."""
        count = round(self.interpolated * len(text))
        between = torch.lerp(text.roll(1, 0), text, self.beta)
        return torch.cat([between[:count], text[count:]])

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        return super().discriminator_turn(discriminator, self.with_mismatched(discriminator, fakes, batch), batch)

    def with_mismatched(self, discriminator: str, fakes: Samples, batch: Batch) -> Samples:
        """Fakes, of which a share is replaced by real samples with a wrong caption; where there is none, not."""
        count = round(self.mismatched * len(fakes))
        if not count:
            return fakes
        rows = torch.arange(1, count + 1, device=self.device) % len(fakes)  # a penalty's lines must lead somewhere
        real, wrong = self.real(batch)[discriminator], wrong_captions(batch)[rows]
        chance, other = torch.rand(wrong.shape, device=self.device).masked_fill(~wrong, -1.0).max(1)
        found = chance >= 0

        def choose(ours: Tensor, theirs: Tensor) -> Tensor:
            return torch.where(found.view(-1, *[1] * (ours.dim() - 1)), ours, theirs)

        conditions = {k: choose(v[other], fakes.conditions[k][:count]) for k, v in real.conditions.items()}
        return fakes.replace_first(Samples(choose(real.x[rows], fakes.x[:count]), conditions))

    def _score_both(
        self, discriminator: str, inputs: Mapping[str, Samples], batch: Batch, separately: bool
    ) -> dict[str, Scores]:
        """Where samples meet in D, pictures of either kind that it learns to reject go through it by themselves.

        They do so in the paper's code too. Together they would be like no batch of the generator's turn, and D could
        tell fakes by the company they keep.
        """
        count = round(self.mismatched * len(inputs["fake"]))
        if not count or discriminator in self.scores_together:
            return super()._score_both(discriminator, inputs, batch, separately)
        fake = inputs["fake"]
        parts = {"real": inputs["real"], "wrong": fake.map(lambda x: x[:count]), "fake": fake.map(lambda x: x[count:])}
        scores = super()._score_both(discriminator, parts, batch, separately)
        logits, features = (
            torch.cat([getattr(scores[kind], name) for kind in ("wrong", "fake")]) for name in ("logits", "features")
        )
        return {"real": scores["real"], "fake": Scores(fake, logits, features)}

    def check(self, plan: RunPlan) -> None:
        super().check(plan)
        sentence = "the encoder compares every caption of a batch with every picture"
        plan.needs_whole_batch(sentence)
        plan.needs_one_device(sentence)
        wrong = round(self.mismatched * plan.samples)
        for part in (wrong, plan.samples - wrong) if wrong and "discriminator" not in self.scores_together else ():
            if part < 2:
                raise ValueError(
                    f"model.mismatched={self.mismatched:g} makes a batch of one of {plan.samples} samples, which meet "
                    "in the discriminator: set a larger trainer.batch_size"
                )
            self.tricks.check(replace(plan, samples=part, packs=part))

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        """`text=` words, or several lines of them, of which each has a row of its own."""
        words = dict(asked)
        text = words.pop("text", None)
        request = super().request(n, words)
        if text is None:
            return request
        lines = [line for line in text.splitlines() if line.strip()] or [""]
        try:
            codes = torch.tensor([encoded(line, self.alphabet, self.caption_length) for line in lines])
        except ValueError as error:
            raise ValueError(f"text=… cannot be asked for: {error}") from error
        each = max(n // len(lines), 1)
        columns = each if len(lines) > 1 else None
        return Request(each * len(lines), inputs={"caption": codes.repeat_interleave(each, 0)}, columns=columns)

    def preview_request(self, n: int) -> Request:
        return super().preview_request(min(n, PREVIEWED))

    def captions(self, samples: Samples) -> Sequence[str]:
        return [decoded(codes, self.alphabet) for codes in samples.conditions["caption"].tolist()]


def wrong_captions(batch: Batch) -> Tensor:
    """Whether the caption of each sample (columns) is not true of each (rows), (N, N) bool, as far as is known.

    "shown" (N, A) are the facts of each sample, "said" (N, A) those that its caption says, -1 where it leaves one out.
    Without them a caption is wrong wherever it differs from a sample's own.
    """
    caption = batch.data["caption"]
    differs = (caption[:, None] != caption[None]).any(2)
    if "shown" not in batch.data:
        return differs
    shown, said = batch.data["shown"], batch.data["said"]
    return ((said[None] >= 0) & (said[None] != shown[:, None])).any(2) & differs
