#!/usr/bin/env python3
# Generated from m4sc_soapy_hackrf_transmitter.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC: HackRF transmitter
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: Messages as OFDM frames on a HackRF; zeros between them
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
from gnuradio import soapy




class m4sc_soapy_hackrf_transmitter(gr.top_block):

    def __init__(self, message='Radio waves carry messages through the air, but every channel adds noise.', task='text', instruction='', repeat=0, interval_s=2.0, model='default', snr_db=15.0, freq_hz=2450000000.0, gain_db=10.0, args='', amplitude=0.1):
        gr.top_block.__init__(self, "M4SC: HackRF transmitter", catch_exceptions=True)

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
        self.freq_hz = freq_hz
        self.gain_db = gain_db
        self.args = args
        self.amplitude = amplitude

        ##################################################
        # Variables
        ##################################################
        self.samp_rate = samp_rate = 1000000
        self.gain_now_db = gain_now_db = gain_db

        ##################################################
        # Blocks
        ##################################################

        self.transmitter = m4sc.transmitter(model=model, system='semantic', snr_db=snr_db, payload_kind='analog', qam_order=256, mcs=(-1), waveform=None, gap_samples=800, idle='zeros', packet_len_key='', amplitude=amplitude, end_on_done=False, interleave=True, precode=False, clip_db=float('inf'), levels=16)
        self.source = m4sc.message_source(files=[message], task=task, instruction=instruction, repeat=repeat, interval_s=interval_s, source_id=0, user_id=0, public=False)
        self.radio = None
        dev = 'driver=hackrf'
        stream_args = ''
        tune_args = ['']
        settings = ['']

        self.radio = soapy.sink(dev, "fc32", 1, args,
                                  stream_args, tune_args, settings)
        self.radio.set_sample_rate(0, samp_rate)
        self.radio.set_bandwidth(0, 0)
        self.radio.set_frequency(0, freq_hz)
        self.radio.set_gain(0, 'AMP', False)
        self.radio.set_gain(0, 'VGA', min(max(gain_now_db, 0.0), 47.0))
        self.log = m4sc.answer_sink(folder='', n_decoders=1)


        ##################################################
        # Connections
        ##################################################
        self.connect((self.transmitter, 0), (self.radio, 0))
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

    def get_freq_hz(self):
        return self.freq_hz

    def set_freq_hz(self, freq_hz):
        self.freq_hz = freq_hz
        self.radio.set_frequency(0, self.freq_hz)

    def get_gain_db(self):
        return self.gain_db

    def set_gain_db(self, gain_db):
        self.gain_db = gain_db
        self.set_gain_now_db(self.gain_db)

    def get_args(self):
        return self.args

    def set_args(self, args):
        self.args = args

    def get_amplitude(self):
        return self.amplitude

    def set_amplitude(self, amplitude):
        self.amplitude = amplitude

    def get_samp_rate(self):
        return self.samp_rate

    def set_samp_rate(self, samp_rate):
        self.samp_rate = samp_rate
        self.radio.set_sample_rate(0, self.samp_rate)

    def get_gain_now_db(self):
        return self.gain_now_db

    def set_gain_now_db(self, gain_now_db):
        self.gain_now_db = gain_now_db
        self.radio.set_gain(0, 'VGA', min(max(self.gain_now_db, 0.0), 47.0))



def argument_parser():
    description = 'Messages as OFDM frames on a HackRF; zeros between them'
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--message", dest="message", type=str, default='Radio waves carry messages through the air, but every channel adds noise.',
        help="Set Message (file, sample:NAME or text) [default=%(default)r]")
    parser.add_argument(
        "--task", dest="task", type=str, default='text',
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
        "--freq-hz", dest="freq_hz", type=eng_float, default=eng_notation.num_to_str(float(2450000000.0)),
        help="Set Carrier frequency, Hz: one that you may use [default=%(default)r]")
    parser.add_argument(
        "--gain-db", dest="gain_db", type=eng_float, default=eng_notation.num_to_str(float(10.0)),
        help="Set Gain, dB [default=%(default)r]")
    parser.add_argument(
        "--args", dest="args", type=str, default='',
        help="Set Device arguments, such as serial=... [default=%(default)r]")
    parser.add_argument(
        "--amplitude", dest="amplitude", type=eng_float, default=eng_notation.num_to_str(float(0.1)),
        help="Set Digital gain: above 0.15 the peaks clip [default=%(default)r]")
    return parser


def main(top_block_cls=m4sc_soapy_hackrf_transmitter, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(message=options.message, task=options.task, instruction=options.instruction, repeat=options.repeat, interval_s=options.interval_s, model=options.model, snr_db=options.snr_db, freq_hz=options.freq_hz, gain_db=options.gain_db, args=options.args, amplitude=options.amplitude)

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
