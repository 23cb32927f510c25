"""What is read from a MIDI file; while VERSION stands, what was prepared before is right."""

import hashlib
from pathlib import Path

import numpy as np
from segue_export.corpus.encoding import KEY, VERSION, encode_file_exactly, fingerprint
from segue_export.corpus.shards import Shard, ShardWriter

MUSIC = Path(__file__).parents[1] / "data" / "encoding"
GOLDEN = {3: "5ec0550311b240f8", 4: "4ae589d9a9c6c2c9"}
"""Of each VERSION, for it to be raised, a digest of the shard of tests/data/encoding."""


def test_the_version_is_raised_with_the_encoder(tmp_path: Path) -> None:
    """If this fails, what was prepared before differs from what would be prepared now: raise
    VERSION in corpus/encoding.py and put its digest here."""
    writer = ShardWriter(tmp_path, KEY)
    files = sorted(MUSIC.glob("*.mid"))
    for number, file in enumerate(files):
        writer.add((file.name, number, 0), encode_file_exactly(file))
    path = writer.commit()
    assert path is not None and len(files) == 4 and not writer.broken
    digest = hashlib.sha256()
    for kind in ("json", "tokens", "offsets", "grams"):
        digest.update(path.with_suffix(f".{kind}").read_bytes())
    assert digest.hexdigest()[:16] == GOLDEN[VERSION]
    shard = Shard.open(path.with_suffix(".json"), KEY)
    assert shard is not None and int(np.abs(shard.offsets(0, 10**6)).max()) > 0
    assert shard.sizes[:, 2].max() > 0, "some have a fingerprint"


def test_a_fingerprint_is_of_the_tune_not_of_the_key(tmp_path: Path) -> None:
    piece = encode_file_exactly(MUSIC / "pedals-and-drums.mid")
    assert not isinstance(piece, str)
    moved = piece.ids.copy()
    moved[moved < 256] += 2  # a tone higher; note-ons and note-offs
    assert fingerprint(moved).tolist() == fingerprint(piece.ids).tolist()
