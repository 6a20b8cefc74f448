"""Makes the kernel's libraries: plain Python -> numba -> LLVM -> one file a target. Not needed at run time."""
