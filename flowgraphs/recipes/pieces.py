"""Groups of blocks that several flowgraphs share."""

from __future__ import annotations

from recipes.graph import Graph

CARRIERS = 48  # data carriers of the default waveform


def message_options(
    g: Graph, message: str, task: str, instruction: str = "", repeat: int = 1, interval_s: float = 0.0
) -> None:
    """What is sent, and by which model: options of the twin, in the first row."""
    g.parameter("message", message, "str", (1, 0), "Message (file, sample:NAME or text)")
    g.parameter("task", task, "str", (2.4, 0), "Task")
    g.parameter("instruction", instruction, "str", (3.2, 0), "Instruction, if not the task's own")
    g.parameter("repeat", repeat, "intx", (4.4, 0), "How often it is sent; 0 for ever")
    g.parameter("interval_s", interval_s, "eng_float", (5.3, 0), "Pause between messages, s")
    model_option(g)


def model_option(g: Graph) -> None:
    """Name or folder of the weights."""
    g.parameter("model", "default", "str", (0, 0.75), "Model (name or folder)")


def message_source(g: Graph, at: tuple[float, float], name: str = "source", **more: object) -> str:
    """The block that sends what :func:`message_options` say."""
    values = {
        "files": "[message]",
        "task": "task",
        "instruction": "instruction",
        "repeat": "repeat",
        "interval_s": "interval_s",
        **more,
    }
    return g.add("m4sc_message_source", name, at, **values)


def channel_options(g: Graph, sliders: bool = True) -> tuple[str, str]:
    """SNR and carrier offset, with sliders; returns the names to use in blocks."""
    g.parameter("snr_db", 15.0, "eng_float", (1, 0.75), "SNR, Es/N0 per data subcarrier, dB")
    g.parameter("cfo_hz", 500.0, "eng_float", (2, 0.75), "Carrier offset, Hz")
    if not sliders:
        return "snr_db", "cfo_hz"
    g.slider("snr_now_db", "snr_db", (-10.0, 40.0, 0.5), (3, 0.75), "SNR (dB)", "0,0,1,2")
    g.slider("cfo_now_hz", "cfo_hz", (-5000.0, 5000.0, 50.0), (4, 0.75), "Carrier offset (Hz)", "0,2,1,2")
    return "snr_now_db", "cfo_now_hz"


def channel(g: Graph, at: tuple[float, float], names: tuple[str, str], name: str = "channel") -> str:
    """The simulated channel, with the taps and the seed of the options."""
    return g.add("m4sc_channel", name, at, snr_db=names[0], cfo_hz=names[1], taps="taps", seed="seed")


def tap_options(g: Graph, taps: str = "None") -> None:
    """Impulse response and seed."""
    g.add("variable", "taps", (5.3, 0.75), value=taps, comment="None: flat")
    g.parameter("seed", 1, "intx", (6, 0.75), "Seed of the noise")


def answer_view(
    g: Graph, at: tuple[float, float], title: str, hint: str, name: str = "view", **more: object
) -> str:
    """The picture sent and the answers received."""
    return g.add("m4sc_answer_view", name, at, title=title, gui_hint=hint, n_answers=8, **more)


def spectrum(g: Graph, at: tuple[float, float], name: str, hint: str, level_known: bool) -> str:
    """Spectrum of samples; ``level_known``: of bursts alone, which rise above -40 dB there."""
    return g.add(
        "qtgui_freq_sink_x",
        name,
        at,
        type="complex",
        name='"Spectrum of the bursts"',
        fftsize=256,
        bw="samp_rate",
        fc=0,
        grid="True",
        average=1.0,
        ymin=-100,
        ymax=10,
        legend="False",
        gui_hint=hint,
        tr_mode="qtgui.TRIG_MODE_NORM" if level_known else "qtgui.TRIG_MODE_FREE",
        tr_level=-40.0,
    )


def sent_displays(g: Graph, samples: str, row: float) -> None:
    """A transmitter's window: what is sent, and the spectrum of its bursts."""
    answer_view(g, (0, row), "", "1,0,1,2", show_answers=False)
    spectrum(g, (1.2, row), "spectrum", "1,2,1,2", False)
    g.link("source.messages", "view.sent", samples, "spectrum.0")


def counts_label(g: Graph, block: str, at: tuple[float, float], hint: str, label: str) -> None:
    """Counters of a block with ``counts_text``, in the window; in the twin it prints them at its end."""
    g.add(
        "variable_function_probe", f"{block}_counts", at, block_id=block, function_name="counts_text",
        poll_rate=2, value='""',
    )  # fmt: skip
    g.add(
        "variable_qtgui_label", f"{block}_label", (at[0] + 0.9, at[1]), type="string", label=label,
        value=f"{block}_counts", gui_hint=hint,
    )  # fmt: skip


def link_displays(
    g: Graph,
    symbols: str,
    samples: str,
    row: float,
    gui_row: int,
    prefix: str = "",
    level_known: bool = False,
) -> None:
    """Constellation and channel response of each received frame, and the spectrum of the samples."""
    probe = g.add("m4sc_frame_probe", f"{prefix}probe", (0, row + 0.3), n_points=256, n_carriers=CARRIERS)
    points = g.add(
        "blocks_vector_to_stream", f"{prefix}points", (1, row), type="complex", num_items=256, vlen=1
    )
    g.add(
        "qtgui_const_sink_x",
        f"{prefix}constellation",
        (2, row),
        type="complex",
        name='"Constellation"',
        size=256,
        grid="True",
        legend="False",
        xmin=-3,
        xmax=3,
        ymin=-3,
        ymax=3,
        gui_hint=f"{gui_row},0,1,2",
        alpha1=0.7,
        color1="blue",
        style1=0,
        marker1=0,
        width1=1,
    )
    g.add(
        "qtgui_vector_sink_f",
        f"{prefix}response",
        (3, row),
        name='"Channel response"',
        vlen=CARRIERS,
        x_start=0,
        x_step=1,
        x_axis_label='"data carrier, lowest frequency first"',
        y_axis_label='"power gain (dB)"',
        ymin=-20,
        ymax=10,
        grid="True",
        average="1.0",
        legend="False",
        gui_hint=f"{gui_row},2,1,1",
    )
    spectrum(g, (4, row), f"{prefix}spectrum", f"{gui_row},3,1,1", level_known)
    g.link(
        symbols,
        f"{probe}.symbols",
        f"{probe}.0",
        f"{points}.0",
        f"{points}.0",
        f"{prefix}constellation.0",
        f"{probe}.1",
        f"{prefix}response.0",
        samples,
        f"{prefix}spectrum.0",
    )


def rate(g: Graph, at: tuple[float, float] = (6.2, 0), value: float = 1e6) -> None:
    """The waveform's sample rate."""
    g.add("variable", "samp_rate", at, value=f"{value:.0f}", comment="the waveform's, samples/s")
