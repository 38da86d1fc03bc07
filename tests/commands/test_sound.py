"""The commands with sound: train, go on, sample, look at data, report, and what they refuse."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, only_run, same
from PIL import Image
from sounding import sine, write

from gantrain.cli import main
from gantrain.runs import load_checkpoint

SMALL = [
    "dataset=notes",
    "dataset.count=64",
    "dataset.length=256",
    "model.generator.width=2",
    "model.discriminator.width=2",
    "trainer.batch_size=8",
    "metrics.use=[]",
    "model.generator.norm=batch",
]


def heard(file: Path) -> tuple[np.ndarray, int]:
    """The samples (L, channels) of a WAV file of 16 bits, and its rate."""
    with wave.open(str(file)) as opened:
        assert opened.getsampwidth() == 2
        values = np.frombuffer(opened.readframes(opened.getnframes()), np.int16)
        return values.reshape(-1, opened.getnchannels()), opened.getframerate()


def sounds(folder: Path) -> None:
    for k in range(12):
        write(folder / f"class{k % 2}" / f"{k}.wav", sine(300 + 50 * k, 8000, 0.1), 8000)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run, which tests add samples to."""
    folder = tmp_path_factory.mktemp("outputs")
    words = [*SMALL, "model=wavegan_small", "trainer.steps=4", "log.samples_every=2", "log.every=2"]
    assert main([*words, f"outputs_dir={folder}"]) == 0
    return only_run(folder)


def test_a_run_leaves_pictures_and_sounds(gantrain: Command, run: Path) -> None:
    samples = run / "samples"
    assert {f"{step:08d}.{kind}" for step in (0, 2, 4) for kind in ("png", "wav")} <= {
        f.name for f in samples.iterdir()
    }
    assert {"final.png", "final.wav", "real.png", "real.wav"} <= {f.name for f in samples.iterdir()}
    values, rate = heard(samples / "real.wav")
    assert rate == 8000
    assert len(values) == 8 * 256 + 7 * 1600  # eight sounds with pauses of 0.2 s
    assert np.abs(values[:256]).max() > 3000
    assert not values[256:1856].any()
    assert Image.open(samples / "final.png").size == (1000, 30 + 4 * 152)

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run)).Reload()
    assert {f"samples/{k}" for k in range(8)} | {f"real/{k}" for k in range(8)} <= set(events.Tags()["audio"])
    first = events.Audio("samples/0")[-1]
    assert (first.step, first.sample_rate, first.length_frames) == (4, 8000, 256)

    page = (run / "report.html").read_text()
    players = re.findall(r'<audio src="data:audio/wav;base64,', page)
    assert len(players) == 4  # real, and the steps 0, 2 and 4
    assert "media-src data:" in page


def test_samples_of_a_run(gantrain: Command, run: Path, tmp_path: Path) -> None:
    assert gantrain("sample", f"run={run}", "n=3").returncode == 0
    (folder,) = [path for path in (run / "samples").iterdir() if path.is_dir()]
    assert sorted(file.name for file in folder.iterdir()) == ["000000.wav", "000001.wav", "000002.wav"]
    single, rate = heard(folder / "000001.wav")
    assert (single.shape, rate) == ((256, 1), 8000)
    assert gantrain("sample", f"run={run}", "n=3", "out=all.wav").returncode == 0
    whole, _ = heard(tmp_path / "all.wav")
    assert gantrain("sample", f"run={run}", "n=3", "out=ALL.WAV").returncode == 0
    assert (tmp_path / "ALL.WAV").read_bytes() == (tmp_path / "all.wav").read_bytes()
    assert np.array_equal(whole[256 + 1600 : 512 + 1600], single)
    assert gantrain("sample", f"run={run}", "n=3", "out=all.npz").returncode == 0
    with np.load(tmp_path / "all.npz") as held:
        assert held["samples"].shape == (3, 1, 256)
        assert held["samples"].dtype == np.float32
        assert held["rate"] == 8000
        assert np.array_equal(np.rint(held["samples"][1, 0] * 2**15).astype(np.int16), single[:, 0])
    assert gantrain("sample", f"run={run}", "n=3", "out=all.png").returncode == 0
    assert gantrain("sample", f"run={run}", "interpolate=slerp", "n=4", "grid=4", "out=way.npz").returncode in (0, 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("format=gif", "format=gif is for samples that are pictures, but this run makes sound"),
        ("format=files", "use format=wav, png or npz"),
        ("show=saliency", "but this run makes sound"),
        ("show=noise", "but this run makes sound"),
        ("show=features space=pixels", "measure sound in spectrogram"),
        ("input=somewhere", "input=… reconstructs or translates"),
    ],
)
def test_what_sample_refuses_of_sound(gantrain: Command, run: Path, words: str, sentence: str) -> None:
    result = gantrain("sample", f"run={run}", *words.split())
    assert (result.returncode, sentence in result.stderr) == (2, True), result.stderr


