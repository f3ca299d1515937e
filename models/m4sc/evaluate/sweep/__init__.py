"""Systems x tasks x channels x SNR, as rows that survive an interruption."""
