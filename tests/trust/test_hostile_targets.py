"""A class that a stranger's file names is built only where it is meant to be configured; nothing else is imported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command
from omegaconf import OmegaConf
from strangers import GLOBAL, PLACES, SHORT, files_of, lay, set_traps, state_of, train, with_payload

from gantrain.config import build
from gantrain.config.admitting import CONFIGURED, locate
from gantrain.errors import UserError
from gantrain.options import CONFIGS

ELSEWHERE = (
    *("builtins.eval", "builtins.exec", "builtins.open", "os.system", "subprocess.Popen", "pathlib.Path"),
    *("pathlib.Path.write_text", "shutil.rmtree", "runpy.run_path", "importlib.import_module", "pickle.loads"),
    *("logging.FileHandler", "logging.config.dictConfig", "numpy.load", "numpy.save", "hydra.utils.instantiate"),
    *("hydra.utils.call", "hydra.utils.get_method", "omegaconf.OmegaConf.save", "yaml.unsafe_load", "touching.Now"),
    *("torch.load", "torch.save", "torch.hub.load", "torch.jit.load", "torch.ops.load_library", "torch.nn.Linear"),
    *("torch.nn.Module", "torch.utils.cpp_extension.load", "torch.utils.tensorboard.SummaryWriter"),
    *("torch.optim.Optimizer", "torch.optim.LBFGS", "torch.optim.lr_scheduler.LambdaLR", "torch.optim.adam.Adam"),
    *("torch.optim.Adam.__init__", "torch.optim.Adam.__init__.__globals__", "torch.optim.adam.os"),
)
"""Not gantrain's, nor PyTorch's optimizers."""
OWN = (
    *("gantrain.__main__.main", "gantrain.cli.main", "gantrain.commands.train.train", "gantrain.files.write_text"),
    *("gantrain.report.console.Console", "gantrain.report.sinks.WandbShaped", "gantrain.report.sinks.TensorBoard"),
    *("gantrain.runs.RunFolder", "gantrain.runs.sweep.SweepFolder", "gantrain.training.processes.Processes"),
    *("gantrain.data.folders.Path", "gantrain.data.folders.os", "gantrain.data.DataContext", "gantrain.data.Batches"),
    *("gantrain.data.to_pixels", "gantrain.data.array", "gantrain.data.Ring.open", "gantrain.data.__class__"),
    *("gantrain.games.Sampler", "gantrain.games.Request", "gantrain.tricks.RunPlan", "gantrain.tricks.TurnContext"),
    *("gantrain.metrics.Evaluation", "gantrain.metrics.evaluate", "gantrain.metrics.Protocol", "gantrain.metrics"),
    *("gantrain.metrics.torchscript._Reader", "gantrain.schedules.Tensor", "gantrain.schedules.Scheduled"),
    *("gantrain.networks.Sequential", "gantrain.losses.penalties.R1", "gantrain.losses.Forward", "gantrain"),
)
"""Of gantrain, but nothing that a config is meant to name."""
MALFORMED = (
    "",
    ".",
    "..",
    ".os.system",
    "gantrain.",
    "gantrain..data.Ring",
    " gantrain.data.Ring",
    "gantrain.data.Ring ",
)
MALFORMED += (
    "gantrain/data/Ring",
    "gantrain.data:Ring",
    "ｇantrain.data.Ring",
    "gantrain.data.Ring\n",
    "gantrain.data\0.Ring",
)


@pytest.fixture(autouse=True)
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is there once the stranger's package was imported."""
    return set_traps(tmp_path, monkeypatch)


@pytest.mark.parametrize("target", [*ELSEWHERE, *OWN, *MALFORMED, 3, None, True, ["os.system"], {"a": "os.system"}])
def test_what_is_not_meant_to_be_configured_is_not_built(trace: Path, target: Any) -> None:
    for node in ({"_target_": target}, {"_target_": target, "_partial_": True}):
        with pytest.raises(UserError, match=r"thing\._target_"):
            build(node, "thing")
        with pytest.raises(UserError, match=r"thing\.inner\[0\]\._target_"):
            build({"inner": [node]}, "thing")
    assert not trace.exists()


