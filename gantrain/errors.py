"""The ways a command ends early."""

import signal


class UserError(ValueError):
    """The user's mistake: one sentence that says what to change. Exit code 2."""


class Mistyped(UserError):
    """A value of the wrong type, or of none that there is, which no other choice makes right."""


class Stopped(BaseException):
    """A signal ended the command, which saved what it could. Exit code 128 + the signal's number.

    Not an `Exception`, so that a sweep ends with it instead of going on with its next job.
    """

    at_once = False
    """Whether nothing more is to be done, for it was a second signal, or nothing was at stake."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.name = signal.Signals(signal_number).name
        self.exit_code = 128 + signal_number
