#!/usr/bin/env python3
# Generated from m4sc_multi_user.grc by `python -m recipes`; change that one instead.
# -*- coding: utf-8 -*-

#
# SPDX-License-Identifier: GPL-3.0
#
# GNU Radio Python Flow Graph
# Title: M4SC: two users on one channel
# Author: gr-m4sc
# Copyright: GPL-3.0-or-later
# Description: Two transmitters take turns on one channel; each receiver keeps what is public or addressed to it
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




class m4sc_multi_user(gr.top_block):

    def __init__(self, message_1='sample:cat.jpg', message_2='sample:digits.wav', task_1='classify', task_2='digits', repeat=3, interval_s=0.5, model='default', snr_db=15.0, cfo_hz=500.0, seed=1):
        gr.top_block.__init__(self, "M4SC: two users on one channel", catch_exceptions=True)

        ##################################################
        # Parameters
        ##################################################
        self.message_1 = message_1
        self.message_2 = message_2
        self.task_1 = task_1
        self.task_2 = task_2
        self.repeat = repeat
        self.interval_s = interval_s
        self.model = model
        self.snr_db = snr_db
        self.cfo_hz = cfo_hz
        self.seed = seed

        ##################################################
        # Variables
        ##################################################
        self.taps = taps = None
        self.snr_now_db = snr_now_db = snr_db
        self.samp_rate = samp_rate = 1000000
        self.cfo_now_hz = cfo_now_hz = cfo_hz

        ##################################################
        # Blocks
        ##################################################

        self.transmitter_2 = m4sc.transmitter(model=model, system='semantic', snr_db=snr_db, payload_kind='analog', qam_order=256, mcs=(-1), waveform=None, gap_samples=800, idle='wait', packet_len_key='packet_len', amplitude=1.0, end_on_done=False, interleave=True, precode=False, clip_db=float('inf'), levels=16)
        self.transmitter_1 = m4sc.transmitter(model=model, system='semantic', snr_db=snr_db, payload_kind='analog', qam_order=256, mcs=(-1), waveform=None, gap_samples=800, idle='wait', packet_len_key='packet_len', amplitude=1.0, end_on_done=False, interleave=True, precode=False, clip_db=float('inf'), levels=16)
        self.source_2 = m4sc.message_source(files=[message_2], task=task_2, instruction='', repeat=repeat, interval_s=interval_s, source_id=2, user_id=2, public=False)
        self.source_1 = m4sc.message_source(files=[message_1], task=task_1, instruction='', repeat=repeat, interval_s=interval_s, source_id=1, user_id=1, public=False)
        self.receiver_2 = m4sc.receiver(model=model, user_id=2, source_id=(-1), zero_latents=False, timeout_s=10.0, waveform=None, min_confidence=0.0)
        self.receiver_1 = m4sc.receiver(model=model, user_id=1, source_id=(-1), zero_latents=False, timeout_s=10.0, waveform=None, min_confidence=0.0)
        self.division = m4sc.time_division(n_users=2, guard_samples=800, packet_len_key='packet_len')
        self.channel = m4sc.channel(snr_db=snr_now_db, waveform=None, taps=taps, cfo_hz=cfo_now_hz, sfo_ppm=0.0, doppler_hz=0.0, delays_samples=(0.0, 1.0, 3.0), powers_db=(0.0, -5.0, -10.0), seed=seed, fading='auto', rician_k_db=6.0, delay_spread_s=(1.5e-6), phase_noise_linewidth_hz=0.0, iq_gain_db=0.0, iq_phase_deg=0.0, amplifier_backoff_db=float('inf'), amplifier_smoothness=3.0, dropout_rate_hz=0.0, dropout_s=(1e-4), interference_rate_hz=0.0, interference_s=(1e-3), interference_db=0.0)
        self.answers = m4sc.answer_sink(folder='', n_decoders=2)


        ##################################################
        # Connections
        ##################################################
        self.connect((self.channel, 0), (self.receiver_1, 0))
        self.connect((self.channel, 0), (self.receiver_2, 0))
        self.connect((self.division, 0), (self.channel, 0))
        self.connect((self.transmitter_1, 0), (self.division, 0))
        self.connect((self.transmitter_2, 0), (self.division, 1))
        self.msg_connect((self.answers, 'done'), (self.division, 'stop'))
        self.msg_connect((self.answers, 'done'), (self.source_1, 'stop'))
        self.msg_connect((self.answers, 'done'), (self.source_2, 'stop'))
        self.msg_connect((self.answers, 'done'), (self.transmitter_1, 'stop'))
        self.msg_connect((self.answers, 'done'), (self.transmitter_2, 'stop'))
        self.msg_connect((self.receiver_1, 'answers'), (self.answers, 'answers'))
        self.msg_connect((self.receiver_1, 'status'), (self.answers, 'status'))
        self.msg_connect((self.receiver_2, 'answers'), (self.answers, 'answers'))
        self.msg_connect((self.receiver_2, 'status'), (self.answers, 'status'))
        self.msg_connect((self.source_1, 'messages'), (self.transmitter_1, 'messages'))
        self.msg_connect((self.source_2, 'messages'), (self.transmitter_2, 'messages'))
        self.msg_connect((self.transmitter_1, 'status'), (self.answers, 'status'))
        self.msg_connect((self.transmitter_2, 'status'), (self.answers, 'status'))


    def get_message_1(self):
        return self.message_1

    def set_message_1(self, message_1):
        self.message_1 = message_1

    def get_message_2(self):
        return self.message_2

    def set_message_2(self, message_2):
        self.message_2 = message_2

    def get_task_1(self):
        return self.task_1

    def set_task_1(self, task_1):
        self.task_1 = task_1

    def get_task_2(self):
        return self.task_2

    def set_task_2(self, task_2):
        self.task_2 = task_2

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
        self.transmitter_1.set_snr_db(self.snr_db)
        self.transmitter_2.set_snr_db(self.snr_db)

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
    description = 'Two transmitters take turns on one channel; each receiver keeps what is public or addressed to it'
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--message-1", dest="message_1", type=str, default='sample:cat.jpg',
        help="Set Message to user 1 [default=%(default)r]")
    parser.add_argument(
        "--message-2", dest="message_2", type=str, default='sample:digits.wav',
        help="Set Message to user 2 [default=%(default)r]")
    parser.add_argument(
        "--task-1", dest="task_1", type=str, default='classify',
        help="Set Task of user 1 [default=%(default)r]")
    parser.add_argument(
        "--task-2", dest="task_2", type=str, default='digits',
        help="Set Task of user 2 [default=%(default)r]")
    parser.add_argument(
        "--repeat", dest="repeat", type=intx, default=3,
        help="Set How often they are sent; 0 for ever [default=%(default)r]")
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


def main(top_block_cls=m4sc_multi_user, options=None):
    if options is None:
        options = argument_parser().parse_args()
    tb = top_block_cls(message_1=options.message_1, message_2=options.message_2, task_1=options.task_1, task_2=options.task_2, repeat=options.repeat, interval_s=options.interval_s, model=options.model, snr_db=options.snr_db, cfo_hz=options.cfo_hz, seed=options.seed)

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
