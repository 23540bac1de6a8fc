"""The exercises: what each expects, computed by the library from what the notebook gives.

Numbers are chapter and place: "02.3" is the third exercise of the notebook 02, "02.a" the first hole in its flow. The
complete chapters in `notebooks/` hold the solutions; `course` makes the copies with holes. `method` holds the chapters
00 to 05, `practice` 07 to 09, `evidence` 06 and 10.
"""

from maam_lib.exercises import evidence, method, practice
from maam_lib.exercises.checking import check
