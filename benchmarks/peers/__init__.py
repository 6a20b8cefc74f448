"""What unisono is measured against. Nobody is handicapped: each peer brings the fastest formulations we found."""
