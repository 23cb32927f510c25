"""Settings that are changed by a program look as a person would have written them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import ConfigError
from segued.settings.edit import save_text, with_entry, with_option
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


NEW = "{name: wild, density: 2}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"control:\n  presets: [{NEW}]\n"),
        ("control:\n  # mine\n  presets: []  # none\n",
         f"control:\n  # mine\n  presets:\n    - {NEW}  # none\n"),
        ("control:\n  presets:\n    - {name: a, key: C}  # first\n    # more\n  map: []\n",
         f"control:\n  presets:\n    - {{name: a, key: C}}  # first\n    - {NEW}\n"
         "    # more\n  map: []\n"),
        ("control:\n  presets:\n  - name: a\n    key: C  # key\n\n# end\nturns: {bars: 2}\n",
         f"control:\n  presets:\n  - name: a\n    key: C  # key\n  - {NEW}\n\n# end\n"
         "turns: {bars: 2}\n"),
        ("control: {presets: [{name: a, key: C}]}",
         f"control: {{presets: [{{name: a, key: C}}, {NEW}]}}"),
        ("control:\r\n  presets:\r\n    - {name: a, key: C}\r\n",
         f"control:\r\n  presets:\r\n    - {{name: a, key: C}}\r\n    - {NEW}\r\n"),
        ("control:\n  presets:\n    - {density: 1, name: wild, key: C}  # it\n"
         "    - {name: b, key: D}\n",
         "control:\n  presets:\n    - {density: 2, name: wild, key: C}  # it\n"
         "    - {name: b, key: D}\n"),
        ("control:\n  presets:\n    - name: wild  # a\n      key: C  # b\n"
         "    # c\n    - {name: b, key: D}\n",
         "control:\n  presets:\n    - name: wild  # a\n      key: C  # b\n"
         "      density: 2\n    # c\n"
         "    - {name: b, key: D}\n"),
        ("control:\n  presets:\n    - name: b\n      key: C",
         f"control:\n  presets:\n    - name: b\n      key: C\n    - {NEW}"),
    ],
)  # fmt: skip
def test_an_entry_is_added_or_changed_and_all_else_stays(before: str, after: str) -> None:
    entry = {"name": "wild", "density": 2}
    assert with_entry(before, "x.yaml", "control.presets", "name", entry) == after
    again = with_entry(after, "x.yaml", "control.presets", "name", entry)
    assert again == after


@given(
    st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40)
)
def test_any_name_of_a_preset_is_what_is_read(name: str) -> None:
    if not name.strip():
        return
    entry = {"name": name, "density": 0.5, "key": "off", "gate": True}
    text = with_entry(SHIPPED, "config.yaml", "control.presets", "name", entry)
    (preset,) = load_text(text, "config.yaml").control.presets
    assert preset.name == name and dict(preset.values)["density"] == 0.5
    gone = [line for line in SHIPPED.splitlines() if line not in text.splitlines()]
    assert gone == ["  presets: []"]


def test_an_entry_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x\.yaml"):
        with_entry("", "x.yaml", "control.presets", "name", {"name": "x", "density": 99})
    with pytest.raises(ConfigError, match="by hand"):  # the list of another place
        text = "control: {presets: &a [], map: *a}\n"
        with_entry(text, "x.yaml", "control.presets", "name", {"name": "x", "density": 2})


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