def test_every_class_that_the_configs_name_is_admitted() -> None:
    texts = [file.read_text() for file in CONFIGS.rglob("*.yaml")]
    named = {name for text in texts for name in re.findall(r"_target_: *([\w.]+)", text)}
    assert len(named) > 100
    assert all(isinstance(locate(name, "it"), type) for name in named)
    assert {name.rpartition(".")[0] for name in named} - {"torch.optim"} <= {*CONFIGURED}


WORDS: dict[str, Any] = {"_args_": ["touched"], "_recursive_": False, "_convert_": "object", "_self_": 1, "_call_": 1}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("target", ["gantrain.data.Ring", "torch.optim.SGD", "gantrain.losses.R1"])
def test_hydras_other_words_mean_nothing(target: str, word: str) -> None:
    with pytest.raises(UserError, match=f"it.{word} is no setting"):
        build({"_target_": target, word: WORDS[word]}, "it")
    for partial in (1, "true", None, {"_target_": "touching.Now"}):
        with pytest.raises(UserError, match=r"_partial_ should be true or false"):
            build({"_target_": target, "_partial_": partial}, "it")


def test_only_the_user_trusts_a_package(trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\n\nfrom torch.nn import Linear\n\n\nclass Own:\n    pass\n"
    )
    with pytest.raises(UserError, match="--trust=mine"):
        locate("mine.Own", "it")
    monkeypatch.setenv("GANTRAIN_TRUST", "mine")
    assert locate("mine.Own", "it").__name__ == "Own"
    for imported in ("mine.Path", "mine.Linear", "mine.nothing", "minefield.Own", "touching.Now"):
        with pytest.raises(UserError):
            locate(imported, "it")
    assert not trace.exists()


def _slowly(*places: str) -> list[Any]:
    return [pytest.param(place, marks=pytest.mark.slow) for place in places]


PAYLOADS = ({"_target_": "touching.Now"}, {"_target_": "pathlib.Path.write_text", "_args_": ["touched", "x"]})


@pytest.mark.parametrize("place", ["model.generator", *_slowly("dataset", "+tricks.x", "optimizer.generator.lr")])
def test_no_config_of_a_stranger_has_one(gantrain: Command, tmp_path: Path, trace: Path, place: str) -> None:
    text = with_payload("{}", place, PAYLOADS[0])
    lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}{text}"})
    for more in ([], ["-m", "seed=0,1"]):
        done = gantrain("--config-dir", "own", "experiment=x", *SHORT, *more)
        assert done.returncode == 2, (place, more, done.stdout)
        assert len(done.stderr.splitlines()) == 1
    gantrain("--config-dir", "own", "experiment=x", "--cfg", "job", "--resolve")
    assert not trace.exists()
    assert not (tmp_path / "outputs").exists()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The content of an honest checkpoint."""
    return state_of(train(tmp_path_factory.mktemp("honest")))


@pytest.mark.parametrize("place", [*PLACES[:3], *_slowly(*PLACES[3:])])
def test_no_place_of_a_checkpoints_config_takes_one(
    gantrain: Command, tmp_path: Path, trace: Path, honest: dict[str, Any], place: str
) -> None:
    for payload in PAYLOADS:
        config = OmegaConf.create(with_payload(honest["config"], place, payload))
        config.metrics.use = ["x"] if place.startswith("+metrics.known") else []
        torch.save({**honest, "config": OmegaConf.to_yaml(config)}, tmp_path / "lone.pt")
        before = files_of(tmp_path)
        done = gantrain("run=lone.pt", "trainer.steps=5")
        unused = place.startswith("+metrics.spaces")  # what no metric in use names is never built
        assert done.returncode == (0 if unused else 2), done.stderr
        assert unused or files_of(tmp_path) == before
        gantrain("sample", "run=lone.pt", "n=4")
        assert not trace.exists()
