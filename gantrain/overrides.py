"""The user's words: as Hydra's grammar wants them, and one sentence for what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose as hydra_compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from gantrain.errors import UserError
from gantrain.help import CONFIGS


def quoted(value: str) -> str:
    """A value between quotes, for Hydra's grammar."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", re.sub(r"(\\+)$", r"\1\1", value)) + "'"


def unquote(value: str) -> str:
    """A value as it was before it was quoted for Hydra's grammar."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return value
    return re.sub(rf"(\\+)(?={value[0]}|$)", lambda found: found.group(1)[: len(found.group(1)) // 2], value[1:-1])


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


def parse(words: Sequence[str], config_name: str = "train") -> list[Override]:
    """The overrides as Hydra reads them.

    Raises:
        UserError: a word is no override.
    """
    hydra = GlobalHydra.instance().hydra
    with explained(words, config_name):
        return OverridesParser.create(hydra.config_loader if hydra else None).parse_overrides(list(words))


def nearest(word: str, known: Sequence[str]) -> str:
    """', did you mean …?' for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f", did you mean {close[0]}?" if close else ""


def explain(error: Exception, words: Sequence[str], config_name: str = "train") -> str:
    """One sentence for what Hydra or OmegaConf has to say about the user's words."""
    text = str(error.__cause__ or error) if "Error merging override" in str(error) else str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read as group=option or key=value: quote values that hold signs, key='…'"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = sorted({*(error.options or []), *(file.stem for file in (CONFIGS / group).glob("*.yaml"))})
        if not group or not options:
            return f"there is no config {error.missing_cfg_file}.yaml"
        return f"{group}={option} does not exist{nearest(option, options)} (one of: {', '.join(options)})"
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
    if override.package is not None or (CONFIGS / key).is_dir():
        if override.is_add() and (CONFIGS / key).is_dir():
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
    if group == "tricks" and f"tricks.{option}" not in known and (CONFIGS / group / f"{option}.yaml").is_file():
        return f"{key}: {option} is not among the run's tricks: name it too, such as 'tricks=[ema,{option}]'"
    siblings = [k for k in known if k.rpartition(".")[0] == key.rpartition(".")[0]]
    commands = f" of gantrain {config_name}" if config_name != "train" else ""
    return f"{key} is no setting{commands}{nearest(key, siblings) or nearest(key, [*known, *choices])}"


def _known(words: Sequence[str], config_name: str) -> tuple[list[str], list[str]]:
    """The keys that the config would have with the groups that were chosen, or else with none, and the groups."""
    chosen = [word for word in words if re.match(r"hydra[./]|[\w/@]+=", word)]
    for attempt in (chosen, []):
        try:
            cfg = hydra_compose(config_name, attempt, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, ValueError):
            continue
        own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
        choices = [str(key) for key in cfg.hydra.runtime.choices if not str(key).startswith("hydra")]
        several = [str(key) for key in own if key not in choices and (CONFIGS / str(key)).is_dir()]  # tricks
        return list(_keys(own)), [*choices, *several]
    return [], []


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    for key in [str(key) for key in node] if isinstance(node, DictConfig) else ():
        yield f"{prefix}{key}"
        if not OmegaConf.is_interpolation(node, key) and not OmegaConf.is_missing(node, key):
            yield from _keys(node[key], f"{prefix}{key}.")
