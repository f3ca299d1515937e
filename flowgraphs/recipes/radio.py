"""Flowgraphs for two processes, recordings and radios."""

from __future__ import annotations

from recipes.graph import Graph
from recipes.pieces import (
    answer_view,
    counts_label,
    link_displays,
    message_options,
    message_source,
    model_option,
    rate,
    sent_displays,
)
from recipes.simulated import TEXT

ADDRESS = "tcp://127.0.0.1:5571"
_BURSTS = {"gap_samples": 0, "packet_len_key": "packet_len"}  # a radio that switches between bursts
_STREAM = {"gap_samples": 800, "idle": "'zeros'"}  # a radio that must be fed without a break


def _sender(g: Graph, shown: str = "transmitter.0", **transmitter: object) -> None:
    """Message source, M4SC Transmitter and the log of faults; stream port ``transmitter.0`` is open.

    The window shows what is sent and the spectrum of stream port ``shown``; empty: neither.
    """
    message_source(g, (0, 2))
    values = {"model": "model", "snr_db": "snr_db", **transmitter}
    g.add("m4sc_transmitter", "transmitter", (1.2, 1.9), **values)
    g.add("m4sc_answer_sink", "log", (2.6, 2.75))
    if shown:
        sent_displays(g, shown, 3.4)
    g.link(
        "source.messages",
        "transmitter.messages",
        "transmitter.status",
        "log.status",
    )


def _taker(g: Graph, samples: str, row: float = 2.0) -> None:
    """M4SC Receiver and what shows its answers, fed by stream port ``samples``."""
    g.add("m4sc_receiver", "receiver", (2.2, row), model="model", user_id="user_id")
    g.add("m4sc_answer_sink", "answers", (3.5, row))
    answer_view(g, (4.6, row), "", "1,0,1,4")
    g.link(
        samples,
        "receiver.0",
        "receiver.answers",
        "answers.answers",
        "receiver.answers",
        "view.answers",
        "receiver.status",
        "answers.status",
    )
    link_displays(g, "receiver.symbols", samples, row + 1.4, 2)


def _transmit_options(g: Graph, message: str, task: str, repeat: int = 1, interval_s: float = 0.0) -> None:
    message_options(g, message, task, "", repeat, interval_s)
    g.parameter("snr_db", 15.0, "eng_float", (1, 0.75), "SNR that the encoder may assume, dB")


def _receive_options(g: Graph) -> None:
    model_option(g)
    g.parameter("user_id", -1, "intx", (1, 0), "This receiver's number; -1 takes all frames")


def _radio_options(g: Graph, gain_db: float, freq_hz: float, gains: tuple[float, float, float]) -> None:
    g.parameter("freq_hz", freq_hz, "eng_float", (2, 0.75), "Carrier frequency, Hz: one that you may use")
    g.parameter("gain_db", gain_db, "eng_float", (3, 0.75), "Gain, dB")
    g.parameter("args", "", "str", (5, 0.75), "Device arguments, such as serial=...")
    g.slider("gain_now_db", "gain_db", gains, (4, 0.75), "Gain (dB)", "0,0,1,2")


def _digital_gain(g: Graph) -> None:
    g.parameter("amplitude", 0.1, "eng_float", (0, 1.3), "Digital gain: above 0.15 the peaks clip")


def _clock(g: Graph) -> None:
    g.parameter("antenna", "TX/RX", "str", (1, 1.3), "Antenna connector")
    g.parameter("clock_source", "internal", "str", (2, 1.3), "Clock: internal, external, gpsdo")
    g.parameter("lo_offset_hz", 0.0, "eng_float", (3, 1.3), "Local oscillator beside the carrier, Hz")


_TUNE = "uhd.tune_request(freq_hz, lo_offset_hz)"


def _usrp(g: Graph, kind: str, name: str, at: tuple[float, float], gain: str, antenna: str) -> None:
    values = {
        "dev_addr": "args",
        "samp_rate": "samp_rate",
        "center_freq0": _TUNE,
        "gain0": gain,
        "ant0": antenna,
        "clock_source0": "clock_source",
        "sync": "none",
    }
    g.add(
        f"uhd_usrp_{kind}", name, at, **values, **({"len_tag_name": '"packet_len"'} if kind == "sink" else {})
    )


