"""Conditional GAN: both players are told a label (Mirza & Osindero 2014; Miyato & Koyama 2018)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from gantrain import shares
from gantrain.games.base import Request
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.conditional import ConditionalGenerator, Conditioning, conditional_discriminator
from gantrain.ranges import within
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, Samples


class Conditional(Standard):
    """The two-player game with labels.

    Args:
        classes: how many labels the dataset has.
        shape: of what the discriminator is shown.
        conditioning: how networks learn the label: `concat`, `embedding`, `projection`, `every_layer`,
            `built_in`.
        last_norm: of `projection`: G's last norm is conditional too; plain in the reference code of Miyato & Koyama.
        mismatched: so many of the fakes that D sees, as a share of the batch, are real samples with a wrong label,
            which it learns to reject (Reed et al. 2016, GAN-CLS).
        paired_labels: where a turn has real samples, fakes take their labels one by one, so that a relativistic loss
            compares samples of one class (Huang et al. 2024, reference code); drawn at random else.

    Raises:
        ValueError: the dataset has no labels, or `mismatched` is no share.
    """

    conditions: tuple[str, ...] = ("label",)
    labelled = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        classes: int | None,
        shape: list[int],
        conditioning: Conditioning = "projection",
        last_norm: bool = True,
        mismatched: float = 0.0,
        paired_labels: bool = False,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        self.classes, self.shape = needs_labels(classes), shape
        self.conditioning, self.last_norm, self.mismatched = conditioning, last_norm, mismatched
        self.paired_labels = paired_labels
        within("[0, 1)", mismatched=mismatched)
        self.only_adversarial = self.only_adversarial and not mismatched
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        classes, conditioning = self.classes, self.conditioning
        super().build_players(
            partial(
                ConditionalGenerator, generator, classes=classes, conditioning=conditioning, last_norm=self.last_norm
            ),
            partial(conditional_discriminator, discriminator, self.shape, classes, conditioning),
        )

    def latents(self, n: int) -> dict[str, Tensor]:
        return {**super().latents(n), "label": torch.randint(self.classes, (n,), device=self.device)}

    def latents_in_words(self) -> dict[str, str]:
        return {**super().latents_in_words(), "label": f"classes, 0 to {self.classes - 1}"}

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        noise, label = batch.latent["noise"], batch.latent["label"]
        if self.paired_labels:
            label = batch.data.get("label", label)
        return self.to_each(Samples(self.network("generator", averaged)(noise, label), {"label": label}))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        return self.to_each(Samples(batch.data["real"], {"label": batch.data["label"]}))

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        return super().discriminator_turn(discriminator, self.with_mismatched(discriminator, fakes, batch), batch)

    def with_mismatched(self, discriminator: str, fakes: Samples, batch: Batch) -> Samples:
        """Fakes, of which a share is replaced by real samples with a wrong label."""
        if not self.mismatched:
            return fakes
        real = self.real(batch)[discriminator]
        of_all = round(self.mismatched * shares.whole(len(real)))
        wrong = shares.take(torch.randint(1, self.classes, (of_all,), device=self.device))
        count = len(wrong)
        label = (real.conditions["label"][:count] + wrong) % self.classes
        return fakes.replace_first(Samples(real.x[:count], {"label": label}))

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        words = dict(asked)
        word = words.pop("class", None)
        request = super().request(n, words)
        if word is None:
            return request
        if word == "all":
            rows = torch.arange(self.classes).repeat_interleave(max(n // self.classes, 1))
            return Request(len(rows), {"label": rows.to(self.device)}, columns=max(n // self.classes, 1))
        if not word.isdigit() or int(word) >= self.classes:
            raise ValueError(f"class={word} is none of this run's: use 0 to {self.classes - 1}, or all")
        return replace(request, latent={"label": torch.full((n,), int(word), device=self.device)})

    def preview_request(self, n: int) -> Request:
        """One row per class, of at most ten classes; the noise is the same down each column."""
        rows = torch.linspace(0, self.classes - 1, min(self.classes, 10), device=self.device).long()
        columns = max(n // len(rows), 1)
        noise = super().latents(columns)["noise"].repeat(len(rows), 1)
        latent = {"label": rows.repeat_interleave(columns), "noise": noise}
        return Request(len(rows) * columns, latent, columns=columns)


def needs_labels(classes: int | None) -> int:
    """The number of classes.

    Raises:
        ValueError: there are none.
    """
    if not classes or classes < 2:
        raise ValueError(
            "this game needs a dataset with labels: use dataset=digits, mnist, cifar10, ring8, image_folder with a "
            "folder per class, or celeba with list_attr_celeba.txt beside its pictures, or another model"
        )
    return classes
