"""One sentence for what is wrong with the user's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from gantrain.config.trust import Loader
from gantrain.config.words import nearest, whole_word
from gantrain.errors import UserError
from gantrain.options import is_group, listed, options_of

MOST = 3
"""Settings that are named at once."""


@contextmanager
def explained(words: Sequence[str], config_name: str = "train") -> Iterator[None]:
    """Within, what Hydra, OmegaConf and YAML have to say about the user's words and files is a UserError."""
    try:
        yield
    except UserError:
        raise
    except MarkedYAMLError as error:
        place = f" in {error.problem_mark.name}, line {error.problem_mark.line + 1}" if error.problem_mark else ""
        tabs = " (YAML is indented by spaces, not by tabs)" if "\\t" in str(error.problem) else ""
        raise UserError(f"what stands{place} is no YAML: {error.problem}{tabs}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"a config is no YAML text: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UserError("a config asks for itself in its defaults list: give your own another name") from error
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # Hydra says some things by a ValueError
        raise UserError(explain(error, words, config_name)) from error


def explain(error: Exception, words: Sequence[str], config_name: str = "train") -> str:
    """One sentence for what Hydra or OmegaConf has to say about the user's words."""
    text = str(error.__cause__ or error) if "Error merging override" in str(error) else str(error)
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = sorted({*(error.options or []), *options_of(group)})
        if not group or not options:
            return f"there is no config {error.missing_cfg_file}.yaml"
        those = ", ".join(listed(group, options, _own_folder()))
        return f"{group}={option} does not exist{nearest(option, options)} (one of: {those})"
    if several := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'", text):
        return (
            f"{several.group(1)} holds several values: add --multirun for a run with each, or write a list, key=[a,b]"
        )
    if words and isinstance(error, HydraException | ValueError) and not isinstance(error, InterpolationResolutionError):
        known, choices = _known(words, config_name)
        for override in OverridesParser.create().parse_overrides(list(words)):
            if reason := _reason(override, known, choices, config_name):
                return reason
    full = re.search(r"full_key: (\S+)", text)
    key = f"{full.group(1)}: " if full else ""
    if nope := re.search(r"Interpolation key '([^']+)' not found", text):
        return f"{key}${{{nope.group(1)}}} names no key of the config"
    if "Recursive interpolation" in text:
        return f"{key}its ${{…}} leads back to itself"
    if isinstance(error, InterpolationResolutionError | GrammarParseError):
        return f"{key}only a key of the config that holds a value may stand in ${{…}}"
    return key + " ".join(text.split("\nSee https")[0].split("\n    full_key")[0].split())


def _own_folder() -> Path | None:
    """The user's own configs, where there are any."""
    hydra = GlobalHydra.instance().hydra
    return hydra.config_loader.folder if hydra is not None and isinstance(hydra.config_loader, Loader) else None


def _reason(override: Override, known: Sequence[str], choices: Sequence[str], config_name: str) -> str | None:
    """What is wrong with one override, given the keys and the groups that there are; None where nothing is."""
    key, value = override.key_or_group, override.value()
    place = key if override.package is None else f"{key}@{override.package}"
    if key.startswith("hydra"):
        return None
    if place in choices:
        if override.is_delete():
            none = "'tricks=[]' is none" if key == "tricks" else "gantrain --help lists them"
            return f"the group {key} cannot be taken away: choose one of its options ({none})"
        if override.is_add() or override.is_force_add():
            return f"{key} is a group, of which one option is chosen: leave out the +"
        several = place == "tricks"
        if not isinstance(value, (str, list) if several else str) and not override.is_sweep_override():
            return f"{override.input_line} names no option of the group {key} (gantrain --help lists them)"
        return None
    if override.package is not None or is_group(key):
        if override.is_add() and is_group(key):
            return None
        return f"{place} is no group of this command{nearest(place, choices)}"
    if key in known:
        if override.is_delete():
            return f"~{key}: {key} holds nothing that could be taken away, leave it out"
        if override.is_add() and not isinstance(value, dict | list):
            return f"{key} is there already: leave out the +"
        return None
    if override.is_add() or override.is_force_add():
        return None
    group, _, rest = key.partition(".")
    option = rest.partition(".")[0]
    if group == "tricks" and f"tricks.{option}" not in known and option in options_of(group):
        return f"{key}: {option} is not among the run's tricks: name it too, such as 'tricks=[ema,{option}]'"
    siblings = [k for k in known if k.rpartition(".")[0] == key.rpartition(".")[0]]
    commands = f" of gantrain {config_name}" if config_name != "train" else ""
    hint = _same_name(key, known) or nearest(key, siblings) or nearest(key, [*known, *choices])
    return f"{key} is no setting{commands}{hint}"


def _unreadable(word: str) -> str:
    """What to say of a word that is no override."""
    if "=" not in word and (hint := whole_word(word)):
        return f"{word} is no key=value{hint}"
    return f"{word} cannot be read as group=option or key=value: quote values that hold signs, key='…'"


def _same_name(key: str, known: Sequence[str]) -> str:
    """', did you mean …?' for settings of the same last name in other places, those in its own group before others."""
    group, name = key.partition(".")[0], key.rpartition(".")[2]
    same = [k for k in known if k.rpartition(".")[2] == name and not k.startswith(("metrics.", "data."))]
    near = [k for k in same if k.startswith(f"{group}.")] or same
    return f", did you mean {' or '.join(near)}?" if 0 < len(near) <= MOST else ""


def _known(words: Sequence[str], config_name: str) -> tuple[list[str], list[str]]:
    """The keys that the config would have with the groups that were chosen, or else with none, and the groups."""
    chosen = [word for word in words if re.match(r"hydra[./]", word) or is_group(re.split("[@=]", word)[0])]
    for attempt in (chosen, []):
        try:
            cfg = hydra_compose(config_name, attempt, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, ValueError):
            continue
        own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
        choices = [str(key) for key in cfg.hydra.runtime.choices if not str(key).startswith("hydra")]
        several = [str(key) for key in own if key not in choices and is_group(str(key))]  # tricks
        return list(_keys(own)), [*choices, *several]
    return [], []


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    for key in [str(key) for key in node] if isinstance(node, DictConfig) else ():
        yield f"{prefix}{key}"
        if not OmegaConf.is_interpolation(node, key) and not OmegaConf.is_missing(node, key):
            yield from _keys(node[key], f"{prefix}{key}.")
