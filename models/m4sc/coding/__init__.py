"""Between features and channel symbols, in torch: KAN layers, channel codec, differentiable link."""
