"""What a user chose stays with the run as it was typed: for TensorBoard's HPARAMS, the report, and whoever goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Command, config, only_run
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from gantrain.commands.chosen import chosen_settings
from gantrain.runs import RunFolder

SMALL = ["dataset=ring8", "model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "metrics.use=[]"]


def test_groups_by_option_and_each_changed_value() -> None:
    cfg = config("experiment=cgan_digits", "tricks=[ema,spectral_norm]", "optimizer.generator.lr=1e-4", "seed=7")
    found = chosen_settings(cfg)
    assert (found["experiment"], found["dataset"], found["model"]) == ("cgan_digits", "digits", "cgan")
    assert (found["tricks"], found["seed"], found["optimizer.generator.lr"]) == ("ema, spectral_norm", 7, 1e-4)
    assert found["changed"] == "optimizer.generator.lr=0.0001 seed=7"
    assert not any("_target_" in key for key in found)


def test_a_trick_that_only_sets_other_options_is_told() -> None:
    assert chosen_settings(config("tricks=[ttur]"))["tricks"] == "ttur"
    assert chosen_settings(config("tricks=[]"))["tricks"] == "none"


def test_an_interpolation_is_told_by_its_value() -> None:
    found = chosen_settings(config("dataset=ring8", "model.noise.dim=${dataset.modes}"))
    assert found["model.noise.dim"] == 8


@pytest.mark.usefixtures("plain_pictures")
def test_a_run_keeps_choices_and_commands_when_it_goes_on(gantrain: Command, tmp_path: Path) -> None:
    """The folder, TensorBoard and a fork of the run know what was typed first and later."""
    words = [*SMALL, "trainer.steps=2", "checkpoint.every=1"]
    assert gantrain(*words).returncode == 0
    run = only_run(tmp_path)
    assert gantrain(f"run={run}", "trainer.steps=3").returncode == 0
    held = OmegaConf.create(RunFolder(run).read_config()).choices
    assert held.groups.dataset == "ring8"
    assert list(held.overrides) == [*words, "trainer.steps=3"]
    commands = RunFolder(run).status.read().commands
    assert [command.split()[1] for command in commands] == ["dataset=ring8", f"run={run}"]
    content = EventAccumulator(str(run)).Reload().PluginTagToContent("hparams")
    board = HParamsPluginData.FromString(content["_hparams_/session_start_info"]).session_start_info.hparams
    assert board["dataset"].string_value == "ring8"
    assert board["trainer.steps"].number_value == 3  # what came of the two steps was dropped
    first = run / "checkpoints" / "step_00000001.pt"
    assert gantrain(f"run={first}", "trainer.steps=4").returncode == 0
    (fork,) = [file.parent for file in tmp_path.rglob("config.yaml") if file.parent != run]
    assert len(RunFolder(fork).status.read().commands) == 3


@pytest.mark.usefixtures("plain_pictures")
def test_each_job_of_a_sweep_knows_its_own_choices(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("-m", *SMALL, "trainer.steps=1", "loss=hinge,lsgan").returncode == 0
    configs = sorted(tmp_path.rglob("config.yaml"))
    held = [OmegaConf.create(file.read_text()).choices for file in configs]
    assert [choices.groups.loss for choices in held] == ["hinge", "lsgan"]
    assert [list(choices.overrides)[-1] for choices in held] == ["loss=hinge", "loss=lsgan"]


def test_what_was_chosen_is_no_setting(gantrain: Command) -> None:
    refused = gantrain("+choices.overrides=[a]", "dataset=ring8")
    assert refused.returncode == 2
    assert "choices says what was chosen" in refused.stderr
