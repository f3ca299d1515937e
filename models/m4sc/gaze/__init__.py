"""Where an instruction points on a picture: the transmitter's second look, at that part alone."""
