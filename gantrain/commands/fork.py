"""`gantrain fork`: an exact resume of a run plus a change, in a new folder that remembers where it came from."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gantrain.commands.assembly import config_of, plain
from gantrain.commands.parts import Parts, begin, build_parts, build_rounds, open_data
from gantrain.commands.resume import place_of_fork, refuse_if_over
from gantrain.commands.train import train
from gantrain.config import complete, compose, has_minutes_of_budget, parse
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.runs import Origin, RunFolder, find_checkpoint, load_checkpoint
from gantrain.training.checkpoints import logged_at
from gantrain.training.ranks import ALONE
from gantrain.training.state import Progress

STARTS_ANEW = ("tricks.", "averages.")
"""What a game need not have had before: all else must be in the checkpoint."""
FACTS = ("name", "run", "choices")
"""Of a config, what says how it came to be."""


def fork(
    run: str, step: str | None, words: Sequence[str], config_name: str, console: Console, command: str
) -> dict[str, float]:
    """Goes on from a run's checkpoint with something changed, inside `hydra_at`; returns the final figures.

    Networks, what optimizers and tricks keep, the place in the data and all that is drawn are the run's own. Tricks
    that are new begin with the networks as they are, and so does an optimizer of another kind.

    Args:
        step: of the checkpoint, or `last` or `best`; None for the last.
        words: overrides, on top of those that the run was made with.

    Raises:
        UserError: there is no such checkpoint, nothing is changed, or the networks would be others.
    """
    file = find_checkpoint(Path(run).expanduser(), step or "last")
    state = load_checkpoint(file)
    old, source = config_of(state, str(file)), RunFolder.of(file)
    _lengthen(old, source, state)
    if not words:
        raise UserError("gantrain fork changes something: add loss=…, tricks=[…] or any other setting")
    cfg = _changed(old, words, config_name, console)
    progress = Progress.of(state["progress"], str(file))
    progress.figures = progress.ended = None
    try:
        refuse_if_over(progress, cfg)
    except UserError as error:
        raise UserError(f"{error}, or fork it from an earlier step, step=…") from error
    if cfg.metrics.best != old.metrics.best:
        progress.best = None
    told = any(override.key_or_group == "outputs_dir" for override in parse(words, config_name))
    place = Path(cfg.outputs_dir).expanduser() / cfg.name if told else place_of_fork(source, cfg)
    changed = {"progress": asdict(progress), "config": OmegaConf.to_yaml(cfg)}
    merged = {**state, **_state_of(cfg, old, state, str(file), console), **changed}
    merged["logged"] = logged_at(state)
    folder = source.fork(place, merged, changed=True)
    merged["logged"] = folder.logged()
    folder.origin.write(Origin(str(source.path.resolve()), progress.step, list(words)))
    console.say(f"forked from step {progress.step:,} of {source}, with {' '.join(words)}")
    try:
        figures = train(cfg, console, command, folder, merged)
    except BaseException:
        if not folder.has_config:  # it has not begun
            shutil.rmtree(folder.path)
        raise
    both = shlex.quote(f"runs={source},{folder}")
    console.say(f"compare gantrain report {both}")
    return figures


def _lengthen(old: DictConfig, source: RunFolder, state: Mapping[str, Any]) -> None:
    """The length of a run that went on from its end belongs to what is forked there."""
    if source.has_config and state["progress"]["step"] >= old.trainer.steps:
        now = config_of({"config": source.read_config()}, str(source))
        if now.trainer.steps > old.trainer.steps:
            old.trainer.steps, old.trainer.minutes = now.trainer.steps, now.trainer.minutes


def _changed(old: DictConfig, words: Sequence[str], config_name: str, console: Console) -> DictConfig:
    """The run's config with what the words change in it, and nothing else: not what has become standard since.

    Raises:
        UserError: they make no config, or ask for a budget.
    """
    keys = {override.key_or_group for override in parse(words, config_name)}
    if "budget" in keys:
        raise UserError("budget= plans a run from its first step: give a fork trainer.steps= or trainer.minutes=")
    before = [word for word in map(str, old.choices.overrides) if word.partition("=")[0] not in FACTS]
    was = complete(compose(before, config_name))
    cfg = complete(compose([*before, *words], config_name), console.say_once)
    for key in cfg:
        if key not in FACTS:
            _keep(cfg, old, was, key)
    planned = has_minutes_of_budget(old.budget, list(map(str, old.choices.overrides)))
    if planned and "trainer.steps" in keys and "trainer.minutes" not in keys:
        cfg.trainer.minutes = None  # of the budget, and used up
    cfg.run = None
    return cfg


def _keep(cfg: DictConfig, old: DictConfig, was: DictConfig, key: Any) -> None:
    """Sets the run's own values under the key, but for those that the change makes: `was` is the config without it."""
    if _plain(cfg[key]) == _plain(was[key]):
        cfg[key] = old[key]
        return
    nodes = (cfg[key], old[key], was[key])
    if all(OmegaConf.is_dict(node) for node in nodes) and len({str(node.get("_target_")) for node in nodes}) == 1:
        for name in cfg[key]:
            if name in old[key] and name in was[key]:
                _keep(cfg[key], old[key], was[key], name)


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node) if OmegaConf.is_config(node) else node


