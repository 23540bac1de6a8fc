"""What makes the network fast, and nobody needs in order to understand it: convolutions, dropout, devices."""

from maam_lib.fast.convolution import SameConv2d, SameConvTranspose2d, Size, turn_once, turned
from maam_lib.fast.devices import largest_divisor, mean_over_devices, share_statistics
from maam_lib.fast.dropout import DropoutReLU
from maam_lib.fast.hardware import best_accelerator, compiler_trouble, keep_freed_memory
from maam_lib.fast.patches import over_channels, sum_patches
