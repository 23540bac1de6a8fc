"""What this machine computes with: the device to run on, its compiler, and how memory is kept (ours)."""

import ctypes
import platform

import torch


def best_accelerator() -> str:
    """The device to run on: "cuda" where there is one, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compiler_trouble(device: torch.device) -> str:
    """Why torch.compile does not work here, in one line; "" where it does. Tried on two numbers, some seconds.

    On a CPU it needs a C++ compiler, on a GPU Triton.
    """
    try:
        torch.compile(torch.exp)(torch.ones(2, device=device))
    except RuntimeError as error:  # what PyTorch's compilers raise
        return next(line for line in str(error).splitlines() if line.strip())
    return ""


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory instead of handing it back: activations come and go with every step.

    Elsewhere than on Linux with glibc it does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: allocate up to 1 GB from the heap
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: never shrink the heap