def _state_of(
    cfg: DictConfig, old: DictConfig, state: Mapping[str, Any], what: str, console: Console
) -> dict[str, Any]:
    """The checkpoint as one of the changed config.

    Raises:
        UserError: the networks would be others.
    """
    parts = build_parts(cfg, None, console.say_once)
    own, given = parts.game.state_dict(), state["game"]
    _check_networks(own, given, what)
    parts.game.load_state_dict(_with(own, given))  # for tricks that begin with the networks as they are
    with closing(open_data(parts, ALONE)) as batches:
        begin(build_rounds(cfg, parts, batches, console.say_once))
    now = {name: value.detach().cpu() for name, value in parts.game.state_dict().items()}
    for name in now.keys() - given.keys():
        if name.startswith("averages."):
            now[name] = now[name.removeprefix("averages.")]
    same = {name for name, trick in cfg.tricks.items() if old.tricks.get(name, {}).get("_target_") == trick._target_}
    gone = tuple(f"tricks.{name}." for name in old.tricks if name not in same)
    kept = {name: values for name, values in given.items() if not name.startswith(gone)}
    return {"game": _with(now, kept), "optimizers": _optimizers_of(cfg, old, parts, state)}


def _check_networks(own: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Raises UserError where a network's weights are not given, or too many, or of another shape."""
    for name in sorted(name for name in own.keys() | given.keys() if not name.startswith(STARTS_ANEW)):
        if name not in own or name not in given or own[name].shape != given[name].shape:
            raise UserError(
                f"the networks of {what} are others, as {name} shows: a fork keeps them and changes how they train; "
                "for other networks start a new run, with init_from= where weights fit"
            )


def _with(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a game holds, with what is given in its place where it fits."""
    fits = {name for name in own.keys() & given.keys() if own[name].shape == given[name].shape}
    return {name: given[name] if name in fits else values for name, values in own.items()}


def _optimizers_of(cfg: DictConfig, old: DictConfig, parts: Parts, state: Mapping[str, Any]) -> dict[str, Any]:
    """What the run's optimizers know, with the changed config's settings; nothing where they are of a new kind."""
    same, found = _kinds(cfg) == _kinds(old), {}
    for name, learner in parts.learners.items():
        fresh, saved = learner.optimizer.state_dict(), state["optimizers"].get(name)
        known = saved["state"] if same and saved else {}
        found[name] = {"state": known, "param_groups": fresh["param_groups"]}
    return found


def _kinds(cfg: DictConfig) -> dict[str, str]:
    """The class of each optimizer, by its entry."""
    entries = {name: entry for name, entry in plain(cfg.optimizer).items() if isinstance(entry, dict)}
    return {name: str(entry.get("_target_")) for name, entry in entries.items() if name != "schedule"}
