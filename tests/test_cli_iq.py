"""Files of IQ samples, and frames answered one by one."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc.phy.header.fields import PayloadKind
from m4sc.phy.modulation.payload import PayloadFormat, map_latents
from m4sc.transport.message_header import TransportHeader
from m4sc_app.cli import main
from m4sc_app.receive import answer_frame
from m4sc_app.send import disturb

SAMPLES = (np.arange(10) - 3j * np.arange(10)).astype(np.complex64)


@pytest.mark.parametrize(
    ("meta", "word"),
    [("{", "SigMF"), ("[]", "SigMF"), ('{"global": 3}', "object"),
     ('{"global": {"core:datatype": "ru8"}}', "ru8"), ('{"global": {"core:sample_rate": -1}}', "positive")],
)  # fmt: skip
def test_broken_descriptions(tmp_path, capsys, meta, word):
    SAMPLES.tofile(tmp_path / "x.sigmf-data")
    (tmp_path / "x.sigmf-meta").write_text(meta)
    assert main(["receive", str(tmp_path / "x.sigmf-meta")]) == 2
    err = capsys.readouterr().err
    assert word in err and "Traceback" not in err


@given(st.floats(0.01, 10), st.integers(0, 99))
def test_noise_power_is_the_square_of_its_voltage(voltage, seed):
    out = disturb(np.zeros(20000, np.complex64), voltage, 0.0, seed)
    assert np.isclose(np.mean(np.abs(out) ** 2), voltage**2, rtol=0.05)


def test_offset_turns_and_keeps_power():
    out = disturb(np.ones(8, np.complex64), 0.0, 0.25, 0)
    assert np.allclose(out[:4], [1, 1j, -1, -1j], atol=1e-6)


class FakeSystem:
    fingerprint = 5

    def decode(self, symbols, noise_var, task, instruction=None):
        assert symbols.shape == noise_var.shape
        return SimpleNamespace(text=f"{task}:{instruction}")


@pytest.mark.parametrize(
    ("task_id", "fingerprint", "query", "answer", "error"),
    [(2, 5, None, "caption:None", None), (4, 5, "why?", "vqa:why?", None), (4, 5, None, None, "--query"),
     (2, 6, None, None, "other weights"), (200, 5, None, None, "unknown task number")],
)  # fmt: skip
def test_frames_are_answered_or_say_why_not(task_id, fingerprint, query, answer, error):
    header = TransportHeader(
        PayloadKind.ANALOG, 10, 1, task_id=task_id, model_fingerprint=fingerprint, interleaved=True
    )
    frame = SimpleNamespace(
        header=header, symbols=SAMPLES, noise_var=np.ones(10), snr_db=9.0, cfo_hz=0.0, h_hat=np.ones(48)
    )
    row = answer_frame(frame, FakeSystem(), query)
    assert row["answer"] == answer
    assert row["error"] is None if error is None else error in row["error"]


@pytest.mark.parametrize("broken", [False, True])
def test_a_digital_frame_is_answered_or_lost(broken):
    latents = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32) / 2**0.5
    mapped = map_latents(latents, PayloadFormat("digital", mcs=3))
    symbols = mapped.symbols * (-1 if broken else 1)
    header = TransportHeader(
        PayloadKind.DIGITAL, symbols.size, 1, task_id=2, model_fingerprint=5, mcs=3,
        payload_bytes=mapped.payload_bytes,
    )  # fmt: skip
    frame = SimpleNamespace(
        header=header, symbols=symbols, noise_var=np.full(symbols.size, 0.1), snr_db=10.0, cfo_hz=0.0,
        h_hat=np.ones(48),
    )  # fmt: skip
    row = answer_frame(frame, FakeSystem(), None)
    assert row["answer"] == (None if broken else "caption:None")
    assert "CRC" in row["error"] if broken else row["error"] is None


def test_what_is_sent_is_received(tmp_path, monkeypatch, capsys):
    class Echo(FakeSystem):
        def encode(self, message, task, instruction=None, snr_db=None):
            return SimpleNamespace(latents=np.random.default_rng(1).standard_normal((60, 2)) / 2**0.5)

    for module in ("send", "receive"):
        monkeypatch.setattr(f"m4sc_app.{module}.load_system", lambda name: Echo())
    (tmp_path / "a.txt").write_text("A cat.", encoding="utf-8")
    out = str(tmp_path / "burst.sigmf-meta")
    assert main(["send", str(tmp_path / "a.txt"), "--task", "text", "--out", out]) == 0
    assert main(["receive", out]) == 0
    assert "text:None" in capsys.readouterr().out
