"""`gantrain export`: other programs make the samples that gantrain makes."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, only_run, round_of

import gantrain as package
from gantrain.commands.export import _onnx
from gantrain.commands.exported import generator_of
from gantrain.errors import UserError
from gantrain.games import Game, Request, Sampler

DOCUMENTS = Path(package.__file__).parent.parent
SHORT = ["trainer.steps=4", "trainer.batch_size=8", "log.samples_every=100"]


def missing(*names: str) -> pytest.MarkDecorator:
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} not installed: pip install 'gantrain[export]'")


needs_onnx = missing("onnx", "onnxscript", "onnxruntime")
needs_safetensors = missing("safetensors")


def session_of(content: bytes) -> Any:
    return importlib.import_module("onnxruntime").InferenceSession(content)


def lived_in(*words: str) -> Game:
    """A game whose norms have seen something, and whose averages are not its live networks."""
    game = round_of(*words, "trainer.batch_size=8").game
    torch.manual_seed(0)
    for name, tensor in (*game.named_parameters(), *game.named_buffers()):
        if tensor.is_floating_point() and ("generator" in name or "averages" in name):
            tensor.data *= 1 + 0.3 * torch.rand_like(tensor)
    return game


@needs_onnx
@pytest.mark.parametrize(
    "words",
    [
        ["model=dcgan_small", "dataset.image_size=20"],  # cropped from a canvas of 32
        ["model=dcgan_small", "tricks=[spectral_norm]", "tricks.spectral_norm.generator=true"],
        ["model=resnet", "model.generator.width=16", "model.discriminator.width=16"],
        ["model=fastgan", "model.generator.width=4", "model.generator.norm=instance", "model.discriminator.width=4"],
        ["model=mlp"],
        ["model=cgan"],
        ["model=cgan", "networks@model=mlp", "model.conditioning=concat"],
        ["model=infogan"],
        ["model=gman", "model.drop_discriminator=0.5"],
        ["model=bigan"],
    ],
)
def test_onnxruntime_makes_the_same_images(words: list[str]) -> None:
    game = lived_in(*words)
    sampler = Sampler(game, {})
    session = session_of(_onnx(sampler, {}))
    for n in (1, 5):
        latent = sampler.examples(n)
        assert list(latent) == [given.name for given in session.get_inputs()]
        own = game.sample(Request(n, {**game.latents(n), **latent}))["samples"].x
        (made,) = session.run(None, {name: values.numpy() for name, values in latent.items()})
        assert made.shape == own.shape
        np.testing.assert_allclose(made, own.numpy(), atol=1e-4)
        assert own.std() > 1e-3


def test_a_sampler_is_the_generator_alone_and_leaves_the_game_as_it_is() -> None:
    game = lived_in("model=dcgan_small", "tricks=[ema,spectral_norm]", "tricks.spectral_norm.generator=true")
    before = {name: tensor.clone() for name, tensor in game.state_dict().items()}
    modes = [module.training for module in game.modules()]
    sampler = Sampler(game, {})
    assert all(torch.equal(tensor, before[name]) for name, tensor in game.state_dict().items())
    assert modes == [module.training for module in game.modules()]
    assert {name.split(".")[0] for name in sampler.state_dict()} == {"generator"}
    assert not any("parametrizations" in name for name in sampler.state_dict())
    noise = sampler.examples(3)["noise"]
    game.averages.clear()
    live = Sampler(game, {})
    assert not torch.equal(live(noise), sampler(noise))
    torch.testing.assert_close(live(noise), game.sample(Request(3, {"noise": noise}))["samples"].x)


@needs_onnx
def test_what_onnx_cannot_hold_is_said() -> None:
    """Of several generators each makes its part of the batch, so that a graph for any number does not exist."""
    with pytest.raises(UserError, match=r"format=onnx cannot hold .* try format=safetensors or format=torch"):
        _onnx(Sampler(lived_in("model=madgan"), {}), {})


@needs_onnx
@needs_safetensors
@pytest.mark.usefixtures("plain_pictures")
def test_the_documents_snippets(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loads what the command wrote, as it stands, and all make the same images of the same noise."""
    assert gantrain(*SHORT).returncode == 0
    for suffix in ("safetensors", "pt", "onnx"):
        done = gantrain("export", f"run={only_run(tmp_path)}", f"out=generator.{suffix}")
        assert done.returncode == 0, done.stderr
    text = "".join(file.read_text() for file in (DOCUMENTS / "README.md", DOCUMENTS / "docs" / "export.md"))
    fences = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    snippets = [fence for fence in fences if re.search(r"generator\.(safetensors|pt|onnx)", fence)]
    assert {re.search(r"generator\.(safetensors|pt|onnx)", snippet)[1] for snippet in snippets} == {
        "safetensors", "pt", "onnx",
    }  # fmt: skip
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 32), dtype=np.float32))
    draw = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *shape, **rest: noise if shape == (16, 32) else draw(*shape, **rest))
    made = []
    for snippet in snippets:
        assert len([line for line in snippet.splitlines() if line]) <= 7
        names: dict[str, Any] = {}
        exec(snippet, names)
        made.append(np.asarray(names["images"]))
    for images in made:
        assert images.shape == (16, 1, 16, 16)
        np.testing.assert_allclose(images, made[0], atol=1e-5)


