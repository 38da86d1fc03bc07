"""What Hydra itself shows: --cfg, --info, --hydra-help, --shell-completion."""

from __future__ import annotations

import argparse

from hydra import compose as hydra_compose
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from gantrain.config import ListingLoader, complete, compose, explained, hydra_at, implied, validate
from gantrain.errors import UserError


def show(flags: argparse.Namespace, command: str, overrides: list[str]) -> int:
    """What Hydra itself shows. The resolved job config is the one that a run would follow."""
    if flags.multirun:
        raise UserError("--cfg, --info and the like show one run: leave out --multirun")
    name = flags.config_name or command
    if flags.shell_completion:
        return _shell_completion(flags, name, overrides)
    with hydra_at(flags.config_dir), explained(overrides, name):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        overrides = implied(overrides, name)
        cfg = compose(overrides, name)
        if command == "train":
            validate(cfg)
        if flags.cfg == "job":
            _print(complete(cfg) if flags.resolve and command == "train" else cfg, flags.package, flags.resolve)
        elif flags.cfg:
            whole = hydra_compose(name, overrides, return_hydra_config=True)
            _print(
                OmegaConf.masked_copy(whole, "hydra") if flags.cfg == "hydra" else whole, flags.package, flags.resolve
            )
        elif flags.info:
            hydra.show_info(flags.info, name, overrides)
        else:
            parser = get_args_parser()
            hydra.hydra_help(name, parser, parser.parse_args(["--hydra-help"]))
    return 0


def _shell_completion(flags: argparse.Namespace, name: str, overrides: list[str]) -> int:
    """What a shell asks for while a line is typed."""
    with hydra_at(flags.config_dir, ListingLoader), explained(overrides, name):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        hydra.shell_completion(name, overrides)
    return 0


def _print(cfg: DictConfig, package: str | None, resolve: bool) -> None:
    shown = OmegaConf.select(cfg, package) if package else cfg
    if shown is None:
        raise UserError(f"--package: the config has no {package}")
    print(OmegaConf.to_yaml(shown, resolve=resolve) if OmegaConf.is_config(shown) else shown)
