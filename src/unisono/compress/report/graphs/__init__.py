"""What a graph holds and does: parameters, zeros, multiplications, bytes."""
