#!/usr/bin/env python3
# Generated from m4sc_usrp_transceiver.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC: USRP transceiver
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: One USRP sends and receives: join TX/RX and RX2 by a cable with 30 dB or more
# GNU Radio version: 3.10.5.1

from gnuradio import gr
from gnuradio.filter import firdes
from gnuradio.fft import window
import sys
import signal
from argparse import ArgumentParser
from gnuradio.eng_arg import eng_float, intx
from gnuradio import eng_notation
from gnuradio import m4sc
from gnuradio import uhd
import time




class m4sc_usrp_transceiver(gr.top_block):

    def __init__(self, message='sample:cat.jpg', task='classify', instruction='', repeat=0, interval_s=2.0, model='default', snr_db=15.0, user_id=(-1), freq_hz=2450000000.0, gain_db=10.0, args='', rx_gain_db=30.0, amplitude=0.1, antenna='TX/RX', clock_source='internal', lo_offset_hz=0.0):
        gr.top_block.__init__(self, "M4SC: USRP transceiver", catch_exceptions=True)

        ##################################################
        # Parameters
        ##################################################
        self.message = message
        self.task = task
        self.instruction = instruction
        self.repeat = repeat
        self.interval_s = interval_s
        self.model = model
        self.snr_db = snr_db
        self.user_id = user_id
        self.freq_hz = freq_hz
        self.gain_db = gain_db
        self.args = args
        self.rx_gain_db = rx_gain_db
        self.amplitude = amplitude
        self.antenna = antenna
        self.clock_source = clock_source
        self.lo_offset_hz = lo_offset_hz

        ##################################################
        # Variables
        ##################################################
        self.samp_rate = samp_rate = 1000000
        self.rx_gain_now_db = rx_gain_now_db = rx_gain_db
        self.gain_now_db = gain_now_db = gain_db

        ##################################################
        # Blocks
        ##################################################

        self.watch = m4sc.usrp_watch(samp_rate=samp_rate)
        self.transmitter = m4sc.transmitter(model=model, system='semantic', snr_db=snr_db, payload_kind='analog', qam_order=256, mcs=(-1), waveform=None, gap_samples=0, idle='wait', packet_len_key='packet_len', amplitude=amplitude, end_on_done=False, interleave=True, precode=False, clip_db=float('inf'), levels=16)
        self.source = m4sc.message_source(files=[message], task=task, instruction=instruction, repeat=repeat, interval_s=interval_s, source_id=0, user_id=0, public=False)
        self.receiver = m4sc.receiver(model=model, user_id=user_id, source_id=(-1), zero_latents=False, timeout_s=10.0, waveform=None, min_confidence=0.0)
        self.radio_out = uhd.usrp_sink(
            ",".join((args, '')),
            uhd.stream_args(
                cpu_format="fc32",
                args='',
                channels=list(range(0,1)),
            ),
            "packet_len",
        )
        self.radio_out.set_clock_source(clock_source, 0)
        self.radio_out.set_samp_rate(samp_rate)
        # No synchronization enforced.

        self.radio_out.set_center_freq(uhd.tune_request(freq_hz, lo_offset_hz), 0)
        self.radio_out.set_antenna(antenna, 0)
        self.radio_out.set_gain(gain_now_db, 0)
        self.radio_in = uhd.usrp_source(
            ",".join((args, '')),
            uhd.stream_args(
                cpu_format="fc32",
                args='',
                channels=list(range(0,1)),
            ),
        )
        self.radio_in.set_clock_source(clock_source, 0)
        self.radio_in.set_samp_rate(samp_rate)
        # No synchronization enforced.

        self.radio_in.set_center_freq(uhd.tune_request(freq_hz, lo_offset_hz), 0)
        self.radio_in.set_antenna("RX2", 0)
        self.radio_in.set_gain(rx_gain_now_db, 0)
        self.log = m4sc.answer_sink(folder='', n_decoders=1)
        self.events = m4sc.usrp_events()
        self.answers = m4sc.answer_sink(folder='', n_decoders=1)


        ##################################################
        # Connections
        ##################################################
        self.connect((self.radio_in, 0), (self.watch, 0))
        self.connect((self.transmitter, 0), (self.radio_out, 0))
        self.connect((self.watch, 0), (self.receiver, 0))
        self.msg_connect((self.radio_out, 'async_msgs'), (self.events, 'async_msgs'))
        self.msg_connect((self.receiver, 'answers'), (self.answers, 'answers'))
        self.msg_connect((self.receiver, 'status'), (self.answers, 'status'))
        self.msg_connect((self.source, 'messages'), (self.transmitter, 'messages'))
        self.msg_connect((self.transmitter, 'status'), (self.log, 'status'))


    def get_message(self):
        return self.message

    def set_message(self, message):
        self.message = message

    def get_task(self):
        return self.task

    def set_task(self, task):
        self.task = task

    def get_instruction(self):
        return self.instruction

    def set_instruction(self, instruction):
        self.instruction = instruction

    def get_repeat(self):
        return self.repeat

    def set_repeat(self, repeat):
        self.repeat = repeat

    def get_interval_s(self):
        return self.interval_s

    def set_interval_s(self, interval_s):
        self.interval_s = interval_s

    def get_model(self):
        return self.model

    def set_model(self, model):
        self.model = model

    def get_snr_db(self):
        return self.snr_db

    def set_snr_db(self, snr_db):
        self.snr_db = snr_db
        self.transmitter.set_snr_db(self.snr_db)

    def get_user_id(self):
        return self.user_id

    def set_user_id(self, user_id):
        self.user_id = user_id

    def get_freq_hz(self):
        return self.freq_hz

    def set_freq_hz(self, freq_hz):
        self.freq_hz = freq_hz
        self.radio_out.set_center_freq(uhd.tune_request(self.freq_hz, self.lo_offset_hz), 0)
        self.radio_in.set_center_freq(uhd.tune_request(self.freq_hz, self.lo_offset_hz), 0)

    def get_gain_db(self):
        return self.gain_db

    def set_gain_db(self, gain_db):
        self.gain_db = gain_db
        self.set_gain_now_db(self.gain_db)

    def get_args(self):
        return self.args

    def set_args(self, args):
        self.args = args

    def get_rx_gain_db(self):
        return self.rx_gain_db

    def set_rx_gain_db(self, rx_gain_db):
        self.rx_gain_db = rx_gain_db
        self.set_rx_gain_now_db(self.rx_gain_db)

    def get_amplitude(self):
        return self.amplitude

    def set_amplitude(self, amplitude):
        self.amplitude = amplitude

    def get_antenna(self):
        return self.antenna

    def set_antenna(self, antenna):
        self.antenna = antenna
        self.radio_out.set_antenna(self.antenna, 0)

    def get_clock_source(self):
        return self.clock_source

    def set_clock_source(self, clock_source):
        self.clock_source = clock_source

    def get_lo_offset_hz(self):
        return self.lo_offset_hz

    def set_lo_offset_hz(self, lo_offset_hz):
        self.lo_offset_hz = lo_offset_hz
        self.radio_out.set_center_freq(uhd.tune_request(self.freq_hz, self.lo_offset_hz), 0)
        self.radio_in.set_center_freq(uhd.tune_request(self.freq_hz, self.lo_offset_hz), 0)

    def get_samp_rate(self):
        return self.samp_rate

    def set_samp_rate(self, samp_rate):
        self.samp_rate = samp_rate
        self.radio_out.set_samp_rate(self.samp_rate)
        self.radio_in.set_samp_rate(self.samp_rate)

    def get_rx_gain_now_db(self):
        return self.rx_gain_now_db

    def set_rx_gain_now_db(self, rx_gain_now_db):
        self.rx_gain_now_db = rx_gain_now_db
        self.radio_in.set_gain(self.rx_gain_now_db, 0)

    def get_gain_now_db(self):
        return self.gain_now_db

    def set_gain_now_db(self, gain_now_db):
        self.gain_now_db = gain_now_db
        self.radio_out.set_gain(self.gain_now_db, 0)



