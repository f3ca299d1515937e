"""Speech to words: Whisper with a small adapter of our own for voices that it mishears."""

from m4sc.encoders.hearing.adapted import adapted_folder, adapted_speech, adapter_config, speech_folder
from m4sc.encoders.hearing.config import HearingConfig
from m4sc.encoders.hearing.listener import Listener, Transcript
from m4sc.encoders.hearing.network import HearingNetwork

__all__ = [
    "HearingConfig",
    "HearingNetwork",
    "Listener",
    "Transcript",
    "adapted_folder",
    "adapted_speech",
    "adapter_config",
    "speech_folder",
]
