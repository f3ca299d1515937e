"""Flowgraphs through the simulated channel."""

from __future__ import annotations

from recipes.graph import Graph
from recipes.pieces import (
    answer_view,
    channel,
    channel_options,
    link_displays,
    message_options,
    message_source,
    rate,
    tap_options,
)

TEXT = "Radio waves carry messages through the air, but every channel adds noise."


def loopback() -> Graph:
    """Every small block in view."""
    g = Graph(
        "m4sc_loopback",
        "M4SC loopback",
        "A picture through encoder, OFDM, channel with sliders, receiver and decoder, block by block",
    )
    message_options(g, "sample:cat.jpg", "classify", repeat=10, interval_s=0.5)
    names = channel_options(g)
    tap_options(g, "[1.0, 0.35j, 0.0, -0.2]")
    rate(g)
    message_source(g, (0, 1.6))
    g.add("m4sc_message_encoder", "encoder", (1.25, 1.6), model="model", snr_db="snr_db")
    g.add("m4sc_symbol_mapper", "mapper", (2.35, 1.6), kind="'analog'")
    g.add("m4sc_frame_transmitter", "transmitter", (3.7, 1.6), gap_samples=800, packet_len_key="packet_len")
    channel(g, (4.95, 1.55), names)
    g.add("m4sc_frame_receiver", "receiver", (5.95, 1.6))
    g.add("m4sc_message_decoder", "decoder", (0.5, 2.6), model="model")
    g.add("m4sc_answer_sink", "answers", (2.2, 2.6))
    answer_view(g, (3.4, 2.6), "", "1,0,1,4")
    g.link(
        "source.messages",
        "encoder.messages",
        "encoder.payload",
        "mapper.payload",
        "mapper.symbols",
        "transmitter.symbols",
        "transmitter.0",
        "channel.0",
        "channel.0",
        "receiver.0",
        "receiver.symbols",
        "decoder.symbols",
        "decoder.answers",
        "answers.answers",
        "decoder.answers",
        "view.answers",
        "source.messages",
        "view.sent",
        "encoder.status",
        "answers.status",
        "receiver.status",
        "answers.status",
        "decoder.status",
        "answers.status",
        "answers.done",
        "source.stop",
        "answers.done",
        "transmitter.stop",
    )
    link_displays(g, "receiver.symbols", "channel.0", 3.6, 2, level_known=True)
    return g


def two_box(
    name: str,
    title: str,
    description: str,
    message: str,
    task: str,
    instruction: str = "",
    system: str = "semantic",
    asks: bool = False,
    repeat: int = 3,
) -> Graph:
    """M4SC Transmitter, channel, M4SC Receiver."""
    g = Graph(name, title, description)
    message_options(g, message, task, instruction, repeat, 0.5)
    names = channel_options(g)
    tap_options(g)
    rate(g)
    message_source(g, (0, 1.6))
    g.add(
        "m4sc_transmitter",
        "transmitter",
        (1.2, 1.6),
        model="model",
        system=f"'{system}'",
        snr_db="snr_db",
        packet_len_key="packet_len",
    )
    channel(g, (2.5, 1.6), names)
    g.add("m4sc_receiver", "receiver", (3.5, 1.6), model="model")
    g.add("m4sc_answer_sink", "answers", (4.7, 1.6))
    answer_view(g, (5.8, 1.6), "", "1,0,1,4")
    g.link(
        "source.messages",
        "transmitter.messages",
        "transmitter.0",
        "channel.0",
        "channel.0",
        "receiver.0",
        "receiver.answers",
        "answers.answers",
        "receiver.answers",
        "view.answers",
        "source.messages",
        "view.sent",
        "transmitter.status",
        "answers.status",
        "receiver.status",
        "answers.status",
        "answers.done",
        "source.stop",
        "answers.done",
        "transmitter.stop",
    )
    if asks:  # the question is the receiver's own: it does not cross the channel
        g.link("source.messages", "receiver.query")
    link_displays(g, "receiver.symbols", "channel.0", 2.8, 2, level_known=True)
    return g


