"""Nodes that are cut out: heads and neurons of transformers, channels of other networks, whole layers."""