def argument_parser():
    description = 'One USRP sends and receives: join TX/RX and RX2 by a cable with 30 dB or more'
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--message", dest="message", type=str, default='sample:cat.jpg',
        help="Set Message (file, sample:NAME or text) [default=%(default)r]")
    parser.add_argument(
        "--task", dest="task", type=str, default='classify',
        help="Set Task [default=%(default)r]")
    parser.add_argument(
        "--instruction", dest="instruction", type=str, default='',
        help="Set Instruction, if not the task's own [default=%(default)r]")
    parser.add_argument(
        "--repeat", dest="repeat", type=intx, default=0,
        help="Set How often it is sent; 0 for ever [default=%(default)r]")
    parser.add_argument(
        "--interval-s", dest="interval_s", type=eng_float, default=eng_notation.num_to_str(float(2.0)),
        help="Set Pause between messages, s [default=%(default)r]")
    parser.add_argument(
        "--model", dest="model", type=str, default='default',
        help="Set Model (name or folder) [default=%(default)r]")
    parser.add_argument(
        "--snr-db", dest="snr_db", type=eng_float, default=eng_notation.num_to_str(float(15.0)),
        help="Set SNR that the encoder may assume, dB [default=%(default)r]")
    parser.add_argument(
        "--user-id", dest="user_id", type=intx, default=(-1),
        help="Set This receiver's number; -1 takes all frames [default=%(default)r]")
    parser.add_argument(
        "--freq-hz", dest="freq_hz", type=eng_float, default=eng_notation.num_to_str(float(2450000000.0)),
        help="Set Carrier frequency, Hz: one that you may use [default=%(default)r]")
    parser.add_argument(
        "--gain-db", dest="gain_db", type=eng_float, default=eng_notation.num_to_str(float(10.0)),
        help="Set Gain, dB [default=%(default)r]")
    parser.add_argument(
        "--args", dest="args", type=str, default='',
        help="Set Device arguments, such as serial=... [default=%(default)r]")
    parser.add_argument(
        "--rx-gain-db", dest="rx_gain_db", type=eng_float, default=eng_notation.num_to_str(float(30.0)),
        help="Set Receiver's gain, dB [default=%(default)r]")
    parser.add_argument(
        "--amplitude", dest="amplitude", type=eng_float, default=eng_notation.num_to_str(float(0.1)),
        help="Set Digital gain: above 0.15 the peaks clip [default=%(default)r]")
    parser.add_argument(
        "--antenna", dest="antenna", type=str, default='TX/RX',
        help="Set Antenna connector [default=%(default)r]")
    parser.add_argument(
        "--clock-source", dest="clock_source", type=str, default='internal',
        help="Set Clock: internal, external, gpsdo [default=%(default)r]")
    parser.add_argument(
        "--lo-offset-hz", dest="lo_offset_hz", type=eng_float, default=eng_notation.num_to_str(float(0.0)),
        help="Set Local oscillator beside the carrier, Hz [default=%(default)r]")
    return parser


def main(top_block_cls=m4sc_usrp_transceiver, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(message=options.message, task=options.task, instruction=options.instruction, repeat=options.repeat, interval_s=options.interval_s, model=options.model, snr_db=options.snr_db, user_id=options.user_id, freq_hz=options.freq_hz, gain_db=options.gain_db, args=options.args, rx_gain_db=options.rx_gain_db, amplitude=options.amplitude, antenna=options.antenna, clock_source=options.clock_source, lo_offset_hz=options.lo_offset_hz)

    def sig_handler(sig=None, frame=None):
        tb.stop()
        tb.wait()

        sys.exit(0)

    signal.signal(signal.SIGINT, sig_handler)
    signal.signal(signal.SIGTERM, sig_handler)

    tb.start()

    tb.wait()


if __name__ == '__main__':
    from m4sc_flowgraphs.headless import run_twin

    run_twin(main)
