"""The fast way to compute what model and PSCD say: convolutions, dropout, patch sums, several devices."""

from maam_lib.fast.convolution import SameConv2d, SameConvTranspose2d, Size, speed_up_same_padding, turned
from maam_lib.fast.devices import largest_divisor, leave_at_exit, mean_over_devices, share_statistics
from maam_lib.fast.dropout import DropoutReLU
from maam_lib.fast.hardware import best_accelerator, compiler_trouble, keep_freed_memory
from maam_lib.fast.patches import sum_patches
