"""One transmitter's samples to many receivers, each through a channel of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gnuradio import blocks, gr
from m4sc.phy.waveform import WaveformConfig

from m4sc_flowgraphs.radio_ends.address import Address, RadioEndError, parse_address
from m4sc_flowgraphs.radio_ends.chain import after
from m4sc_flowgraphs.radio_ends.end import Notify, TransmitEnd, ignore
from m4sc_flowgraphs.radio_ends.opening import open_receive, open_transmit
from m4sc_flowgraphs.station import LastSample, end_within

_OWN_MODE = {"mode": "pub"}  # a user who is not there, or too slow, must not hold up the others

_SETTLE_S = 0.5  # until what is inside the channels has come out


@dataclass(frozen=True)
class UserState:
    """A user of the broker.

    Attributes:
        address: what its receiver connects to.
        peers: receivers connected.
        samples: handed to ZeroMQ for it.
        overruns: how often its queue was full, so that it missed samples.
    """

    address: str
    peers: int
    samples: int
    overruns: int


class Broker(gr.top_block):
    """Passes samples on to every user.

    Users may come and go at any time: each hears what is sent while it is connected. A user who is too slow
    misses samples, which is counted, and holds up nobody.

    Args:
        source: address to take samples from: ``zmq://HOST:PORT`` of a transmitter, or a recording.
        users: ``zmq://HOST:PORT`` to listen at, one for each user, with the options of its channel.
        waveform: of the messages; a recording's own comes first.
        notify: told of who comes and goes, from any thread; a user's text begins with its number.
        paced: in real time. A recording is that always.

    Raises:
        RadioEndError: an address that is none, or of a kind that cannot be used here; a port in use.
    """

    def __init__(
        self,
        source: str | Address,
        users: Sequence[str | Address],
        waveform: WaveformConfig | None = None,
        notify: Notify = ignore,
        paced: bool = False,
    ) -> None:
        gr.top_block.__init__(self, "m4sc_broker", catch_exceptions=False)
        if not users:
            raise RadioEndError("there is no user; give at least one zmq://127.0.0.1:PORT")
        places = [_user_address(address) for address in users]
        self._source = open_receive(source, waveform or WaveformConfig(), notify)
        self._addresses = [place.text for place in places]
        self._ends: list[TransmitEnd] = []
        try:
            for number, place in enumerate(places, 1):
                self._ends.append(open_transmit(place, self._source.waveform, _of_user(number, notify)))
        except RadioEndError:
            self.close()
            raise
        # --- the way --------------------------------------------------------------------------------------
        self.last_sample, self._settled = LastSample(), after(_SETTLE_S)
        self._way: list[Any] = [self._source.block]
        if paced or self._source.ends:
            self._way.append(blocks.throttle(gr.sizeof_gr_complex, self._source.waveform.samp_rate))
        self._way.append(self.last_sample)
        self.connect(*self._way)
        for end in self._ends:
            self.connect(self.last_sample, end.block)
        self._begun = False

    def begin(self) -> None:
        """Start passing on."""
        self._begun = True
        self.start()

    def has_ended(self) -> bool:
        """Whether the source has no more samples, and the users have had time for the last."""
        return self.last_sample.passed.is_set() and self._settled()

    def end(self, seconds: float = 10.0) -> bool:
        """Stop, and free the ports; False if a block did not end in time."""
        if not self._begun:
            self.close()
            return True
        return end_within(self, seconds)

    def close(self) -> None:
        """Free the ports of a broker that was never started."""
        for end in self._ends:
            end.block.last.close()

    def users(self) -> list[UserState]:
        """State of each user, in order."""
        return [
            UserState(address, end.block.last.peers, end.counters["samples"], end.counters["overruns"])
            for address, end in zip(self._addresses, self._ends, strict=True)
        ]

    def look(self) -> None:
        """Take notice of who came, before :meth:`begin`; afterwards the scheduler's threads do."""
        for end in self._ends:
            end.block.last.look()


def _user_address(address: str | Address) -> Address:
    where = parse_address(address)
    if where.kind != "zmq":
        raise RadioEndError(f"'{where.text}' is no place for a user; give zmq://127.0.0.1:PORT?snr_db=10")
    return Address(where.kind, where.place, {**_OWN_MODE, **where.options}, where.text)


def _of_user(number: int, notify: Notify) -> Notify:
    return lambda kind, text: notify(kind, f"user {number}: {text}")
