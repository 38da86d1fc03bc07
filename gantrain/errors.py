"""The ways a command ends early."""


class UserError(ValueError):
    """The user's mistake: one sentence that says what to change. Exit code 2."""


class Mistyped(UserError):
    """A value of the wrong type, which no other choice makes right."""


class Stopped(BaseException):
    """A signal ended the run after it was saved. Exit code 128 + the signal's number.

    Not an `Exception`, so that a sweep ends with it instead of going on with its next job.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number
