"""Other systems' ways of sending a message, as source codecs and codecs of the same transport."""
