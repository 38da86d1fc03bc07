"""Whether the data is what it should be."""

from __future__ import annotations

from collections.abc import Mapping

from gantrain.health.findings import Lasting, Severity

CONSTANT = 1e-4
"""Standard deviation over a batch below which samples are all the same; pixels are in [-1, 1]."""
ONE_CLASS = 0.99
ENOUGH = 16
"""Labels that are played at once: fewer can well be of one class."""
CHANCE = 4.0
"""Standard deviations above chance that neighbours' labels agree where labels say something about samples."""
FEW = 100
"""Training pictures that a discriminator soon knows by heart."""

AUGMENTING = ("diffaugment", "ada")
"""Tricks that vary what D sees."""


class ConstantData(Lasting):
    """All real samples are the same."""

    name, title, severity, patience = "constant_data", "real samples are all the same", "failure", 2

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        spread = numbers.get("health/real_spread")
        if spread is None:
            return None
        return "" if spread > CONSTANT else f"over a batch their standard deviation is {spread:.2g}"

    def advice(self) -> str:
        return "look at the picture of real samples, and at the files: gantrain data dataset=…"


class OneClass(Lasting):
    """Batches hold one class each: the data is sorted, or its labels are all the same."""

    name, title = "one_class", "batches hold a single class"
    patience = 3

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        share = numbers.get("health/largest_class")
        if share is None or self.facts.at_once < ENOUGH or self.facts.classes == 1:
            return None
        return "" if share < ONE_CLASS else f"all {self.facts.at_once} labels of a batch are the same"

    def advice(self) -> str:
        return "look at the labels and at the order of the data: gantrain data dataset=…"


class LabelsSayNothing(Lasting):
    """Labels do not follow what samples look like, and the game uses them.

    A hint: classes that differ in what they show and not in their pixels (cats and dogs) give the same numbers as
    labels that were shuffled, and nothing here tells the two apart.
    """

    name, title, patience = "labels_say_nothing", "labels may not go with the samples", 1
    severity: Severity = "hint"

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        excess = numbers.get("health/label_excess")
        if excess is None or not self.facts.conditional:
            return None
        if excess >= CHANCE:
            return ""
        return (
            "real samples that are nearest to each other share their label no more often than by chance: either labels "
            "were shuffled, or pixels do not show them"
        )

    def advice(self) -> str:
        return "look whether labels were shuffled or belong to other files: gantrain data dataset=…"


class FewSamples(Lasting):
    """There is so little data that D soon knows it by heart."""

    name, title, patience = "few_samples", "there are few samples", 1

    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        count = numbers.get("health/training_samples")
        if count is None or not self.facts.pictures:
            return None
        return "" if count >= FEW else f"it trains on {count:.0f} pictures, and sees each of them again and again"

    def advice(self) -> str:
        if set(AUGMENTING) & set(self.facts.tricks):
            return "D sees them augmented already: add pictures to dataset.path=…"
        return f"augment what D sees: {self.facts.with_tricks(self.facts.against_memory)}"
