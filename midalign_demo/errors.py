"""The one exception that stands for a mistake in what the user gave."""


class InputError(ValueError):
    """Bad input: the message is one line that names the value and what is allowed.

    The commands print it on stderr and exit with status 2; the app shows it in a notice.
    """
