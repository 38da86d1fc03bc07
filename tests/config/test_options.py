"""Lists show what is a user's to choose; what was made for one recipe alone is chosen by name like any other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Command
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from gantrain.commands.help import GROUPS, general_help
from gantrain.config import ListingLoader, compose, hydra_at, parse
from gantrain.errors import UserError
from gantrain.options import CONFIGS, listed, options_of

LEFT_OUT = [
    (group, option) for group in GROUPS for option in options_of(group) if option not in listed(group, [option])
]


def listed_by_help(group: str) -> list[str]:
    """The options of a group on the help page."""
    (block,) = re.findall(rf"^  {group}  .*\n((?:      .*\n)+?)      e\.g\.", general_help(), re.MULTILINE)
    return block.split()


@pytest.mark.parametrize("group", GROUPS)
def test_help_lists_what_is_to_be_chosen(group: str) -> None:
    assert listed_by_help(group) == listed(group, options_of(group))
    assert listed_by_help(group), "else the group has nothing to choose"


def test_what_is_of_one_recipe_alone_is_left_out() -> None:
    assert [listed_by_help(group) for group in ("loss", "optimizer", "trainer")] == [
        ["dragan", "hinge", "lsgan", "minimax", "nonsaturating", "r1", "r3", "ragan", "rpgan", "wgan", "wgan_gp"],
        ["adam", "adamw", "rmsprop", "sgd"],
        ["default"],
    ]
    assert {("model", "mlp_tutorial"), ("dataset", "gaussian1d_sorted"), ("tricks", "minibatch_tutorial")} <= {
        *LEFT_OUT
    }


@pytest.mark.parametrize(("group", "option"), LEFT_OUT)
def test_what_is_left_out_is_chosen_as_its_header_says(group: str, option: str) -> None:
    text = (CONFIGS / group / f"{option}.yaml").read_text()
    (by,) = re.findall(r"^# @chosen_by (\w+)$", text, re.MULTILINE)
    line = rf"^  - {option}$" if by == group else rf"^  - (override )?/{group}(@_here_)?: \[?{option}\b"
    assert any(re.search(line, file.read_text(), re.MULTILINE) for file in (CONFIGS / by).glob("*.yaml"))


@pytest.mark.parametrize(
    ("words", "brought"),
    [
        (["dataset=ring8", "loss=r3_plane"], ["dataset=ring8"]),
        (["dataset=mnist", "trainer=mnist", "loss=r1_mnist", "optimizer=fast"], ["dataset=mnist"]),
        (["experiment=gaussian1d_minibatch", "tricks=[minibatch_tutorial]"], ["experiment=gaussian1d_minibatch"]),
    ],
)
def test_it_can_be_named_all_the_same(words: list[str], brought: list[str]) -> None:
    with hydra_at():
        named, by_others = (
            {key: value for key, value in compose(w).items() if key != "choices"} for w in (words, brought)
        )
        assert named == by_others
        assert compose(["dataset=ring8"]).name == "ring8-mlp-r3_plane"


def test_a_trial_of_it_runs(gantrain: Command) -> None:
    done = gantrain("loss=r3_plane", "dataset=ring8", "debug=dry")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_word_is_answered_by_the_same_lists(gantrain: Command) -> None:
    said = gantrain("loss=r3_plan").stderr
    assert said.startswith("gantrain: loss=r3_plan does not exist, did you mean r3_plane? (one of: dragan, hinge, ")
    assert said.count("r3_") == 2


def completed(group: str, folder: Path | None = None) -> list[str]:
    """The options of a group that a shell is told."""
    with hydra_at(str(folder) if folder else None, ListingLoader):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        return hydra.config_loader.get_group_options(group, config_name="train", overrides=[])


def test_a_shell_completes_what_is_to_be_chosen(gantrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "gantrain optimizer=")
    monkeypatch.setenv("COMP_POINT", "19")
    assert gantrain("-sc", "query=bash").stdout.split() == [f"optimizer={name}" for name in listed_by_help("optimizer")]


def test_a_sweep_over_all_still_finds_it() -> None:
    with hydra_at():
        (override,) = parse(["loss=glob(r1*)"])
        assert list(override.sweep_string_iterator()) == ["r1", "r1_mnist"]


def test_options_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("defaults:\n  - r3_plane@_global_\n")
    (tmp_path / "loss" / "inner.yaml").write_text("\n# @chosen_by dataset\ndefaults:\n  - hinge\n")
    (tmp_path / "loss" / "r3_line.yaml").write_text("defaults:\n  - hinge\n")
    assert {*completed("loss", tmp_path)} - {*completed("loss")} == {"mine", "r3_line"}
    with hydra_at(str(tmp_path)):
        plane = compose(["dataset=ring8"])
        assert OmegaConf.masked_copy(compose(["dataset=ring8", "loss=mine"]), ["loss", "optimizer"]) == (
            OmegaConf.masked_copy(plane, ["loss", "optimizer"])
        )
        with pytest.raises(UserError, match=r"mine, minimax, nonsaturating, r1, r3, r3_line, ragan") as refused:
            compose(["loss=inne"])
    assert "did you mean inner?" in str(refused.value)
    assert "inner," not in str(refused.value)
