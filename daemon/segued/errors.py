"""Expected failures: one line that says what, where and what to do, and a status (sysexits)."""


class SegueError(Exception):
    """An expected failure. Its text is the one line that the user sees."""

    status = 1


class UsageError(SegueError):
    """The command line does not make sense."""

    status = 64


class DataError(SegueError):
    """A model file or a MIDI file is missing, broken, or not of the right kind."""

    status = 65


class PortError(SegueError):
    """No such MIDI port or backend, or it went away."""

    status = 69


class InstallError(SegueError):
    """A file of the service cannot be written, or would be of no use where it is."""

    status = 73


class ConfigError(SegueError):
    """The configuration has a key, a type or a value that is not allowed."""

    status = 78


class DeviceError(ConfigError):
    """A device that the settings name cannot compute the model here."""
