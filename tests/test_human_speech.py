"""People's speech: no sentence of the test split is said in training."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from m4sc.data import human_speech


def test_the_split_goes_by_what_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "human_speech"
    folder.mkdir()
    texts = [f"Sentence number {n // 2}{'.' if n % 2 else '!'}" for n in range(80)]
    with zipfile.ZipFile(folder / "clips.zip", "w") as archive:
        for n in range(80):
            buffer = io.BytesIO()
            soundfile.write(buffer, np.zeros(1600, np.float32), 16_000, format="OGG")
            archive.writestr(f"{n}.ogg", buffer.getvalue())
    lines = [f'{n}.ogg,a,b,train,0.1,"{text}"' for n, text in enumerate(texts)]
    (folder / "meta.csv").write_text("file,speaker,source,split,seconds,text\n" + "\n".join(lines) + "\n")
    said = {
        split: [e.answers[0].strip(".!") for e in human_speech.speech_examples(tmp_path, split)]
        for split in ("train", "test")
    }
    assert len(said["train"]) + len(said["test"]) == 80
    assert 4 <= len(said["test"]) <= 32
    assert not set(said["train"]) & set(said["test"])
    assert human_speech.speech_examples(tmp_path, "test")[0].load().shape == (1600,)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="dev"):
        human_speech.speech_examples(tmp_path, "dev")
