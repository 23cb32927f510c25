"""Which sampling settings bring replies nearest to what really came: the continuation test, often.

    python -m tests.tools.sweep_sampling MODEL.onnx DIR [DIR ...] [-- SETTING[,SETTING...] ...]

A line for each setting: the mean share over the features and folders, then the share of each. All
are held against the same passages and the same marks. The defaults in
daemon/segued/settings/config.py come from here.
"""

import sys
from pathlib import Path

import numpy as np
from segue_export.corpus.store import read_folder
from segue_export.judge.continuation import continuation_test, passages
from segue_export.judge.features import FEATURES
from segued.settings.yaml_file import load_settings

PASSAGES, WORKERS, CACHE = 100, 2, Path("prepared")
USUAL = [
    f"sampling.temperature={temperature},sampling.top_p={top_p}"
    for temperature in (0.9, 0.95, 1.0)
    for top_p in (0.9, 0.95, 0.98, 1.0)
]


def main(arguments: list[str]) -> None:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    model, folders = Path(arguments[0]), [Path(name) for name in arguments[1:cut]]
    places = [passages(read_folder(folder, CACHE, WORKERS), PASSAGES, 1) for folder in folders]
    print(f"{'':48} mean", *(f"{feature.name[:11]:>11}" for feature in FEATURES))
    for line in arguments[cut + 1 :] or USUAL:
        config = load_settings(None, line.split(","))
        results = [continuation_test(model, some, config, workers=WORKERS) for some in places]
        shares = np.array([[r[feature.name]["share"] for feature in FEATURES] for r in results])
        print(
            f"{line:48} {shares.mean():.2f}",
            *(f"{' '.join(f'{share:.2f}' for share in column):>11}" for column in shares.T),
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
