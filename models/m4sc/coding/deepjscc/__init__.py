"""DeepJSCC, a rival: pictures to analogue symbols by convolutions alone, trained end to end."""
