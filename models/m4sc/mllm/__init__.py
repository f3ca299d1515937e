"""The multi-modal language model: what it is fed, how it searches, the networks around it."""
