"""Settings: what is shipped, what is allowed, and what is said about the rest."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import ConfigError
from segued.settings.config import SECTIONS, Config, describe
from segued.settings.yaml_file import ADDED, load_recorded, load_settings

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config.yaml"
Write = Callable[[str], Path]
OPTIONS = [
    (section, field)
    for section in SECTIONS
    for field in dataclasses.fields(getattr(Config(), section))
]


@pytest.fixture
def file(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def complaint(path: Path | None, *settings: str) -> str:
    """The one line of the error."""
    with pytest.raises(ConfigError) as caught:
        load_settings(path, settings)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert caught.value.status == 78
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return text


# --- the shipped file


def test_the_shipped_file_is_the_defaults() -> None:
    assert load_settings(SHIPPED) == Config()


@pytest.mark.parametrize(("section", "option"), OPTIONS)
def test_the_shipped_file_documents_every_option(
    section: str, option: dataclasses.Field[Any]
) -> None:
    """With its explanation on the line above it."""
    lines = [line.strip() for line in SHIPPED.read_text().splitlines()]
    begin = lines.index(f"{section}:")
    default = yaml.safe_dump(option.default).splitlines()[0]
    at = lines.index(f"{option.name}: {default}", begin)
    assert lines[at - 1] == f"# {option.metadata['help']}"


def test_the_shipped_file_has_nothing_else() -> None:
    shipped = yaml.safe_load(SHIPPED.read_text())
    assert {(s, key) for s, part in shipped.items() for key in part} == {
        (section, option.name) for section, option in OPTIONS
    }


def test_the_shipped_file_is_what_describe_writes() -> None:
    assert describe(Config()).strip() in SHIPPED.read_text()


@pytest.mark.parametrize(("section", "option"), OPTIONS)
def test_every_default_is_allowed(section: str, option: dataclasses.Field[Any]) -> None:
    assert option.metadata["check"](option.default) == option.default


# --- reading


def test_without_a_file_all_is_default() -> None:
    assert load_settings(None) == Config()


@pytest.mark.parametrize("text", ["", "# nothing\n", "ports:\n", "ports: ~\nturns:\n", "{}\n"])
def test_an_empty_file_is_the_defaults(file: Write, text: str) -> None:
    assert load_settings(file(text)) == Config()


def test_options_that_are_given_are_changed_and_no_others(file: Write) -> None:
    config = load_settings(file("turns:\n  silence: 2\nports:\n  input: Keystep\n"))
    assert config.turns.silence == 2.0
    assert config.ports.input == "Keystep"
    assert config == dataclasses.replace(
        Config(),
        turns=dataclasses.replace(Config().turns, silence=2.0),
        ports=dataclasses.replace(Config().ports, input="Keystep"),
    )


def test_a_section_may_come_twice(file: Write) -> None:
    config = load_settings(file("turns:\n  silence: 2\nmodel:\nturns:\n  lookahead: 3\n"))
    assert (config.turns.silence, config.turns.lookahead) == (2.0, 3.0)


def test_settings_come_on_top_the_last_wins(file: Write) -> None:
    path = file("turns:\n  silence: 2\n  lookahead: 3\n")
    config = load_settings(path, ["turns.silence=4", "turns.silence=5", "ports.input= my keys=1 "])
    assert (config.turns.silence, config.turns.lookahead) == (5.0, 3.0)
    assert config.ports.input == "my keys=1"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("turns.silence=1", 1.0),
        ("turns.silence=0.05", 0.05),
        ("turns.silence=60", 60.0),
        ("turns.reply_length=phrase", "phrase"),
        ("turns.reply_length=endless", "endless"),
        ("turns.reply_length=12", 12.0),
        ("ports.thru=false", False),
        ("ports.thru=no", False),
        ("ports.thru=On", True),
        ("ports.listen_channel=all", "all"),
        ("ports.listen_channel=16", 16),
        ("ports.listen_channel=[3, 1]", (1, 3)),
        ("ports.tcp_port=0", 0),
        ("ports.tcp_port=0x10", 16),
        ("ports.input='5'", "5"),
        ("ports.input=Flügel ♫", "Flügel ♫"),
        ("sampling.temperature=0", 0.0),
        ("sampling.seed=0", 0),
        (f"sampling.seed={2**63 - 1}", 2**63 - 1),
        ("model.path=my models/a b.onnx", "my models/a b.onnx"),
    ],
)
def test_what_is_allowed(setting: str, value: object) -> None:
    section, key = setting.partition("=")[0].split(".")
    read = getattr(getattr(load_settings(None, [setting]), section), key)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("key", ["off", "follow", "C#"])
def test_a_range_with_a_note_of_the_key_is_allowed(key: str) -> None:
    load_settings(
        None, ["sampling.lowest_pitch=61", "sampling.highest_pitch=61", f"steering.key={key}"]
    )


def test_numbers_become_floats_where_fractions_are_allowed() -> None:
    assert isinstance(load_settings(None, ["turns.silence=1"]).turns.silence, float)


# --- errors in a file: where, what, and what is allowed

NUMBER = (
    "must be a number of seconds from 0.05 to 60 or a text such as 2 beats or 4 bars or auto, not"
)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        # misspelt
        ("trns:\n  silence: 1\n", 1, "unknown section 'trns'; did you mean 'turns'?"),
        ("\n\nturns:\n  silense: 1\n", 4, "unknown key 'turns.silense'; did you mean 'silence'?"),
        (
            "xyz: 1\n",
            1,
            "unknown section 'xyz'; there are: ports, model, ",
        ),
        ("model:\n  xyz: 1\n", 2, "unknown key 'model.xyz'; there are: path"),
        ("1: 2\n", 1, "unknown section '1'; there are"),
        ("null: 1\n", 1, "unknown section 'null'; there are"),
        ("ports:\n  ~: 1\n", 2, "unknown key 'ports.~'; there are"),
        ("? [a, b]\n: c\n", 1, "a key must be a plain word"),
        ("turns:\n  ? {a: b}\n  : c\n", 2, "a key must be a plain word"),
        # out of range
        ("turns:\n  silence: 100\n", 2, f"turns.silence {NUMBER} 100"),
        ("turns:\n  silence: -1\n", 2, f"turns.silence {NUMBER} -1"),
        ("turns:\n  silence: .nan\n", 2, f"turns.silence {NUMBER} nan"),
        ("turns:\n  silence: .inf\n", 2, f"turns.silence {NUMBER} inf"),
        ("turns:\n  silence: 1.0e+30\n", 2, f"turns.silence {NUMBER} 1e+30"),
        (f"turns:\n  silence: {'9' * 400}\n", 2, f"turns.silence {NUMBER} 999"),
        ("ports:\n  tcp_port: 65536\n", 2, "must be an integer from 0 to 65535, not 65536"),
        ("ports:\n  listen_channel: 0\n", 2, "a list such as [1, 2] or all, not 0"),
        ("turns:\n  reply_length: 0\n", 2, "4 bars or phrase or endless, not 0"),
        ("sampling:\n  seed: -1\n", 2, "from 0 to 9223372036854775807 or random, not -1"),
        ("sampling:\n  seed: 9223372036854775808\n", 2, "or random, not 9223372036854775808"),
        # of the wrong kind
        ("turns:\n  silence: yes\n", 2, f"turns.silence {NUMBER} True"),
        ("turns:\n  silence: '1'\n", 2, f"turns.silence {NUMBER} '1'"),
        ("turns:\n  silence: 1e3\n", 2, f"turns.silence {NUMBER} '1e3'"),
        ("turns:\n  silence: 2024-11-15\n", 2, f"turns.silence {NUMBER} datetime"),
        (
            "turns:\n  silence: 1:30\n",
            2,
            "YAML reads 1:30 as the number 90: write '1:30' in quotes",
        ),
        ("turns:\n  silence: 1:30.5\n", 2, "YAML reads 1:30.5 as the number 90.5: write '1:30.5'"),
        (
            "ports:\n  input: 20:0\n",
            2,
            "ports.input: YAML reads 20:0 as the number 1200: write '20:",
        ),
        ("control: {map: [{cc: 020, knob: density}]}\n", 1, "reads 020 as the number 16: write 20"),
        ("ports: {listen_channel: [1, 010]}\n", 1, "reads 010 as the number 8: write 10"),
        ("turns:\n  silence:\n", 2, f"turns.silence {NUMBER} None"),
        ("turns:\n  silence: ~\n", 2, f"turns.silence {NUMBER} None"),
        ("ports:\n  thru: 1\n", 2, "ports.thru must be true or false, not 1"),
        ("ports:\n  thru: 'yes'\n", 2, "ports.thru must be true or false, not 'yes'"),
        ("ports:\n  tcp_port: 9080.0\n", 2, "ports.tcp_port must be an integer"),
        ("ports:\n  tcp_port: true\n", 2, "ports.tcp_port must be an integer"),
        ("ports:\n  backend: asla\n", 2, "one of auto, alsa, jack, coremidi, tcp, not 'asla'"),
        ("ports:\n  backend: no\n", 2, "one of auto, alsa, jack, coremidi, tcp, not False"),
        ("ports:\n  input: no\n", 2, "ports.input must be a text of one line, not False"),
        ("ports:\n  input: 5\n", 2, "ports.input must be a text of one line, not 5"),
        ("ports:\n  input: ''\n", 2, "ports.input must be a text of one line, not ''"),
        ("ports:\n  input: |\n    a\n    b\n", 2, "must be a text of one line, not 'a\\nb\\n'"),
        ("ports:\n  input: !!binary aGk=\n", 2, "must be a text of one line, not b'hi'"),
        ("turns:\n  reply_length: forever\n", 2, "phrase or endless, not 'forever'"),
        ("ports:\n  listen_channel: All\n", 2, "a list such as [1, 2] or all, not 'All'"),
        # of the wrong shape
        ("5\n", 1, "the file must hold 'key: value' lines"),
        ("just text\n", 1, "the file must hold 'key: value' lines"),
        ("- ports\n- turns\n", 1, "the file must hold 'key: value' lines"),
        ("\nports: 5\n", 2, "ports must hold 'key: value' lines"),
        ("ports: [a]\n", 1, "ports must hold 'key: value' lines"),
        ("turns:\n  silence: [1]\n", 2, "turns.silence takes a single value"),
        ("turns:\n  silence: {a: 1}\n", 2, "turns.silence takes a single value"),
        ("turns:\n  silence:\n    more: 1\n", 2, "turns.silence takes a single value"),
        ("turns: &t\n  silence: 1\nmodel:\n  <<: *t\n", 4, "model.<< takes a single value"),
        # given twice, or against each other
        ("turns:\n  silence: 1\n  silence: 1\n", 3, "turns.silence is given twice (first at"),
        ("turns:\n  silence: 1\nturns:\n  silence: 1\n", 4, "turns.silence is given twice"),
        (
            "sampling:\n  lowest_pitch: 90\n  highest_pitch: 80\n",
            2,
            "sampling.lowest_pitch (90) is above sampling.highest_pitch (80)",
        ),
        ("sampling:\n  highest_pitch: 20\n", 2, "lowest_pitch (21) is above"),
        (
            "sampling: {lowest_pitch: 61, highest_pitch: 61}\nsteering:\n  key: C\n",
            3,
            "no note is left to play: C major has none from sampling.lowest_pitch (61) to",
        ),
        # no YAML
        ("turns:\n\tsilence: 1\n", 2, "broken YAML: found character '\\t'"),
        ("ports: {input: a\n", 2, "broken YAML"),
        ("turns:\n  silence: *nope\n", 2, "broken YAML: found undefined alias 'nope'"),
        ("a: b\n---\nc: d\n", 2, "broken YAML"),
        ("ports:\n  input: \x07\n", 2, "broken YAML: unacceptable character"),
        ("ports: a: b\n", 1, "broken YAML"),
        (
            "turns:\n  silence: 2024-13-45\n",
            2,
            "turns.silence: '2024-13-45' is not a valid YAML value",
        ),
        (f"ports:\n  tcp_port: {'9' * 5000}\n", 2, "is not a valid YAML value"),
        ("ports:\n  input: !mine abc\n", 2, "ports.input: 'abc' is not a valid YAML value"),
        ("turns:\n  silence: !!int abc\n", 2, "turns.silence: 'abc' is not a valid YAML value"),
    ],
)
def test_an_error_says_where_and_what_is_allowed(
    file: Write, text: str, line: int, says: str
) -> None:
    path = file(text)
    said = complaint(path)
    assert said.startswith(f"{path}:{line}: ")
    assert says in said
    assert len(said) < 700


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch PATH']\n",
        "ports: !!python/object/apply:os.system ['touch PATH']\n",
        "ports:\n  input: !!python/object/apply:os.system ['touch PATH']\n",
        "ports:\n  input: !!python/object/new:os.system ['touch PATH']\n",
        "ports:\n  input: !!python/name:os.system\n",
        "ports:\n  input: !!python/name:os.system ''\n",
        "ports:\n  input: !!python/module:leaves_a_trace\n",
        "ports:\n  input: !!python/name:leaves_a_trace.name\n",
        "? !!python/object/apply:os.system ['touch PATH']\n: 1\n",
    ],
)
def test_no_code_in_a_file_is_ever_run(
    file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    made = tmp_path / "made"
    (tmp_path / "leaves_a_trace.py").write_text(f"name = open({str(made)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    path = file(text.replace("PATH", str(made)))
    assert complaint(path).startswith(f"{path}:")
    setting = text.strip().rpartition(": ")[2].replace("PATH", str(made))
    complaint(None, f"ports.input={setting}")
    assert not made.exists()


def test_anchors_and_aliases_are_values(file: Write) -> None:
    config = load_settings(file("turns:\n  silence: &a 1\n  lookahead: *a\n"))
    assert config.turns.lookahead == 1.0


def test_a_byte_order_mark_is_no_error(file: Write) -> None:
    assert load_settings(file("\ufeffturns:\n  silence: 1\n")).turns.silence == 1.0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in complaint(tmp_path / "no.yaml")
    assert "cannot be read: Is a directory" in complaint(tmp_path)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"ports:\n  input: Fl\xfcgel\n", b"\x80"])
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(data)
    assert complaint(path) == f"{path}: is not UTF-8 text"


def test_a_file_nested_without_end(file: Write) -> None:
    path = file("[" * 5000)
    assert complaint(path) == f"{path}: broken YAML: nested too deeply"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("turns.silence", "write it as section.key=value"),
        ("turns.silence=", f"{NUMBER} None"),
        ("turns.silence=abc", f"{NUMBER} 'abc'"),
        ("turns.silense=1", "did you mean 'silence'?"),
        ("steering.temprature=2", "did you mean 'sampling.temperature'?"),
        ("steering.temo=90", "did you mean 'tempo'?"),
        ("turns=1", "unknown key 'turns'; there are: by, silence, "),
        ("zzz=1", "unknown section 'zzz'; there are: ports, model"),
        ("=1", "unknown section ''"),
        ("turns.silence.x=1", "unknown key 'turns.silence.x'; did you mean 'silence'?"),
        ("turns.silence=2024-13-45", "is not a YAML value"),
        ("turns.silence=!!int abc", "is not a YAML value"),
        ("ports.input=[", "is not a YAML value"),
        ("ports.input=20:0", "YAML reads 20:0 as the number 1200: write '20:0' in quotes"),
        ("control.map=[{cc: 020, knob: density}]", "as the number 16: write 20"),
        ("ports.input=" + "[" * 5000, "is not a YAML value"),
        ("ports.input=a: b", "must be a text of one line, not {'a': 'b'}"),
        ("sampling.lowest_pitch=109", "lowest_pitch (109) is above sampling.highest_pitch (108)"),
    ],
)
def test_an_error_in_a_setting_names_it(setting: str, says: str) -> None:
    said = complaint(None, setting)
    assert said.startswith(f"--set {setting}: ")
    assert says in said


@given(st.text(max_size=60))
def test_any_setting_is_read_or_refused(text: str) -> None:
    for setting in (text, f"ports.input={text}", f"turns.{text}", f"turns.silence={text}"):
        try:
            load_settings(None, [setting])
        except ConfigError as error:
            assert len(str(error).splitlines()) == 1


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "config.yaml"


@given(
    st.one_of(
        st.binary(max_size=60),
        st.text("ab:-[]{}&*!|>'\"%@`#,?\n\t 01.turnsile", max_size=60).map(str.encode),
    )
)
def test_any_file_is_read_or_refused(scratch: Path, data: bytes) -> None:
    for whole in (data, b"turns:\n  silence: " + data, b"ports:\n  " + data):
        scratch.write_bytes(whole)
        try:
            load_settings(scratch)
        except ConfigError as error:
            assert len(str(error).splitlines()) == 1
            assert str(error).startswith(str(scratch))


# --- describing

LINES = st.text(min_size=1, max_size=150).filter(lambda t: t.strip() and t.splitlines() == [t])
PATHS = LINES.filter(lambda t: "\0" not in t).map(lambda t: str(Path(f"/music/{t}")))
VALUES = {
    "ports.input": LINES,
    "ports.thru": st.booleans(),
    "ports.backend": st.sampled_from(["auto", "alsa", "tcp"]),
    "ports.tcp_port": st.integers(0, 65535),
    "ports.listen_channel": st.one_of(st.just("all"), st.integers(1, 16)),
    "ports.mpe": st.sampled_from(["auto", "off", "lower", "upper"]),
    "model.path": LINES,
    "memory.hear": st.lists(PATHS, max_size=3).map(tuple),
    "sampling.temperature": st.floats(0, 4),
    "sampling.seed": st.one_of(st.just("random"), st.integers(0, 2**63 - 1)),
    "turns.silence": st.floats(0.05, 60),
    "turns.reply_length": st.one_of(st.sampled_from(["phrase", "endless"]), st.floats(0.1, 3600)),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_what_is_described_reads_back_the_same(scratch: Path, values: dict[str, object]) -> None:
    settings = [f"{name}={yaml.safe_dump(value)}" for name, value in values.items()]
    config = load_settings(None, settings)
    for name, value in values.items():
        section, key = name.split(".")
        assert getattr(getattr(config, section), key) == value
    scratch.write_text(describe(config), encoding="utf-8")
    assert load_settings(scratch) == config


def test_a_long_path_with_spaces_is_described_on_one_line(scratch: Path) -> None:
    """PyYAML would fold it, and the rest would be lost."""
    path = "/home/me/" + "my very own models/" * 9 + "ballads.onnx"
    assert f"  path: {path}\n" in describe(load_settings(None, [f"model.path={path}"]))


# --- what options mean


def test_a_reply_is_as_long_as_the_phrase_within_bounds() -> None:
    turns = load_settings(None, ["turns.shortest_reply=2", "turns.longest_reply=10"]).turns
    assert [turns.length_of_reply(phrase) for phrase in (0.1, 5.0, 60.0)] == [2.0, 5.0, 10.0]


def test_a_reply_may_have_a_length_of_its_own_or_none() -> None:
    assert load_settings(None, ["turns.reply_length=3"]).turns.length_of_reply(60.0) == 3.0
    endless = load_settings(None, ["turns.reply_length=endless"]).turns
    assert endless.length_of_reply(1.0) == float("inf")


def test_channels_are_counted_from_one_in_settings_and_from_zero_on_the_wire() -> None:
    ports = load_settings(None, ["ports.listen_channel=1", "ports.reply_channel=16"]).ports
    assert [ports.listens_to(channel) for channel in (0, 1, 15)] == [True, False, False]
    assert ports.model_channel(3) == 15
    assert [c for c in range(16) if not Config().ports.listens_to(c)] == [9]  # drums
    every = load_settings(None, [f"ports.listen_channel={[*range(1, 17)]}"]).ports
    assert all(every.listens_to(channel) for channel in range(16))
    assert Config().ports.model_channel(3) == 3


def test_a_configuration_cannot_be_changed_by_accident() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().ports.thru = False  # type: ignore[misc]


def test_what_was_added_since_a_recording_was_made_is_off() -> None:
    text = describe(Config())
    assert load_recorded(text, "take.mid (settings)") == Config()
    for name, value in ADDED.items():
        section, _, key = name.partition(".")
        older = "\n".join(line for line in text.split("\n") if f" {key}: " not in line)
        before = load_recorded(older, "take.mid (settings)")
        now = getattr(getattr(Config(), section), key)
        assert getattr(getattr(before, section), key) == value != now
