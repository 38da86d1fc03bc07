"""Sound files of all kinds become what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import chirp
from sounding import sine, strongest, write

from gantrain.data import sounds
from gantrain.data.sounds import mixed, read_sound, resampled, to_int16

STEP = {"8": 1 / 127, "16": 2 / 2**15, "24": 2 / 2**23, "32": 2 / 2**31, "float": 1e-7, "double": 1e-12}
"""By how much a value may be off, of full scale."""


@pytest.fixture(params=["soundfile", "scipy"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "soundfile":
        pytest.importorskip("soundfile")
    monkeypatch.setattr(sounds, "has_soundfile", lambda: request.param == "soundfile")
    return str(request.param)


@pytest.mark.parametrize("bits", STEP)
def test_every_encoding_is_read_alike(reader: str, bits: str, tmp_path: Path) -> None:
    if bits == "24":
        pytest.importorskip("soundfile")  # which writes it
    wave = np.stack([sine(440, 8000, 0.1), sine(300, 8000, 0.1, 0.25)], 1)
    values, recording = read_sound(write(tmp_path / "a.wav", wave, 8000, bits))
    assert values.shape == (2, 800)
    assert np.abs(values.T - wave).max() <= STEP[bits]
    assert (recording.rate, recording.channels, recording.length) == (8000, 2, 800)
    assert recording.encoding.split()[0] == {"float": "floats", "double": "floats"}.get(bits, bits)


def test_sixteen_bits_pass_without_loss(reader: str, tmp_path: Path) -> None:
    every = np.arange(-(2**15), 2**15).astype(np.int16)
    from scipy.io import wavfile

    wavfile.write(tmp_path / "all.wav", 8000, every)
    assert np.array_equal(to_int16(read_sound(tmp_path / "all.wav")[0])[0], every)


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00\x00\x00WAVE", b"no sound at all, only words " * 10])
def test_what_is_no_sound_is_refused_with_a_reason(reader: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises((ValueError, OSError), match=r"\w"):
        read_sound(tmp_path / "a.wav")


def test_values_that_are_no_numbers_are_refused(reader: str, tmp_path: Path) -> None:
    wave = sine(440, 8000, 0.1)
    wave[7] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        read_sound(write(tmp_path / "a.wav", wave, 8000, "float"))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_resampling_keeps_a_tone(rate: int) -> None:
    wave = sine(1000, rate, 0.5)
    found = resampled(wave[None], rate, 16000)[0]
    assert abs(len(found) - 8000) <= 1
    assert strongest(found, 16000) == pytest.approx(1000, abs=1)
    middle = slice(1000, -1000)
    expected = sine(1000, 16000, 0.5)[: len(found)]
    assert np.abs(found[middle] - expected[middle]).max() < 1e-3  # phase and loudness too


def test_resampling_leaves_out_what_the_lower_rate_cannot_hold() -> None:
    high = resampled(sine(9000, 44100, 0.5)[None], 44100, 16000)[0]
    assert np.abs(high[500:-500]).max() < 0.5 * 10 ** (-80 / 20)  # else it would be heard at 7 kHz


def test_resampling_passes_nine_tenths_of_the_band() -> None:
    time = np.arange(44100) / 44100
    sweep = 0.5 * chirp(time, 100, 1, 7000)
    back = resampled(resampled(sweep[None], 44100, 16000), 16000, 44100)[0]
    assert np.abs(back[2000:-2000] - sweep[2000:-2000]).max() < 5e-3


def test_channels_are_mixed_repeated_or_refused() -> None:
    stereo = np.array([[1.0, 0.5], [0.0, -0.5]])
    assert np.array_equal(mixed(stereo, 1), [[0.5, 0.0]])
    assert np.array_equal(mixed(stereo[:1], 2), [[1.0, 0.5], [1.0, 0.5]])
    assert mixed(stereo, 2) is stereo
    with pytest.raises(ValueError, match="channels"):
        mixed(np.zeros((6, 4)), 2)
