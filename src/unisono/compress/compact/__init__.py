"""Compact blocks: convolutions become blocks of SqueezeNet or MobileNet, which learn from what they replace."""
