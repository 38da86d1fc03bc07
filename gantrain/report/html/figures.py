"""Figures in words: what each means, which way is better, under what conditions it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["lower", "higher", "near 1", ""]


@dataclass(frozen=True)
class Meaning:
    """What a figure says, in a few words, and which way is better; nothing where neither is, or it is not known."""

    words: str
    better: Better = ""


MEANINGS = {
    "wasserstein1": Meaning("how far generated numbers must be moved to be the real ones", "lower"),
    "mean": Meaning("mean of generated numbers"),
    "std": Meaning("standard deviation of generated numbers"),
    "js": Meaning("Jensen-Shannon divergence from the truth; 0 is perfect, 0.69 has nothing in common", "lower"),
    "js_estimate": Meaning("the divergence as the discriminator sees it"),
    "kl_real_fake": Meaning("Kullback-Leibler divergence; large where real values are never generated", "lower"),
    "kl_fake_real": Meaning("Kullback-Leibler divergence; large where generated values are never real", "lower"),
    "discriminator_error": Meaning("how far the discriminator is from the best one possible", "lower"),
    "modes": Meaning("kinds of real samples that are generated at all", "higher"),
    "high_quality": Meaning("share of samples within three standard deviations of a mode", "higher"),
    "reverse_kl": Meaning("how unevenly the modes are hit; 0 is even", "lower"),
    "test_error": Meaning("share of unseen samples whose class is mistaken", "lower"),
    "code_error": Meaning("share of samples whose class the codes do not tell", "lower"),
    "fid": Meaning("Fréchet distance of features of generated and real images; 0 is alike", "lower"),
    "kid": Meaning("kernel distance of features; 0 is alike, and few samples are no bias", "lower"),
    "mind": Meaning("mean distance along random directions of features; settles with few samples", "lower"),
    "inception_score": Meaning("classes told clearly and all of them met; at most the number of classes", "higher"),
    "precision": Meaning("share of generated samples that look real", "higher"),
    "recall": Meaning("share of real samples that could be generated", "higher"),
    "density": Meaning("how well real samples surround generated ones; about 1 is alike", "higher"),
    "coverage": Meaning("share of real samples with a generated one nearby", "higher"),
    "vendi": Meaning("number of unlike samples, in effect", "higher"),
    "diversity": Meaning(
        "distance between generated samples over that between real ones; near 0 they collapsed", "near 1"
    ),
    "memorised": Meaning("share of samples that are copies of training samples", "lower"),
    "nearest_distance": Meaning(
        "distance to the nearest training sample over that of unseen real ones; near 0 they are copies", "near 1"
    ),
    "missing_classes": Meaning("classes that are hardly ever generated", "lower"),
    "class_total_variation": Meaning("share of samples that would have to change their class to fit the data", "lower"),
    "rarest_class": Meaning("the class that falls shortest of its share in the data"),
    "rarest_class_share": Meaning("share of that class over its share in the data; 1 where none falls short", "higher"),
    "downstream_generated": Meaning("accuracy on real data of a classifier trained on generated data", "higher"),
    "downstream_real": Meaning("accuracy on real data of a classifier trained on real data", "higher"),
    "downstream_both": Meaning("accuracy on real data of a classifier trained on both", "higher"),
    "linear_probe": Meaning("accuracy of a linear classifier on features of real samples", "higher"),
    "mae": Meaning("mean absolute error of a pixel against the true picture; black and white are 2 apart", "lower"),
    "psnr": Meaning("peak signal-to-noise ratio against the true picture, in dB", "higher"),
    "cycle_error": Meaning(
        "how far a picture is from itself after A to B and back; black and white are 2 apart", "lower"
    ),
    "cycle_error_back": Meaning("how far a picture is from itself after B to A and back", "lower"),
    "same_class": Meaning("share of samples of B that show the class of what belongs to them in A", "higher"),
    "same_class_back": Meaning("share of samples of A that show the class of what belongs to them in B", "higher"),
    "as_asked": Meaning("share of samples that show all of what their captions say", "higher"),
    **{
        f"{fact}_as_asked": Meaning(f"share of samples with the {fact} that their captions say", "higher")
        for fact in ("digit", "size", "place", "colour")
    },
    "parzen": Meaning("log-likelihood of real numbers under a density around generated ones", "higher"),
    "pitch_share": Meaning("share of samples that are in tune with one of the set's pitches", "higher"),
    "pitches": Meaning("how many of the set's pitches are generated", "higher"),
    "spectrum_error": Meaning("how far fine detail is from that of real images; 0 is alike", "lower"),
    "spectrum_excess": Meaning("fine detail against that of real images: above 0 too much, below too little"),
    "duality_gap": Meaning("what both players could still gain by learning on; 0 is an equilibrium", "lower"),
    "duality_gap_m1": Meaning("how well a discriminator that learns on tells generated from real", "lower"),
    "duality_gap_m2": Meaning("how far a generator that learns on can fool the discriminator", "higher"),
    "duality_gap_perturbed": Meaning("the duality gap of players that learn on from noisy weights", "lower"),
    "duality_gap_perturbed_m1": Meaning(
        "how well a discriminator that learns on from noisy weights tells generated from real", "lower"
    ),
    "duality_gap_perturbed_m2": Meaning(
        "how far a generator that learns on from noisy weights can fool the discriminator", "higher"
    ),
}
"""By the figure's name without its space."""
ARROWS: dict[Better, str] = {"lower": "↓ lower", "higher": "↑ higher", "near 1": "→ near 1", "": "–"}


