"""Forward error correction: CRC and the 5G NR LDPC code."""
