"""Reading the kernel's list of sequencer clients. The list is Linux 6.1's, shortened."""

from pathlib import Path

import pytest
from segued.ports.alsa_health import AlsaHealth, blocks_of, newcomer

HEAD = """Client info
  cur  clients : 4
  peak clients : 5
  max  clients : 192

Client   0 : "System" [Kernel Legacy]
  Port   0 : "Timer" (Rwe-)
  Port   1 : "Announce" (R-e-)
    Connecting To: 129:0
Client  20 : "Keystep: "32" [A]" [Kernel Legacy]
  Port   0 : "Keystep MIDI 1" (RWeX)
    Connecting To: 128:0[real:0], 131:2
"""
SEGUE = """Client 128 : "Segue" [User Legacy]
  Port   0 : "Segue In" (-We-)
    Connected From: 20:0[real:0], 24:0[real:0], 28:1
  Output pool :
    Pool size          : 500
Client 129 : "Segue" [User Legacy]
  Port   0 : "Segue Out" (R-e-)
"""


@pytest.fixture
def list_file(tmp_path: Path) -> Path:
    return tmp_path / "clients"


def test_connections_are_counted_by_client(list_file: Path) -> None:
    list_file.write_text(HEAD + SEGUE)
    assert AlsaHealth(128, 129, list_file).peers() == (3, 0)
    assert AlsaHealth(-1, 129, list_file).peers() == (-1, 0)
    assert AlsaHealth(128, 20, list_file).peers() == (3, 2)
    list_file.write_text(HEAD)
    assert AlsaHealth(128, 129, list_file).peers() == (-1, -1)


def test_without_a_list_nothing_is_known(list_file: Path) -> None:
    watch = AlsaHealth(128, 129, list_file)
    assert watch.peers() == (-1, -1) and watch.alive()


def test_names_may_hold_anything() -> None:
    assert blocks_of(HEAD)[20][0] == 'Keystep: "32" [A]'


def test_our_own_client_is_the_new_one_of_our_name() -> None:
    first = SEGUE.split("Client 129")[0]
    assert newcomer(HEAD, HEAD + first, "Segue") == 128
    assert newcomer(HEAD + first, HEAD + SEGUE, "Segue") == 129
    assert newcomer(HEAD, HEAD + SEGUE, "Segue") == -1, "somebody else took the same name"
    assert newcomer(HEAD, HEAD + SEGUE, "Other") == -1
    assert newcomer("", "", "Segue") == -1