def usrp_transmitter() -> Graph:
    """Bursts with length tags."""
    g = Graph(
        "m4sc_usrp_transmitter",
        "M4SC: USRP transmitter",
        "Messages as OFDM bursts on a USRP; the radio is silent between them",
        True,
    )
    _transmit_options(g, TEXT, "text", 0, 2.0)
    _radio_options(g, 10.0, 2.45e9, (0.0, 90.0, 1.0))
    _digital_gain(g)
    _clock(g)
    rate(g)
    _sender(g, amplitude="amplitude", **_BURSTS)
    _usrp(g, "sink", "radio", (2.8, 1.9), "gain_now_db", "antenna")
    g.link("transmitter.0", "radio.0")
    _count_events(g, "radio", (4, 1.9))
    return g


def _count_events(g: Graph, radio: str, at: tuple[float, float], hint: str = "0,2,1,2") -> None:
    g.add("m4sc_usrp_events", "events", at)
    g.link(f"{radio}.async_msgs", "events.async_msgs")
    counts_label(g, "events", (at[0] + 0.9, at[1]), hint, "Radio: ")


def usrp_receiver() -> Graph:
    """Samples of a USRP to answers."""
    g = Graph(
        "m4sc_usrp_receiver", "M4SC: USRP receiver", "Samples of a USRP to answers, with live displays", True
    )
    _receive_options(g)
    _radio_options(g, 30.0, 2.45e9, (0.0, 76.0, 1.0))
    _clock(g)
    rate(g)
    _usrp(g, "source", "radio", (0, 2), "gain_now_db", "antenna")
    _watch(g, "radio", (1.1, 2))
    _taker(g, "watch.0")
    return g


def _watch(g: Graph, radio: str, at: tuple[float, float], hint: str = "0,2,1,2") -> None:
    g.add("m4sc_usrp_watch", "watch", at, samp_rate="samp_rate")
    g.link(f"{radio}.0", "watch.0")
    counts_label(g, "watch", (at[0] - 1.1, at[1] + 0.95), hint, "Radio: ")


def usrp_transceiver() -> Graph:
    """Both on one device, two connectors: cable and attenuator between them first."""
    g = Graph(
        "m4sc_usrp_transceiver",
        "M4SC: USRP transceiver",
        "One USRP sends and receives: join TX/RX and RX2 by a cable with 30 dB or more",
        True,
    )
    _transmit_options(g, "sample:cat.jpg", "classify", 0, 2.0)
    g.parameter("user_id", -1, "intx", (7.1, 0), "This receiver's number; -1 takes all frames")
    _radio_options(g, 10.0, 2.45e9, (0.0, 90.0, 1.0))
    g.parameter("rx_gain_db", 30.0, "eng_float", (6, 0.75), "Receiver's gain, dB")
    g.slider("rx_gain_now_db", "rx_gain_db", (0.0, 76.0, 1.0), (7, 0.75), "Receiver's gain (dB)", "0,2,1,2")
    _digital_gain(g)
    _clock(g)
    rate(g)
    _sender(g, "", amplitude="amplitude", **_BURSTS)
    _usrp(g, "sink", "radio_out", (2.8, 1.9), "gain_now_db", "antenna")
    _count_events(g, "radio_out", (4, 1.9), "3,0,1,2")
    _usrp(g, "source", "radio_in", (0, 3.7), "rx_gain_now_db", '"RX2"')
    _watch(g, "radio_in", (1.1, 3.7), "3,2,1,2")
    _taker(g, "watch.0", 3.7)
    g.link("transmitter.0", "radio_out.0", "source.messages", "view.sent")
    return g


def zmq_transmitter() -> Graph:
    """One of two processes; PUSH holds the samples until the receiver is there."""
    g = Graph(
        "m4sc_zmq_transmitter",
        "M4SC: ZeroMQ transmitter",
        "Messages as samples to another process; waits for the receiver, ends after the last message",
    )
    _transmit_options(g, TEXT, "text")
    g.parameter("address", ADDRESS, "str", (2.2, 0.75), "Where the samples go")
    rate(g)
    _sender(g, "channel.0", end_on_done=True)
    g.add("m4sc_channel", "channel", (2.6, 1.9), snr_db="snr_db", cfo_hz=500.0)
    g.add("zeromq_push_sink", "radio", (3.7, 1.9), type="complex", address="address", pass_tags="True")
    # its end, told by its port, ends the source too
    g.link("transmitter.0", "channel.0", "channel.0", "radio.0", "transmitter.status", "source.stop")
    return g


