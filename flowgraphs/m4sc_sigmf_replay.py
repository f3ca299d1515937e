#!/usr/bin/env python3
# Generated from m4sc_sigmf_replay.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC: replay a SigMF recording
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: A recording to answers; ends when all is answered
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




class m4sc_sigmf_replay(gr.top_block):

    def __init__(self, model='default', user_id=(-1), recording='m4sc_recording.sigmf-meta'):
        gr.top_block.__init__(self, "M4SC: replay a SigMF recording", catch_exceptions=True)

        ##################################################
        # Parameters
        ##################################################
        self.model = model
        self.user_id = user_id
        self.recording = recording

        ##################################################
        # Variables
        ##################################################
        self.samp_rate = samp_rate = 1000000

        ##################################################
        # Blocks
        ##################################################

        self.receiver = m4sc.receiver(model=model, user_id=user_id, source_id=(-1), zero_latents=False, timeout_s=10.0, waveform=None, min_confidence=0.0)
        self.player = m4sc.sigmf_source(filename=recording, samp_rate=samp_rate, repeat=1, wait_for_stop=True)
        self.answers = m4sc.answer_sink(folder='', n_decoders=1)


        ##################################################
        # Connections
        ##################################################
        self.connect((self.player, 0), (self.receiver, 0))
        self.msg_connect((self.answers, 'done'), (self.player, 'stop'))
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

    def get_recording(self):
        return self.recording

    def set_recording(self, recording):
        self.recording = recording

    def get_samp_rate(self):
        return self.samp_rate

    def set_samp_rate(self, samp_rate):
        self.samp_rate = samp_rate



def argument_parser():
    description = 'A recording to answers; ends when all is answered'
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--model", dest="model", type=str, default='default',
        help="Set Model (name or folder) [default=%(default)r]")
    parser.add_argument(
        "--user-id", dest="user_id", type=intx, default=(-1),
        help="Set This receiver's number; -1 takes all frames [default=%(default)r]")
    parser.add_argument(
        "--recording", dest="recording", type=str, default='m4sc_recording.sigmf-meta',
        help="Set Recording to read [default=%(default)r]")
    return parser


def main(top_block_cls=m4sc_sigmf_replay, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(model=options.model, user_id=options.user_id, recording=options.recording)

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
