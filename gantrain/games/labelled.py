"""The few labels of a semi-supervised game."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrain import shares
from gantrain.turns import DrawBatch, Samples


class FewLabels:
    """Mixed into a game: the first `labels_per_class` samples of each class keep their labels, all others lose theirs.

    They are buffers of the game, and so in its checkpoints, as they were first drawn: augmented once where the dataset
    augments.
    """

    labels_per_class: int
    classes: int
    labelled_samples: Tensor
    labelled_labels: Tensor

    def keep_labelled(self, draw: DrawBatch, size: int | None, at_once: int = 1000) -> None:
        """Walks through the data in the run's order until every class has its samples.

        Raises:
            ValueError: a class has fewer.
        """
        wanted = self.labels_per_class
        kept: list[list[Tensor]] = [[] for _ in range(self.classes)]
        position = 0
        end = size if size is not None else 1000 * wanted * self.classes
        while position < end and any(len(held) < wanted for held in kept):
            data = draw(min(at_once, end - position), position).data
            for sample, label in zip(data["real"], data["label"].tolist(), strict=True):
                if len(kept[label]) < wanted:
                    kept[label].append(sample.clone())
            position += len(data["real"])
        least = min(len(held) for held in kept)
        if least < wanted:
            raise ValueError(
                f"model.labels_per_class={wanted} is more than there are: a class has {least} samples, set no more"
            )
        labels = torch.arange(self.classes).repeat_interleave(wanted)
        self.register_buffer("labelled_samples", torch.stack([x for held in kept for x in held]))  # type: ignore[attr-defined]
        self.register_buffer("labelled_labels", labels.to(self.labelled_samples.device))  # type: ignore[attr-defined]

    def some_labelled(self, n: int) -> Samples:
        """n of them, drawn with replacement."""
        index = shares.randint(0, len(self.labelled_labels), n, device=self.labelled_labels.device)
        return Samples(self.labelled_samples[index], {"label": self.labelled_labels[index]})