def zmq_receiver() -> Graph:
    """The other process."""
    g = Graph(
        "m4sc_zmq_receiver",
        "M4SC: ZeroMQ receiver",
        "Samples of another process to answers; ends when the transmitter has ended and all is answered",
    )
    _receive_options(g)
    g.parameter("address", ADDRESS, "str", (2.2, 0.75), "Where the samples come from")
    rate(g)
    g.add("zeromq_pull_source", "radio", (0.6, 2), type="complex", address="address", pass_tags="True")
    _taker(g, "radio.0")
    g.add(
        "snippet",
        "ending",
        (4, 0.75),
        section="main_after_init",
        code="self.msg_connect((self.answers, 'end'), (self.radio, 'system'))",
    )
    return g


def sigmf_record() -> Graph:
    """To a file, through the channel."""
    g = Graph(
        "m4sc_sigmf_record",
        "M4SC: record to SigMF",
        "Messages through a simulated channel into a recording that any SigMF program reads",
    )
    _transmit_options(g, TEXT, "text")
    g.parameter("recording", "m4sc_recording.sigmf-meta", "str", (2.2, 0.75), "Recording to write")
    rate(g)
    _sender(g, "channel.0", end_on_done=True)
    g.add("m4sc_channel", "channel", (2.6, 1.9), snr_db="snr_db", cfo_hz=500.0)
    g.add("m4sc_sigmf_sink", "recorder", (3.7, 1.9), filename="recording", samp_rate="samp_rate")
    g.link("transmitter.0", "channel.0", "channel.0", "recorder.0", "transmitter.status", "source.stop")
    return g


def sigmf_replay() -> Graph:
    """From a file."""
    g = Graph(
        "m4sc_sigmf_replay",
        "M4SC: replay a SigMF recording",
        "A recording to answers; ends when all is answered",
    )
    _receive_options(g)
    g.parameter("recording", "m4sc_recording.sigmf-meta", "str", (2.2, 0.75), "Recording to read")
    rate(g)
    g.add("m4sc_sigmf_source", "player", (0.6, 2), filename="recording", samp_rate="samp_rate")
    _taker(g, "player.0")
    g.link("answers.done", "player.stop")
    return g


def soapy_receiver(device: str, title: str, block: str, gains: dict[str, str]) -> Graph:
    """A receiver on a Soapy source."""
    g = Graph(
        f"m4sc_soapy_{device}_receiver",
        f"M4SC: {title} receiver",
        f"Samples of a {title} to answers, with live displays",
        True,
    )
    _receive_options(g)
    _radio_options(g, 20.0, 433.92e6 if device == "rtlsdr" else 2.45e9, (0.0, 49.0, 1.0))
    rate(g)
    g.add(block, "radio", (0.6, 2), dev_args="args", samp_rate="samp_rate", center_freq="freq_hz", **gains)
    _taker(g, "radio.0")
    return g


def soapy_transmitter(device: str, title: str, block: str, gains: dict[str, str]) -> Graph:
    """A transmitter on a Soapy sink; fed without a break."""
    g = Graph(
        f"m4sc_soapy_{device}_transmitter",
        f"M4SC: {title} transmitter",
        f"Messages as OFDM frames on a {title}; zeros between them",
        True,
    )
    _transmit_options(g, TEXT, "text", 0, 2.0)
    _radio_options(g, 10.0, 2.45e9, (0.0, 47.0, 1.0))
    _digital_gain(g)
    rate(g)
    _sender(g, amplitude="amplitude", **_STREAM)
    g.add(block, "radio", (2.8, 1.9), dev_args="args", samp_rate="samp_rate", center_freq="freq_hz", **gains)
    g.link("transmitter.0", "radio.0")
    return g


def all_radio() -> list[Graph]:
    """Every flowgraph of this module."""
    return [
        zmq_transmitter(),
        zmq_receiver(),
        sigmf_record(),
        sigmf_replay(),
        usrp_transmitter(),
        usrp_receiver(),
        usrp_transceiver(),
        soapy_receiver("rtlsdr", "RTL-SDR", "soapy_rtlsdr_source", {"gain": "gain_now_db"}),
        soapy_receiver("hackrf", "HackRF", "soapy_hackrf_source", {"vga": "gain_now_db"}),
        soapy_receiver("pluto", "Pluto", "soapy_plutosdr_source", {"gain": "gain_now_db"}),
        soapy_transmitter("hackrf", "HackRF", "soapy_hackrf_sink", {"vga": "gain_now_db"}),
        soapy_transmitter("pluto", "Pluto", "soapy_plutosdr_sink", {"gain": "gain_now_db"}),
    ]
