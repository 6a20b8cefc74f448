"""Makes the kernel's libraries: plain Python -> numba -> LLVM -> one file a target. Nothing here is needed at run time."""
