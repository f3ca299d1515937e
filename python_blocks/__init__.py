"""gnuradio.m4sc: semantic communication blocks for GNU Radio.

One way across, whatever the system: :class:`message_encoder`, :class:`symbol_mapper`,
:class:`frame_transmitter`, :class:`channel`, :class:`frame_receiver`, :class:`message_decoder`. Whole ends
in one box: :class:`transmitter` and :class:`receiver`. Several users in one frame: :class:`group_encoder` in
the place of encoder and mapper, :class:`group_decoder` before each user's decoder. With a way back,
:class:`arq_mapper` in the place of the mapper and :class:`arq_combiner` before the decoder lose nothing.
"""

from ._paths import find_environment

find_environment()

from .answer_sink import answer_sink  # noqa: E402
from .answer_view import answer_view  # noqa: E402
from .arq_combiner import arq_combiner  # noqa: E402
from .arq_mapper import arq_mapper  # noqa: E402
from .channel import channel  # noqa: E402
from .frame_probe import frame_probe  # noqa: E402
from .frame_receiver import frame_receiver  # noqa: E402
from .frame_transmitter import frame_transmitter  # noqa: E402
from .group_decoder import group_decoder  # noqa: E402
from .group_encoder import group_encoder  # noqa: E402
from .message_decoder import message_decoder  # noqa: E402
from .message_encoder import message_encoder  # noqa: E402
from .message_source import message_source  # noqa: E402
from .packet_receiver import packet_receiver  # noqa: E402
from .packet_transmitter import packet_transmitter  # noqa: E402
from .receiver import receiver  # noqa: E402
from .sigmf_sink import sigmf_sink  # noqa: E402
from .sigmf_source import sigmf_source  # noqa: E402
from .symbol_demapper import symbol_demapper  # noqa: E402
from .symbol_mapper import symbol_mapper  # noqa: E402
from .time_division import time_division  # noqa: E402
from .transmitter import transmitter  # noqa: E402
from .user_filter import user_filter  # noqa: E402
from .usrp_events import usrp_events  # noqa: E402
from .usrp_watch import usrp_watch  # noqa: E402

__all__ = [
    "answer_sink",
    "answer_view",
    "arq_combiner",
    "arq_mapper",
    "channel",
    "frame_probe",
    "frame_receiver",
    "frame_transmitter",
    "group_decoder",
    "group_encoder",
    "message_decoder",
    "message_encoder",
    "message_source",
    "packet_receiver",
    "packet_transmitter",
    "receiver",
    "sigmf_sink",
    "sigmf_source",
    "symbol_demapper",
    "symbol_mapper",
    "time_division",
    "transmitter",
    "user_filter",
    "usrp_events",
    "usrp_watch",
]
