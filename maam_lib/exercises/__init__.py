"""The exercises: what each expects, computed by the library from what the notebook gives.

Numbers are chapter and place: "02.3" is the third exercise of the notebook 02. The stubs are in `notebooks/`, worked
solutions in `notebooks/solutions/`. `method` holds the chapters 00 to 05, `practice` 06 to 09.
"""

from maam_lib.exercises import method, practice
from maam_lib.exercises.checking import check
