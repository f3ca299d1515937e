#!/usr/bin/env python3
# Generated from m4sc_zmq_receiver.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC: ZeroMQ receiver
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: Samples of another process to answers; ends when the transmitter has ended and all is answered
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
from gnuradio import zeromq


def snipfcn_ending(self):
    self.msg_connect((self.answers, 'end'), (self.radio, 'system'))


def snippets_main_after_init(tb):
    snipfcn_ending(tb)


class m4sc_zmq_receiver(gr.top_block):

    def __init__(self, model='default', user_id=(-1), address='tcp://127.0.0.1:5571'):
        gr.top_block.__init__(self, "M4SC: ZeroMQ receiver", catch_exceptions=True)

        ##################################################
        # Parameters
        ##################################################
        self.model = model
        self.user_id = user_id
        self.address = address

        ##################################################
        # Variables
        ##################################################
        self.samp_rate = samp_rate = 1000000

        ##################################################
        # Blocks
        ##################################################

        self.receiver = m4sc.receiver(model=model, user_id=user_id, source_id=(-1), zero_latents=False, timeout_s=10.0, waveform=None, min_confidence=0.0)
        self.radio = zeromq.pull_source(gr.sizeof_gr_complex, 1, address, 100, True, (-1))
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

    def get_address(self):
        return self.address

    def set_address(self, address):
        self.address = address

    def get_samp_rate(self):
        return self.samp_rate

    def set_samp_rate(self, samp_rate):
        self.samp_rate = samp_rate



def argument_parser():
    description = 'Samples of another process to answers; ends when the transmitter has ended and all is answered'
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--model", dest="model", type=str, default='default',
        help="Set Model (name or folder) [default=%(default)r]")
    parser.add_argument(
        "--user-id", dest="user_id", type=intx, default=(-1),
        help="Set This receiver's number; -1 takes all frames [default=%(default)r]")
    parser.add_argument(
        "--address", dest="address", type=str, default='tcp://127.0.0.1:5571',
        help="Set Where the samples come from [default=%(default)r]")
    return parser


def main(top_block_cls=m4sc_zmq_receiver, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(model=options.model, user_id=options.user_id, address=options.address)
    snippets_main_after_init(tb)
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
