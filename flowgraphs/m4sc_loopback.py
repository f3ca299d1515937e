#!/usr/bin/env python3
# Generated from m4sc_loopback.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC loopback
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: A picture through encoder, OFDM, channel with sliders, receiver and decoder, block by block
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




class m4sc_loopback(gr.top_block):

    def __init__(self, message='sample:cat.jpg', task='classify', instruction='', repeat=10, interval_s=0.5, model='default', snr_db=15.0, cfo_hz=500.0, seed=1):
        gr.top_block.__init__(self, "M4SC loopback", catch_exceptions=True)

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
        self.cfo_hz = cfo_hz
        self.seed = seed

        ##################################################
        # Variables
        ##################################################
        self.taps = taps = [1.0, 0.35j, 0.0, -0.2]
        self.snr_now_db = snr_now_db = snr_db
        self.samp_rate = samp_rate = 1000000
        self.cfo_now_hz = cfo_now_hz = cfo_hz

        ##################################################
        # Blocks
        ##################################################

        self.transmitter = m4sc.frame_transmitter(waveform=None, gap_samples=800, idle='wait', packet_len_key='packet_len', amplitude=1.0, end_on_done=False, clip_db=float('inf'), protection=1)
        self.source = m4sc.message_source(files=[message], task=task, instruction=instruction, repeat=repeat, interval_s=interval_s, source_id=0, user_id=0, public=False)
        self.receiver = m4sc.frame_receiver(waveform=None)
        self.mapper = m4sc.symbol_mapper(kind='analog', qam_order=256, queue_len=16, interleave=True, precode=False, waveform=None, levels=16, mcs=(-1), snr_db=15.0, margin_db=1.0, segment_symbols=8192, segment_bytes=1024)
        self.encoder = m4sc.message_encoder(model=model, system='semantic', snr_db=snr_db, codec=None, queue_len=16, on_error='skip', on_full='wait')
        self.decoder = m4sc.message_decoder(model=model, zero_latents=False, codec=None, timeout_s=10.0, user_id=(-1), source_id=(-1), min_confidence=0.0, queue_len=16, on_error='skip', on_full='wait', waveform=None)
        self.channel = m4sc.channel(snr_db=snr_now_db, waveform=None, taps=taps, cfo_hz=cfo_now_hz, sfo_ppm=0.0, doppler_hz=0.0, delays_samples=(0.0, 1.0, 3.0), powers_db=(0.0, -5.0, -10.0), seed=seed, fading='auto', rician_k_db=6.0, delay_spread_s=(1.5e-6), phase_noise_linewidth_hz=0.0, iq_gain_db=0.0, iq_phase_deg=0.0, amplifier_backoff_db=float('inf'), amplifier_smoothness=3.0, dropout_rate_hz=0.0, dropout_s=(1e-4), interference_rate_hz=0.0, interference_s=(1e-3), interference_db=0.0)
        self.answers = m4sc.answer_sink(folder='', n_decoders=1)


        ##################################################
        # Connections
        ##################################################
        self.connect((self.channel, 0), (self.receiver, 0))
        self.connect((self.transmitter, 0), (self.channel, 0))
        self.msg_connect((self.answers, 'done'), (self.source, 'stop'))
        self.msg_connect((self.answers, 'done'), (self.transmitter, 'stop'))
        self.msg_connect((self.decoder, 'answers'), (self.answers, 'answers'))
        self.msg_connect((self.decoder, 'status'), (self.answers, 'status'))
        self.msg_connect((self.encoder, 'payload'), (self.mapper, 'payload'))
        self.msg_connect((self.encoder, 'status'), (self.answers, 'status'))
        self.msg_connect((self.mapper, 'symbols'), (self.transmitter, 'symbols'))
        self.msg_connect((self.receiver, 'status'), (self.answers, 'status'))
        self.msg_connect((self.receiver, 'symbols'), (self.decoder, 'symbols'))
        self.msg_connect((self.source, 'messages'), (self.encoder, 'messages'))


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
        self.set_snr_now_db(self.snr_db)
        self.encoder.set_snr_db(self.snr_db)

    def get_cfo_hz(self):
        return self.cfo_hz

    def set_cfo_hz(self, cfo_hz):
        self.cfo_hz = cfo_hz
        self.set_cfo_now_hz(self.cfo_hz)

    def get_seed(self):
        return self.seed

    def set_seed(self, seed):
        self.seed = seed

    def get_taps(self):
        return self.taps

    def set_taps(self, taps):
        self.taps = taps

    def get_snr_now_db(self):
        return self.snr_now_db

    def set_snr_now_db(self, snr_now_db):
        self.snr_now_db = snr_now_db
        self.channel.set_snr_db(self.snr_now_db)

    def get_samp_rate(self):
        return self.samp_rate

    def set_samp_rate(self, samp_rate):
        self.samp_rate = samp_rate

    def get_cfo_now_hz(self):
        return self.cfo_now_hz

    def set_cfo_now_hz(self, cfo_now_hz):
        self.cfo_now_hz = cfo_now_hz
        self.channel.set_cfo_hz(self.cfo_now_hz)



def argument_parser():
    description = 'A picture through encoder, OFDM, channel with sliders, receiver and decoder, block by block'
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
        "--repeat", dest="repeat", type=intx, default=10,
        help="Set How often it is sent; 0 for ever [default=%(default)r]")
    parser.add_argument(
        "--interval-s", dest="interval_s", type=eng_float, default=eng_notation.num_to_str(float(0.5)),
        help="Set Pause between messages, s [default=%(default)r]")
    parser.add_argument(
        "--model", dest="model", type=str, default='default',
        help="Set Model (name or folder) [default=%(default)r]")
    parser.add_argument(
        "--snr-db", dest="snr_db", type=eng_float, default=eng_notation.num_to_str(float(15.0)),
        help="Set SNR, Es/N0 per data subcarrier, dB [default=%(default)r]")
    parser.add_argument(
        "--cfo-hz", dest="cfo_hz", type=eng_float, default=eng_notation.num_to_str(float(500.0)),
        help="Set Carrier offset, Hz [default=%(default)r]")
    parser.add_argument(
        "--seed", dest="seed", type=intx, default=1,
        help="Set Seed of the noise [default=%(default)r]")
    return parser


def main(top_block_cls=m4sc_loopback, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(message=options.message, task=options.task, instruction=options.instruction, repeat=options.repeat, interval_s=options.interval_s, model=options.model, snr_db=options.snr_db, cfo_hz=options.cfo_hz, seed=options.seed)

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
