"""The shared semantic space: every modality as a unit vector beside the sentences that say the same."""