def side_by_side() -> Graph:
    """The same picture through both systems and equal channels."""
    g = Graph(
        "m4sc_side_by_side",
        "M4SC: semantic and classical side by side",
        "The same messages through the semantic and the classical system, over equal channels",
    )
    message_options(g, "sample:cat.jpg", "classify", repeat=3, interval_s=1.0)
    names = channel_options(g)
    tap_options(g)
    rate(g)
    message_source(g, (0, 2.1))
    for row, system in ((1.6, "semantic"), (2.8, "classical")):
        sender, radio, taker = f"{system}_transmitter", f"{system}_channel", f"{system}_receiver"
        g.add(
            "m4sc_transmitter",
            sender,
            (1, row),
            model="model",
            system=f"'{system}'",
            snr_db=names[0],
            packet_len_key="packet_len",
        )
        channel(g, (2.2, row), names, radio)
        g.add("m4sc_receiver", taker, (3.2, row), model="model")
        g.link(
            "source.messages",
            f"{sender}.messages",
            f"{sender}.0",
            f"{radio}.0",
            f"{radio}.0",
            f"{taker}.0",
            f"{taker}.answers",
            "answers.answers",
            f"{taker}.answers",
            "view.answers",
            f"{sender}.status",
            "answers.status",
            f"{taker}.status",
            "answers.status",
            "answers.done",
            f"{sender}.stop",
        )
    g.add("m4sc_answer_sink", "answers", (4.4, 1.6), n_decoders=2)
    answer_view(g, (4.4, 2.8), "", "1,0,1,4")
    g.link("source.messages", "view.sent", "answers.done", "source.stop")
    link_displays(g, "semantic_receiver.symbols", "semantic_channel.0", 4.0, 2, level_known=True)
    return g


def multi_user() -> Graph:
    """Two transmitters in turn on one channel, two receivers."""
    g = Graph(
        "m4sc_multi_user",
        "M4SC: two users on one channel",
        "Two transmitters take turns on one channel; each receiver keeps what is public or addressed to it",
    )
    g.parameter("message_1", "sample:cat.jpg", "str", (1, 0), "Message to user 1")
    g.parameter("message_2", "sample:digits.wav", "str", (2, 0), "Message to user 2")
    g.parameter("task_1", "classify", "str", (3, 0), "Task of user 1")
    g.parameter("task_2", "digits", "str", (3.5, 0), "Task of user 2")
    g.parameter("repeat", 3, "intx", (4, 0), "How often they are sent; 0 for ever")
    g.parameter("interval_s", 0.5, "eng_float", (5, 0), "Pause between messages, s")
    g.parameter("model", "default", "str", (0, 0.75), "Model (name or folder)")
    names = channel_options(g)
    tap_options(g)
    rate(g)
    g.add("m4sc_time_division", "division", (2.4, 2.0), n_users=2, guard_samples=800)
    channel(g, (3.3, 1.95), names)
    g.add("m4sc_answer_sink", "answers", (5.4, 1.6), n_decoders=2)
    for user, row in ((1, 1.6), (2, 2.6)):
        source, sender = f"source_{user}", f"transmitter_{user}"
        taker, view = f"receiver_{user}", f"view_{user}"
        message_source(
            g,
            (0, row),
            source,
            files=f"[message_{user}]",
            task=f"task_{user}",
            instruction="''",
            source_id=user,
            user_id=user,
        )
        g.add(
            "m4sc_transmitter",
            sender,
            (1.2, row),
            model="model",
            snr_db="snr_db",
            packet_len_key="packet_len",
        )
        g.add("m4sc_receiver", taker, (4.3, row), model="model", user_id=user)
        answer_view(g, (5.4 + user * 0.8 - 0.8, 2.6), f"User {user}", f"1,{2 * user - 2},1,2", view)
        g.link(
            f"{source}.messages",
            f"{sender}.messages",
            f"{sender}.0",
            f"division.{user - 1}",
            "channel.0",
            f"{taker}.0",
            f"{taker}.answers",
            "answers.answers",
            f"{taker}.answers",
            f"{view}.answers",
            f"{source}.messages",
            f"{view}.sent",
            f"{sender}.status",
            "answers.status",
            f"{taker}.status",
            "answers.status",
            "answers.done",
            f"{source}.stop",
            "answers.done",
            f"{sender}.stop",
        )
    g.link("division.0", "channel.0", "answers.done", "division.stop")
    link_displays(g, "receiver_1.symbols", "channel.0", 3.7, 2, level_known=True)
    return g


def all_simulated() -> list[Graph]:
    """Every flowgraph that needs nothing but this machine's processor."""
    return [
        loopback(),
        two_box(
            "m4sc_picture_question",
            "M4SC: a question about a picture",
            "Four pictures in one are sent; the receiver asks its own question about them (the shipped model "
            "knows CIFAR-10's ten kinds of things)",
            "sample:mosaic.jpg",
            "mosaic",
            "What is at the top left?",
            asks=True,
        ),
        two_box(
            "m4sc_speech",
            "M4SC: speech",
            "A sound is sent; the receiver writes the spoken digits",
            "sample:digits.wav",
            "digits",
        ),
        two_box("m4sc_text", "M4SC: text", "A text is sent; the receiver repeats it", TEXT, "text"),
        two_box(
            "m4sc_classical",
            "M4SC: the classical baseline",
            "Source codec, 5G NR LDPC and QAM; the receiver's model reads the decoded picture",
            "sample:cat.jpg",
            "classify",
            system="classical",
        ),
        side_by_side(),
        multi_user(),
    ]
