"""The exercises: what each expects, computed by the library from what the notebook gives.

Numbers are chapter and place: "02.3" is the third exercise of the notebook 02, "02.a" the first hole in its flow. The
complete chapters in `notebooks/` hold the solutions; `course` makes the copies with holes. `method` holds the chapters
00 to 03, `memory_and_scores` 04 and 05, `evidence` 06 and 10, `playground_and_camera` 07 and 08, `practice` 09.
"""

from maam_lib.exercises import evidence, memory_and_scores, method, playground_and_camera, practice
from maam_lib.exercises.checking import check