def meaning_of(tag: str) -> Meaning:
    """What a figure means, by its tag, such as metrics/fid_classifier."""
    name = tag.removeprefix("metrics/")
    fitting = [known for known in MEANINGS if name == known or name.startswith(f"{known}_")]
    return MEANINGS[max(fitting, key=len)] if fitting else Meaning("a figure of its own")


def better_of(tag: str, protocol: Mapping[str, Any] | None) -> Better:
    """Which way a figure is better: as its metric said when it measured, else as is known of its name."""
    said = protocol.get("better") if protocol else None
    return said if said in ("lower", "higher") else meaning_of(tag).better


def protocol_in_words(facts: Mapping[str, Any] | None) -> str:
    """Under what conditions a figure was measured."""
    if not facts:
        return "not kept"
    words = []
    if facts.get("samples"):
        words.append(f"{_count(facts['samples'])} samples")
    if facts.get("real"):
        split = {"train": "training ", "held_out": "held-out "}.get(str(facts.get("split")), "")
        words.append(f"against {_count(facts['real'])} {split}real ones")
    if facts.get("space"):
        words.append("numbers as they are" if facts["space"] == "values" else f"features of {facts['space']}")
    if facts.get("conditional"):
        words.append("samples made of labels or data")
    if facts.get("resize"):
        words.append(str(facts["resize"]))
    words.append("averaged generator (EMA)" if facts.get("averaged") else "live generator")
    settings = facts.get("settings")
    for name, value in settings.items() if isinstance(settings, Mapping) else ():
        words.append(f"{name} {value}")
    if facts.get("data"):
        words.append(f"data {facts['data']}")
    return ", ".join(words)


def versions_in_words(protocols: Mapping[str, Mapping[str, Any]]) -> str:
    """The packages that had a part in any of these, with their versions."""
    held: dict[str, str] = {}
    for facts in protocols.values():
        versions = facts.get("versions")
        held |= {str(k): str(v) for k, v in versions.items()} if isinstance(versions, Mapping) else {}
    return ", ".join(f"{name} {version}" for name, version in sorted(held.items()))


def unlike(protocols: Mapping[str, Mapping[str, Any] | None]) -> str | None:
    """Why the figures of these jobs must not be ranked, in a sentence; None where they may.

    Args:
        protocols: of one figure, by the name of the job that measured it; None where it was not kept.
    """
    if not any(protocols.values()):
        return None  # nothing says that they differ: all were measured before conditions were kept
    lacking = [job for job, facts in protocols.items() if not facts]
    if lacking:
        return f"of {_list(lacking)} nobody kept how they were measured"
    known = {job: conditions(facts) for job, facts in protocols.items()}
    names = list(dict.fromkeys(name for facts in known.values() for name in facts))
    for name in (name for name in names if len({repr(facts.get(name)) for facts in known.values()}) > 1):
        groups: dict[str, list[str]] = {}
        for job, facts in known.items():
            groups.setdefault(_value(name, facts.get(name)), []).append(job)
        return "; ".join(f"{name} is {value} in {_list(jobs)}" for value, jobs in groups.items())
    return None


def conditions(protocol: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a protocol must be the same where figures are ranked."""
    return {name: value for name, value in (protocol or {}).items() if name != "versions"}


def _value(name: str, value: Any) -> str:
    if name == "averaged":
        return "on (EMA)" if value else "off (live generator)"
    if name == "conditional":
        return "yes (of labels or data)" if value else "no (of noise alone)"
    return "not given" if value is None else str(value)


def _list(jobs: Sequence[str]) -> str:
    return ", ".join(jobs) if len(jobs) <= 4 else f"{', '.join(jobs[:3])} and {len(jobs) - 3} more"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def short(value: float | int | None) -> str:
    """A figure to four digits."""
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
