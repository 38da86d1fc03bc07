"""Whether the other processes of a run live: one that is gone ends all within seconds, and in a sentence."""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from torch.distributed import Store

from gantrain.terminal import show

EVERY = 1.0
"""Seconds between two looks."""
SILENT = 20.0
"""Seconds after which a computer of which no process was heard is gone."""
GRACE = 5.0
"""Seconds that a process has to notice by itself, when a call to the others fails, before it is ended."""


class Liveness:
    """A thread that looks after the processes of a run through a store that all of them reach.

    Each looks whether those of its own computer live, and the first of each computer whether the next computer is heard
    of. What is found is put into the store; one process says it, the first if that lives, with its `way_out`.

    Args:
        number, count: of this process.
    """

    def __init__(self, store: Store, number: int, count: int) -> None:
        self._store, self._number, self._count = store, number, count
        self.tell: Callable[[str], object] = lambda sentence: None
        self.way_out: Callable[[], str] = lambda: "it had not begun, start it again"
        self._fault = ""
        self._over = threading.Event()
        store.set(f"who/{number}", json.dumps([platform.node(), os.getpid()]))
        known = [json.loads(store.get(f"who/{k}")) for k in range(count)]
        host = known[number][0]
        self._neighbours = {k: pid for k, (node, pid) in enumerate(known) if node == host and k != number}
        self._neighbours = {k: pid for k, pid in self._neighbours.items() if _lives(pid)}  # else they cannot be seen
        hosts = list(dict.fromkeys(node for node, _ in known))
        leads = number == min(k for k, (node, _) in enumerate(known) if node == host)
        self._host, self._next_host = host, hosts[(hosts.index(host) + 1) % len(hosts)] if leads else host
        self._of_next = [f"done/{k}" for k, (node, _) in enumerate(known) if node == self._next_host]
        self._thread = threading.Thread(target=self._look_after, name="liveness", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """This process is done, and looks no longer."""
        self._stop()
        try:
            self._store.set(f"done/{self._number}", "")
        except Exception:  # the process that holds the store is done too
            return

    def failed(self, error: BaseException) -> None:
        """Tells the others that this process ends, and why."""
        name = "" if type(error).__name__ == "UserError" else f"{type(error).__name__}: "
        self._stop()
        self._found(f"rank {self._number} of {self._count} failed: {name}{error}")

    def leave_it_to_the_first(self) -> None:
        """Raises:
        SystemExit: the first process says what happened, and this one is silent.
        """
        if not self._says():
            raise SystemExit(1) from None

    def lost(self) -> str | None:
        """After a call to the others failed: the sentence, where one of them is gone; None where none is."""
        until = time.monotonic() + GRACE - 2 * EVERY
        while not self._fault and time.monotonic() < until and self._thread.is_alive():
            time.sleep(0.05)
        if self._fault:
            self._stop()
        return self._sentence() if self._fault else None

    def _look_after(self) -> None:
        beats, heard, since = 0, b"", time.monotonic()
        while not self._over.wait(EVERY):
            try:
                beats += 1
                self._store.set(f"beat/{self._host}", str(beats))
                for k, pid in self._neighbours.items():
                    if not _lives(pid) and not self._store.check([f"done/{k}"]):
                        self._found(f"rank {k} of {self._count} is gone")
                if self._next_host != self._host and self._store.check([f"beat/{self._next_host}"]):
                    beat = self._store.get(f"beat/{self._next_host}")
                    heard, since = beat, since if beat == heard else time.monotonic()
                    if time.monotonic() - since > SILENT and not self._store.check(self._of_next):
                        self._found(f"nothing is heard of {self._next_host}")
                self._fault = self._store.get("fault").decode() if self._store.check(["fault"]) else ""
            except Exception:  # the store is gone with the process that held it
                self._fault = "the process that the others met in is gone"
            if self._fault:
                self._end()
                return

    def _end(self) -> None:
        """Ends this process, if it does not do so itself."""
        if self._over.wait(GRACE):
            return
        if self._says():
            sentence = self._sentence()
            show(f"gantrain: {sentence}", sys.stderr)
            self.tell(sentence)
        os._exit(1)

    def _sentence(self) -> str:
        """What happened, and what to do about it as the run's folder is now."""
        return f"{self._fault}, and the run ends with it: {self.way_out()}"

    def _found(self, fault: str) -> None:
        try:
            self._store.compare_set("fault", "", fault)
        except Exception:  # nobody is there to be told
            return

    def _says(self) -> bool:
        """Whether it is this process that says what happened: the first, or another after it had its time."""
        until = time.monotonic() + GRACE + 3 * EVERY
        try:
            if self._number == 0:
                self._store.set("said", "")
                return True
            while time.monotonic() < until and f"rank 0 of {self._count} is gone" not in self._fault:
                if self._store.check(["said"]):
                    return False
                time.sleep(EVERY / 5)
            return self._store.compare_set("said", "", str(self._number)) == str(self._number).encode()
        except Exception:  # nobody else can
            return True

    def _stop(self) -> None:
        self._over.set()
        self._thread.join()


def _lives(pid: int) -> bool:
    """Whether there is such a process on this computer, and it is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # not on Linux
        return True
