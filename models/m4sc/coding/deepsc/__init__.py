"""DeepSC, a rival: texts to analogue symbols by transformers alone, trained end to end."""