@pytest.mark.slow
def test_an_exported_generator_makes_the_same_sound(gantrain: Command, run: Path) -> None:
    pytest.importorskip("onnxruntime")
    for form in ("safetensors", "onnx"):
        result = gantrain("export", f"run={run}", f"format={form}")
        assert result.returncode == 0, result.stderr
    cards = "".join(file.read_text() for file in (run / "exports").rglob("*.json"))
    assert "sound in [-1, 1], 8000 samples a second" in cards


def test_features_of_sound(gantrain: Command, run: Path, tmp_path: Path) -> None:
    result = gantrain("sample", f"run={run}", "show=features", "n=20", "out=features.npz")
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "features.npz") as held:
        assert held["features"].shape == (40, 256)


def test_a_run_that_goes_on_equals_one_that_never_stopped(gantrain: Command, tmp_path: Path) -> None:
    words = [*SMALL, "model=cgan", "networks@model=wavegan_small", "trainer.precision=bf16", "log.samples_every=3"]
    assert gantrain(*words, "trainer.steps=5", "outputs_dir=whole").returncode == 0
    assert gantrain(*words, "trainer.steps=3", "outputs_dir=parts").returncode == 0
    parts, whole = only_run(tmp_path / "parts"), only_run(tmp_path / "whole")
    assert gantrain(f"run={parts}", "trainer.steps=5").returncode == 0
    states = [load_checkpoint(folder / "checkpoints" / "step_00000005.pt") for folder in (whole, parts)]
    assert same(*(state["game"] for state in states))
    for name in ("00000003.wav", "00000005.wav", "final.wav"):
        assert (whole / "samples" / name).read_bytes() == (parts / "samples" / name).read_bytes()


def test_a_folder_of_sounds_is_trained_on_and_told_of(gantrain: Command, tmp_path: Path) -> None:
    sounds(tmp_path / "mine")
    (tmp_path / "mine" / "class0" / "bad.wav").write_bytes(b"junk")
    words = ["dataset=sound_folder", "dataset.path=mine", "dataset.length=512", "dataset.rate=4000"]
    told = gantrain("data", *words)
    assert told.returncode == 0, told.stderr
    for line in (
        "sounds    12, 512 samples each, 0.128 s at 4,000 a second, mono",
        "12 at 8,000 a second",
        "class0/bad.wav: ",
        "12 pieces end in silence",
        "classes   2; class0: 6 (50%), class1: 6 (50%)",
        "1 of 13 files are broken or silent",
    ):
        assert line in told.stdout, told.stdout
    small = ["model.generator.width=2", "model.discriminator.width=2", "trainer.batch_size=4", "trainer.steps=1"]
    result = gantrain(*words, *small)
    assert result.returncode == 0, result.stderr
    run = only_run(tmp_path / "outputs")
    assert heard(run / "samples" / "final.wav")[1] == 4000
    config = (run / "config.yaml").read_text()
    assert "n_critic: 5" in config
    assert "- 0.5\n  - 0.9" in config


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dataset=sound_folder", "add dataset.path=…"),
        ("dataset=sound_folder dataset.path=nowhere", "there is no folder nowhere"),
        ("dataset=sound_folder dataset.path=quiet", "all 1 sound files in quiet are silent, a.wav first"),
        ("dataset=sound_folder dataset.path=broken", "can be used, 1 broken; a.wav first"),
        ("dataset=notes dataset.length=32", "works on sound of 64 to"),
        ("dataset=notes model=dcgan", "but here is sound: set networks=wavegan"),
        ("dataset=digits model=wavegan", "works on sound, but here are pictures: set networks=dcgan"),
        ("dataset=ring8 model=wavegan", "works on sound, but here are numbers: set networks=mlp"),
        ("dataset=notes tricks=[diffaugment]", "diffaugment augments pictures, but the dataset holds sound"),
        ("dataset=notes tricks=[reconstruction]", "maps that a discriminator makes of pictures"),
        ("dataset=notes metrics.use=[fid]", "measure in spectrogram"),
        ("dataset=notes metrics.use=[fid_classifier]", "samples are sound: measure in spectrogram"),
        ("dataset=notes metrics.use=[diversity]", "measure sound in spectrogram"),
        ("dataset=notes metrics.use=[spectrum]", "needs pictures"),
        ("dataset=digits metrics.use=[pitch]", "metric pitch is of sound"),
        ("dataset=notes model=gman model.roles=scales networks@model=wavegan_small", "but the dataset holds sound"),
    ],
)
def test_refusals(gantrain: Command, tmp_path: Path, words: str, sentence: str) -> None:
    write(tmp_path / "quiet" / "a.wav", np.zeros(100), 8000)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.wav").write_bytes(b"RIFF")
    result = gantrain(*words.split())
    assert (result.returncode, sentence in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("config.yaml"))
