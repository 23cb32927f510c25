"""Ends notes that would hang: those of a crashed daemon, of lost ports, of a bug in the player."""

from ..ports.transport import Transport
from .ledger import Ledger


class HangingNotes:
    """Sends the note-offs that the ledger still owes to synths. For the music thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._owed: list[bytes] = []  # note-offs of old notes that may not have reached a synth yet

    def connect(self, transport: Transport) -> tuple[int, int]:
        """End the notes in the ledger through a new transport, which a synth may join later.

        Returns the transport's `peers` before that.
        """
        self._owed = self._ledger.silence()
        self._ledger.clear()
        transport.welcome = lambda: [*self._owed, *self._ledger.hush()]
        peers = transport.peers()
        for message in self._owed:
            transport.send(message)
        return peers

    def greet(self, transport: Transport) -> None:
        """Send the note-offs of old notes once more, to a synth that has connected."""
        if self._owed:
            for message in self._ledger.without_effect(self._owed):
                transport.send(message)
            self._owed = []

    def end(self, transport: Transport, lost: bool) -> None:
        """End the notes that sound, as after an exception in the player. `lost`: the ports are."""
        if self._ledger.sounding() or self._ledger.pedals():
            for message in self._ledger.silence():
                transport.send(message)
        if lost:  # none of these messages may have arrived
            self._ledger.unconfirm()
        else:
            self._ledger.clear()
