"""What a radio and the air do to samples: `config.ChannelConfig`, `simulator.apply_channel`."""
