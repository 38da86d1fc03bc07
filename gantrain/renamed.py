"""What a user's own class calls by names of an earlier version."""

from __future__ import annotations

from collections.abc import Mapping

from gantrain.errors import UserError


def refuse_former_names(kind: type, renamed: Mapping[str, str]) -> None:
    """Refuses a class that defines what nobody would call any more.

    Args:
        renamed: today's names by those of before.

    Raises:
        UserError: it does; the sentence names the first one's name of today.
    """
    for former, today in renamed.items():
        if former in vars(kind):
            raise UserError(f"{kind.__module__}.{kind.__qualname__}.{former} is called {today} now: rename it")
