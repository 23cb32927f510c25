"""Settings that were taken while it played, and another model, as a recording holds them."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from ..musician.memory import StepModel, Taught
from ..settings.config import Config, describe
from ..settings.config_file import load_text


@dataclass(frozen=True, slots=True)
class Change:
    """The arguments of `Player.apply`. `bytes` of it are made beside the music: 6 ms."""

    config: Config
    taught: Taught | None

    def __bytes__(self) -> bytes:
        values: dict[str, object] = {"settings": describe(self.config)}
        if self.taught is not None:
            values |= {
                **self.taught.about, "ids": [*self.taught.ids], "count": self.taught.count,
            }  # fmt: skip
        return json.dumps(values).encode()

    @classmethod
    def read(cls, data: bytes, model_of: Callable[[Config, dict[str, str]], StepModel]) -> "Change":
        """What the bytes are of. `model_of` (settings, about) finds a model again. ConfigError
        where this segued does not know the settings."""
        about = json.loads(data)
        config = load_text(about.pop("settings"), "the settings taken at a reload")
        if "ids" not in about:
            return cls(config, None)
        ids, count = about.pop("ids"), about.pop("count")
        return cls(config, Taught.by(model_of(config, about), ids, count, about))
