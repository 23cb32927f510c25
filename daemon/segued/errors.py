"""Expected failures. Each has one line of text (what, where, what to do) and an exit status.

The statuses are those of sysexits.h.
"""


class SegueError(Exception):
    """An expected failure. Its text is the line that the user sees, `status` the exit status."""

    status = 1


class UsageError(SegueError):
    """The command line is wrong."""

    status = 64


class DataError(SegueError):
    """A model file or a MIDI file is missing, damaged or of the wrong format."""

    status = 65


class PortError(SegueError):
    """A MIDI port, a backend or the running daemon is not there, or it was lost."""

    status = 69
    watched = False
    """Whether something waits for it already, so that another attempt costs next to nothing."""


class InstallError(SegueError):
    """The service cannot be installed: a file cannot be written, or not be read by the service."""

    status = 73


class BusyError(SegueError):
    """Another process does the same; later it can be tried again."""

    status = 75


class ConfigError(SegueError):
    """The settings have an unknown key, a wrong type or a value out of range."""

    status = 78


class DeviceError(ConfigError):
    """The device that the settings name cannot run the model on this machine."""
