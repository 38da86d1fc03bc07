"""What is called usual is one truth: of the bands, of the detectors and of the page that quotes it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from series import LOOKED, PICTURES, found_in, lines

from gantrain.health import Band, Facts, expected_bands

PAGE = Path(__file__).parents[2] / "docs" / "health.md"
NUMBERS = replace(PICTURES, shape=(2,))


def bands(facts: Facts = PICTURES) -> dict[str, Band]:
    return {tag: band for tag, band in expected_bands(facts).items() if tag.startswith("health/")}


def said(band: Band) -> str:
    low, high = band
    if low == high:
        return f"{low:g}"
    return f"{low:g} to {high:g}" if low > 1e-6 or -low > high / 2 else f"at most {high:g}"


@pytest.mark.parametrize("facts", [PICTURES, NUMBERS])
def test_no_detector_alarms_at_the_ends_of_a_band(facts: Facts) -> None:
    for tag, band in bands(facts).items():
        for end in band:
            seen = lines({tag: end}) if tag not in LOOKED else lines({"accuracy/discriminator": 0.99}, {tag: end})
            assert not found_in(seen, facts), (tag, end)


def test_the_page_quotes_the_bands() -> None:
    rows = dict(re.findall(r"^\| `(health/[^`]+)`.*\| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE))
    quoted = {tag: said(band) for tag, band in bands().items()}
    quoted["health/missing"] = f"{said(bands(NUMBERS)['health/missing'])}; of pictures {quoted['health/missing']}"
    for tag, words in quoted.items():
        assert rows[re.sub(r"/(discriminator|generator)$", "/<player>", tag)] == words
