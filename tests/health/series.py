"""Numbers of runs that never were, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gantrain.health import Facts, Finding, Health

PICTURES = Facts(
    loss="NonSaturating",
    kind="probability",
    steps=1000,
    batch_size=64,
    shape=(1, 16, 16),
    classes=10,
    rates={"optimizer.generator.lr": 2e-4, "optimizer.discriminator.lr": 2e-4},
    tricks=("ema",),
)
WELL = {
    "loss/discriminator/adversarial": 1.1,
    "loss/generator/adversarial": 1.0,
    "grad_norm/discriminator": 0.5,
    "grad_norm/generator": 0.3,
    "accuracy/discriminator": 0.7,
    "logits/discriminator/real": 0.8,
    "logits/discriminator/fake": -0.8,
    "lr/discriminator": 2e-4,
    "lr/generator": 2e-4,
    "health/update/discriminator": 0.004,
    "health/update/generator": 0.004,
    "health/weights/discriminator": 0.05,
    "health/weights/generator": 0.05,
    "health/dead_units/generator": 0.2,
    "health/logit_spread/discriminator": 0.9,
    "health/average_distance/generator": 0.08,
    "health/diversity": 0.97,
    "health/real_spread": 0.42,
    "health/largest_class": 0.2,
}
LOOKED = {
    "health/energy_distance": 0.004,
    "health/missing": 0.07,
    "health/missing_classes": 0,
    "health/training_samples": 1797,
    "health/label_excess": 100.0,
    "health/copied": 0.0,
    "health/spectrum": 3.0,
    "health/overfitting": 0.5,
}


def lines(
    logged: Mapping[str, float] | None = None, looked: Mapping[str, float] | None = None, steps: int = 1000
) -> list[dict[str, float]]:
    """A run's lines, logged every 50 and looked at every 100 steps, all well but for these numbers."""
    found: list[dict[str, float]] = []
    for step in range(50, steps + 1, 50):
        found.append({"step": step, **WELL, **(logged or {})})
        if step % 100 == 0:
            found.append({"step": step, **LOOKED, **(looked or {})})
    return found


def health_of(seen: Iterable[Mapping[str, float]], facts: Facts = PICTURES) -> Health:
    health = Health(facts)
    health.replay(seen)
    return health


def found_in(seen: Iterable[Mapping[str, float]], facts: Facts = PICTURES) -> dict[str, Finding]:
    """What is found, by name."""
    return {found.name: found for found in health_of(seen, facts).findings}
