"""Record to SigMF."""

from __future__ import annotations

from typing import Any

from gnuradio import blocks, gr

from .sigmf_file import sigmf_paths, write_description


class sigmf_sink(gr.hier_block2):  # noqa: N801
    """SigMF sink: complex samples in, a ``cf32_le`` recording with its description out.

    Args:
        filename: path of the recording, with or without ``.sigmf-meta``; its folder must exist.
        samp_rate: samples/s, > 0.
        center_freq_hz: of the radio, Hz; 0: none is written.
    """

    def __init__(self, filename: str, samp_rate: float = 1e6, center_freq_hz: float = 0.0) -> None:
        gr.hier_block2.__init__(
            self, "m4sc_sigmf_sink", gr.io_signature(1, 1, gr.sizeof_gr_complex), gr.io_signature(0, 0, 0)
        )
        if not samp_rate > 0:
            raise ValueError(f"samp_rate is {samp_rate}; give samples/s above 0")
        data, meta = sigmf_paths(filename)
        if not data.parent.is_dir():
            raise ValueError(f"no such folder: {data.parent}; make it first")
        write_description(meta, samp_rate, center_freq_hz, "gr-m4sc")
        self.file: Any = blocks.file_sink(gr.sizeof_gr_complex, str(data), False)
        self.connect(self, self.file)
