"""Pitch by autocorrelation: exact on real notes, none where there is none; and the space of spectrograms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from sounding import sine

from gantrain.data import DataContext, Digits, Notes, SoundFolder
from gantrain.metrics import Evaluation, Pitch, RealData, Spectrogram
from gantrain.metrics.features import generated_features
from gantrain.metrics.pitch import autocorrelation, pitches_of
from gantrain.metrics.spectrogram import FLOOR, _bands, spectrograms

PITCHES = ["C4", "D4", "E4", "G4", "A4", "C5", "D5", "E5", "G5", "A5"]


def notes(count: int = 300, length: int = 4096, rate: int = 8000) -> Notes:
    return Notes(count, length, rate, PITCHES)


def data_of(source: Notes, folder: Path) -> RealData:
    return RealData(source, DataContext(folder, CPU, cache=folder / "cache"))


@pytest.mark.parametrize(("length", "rate"), [(2048, 8000), (4096, 8000), (8192, 16000)])
def test_real_notes_are_all_in_tune_and_all_pitches_appear(length: int, rate: int, tmp_path: Path) -> None:
    source = notes(length=length, rate=rate)
    data = data_of(source, tmp_path)
    batch = next(data.batches("train", 300))
    metric = Pitch(samples=300)
    metric.check(source)
    assert torch.equal(metric.named(batch["real"], source), batch["label"])
    figures = metric(Evaluation(data, lambda n: [batch["real"]]))
    assert figures == {"pitch_share": 1.0, "pitches": 10.0}


@pytest.mark.parametrize("cents", [-60, -30, -20, 20, 30, 60])
def test_what_is_out_of_tune_does_not_count(cents: int) -> None:
    source = notes()
    wave = sine(440 * 2 ** (cents / 1200), 8000, 0.5)
    found = Pitch(tolerance=25).named(torch.from_numpy(wave)[None, None], source)
    assert found.tolist() == [PITCHES.index("A4") if abs(cents) < 25 else -1]


def test_neither_noise_nor_silence_nor_what_is_no_number_has_a_pitch() -> None:
    torch.manual_seed(0)
    x = torch.cat([torch.randn(50, 1, 4096) / 10, torch.zeros(1, 1, 4096), torch.full((1, 1, 4096), torch.nan)])
    assert (Pitch().named(x, notes()) == -1).all()


def test_a_tone_in_as_much_noise_has_none_and_in_little_noise_has_one() -> None:
    torch.manual_seed(0)
    tone = torch.from_numpy(sine(440, 8000, 0.5)).float()[None, None]
    noise = torch.randn_like(tone)
    assert Pitch().named(tone + 0.35 * noise, notes()).item() == -1  # equal power
    assert Pitch().named(tone + 0.1 * noise, notes()).item() == PITCHES.index("A4")


@pytest.mark.parametrize("frequency", [233.3, 311.0, 523.25, 777.7, 900.1])
def test_a_pitch_is_found_to_a_cent(frequency: float) -> None:
    harmonics = sine(frequency, 8000, 0.5) + sine(2 * frequency, 8000, 0.5, 0.6) + sine(3 * frequency, 8000, 0.5, 0.5)
    heard, clear = pitches_of(torch.from_numpy(harmonics)[None], 8000, 220, 990)
    assert abs(1200 * np.log2(heard.item() / frequency)) < 1
    assert clear.item() > 0.9


def test_autocorrelation_is_its_definition() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 64, dtype=torch.float64)
    found = autocorrelation(x)
    centred = x - x.mean(1, keepdim=True)
    for lag in (0, 1, 7, 31):
        a, b = centred[:, : 64 - lag], centred[:, lag:]
        expected = (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()
        assert torch.allclose(found[:, lag], expected)


def test_a_pitch_appears_where_it_has_a_tenth_of_a_fair_share() -> None:
    found = torch.tensor([0] * 97 + [1] * 2 + [-1])
    assert Pitch.figures(found, 4) == {"pitch_share": 0.99, "pitches": 1.0}  # a fair share is 25, a tenth 2.5
    assert Pitch.figures(torch.cat([found, torch.tensor([1])]), 4)["pitches"] == 2


def test_where_pitch_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="of sound"):
        Pitch().check(Digits())
    with pytest.raises(ValueError, match="frequencies"):
        Pitch().check(SoundFolder("somewhere"))
    Pitch(frequencies=[220.0, 440.0]).check(SoundFolder("somewhere"))
    with pytest.raises(ValueError, match=r"raise dataset.rate or dataset.length"):
        Pitch().check(Notes(10, 64, 8000, PITCHES))


def test_a_spectrogram_has_a_tone_where_it_is_and_says_how_loud() -> None:
    tones = torch.stack([torch.from_numpy(sine(frequency, 8000, 0.512, 1.0)) for frequency in (500, 2000)])[:, None]
    found = spectrograms(tones)
    assert found.shape == (2, 1, 64, 4)
    low, high = found.mean(3)[:, 0].argmax(1).tolist()
    centres = torch.arange(257.0) @ _bands(257).T / 256 * 4000  # of each band, in Hz
    assert centres[low].item() == pytest.approx(500, abs=60)
    assert centres[high].item() == pytest.approx(2000, abs=150)
    assert torch.equal(spectrograms(torch.zeros(1, 1, 4096)), torch.full((1, 1, 64, 4), FLOOR).log10())


def test_phase_hardly_moves_a_spectrogram_but_pitch_does() -> None:
    time = np.arange(4096) / 8000
    waves = [np.sin(2 * np.pi * 440 * time + phase) for phase in (0, 1.5)] + [np.sin(2 * np.pi * 494 * time)]
    one, turned, other = spectrograms(torch.from_numpy(np.stack(waves))[:, None]).flatten(1)
    assert (one - turned).norm() < 0.05 * (one - other).norm()


@pytest.mark.parametrize("length", [16, 64, 1000, 16384])
def test_spectrograms_of_any_length(length: int) -> None:
    assert spectrograms(torch.randn(2, 2, length)).shape == (2, 2, 64, 4)


def test_bands_share_out_all_power() -> None:
    assert torch.allclose(_bands(513).sum(1), torch.ones(64), atol=1e-5)


def test_the_space_is_of_sound_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of sound"):
        Spectrogram().check(Digits())
    evaluation = Evaluation(data_of(notes(), tmp_path), lambda n: [torch.zeros(n, 1, 4096)])
    assert generated_features(evaluation, Spectrogram(), 10).values.shape == (10, 256)
