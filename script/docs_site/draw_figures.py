"""Draws docs/figures/*.svg; numbers in them are worked out from the code.

After changing the frame or this file: `.venv/bin/python script/docs_site/draw_figures.py`; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from drawing import TINTS, Drawing

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "figures"


def chain() -> Drawing:
    """From message to answer, semantic above classical, through one radio."""
    d = Drawing("chain", 985, 320, "Chain from message to answer")
    d.box(10, 130, 90, 60, "message\n+ task")
    d.box(140, 20, 150, 66, "pretrained\nencoder\nvision or speech", "frozen")
    d.box(310, 20, 110, 66, "KAN\nprojector", "model")
    d.box(440, 20, 120, 66, "KAN\nchannel\nencoder", "model")
    d.box(140, 234, 150, 66, "source codec\nWebP, Opus,\nBrotli", "classical")
    d.box(310, 234, 250, 66, "CRC, 5G NR LDPC,\ninterleaver, QAM", "classical")
    d.arrow([(55, 130), (55, 53), (138, 53)])
    d.arrow([(55, 190), (55, 267), (138, 267)])
    for y in (53, 267):
        d.arrow([(290, y), (308, y)])
    d.arrow([(420, 53), (438, 53)])
    d.box(
        600,
        20,
        130,
        280,
        "radio\n\nOFDM frame\ntransmitter\n\nchannel\nor antenna\n\nburst receiver,\nequaliser",
        "radio",
    )
    d.arrow([(560, 53), (598, 53)])
    d.arrow([(560, 267), (598, 267)])
    d.box(765, 20, 125, 66, "KAN channel\ndecoder", "model")
    d.box(765, 234, 125, 66, "LDPC and\nsource decoder", "classical")
    d.box(765, 112, 125, 66, "LLM + LoRA\nreads the task", "model")
    d.arrow([(730, 53), (763, 53)])
    d.arrow([(730, 267), (763, 267)])
    d.arrow([(827, 86), (827, 110)])
    d.arrow([(850, 234), (850, 180)], dashed=True)
    d.label(842, 208, "the message", "end", size=11.5)
    d.arrow([(890, 145), (918, 145)])
    d.label(924, 145, "answer", bold=True)
    return d


def frame() -> Drawing:
    """A frame in time above its carriers."""
    from m4sc.phy.header.fields import HEADER_BYTES
    from m4sc.phy.header.protection import PROTECTIONS
    from m4sc.phy.waveform import WaveformConfig
    from m4sc.phy.air_time import header_ofdm_symbols, payload_ofdm_symbols

    w = WaveformConfig()
    header, payload = header_ofdm_symbols(w), payload_ofdm_symbols(128, w)
    least, most = (header_ofdm_symbols(w, p) for p in (PROTECTIONS[0], PROTECTIONS[-1]))
    d = Drawing("frame", 900, 400, "A frame in time, and the carriers of an OFDM symbol")
    d.box(20, 20, 95, 56, "sync word 1", "radio")
    d.box(115, 20, 95, 56, "sync word 2", "radio")
    d.box(210, 20, 370, 56, f"header\n{HEADER_BYTES} bytes and a CRC, polar code", "classical")
    d.box(580, 20, 300, 56, "payload\nk complex data symbols", "model")
    d.bracket(20, 190, 90, f"{w.preamble_symbols} OFDM symbols, or more")
    d.bracket(212, 366, 90, f"{header} OFDM symbols; {least} to {most} by protection")
    d.bracket(582, 298, 90, f"k / {w.n_data_carriers}, rounded up; {payload} for k = 128")
    d.label(20, 140, f"One OFDM symbol: {w.cp_len} samples of prefix, {w.fft_len} of transform", bold=True)
    d.box(20, 155, 172, 44, "cyclic prefix", "frozen")
    d.box(192, 155, 688, 44, "the symbol; its last samples are the prefix", "radio")
    d.label(20, 235, "Its subcarriers, lowest first", bold=True)
    width = 860 / w.fft_len
    for place in range(w.fft_len):
        carrier = place - w.fft_len // 2
        if carrier in w.pilot_carriers:
            colour, height = TINTS["classical"], 70.0
        elif carrier in w.occupied_carriers:
            colour, height = TINTS["model"], 52.0
        else:
            colour, height = TINTS["frozen"], 8.0
        d.cell(20 + place * width + 1, 325 - height, width - 2, height, colour, 0.75)
    for carrier in (-w.fft_len // 2, *w.pilot_carriers, 0, w.fft_len // 2 - 1):
        d.label(20 + (carrier + w.fft_len // 2 + 0.5) * width, 339, str(carrier), "middle", size=11)
    for x, tint, text in (
        (20, "model", f"{w.n_data_carriers} data"),
        (140, "classical", f"{len(w.pilot_carriers)} pilots"),
        (270, "frozen", "unused: guard band and the centre"),
    ):
        d.cell(x, 368, 14, 14, TINTS[tint], 0.75)
        d.label(x + 20, 375, text)
    return d


def payloads() -> Drawing:
    """The three payload kinds."""
    d = Drawing("payloads", 900, 260, "Three payload kinds")
    rows = (
        (
            "analog",
            "latents\npairs of reals",
            "I and Q\nof a subcarrier",
            "symbols and their\nnoise variance",
            "model",
        ),
        (
            "qam",
            "latents\npairs of reals",
            "nearest point of a\nsquare QAM grid",
            "symbols and their\nnoise variance",
            "model",
        ),
        (
            "digital",
            "bytes\nof a source codec",
            "CRC, LDPC,\ninterleaver, QAM",
            "LLRs, LDPC,\nCRC: right or lost",
            "classical",
        ),
    )
    for number, (kind, source, mapping, sink, tint) in enumerate(rows):
        y = 15 + 82 * number
        d.label(15, y + 30, kind, bold=True, size=14)
        d.box(110, y, 170, 60, source, tint)
        d.box(320, y, 190, 60, mapping, tint)
        d.box(550, y, 110, 60, "radio\nequaliser", "radio")
        d.box(700, y, 185, 60, sink, tint)
        for x in (280, 510, 660):
            d.arrow([(x, y + 30), (x + 38, y + 30)])
    return d


def training() -> Drawing:
    """What each stage of training changes."""
    d = Drawing("training", 900, 320, "Stages of training: what is trained and what is frozen")
    titles = ("encoders", "KAN projector", "channel encoder", "channel", "channel decoder", "LLM, adapter")
    widths = (105, 115, 130, 90, 130, 125)
    rows = (
        ("features", ("frozen", None, None, None, None, None), "once: features of every message are kept"),
        (
            "align",
            (None, "model", "model", "radio", "model", None),
            "received tokens meet the word embeddings of the answer; the LLM does not run",
        ),
        (
            "instruct",
            (None, "model", "model", "radio", "model", "model"),
            "cross entropy of the answers through random channels; instruction and joint stage in one",
        ),
    )
    for number, (name, tints, says) in enumerate(rows):
        y, x = 15 + 92 * number, 100.0
        d.label(10, y + 24, name, bold=True, size=14)
        for title, w, tint in zip(titles, widths, tints, strict=True):
            if tint:
                d.box(x, y, w, 48, title, tint)
            x += w + 15
        d.label(100, y + 66, says)
    for x, tint, text in (
        (100, "frozen", "frozen"),
        (200, "model", "trained"),
        (300, "radio", "differentiable, random"),
    ):
        d.cell(x, 298, 14, 14, TINTS[tint], 0.75)
        d.label(x + 20, 305, text)
    return d


def sharing() -> Drawing:
    """Several users on one channel."""
    d = Drawing("sharing", 900, 250, "Several users take turns; receivers filter by header")
    for number in range(2):
        d.box(15, 30 + 110 * number, 130, 70, f"transmitter {number + 1}\nsource id {number + 1}", "model")
        d.arrow([(145, 65 + 110 * number), (193, 65 + 110 * number)])
    d.box(195, 30, 110, 180, "time\ndivision\n\nburst by burst", "radio")
    d.arrow([(305, 120), (343, 120)])
    d.box(345, 30, 200, 180, "", "radio")
    for number, text in enumerate(("from 1, public", "from 2, for user 7", "from 1, for user 9")):
        d.box(357, 48 + 52 * number, 176, 38, text, "plain")
    for number, user in enumerate((7, 9)):
        y = 30 + 110 * number
        d.arrow([(545, y + 35), (593, y + 35)])
        d.box(595, y, 140, 70, f"user filter\nuser_id {user}", "model")
        d.arrow([(735, y + 35), (773, y + 35)])
        d.box(775, y, 115, 70, f"public +\nfor user {user}", "plain")
    d.label(445, 230, "one channel", "middle", size=11.5)
    return d


FIGURES = (chain, frame, payloads, training, sharing)


def main() -> None:
    """Write every figure."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        (FOLDER / f"{figure.__name__}.svg").write_text(figure().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
