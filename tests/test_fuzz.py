"""A short run of the fuzzer's targets, and every input that once broke something."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .fuzz.targets import TARGETS

FEW = 12  # model files: each starts an onnxruntime of its own
KNOWN = sorted((Path(__file__).parent / "fuzz/known").glob("*-*"))


@st.composite
def bent(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with a few of its bytes changed, removed, doubled, or cut short."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        act = draw(st.sampled_from(["set", "insert", "remove", "double", "cut"]))
        if act == "set" and at < len(data):
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
        elif act == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        elif act == "remove":
            del data[at : at + draw(st.integers(1, 9))]
        elif act == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 64))]
        elif act == "cut" and draw(st.booleans()):
            del data[at:]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_it(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())

    @settings(max_examples=FEW if name == "model_file" else settings().max_examples)
    @given(st.one_of(bent(seeds), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        target.check(data)

    check()


def test_what_once_broke_it_does_so_no_more() -> None:
    for path in KNOWN:
        TARGETS[path.name.partition("-")[0]].check(path.read_bytes())