@pytest.mark.usefixtures("plain_pictures")
def test_the_card(gantrain: Command, tmp_path: Path) -> None:
    words = ["dataset=ring8", "metrics.use=[modes,duality_gap]", "metrics.known.duality_gap.turns=1", *SHORT]
    assert gantrain(*words, "seed=3").returncode == 0
    run = only_run(tmp_path)
    done = gantrain("export", f"run={run}", "format=torch")
    assert done.returncode == 0, done.stderr
    file = run / "exports" / "generator_step4.pt"
    assert str(file) in done.stdout
    card = json.loads(file.with_suffix(".json").read_text())
    assert "seed=3" in card["command"]
    assert (card["step"], card["averaged"], card["gantrain"]) == (4, True, package.__version__)
    assert card["dataset"]["licence"].startswith("none is needed")
    assert card["inputs"]["noise"] == {"dtype": "float32", "shape": ["n", 2], "what": "independent, each from N(0, 1)"}
    assert card["output"]["samples"]["shape"] == ["n", 2]
    assert {"metrics/modes", "metrics/reverse_kl"} <= card["figures"].keys()
    assert not any("duality" in tag for tag in card["figures"])  # measured of the live players, not of this generator
    assert card["figures"]["metrics/modes"]["protocol"]["samples"] == 2500
    held = torch.load(file, weights_only=True)
    assert held["card"] == card
    assert gantrain("export", f"run={run}", "format=torch", "ema=false").returncode == 0
    live = torch.load(run / "exports" / "generator_step4_live.pt", weights_only=True)
    assert not live["card"]["averaged"]
    assert live["card"]["figures"].keys().isdisjoint({"metrics/modes"})
    noise = torch.randn(8, 2)
    assert not torch.equal(*(generator_of(x["card"], x["tensors"])(noise) for x in (held, live)))


@pytest.mark.usefixtures("plain_pictures")
def test_numbers_come_out_in_their_own_units(gantrain: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal([100, -3, 0], [5, 0.1, 1], (400, 3)))
    assert gantrain("dataset=array", "dataset.path=t.npy", *SHORT).returncode == 0
    done = gantrain("export", f"run={only_run(tmp_path)}", "format=torch", "out=generator.pt")
    assert done.returncode == 0, done.stderr
    held = torch.load(tmp_path / "generator.pt", weights_only=True)
    assert held["card"]["dataset"]["licence"] == "unknown: that of your data"
    generator = generator_of(tmp_path / "generator.json", held["tensors"])
    made = generator(*generator.examples(500).values())
    assert abs(made[:, 0].mean() - 100) < 10
    assert abs(made[:, 1].mean() + 3) < 0.5


@pytest.mark.usefixtures("plain_pictures")
def test_what_cannot_be_exported_is_said(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gantrain(*SHORT).returncode == 0
    run = only_run(tmp_path)
    for words, sentence in (
        ([], "needs a run"),
        ([f"run={run}", "format=jpeg"], "format is safetensors, onnx, torch, got jpeg"),
        ([f"run={run}", "checkpoint=9"], "has the steps 4"),
        ([f"run={run}", "fromat=onnx"], "fromat"),
    ):
        refused = gantrain("export", *words)
        assert refused.returncode == 2
        assert sentence in refused.stderr
    assert "gantrain export" in gantrain("export", "--help").stdout
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused = gantrain("export", f"run={run}", "format=onnx")
    assert refused.returncode == 2
    assert "format=onnx needs onnx, onnxscript, onnxruntime: pip install 'gantrain[export]'" in refused.stderr
    assert not list(run.glob("exports/*"))
    held = torch.nn.Linear(2, 2).state_dict()
    with pytest.raises(UserError, match="no card"):
        generator_of({}, held)
