"""Folders of sound as people have them, and the bundled notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from sounding import sine, strongest, write

from gantrain.data import DataContext, Notes, SoundFolder
from gantrain.data.notes import envelope, frequency_of
from gantrain.data.recordings import Recordings
from gantrain.errors import UserError

PITCHES = ["C4", "E4", "A4"]


def packed(folder: Path, **settings: object) -> tuple[np.ndarray, np.ndarray, Recordings, list[str]]:
    """Sounds, labels, what the files were, and what was said."""
    said: list[str] = []
    source = SoundFolder(str(folder), **{"length": 1000, "rate": 8000, **settings})  # type: ignore[arg-type]
    context = DataContext(folder, CPU, cache=folder.parent / "cache", say=said.append)
    fields = source.fields(context)
    recordings = source.recordings(context)
    assert recordings is not None
    return np.asarray(fields["real"]), np.asarray(fields["label"]), recordings, said


def test_sub_folders_are_classes_and_sounds_reach_the_networks_in_their_range(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    for k, name in enumerate(["bell", "drum"]):
        write(folder / name / "a.wav", sine(500 * (k + 1), 16000, 0.125, 0.9), 16000)
    source = SoundFolder(str(folder), 1000, 8000, classes=2)
    assert SoundFolder.auto("classes", {"path": str(folder)}, tmp_path) == 2
    assert source.class_names(tmp_path) == ["bell", "drum"]
    batch = source.open(DataContext(tmp_path, CPU, cache=tmp_path / "cache")).draw(0, 2)
    assert batch["real"].shape == (2, 1, 1000)
    assert batch["real"].dtype == torch.float32
    for wave, label in zip(batch["real"][:, 0].numpy(), batch["label"].tolist(), strict=True):
        assert strongest(wave, 8000) == pytest.approx(500 * (label + 1), abs=2)
        assert np.abs(wave).max() == pytest.approx(0.9, abs=0.02)


def test_long_files_are_cut_and_short_ones_padded(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    write(folder / "long.wav", sine(500, 8000, 0.33), 8000)  # 2,640 samples: two pieces, and 640 of the third
    write(folder / "short.wav", sine(500, 8000, 0.05), 8000)
    real, _, notes, _ = packed(folder)
    assert real.shape == (4, 1, 1000)
    assert notes.names == ["long.wav from 0.00 s", "long.wav from 0.12 s", "long.wav from 0.25 s", "short.wav"]
    assert (notes.cut, notes.padded) == (1, 2)
    assert not real[2, 0, 640:].any()
    assert not real[3, 0, 400:].any()
    assert real[3, 0, 300:400].any()
    assert np.array_equal(np.concatenate(real[:2, 0]), np.rint(sine(500, 8000, 0.25) * 32767))
    assert len(packed(folder, windows="first")[0]) == 2
    assert len(packed(folder, hop=500)[0]) == 6  # from 0, 500, 1,000, 1,500 and 2,000, and the short one


def test_stereo_is_mixed_unless_it_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    wave = np.stack([sine(500, 8000, 0.125), np.zeros(1000)], 1)
    write(folder / "a.wav", wave, 8000)
    mono, stereo = packed(folder)[0], packed(folder, channels=2)[0]
    assert stereo.shape == (1, 2, 1000)
    assert not stereo[0, 1].any()
    assert np.abs(mono[0, 0] * 2 - stereo[0, 0]).max() <= 2


def test_normalised_files_reach_full_scale(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    write(folder / "a.wav", sine(500, 8000, 0.125, 0.01), 8000, "float")
    assert np.abs(packed(folder, normalise=True)[0]).max() >= 2**15 - 2


def test_broken_and_silent_files_are_named_counted_and_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    write(folder / "good.wav", sine(500, 8000, 0.125), 8000)
    write(folder / "silent.wav", np.zeros(1000), 8000)
    (folder / "broken.wav").write_bytes(b"RIFFxxxx nothing")
    (folder / "words.txt").write_text("no sound")
    real, _, notes, said = packed(folder)
    assert len(real) == 1
    assert list(notes.broken) == ["broken.wav"]
    assert notes.silent == ["silent.wav"]
    assert any(line.startswith("data: skipped broken.wav: ") for line in said)
    assert "data: skipped silent.wav: it is silent" in said
    assert "data: of 3 sound files 1 broken and 1 silent, which were skipped" in said


def test_a_silent_piece_of_a_long_file_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    write(folder / "a.wav", np.concatenate([sine(500, 8000, 0.125), np.zeros(1000), sine(500, 8000, 0.125)]), 8000)
    real, _, notes, _ = packed(folder)
    assert len(real) == 2
    assert notes.quiet == 1
    assert notes.names == ["a.wav from 0.00 s", "a.wav from 0.25 s"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "holds no sound"),
        ({"a.txt": b"x"}, r"holds no sound .* only .txt \(1\)"),
        ({"a.wav": b"junk"}, r"no sound file in .* can be used, 1 broken; a.wav first"),
        ({"a.wav": None}, "all 1 sound files in .* are silent, a.wav first"),
    ],
)
def test_a_folder_without_any_usable_sound_is_refused(
    tmp_path: Path, content: dict[str, bytes | None], words: str
) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, what in content.items():
        if what is None:
            write(folder / name, np.zeros(1000), 8000)
        else:
            (folder / name).write_bytes(what)
    with pytest.raises(UserError, match=words):
        packed(folder)
    assert not list((tmp_path / "cache").glob("sound_folder-*"))


def test_a_pack_is_made_anew_where_files_change(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    write(folder / "a.wav", sine(500, 8000, 0.125), 8000)
    assert len(packed(folder)[0]) == 1
    write(folder / "b.wav", sine(600, 8000, 0.125), 8000)
    assert len(packed(folder)[0]) == 2
    assert len(list((tmp_path / "cache").glob("sound_folder-*"))) == 1


def test_notes_are_what_their_labels_say(tmp_path: Path) -> None:
    source = Notes(60, 4096, 8000, PITCHES)
    context = DataContext(tmp_path, CPU, cache=tmp_path / "cache")
    fields = source.fields(context)
    assert source.frequencies == pytest.approx([261.63, 329.63, 440.0], abs=0.01)
    assert np.bincount(fields["label"]).tolist() == [20, 20, 20]
    for wave, label in zip(fields["real"][:30, 0], fields["label"][:30], strict=True):
        assert strongest(wave / 2**15, 8000) == pytest.approx(source.frequencies[label], abs=1)
    again = Notes(60, 4096, 8000, PITCHES).fields(DataContext(tmp_path, CPU, cache=tmp_path / "other"))
    other = Notes(60, 4096, 8000, PITCHES, seed=1).fields(context)
    assert np.array_equal(again["real"], fields["real"])
    assert not np.array_equal(other["real"], fields["real"])
    assert source.open(context).draw(0, 2).keys() == {"real", "label"}


def test_an_envelope_rises_to_one_and_falls_to_its_e_th_part() -> None:
    seconds = np.array([0.0, 0.005, 0.01, 0.11])
    assert envelope(seconds, 0.01, 0.1) == pytest.approx([0, 0.5, 1, np.exp(-1)])


def test_pitches_are_equally_tempered() -> None:
    assert frequency_of("A4") == 440
    assert frequency_of("A3") == 220
    assert frequency_of("C#5") == pytest.approx(frequency_of("Db5"))
    assert frequency_of("C5") / frequency_of("B4") == pytest.approx(2 ** (1 / 12))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pitches": ["H4"]}, "H4 is no pitch"),
        ({"pitches": []}, "names no pitch"),
        ({"pitches": ["C#4", "Db4"]}, "one twice"),
        ({"pitches": ["A7"]}, "raise dataset.rate"),
        ({"length": 0}, "length"),
    ],
)
def test_notes_that_cannot_be_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Notes(**settings)  # type: ignore[arg-type]
