"""Settings that are changed by a program look as a person would have written them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import ConfigError
from segued.settings.edit import save_text, with_option
from segued.settings.yaml_file import load_text

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "ports:\n  input: KEYS\n"),
        ("turns:\n  silence: 1", "turns:\n  silence: 1\nports:\n  input: KEYS\n"),
        ("ports:\n", "ports:\n  input: KEYS\n"),
        ("ports: # mine", "ports: # mine\n  input: KEYS\n"),
        ("ports:\n  input: old  # mine\n", "ports:\n  input: KEYS  # mine\n"),
        ("ports:\n   # m\n   thru: false\n", "ports:\n   # m\n   input: KEYS\n   thru: false\n"),
        ("ports: {input: 'a b', thru: false}\n", "ports: {input: KEYS, thru: false}\n"),
        ("ports: {thru: false}", "ports: {input: KEYS, thru: false}"),
        ("ports: {}\nturns: {bars: 2}\n", "ports: {input: KEYS}\nturns: {bars: 2}\n"),
        ("ports:\r\n  input: old\r\n", "ports:\r\n  input: KEYS\r\n"),
    ],
)  # fmt: skip
def test_all_else_stays(before: str, after: str) -> None:
    assert with_option(before, "x.yaml", "ports.input", "KEYS") == after
    assert load_text(after, "x.yaml").ports.input == "KEYS"


@given(
    st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40)
)
def test_any_name_of_a_port_is_what_is_read(name: str) -> None:
    if not name.strip():
        return
    text = with_option(SHIPPED, "config.yaml", "ports.output", name)
    assert load_text(text, "config.yaml").ports.output == name
    changed = [a for a, b in zip(SHIPPED.splitlines(), text.splitlines(), strict=True) if a != b]
    assert changed == ["  output: virtual"] or name == "virtual"


def test_what_cannot_be_is_refused() -> None:
    for text in ("ports: [", "ports:\n  inpu: x\n", "nonsense"):
        with pytest.raises(ConfigError, match=r"x\.yaml"):
            with_option(text, "x.yaml", "ports.input", "KEYS")
    with pytest.raises(ConfigError):
        with_option("", "x.yaml", "ports.input", "two\nlines")
    with pytest.raises(ConfigError, match="by hand"):  # the anchor would be gone
        with_option("ports: {input: &a old, output: *a}\n", "x.yaml", "ports.input", "KEYS")


def test_a_file_is_the_old_or_the_new_one_and_a_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text("a")
    real.chmod(0o640)
    link.symlink_to(real)
    save_text(link, "b")
    assert link.is_symlink() and real.read_text() == "b"
    assert real.stat().st_mode & 0o777 == 0o640 or os.name != "posix"
    assert sorted(os.listdir(tmp_path)) == ["config.yaml", "real.yaml"]
