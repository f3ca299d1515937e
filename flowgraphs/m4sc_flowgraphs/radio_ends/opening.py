"""From an address to a radio end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gnuradio import blocks, gr

from m4sc_flowgraphs.radio_ends.address import (
    Address,
    RadioEndError,
    parse_address,
    read_options,
    split_inverted,
)
from m4sc_flowgraphs.radio_ends.chain import Chain
from m4sc_flowgraphs.radio_ends.end import Notify, ReceiveEnd, TransmitEnd, ignore
from m4sc_flowgraphs.radio_ends.files import FileOptions, recorded_waveform
from m4sc_flowgraphs.radio_ends.sim import ChannelOptions, channel_block, split_channel
from m4sc_flowgraphs.radio_ends.soapy import SoapyOptions, open_soapy_receive, open_soapy_transmit
from m4sc_flowgraphs.radio_ends.uhd import UhdOptions, open_uhd_receive, open_uhd_transmit

GAP_SAMPLES = 800


def open_transmit(
    address: str | Address, waveform: Any, notify: Notify = ignore, paced: bool = False, driver: Any = None
) -> TransmitEnd:
    """The end to send to.

    Args:
        address: see :mod:`m4sc_flowgraphs.radio_ends.address`.
        waveform: ``WaveformConfig``; its rate is replaced by the end's where the address names one.
        notify: told of peers, underflows and the like, from any thread.
        paced: hold ``zmq:`` and ``file:`` to the sample rate, as a radio's clock does.
        driver: stand-in for ``gnuradio.uhd`` or ``gnuradio.soapy``.

    Raises:
        RadioEndError: what is wrong, in one sentence.
    """
    where = parse_address(address)
    if where.kind == "uhd":
        return open_uhd_transmit(where.place, read_options(where, UhdOptions), waveform, notify, driver)
    if where.kind == "soapy":
        return open_soapy_transmit(where.place, read_options(where, SoapyOptions), waveform, notify, driver)
    if where.kind == "sim":
        raise RadioEndError("'sim:' is both ends in one process; use m4sc tx sim: and read the answers there")
    rest, channel = split_channel(where)
    if where.kind == "zmq":
        from m4sc_flowgraphs.radio_ends.zmq import ZmqOptions, ZmqSink

        sink: Any = ZmqSink(where.place, read_options(rest, ZmqOptions, channel=channel).mode, notify)
    else:
        from m4sc_flowgraphs.radio_ends.sigmf import SigmfSink

        if not where.place:
            raise RadioEndError(
                "'file:' has no name; write file:NAME for NAME.sigmf-data and NAME.sigmf-meta"
            )

        chosen = read_options(rest, FileOptions, channel=channel)
        sink = SigmfSink(where.place, waveform, chosen.freq, chosen.description, notify)
    chain: list[Any] = [] if channel.is_clear else [channel_block(channel, waveform)]
    if paced:
        chain.append(blocks.throttle(gr.sizeof_gr_complex, waveform.samp_rate))
    end = Chain([*chain, sink], True)
    return TransmitEnd(end, waveform, "packet_len", GAP_SAMPLES, paced, sink.counters, sink.has_all)


def open_receive(
    address: str | Address, waveform: Any, notify: Notify = ignore, driver: Any = None
) -> ReceiveEnd:
    """The end to receive from; as :func:`open_transmit`. Its option ``inverted=yes`` turns the spectrum."""
    where, inverted = split_inverted(parse_address(address))
    end = _open_receive(where, waveform, notify, driver)
    if not inverted:
        return end
    return replace(end, block=Chain([end.block, blocks.conjugate_cc()], False))


def _open_receive(where: Address, waveform: Any, notify: Notify, driver: Any) -> ReceiveEnd:
    if where.kind == "uhd":
        return open_uhd_receive(where.place, read_options(where, UhdOptions), waveform, notify, driver)
    if where.kind == "soapy":
        return open_soapy_receive(where.place, read_options(where, SoapyOptions), waveform, notify, driver)
    if where.kind == "sim":
        raise RadioEndError("'sim:' is both ends in one process; use m4sc tx sim: and read the answers there")
    rest, channel = split_channel(where)
    if where.kind == "zmq":
        from m4sc_flowgraphs.radio_ends.zmq import ZmqOptions, ZmqSource

        source: Any = ZmqSource(where.place, read_options(rest, ZmqOptions, channel=channel).mode, notify)
        ends = False
    else:
        from m4sc.recordings import open_recording

        from m4sc_flowgraphs.radio_ends.sigmf import SigmfSource

        chosen = read_options(rest, FileOptions, channel=channel)
        recording = open_recording(where.place, chosen.datatype or None, chosen.rate or None)
        waveform = recorded_waveform(recording, waveform, notify)
        source, ends = SigmfSource(recording), True
    chain: list[Any] = [] if channel.is_clear else [channel_block(channel, waveform)]
    return ReceiveEnd(Chain([source, *chain], False), waveform, ends, source.counters)


def open_channel(address: str | Address, waveform: Any) -> Any:
    """The block of a ``sim:`` address.

    Raises:
        RadioEndError: another kind, or an option that the channel does not have.
    """
    where = parse_address(address)
    if where.kind != "sim" or where.place:
        raise RadioEndError(
            f"'{where.text}' is not a simulated channel; write sim:?snr_db=10&channel=multipath"
        )
    return channel_block(read_options(where, ChannelOptions), waveform)
