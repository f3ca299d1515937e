#!/usr/bin/env python3
# Generated from m4sc_soapy_rtlsdr_receiver.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC: RTL-SDR receiver
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: Samples of a RTL-SDR to answers, with live displays
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




class m4sc_soapy_rtlsdr_receiver(gr.top_block):

    def __init__(self, model='default', user_id=(-1), freq_hz=433920000.0, gain_db=20.0, args=''):
        gr.top_block.__init__(self, "M4SC: RTL-SDR receiver", catch_exceptions=True)

        ##################################################
        # Parameters
        ##################################################
        self.model = model
        self.user_id = user_id
        self.freq_hz = freq_hz
        self.gain_db = gain_db
        self.args = args

        ##################################################
        # Variables
        ##################################################
        self.samp_rate = samp_rate = 1000000
        self.gain_now_db = gain_now_db = gain_db

        ##################################################
        # Blocks
        ##################################################

        self.receiver = m4sc.receiver(model=model, user_id=user_id, source_id=(-1), zero_latents=False, timeout_s=10.0, waveform=None, min_confidence=0.0)
        self.radio = None
        dev = 'driver=rtlsdr'
        stream_args = ''
        tune_args = ['']
        settings = ['']

        self.radio = soapy.source(dev, "fc32", 1, args,
                                  stream_args, tune_args, settings)
        self.radio.set_sample_rate(0, samp_rate)
        self.radio.set_gain_mode(0, False)
        self.radio.set_frequency(0, freq_hz)
        self.radio.set_frequency_correction(0, 0)
        self.radio.set_gain(0, 'TUNER', gain_now_db)
        self.answers = m4sc.answer_sink(folder='', n_decoders=1)


        ##################################################
        # Connections
        ##################################################
        self.connect((self.radio, 0), (self.receiver, 0))
        self.msg_connect((self.receiver, 'answers'), (self.answers, 'answers'))
        self.msg_connect((self.receiver, 'status'), (self.answers, 'status'))


    def get_model(self):
        return self.model

    def set_model(self, model):
        self.model = model

    def get_user_id(self):
        return self.user_id

    def set_user_id(self, user_id):
        self.user_id = user_id

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

    def get_samp_rate(self):
        return self.samp_rate

    def set_samp_rate(self, samp_rate):
        self.samp_rate = samp_rate
        self.radio.set_sample_rate(0, self.samp_rate)

    def get_gain_now_db(self):
        return self.gain_now_db

    def set_gain_now_db(self, gain_now_db):
        self.gain_now_db = gain_now_db
        self.radio.set_gain(0, 'TUNER', self.gain_now_db)



def argument_parser():
    description = 'Samples of a RTL-SDR to answers, with live displays'
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--model", dest="model", type=str, default='default',
        help="Set Model (name or folder) [default=%(default)r]")
    parser.add_argument(
        "--user-id", dest="user_id", type=intx, default=(-1),
        help="Set This receiver's number; -1 takes all frames [default=%(default)r]")
    parser.add_argument(
        "--freq-hz", dest="freq_hz", type=eng_float, default=eng_notation.num_to_str(float(433920000.0)),
        help="Set Carrier frequency, Hz: one that you may use [default=%(default)r]")
    parser.add_argument(
        "--gain-db", dest="gain_db", type=eng_float, default=eng_notation.num_to_str(float(20.0)),
        help="Set Gain, dB [default=%(default)r]")
    parser.add_argument(
        "--args", dest="args", type=str, default='',
        help="Set Device arguments, such as serial=... [default=%(default)r]")
    return parser


def main(top_block_cls=m4sc_soapy_rtlsdr_receiver, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(model=options.model, user_id=options.user_id, freq_hz=options.freq_hz, gain_db=options.gain_db, args=options.args)

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
