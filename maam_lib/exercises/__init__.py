"""The exercises: what each expects, computed by the library from what the notebook gives.

Numbers are chapter and place: "02.3" is the third exercise of the notebook 02, "02.a" the first hole in its flow. The
complete chapters in `notebooks/` hold the solutions; `course` makes the copies with holes. `method` holds the chapters
00 to 05, `practice` those from 06 on.
"""

from maam_lib.exercises import method, practice
from maam_lib.exercises.checking import check
