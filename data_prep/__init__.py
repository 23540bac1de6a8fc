"""From a dataset as downloaded to a prepared one. Importing it, or maam_lib, sets how the threads of torch wait."""

import os

__version__ = "0.2.0"

# libgomp, which comes with torch on Linux, reads this when torch is loaded: how often a thread looks whether the others
# are done before it sleeps. By default it looks so often that training crawls beside any other program.
SPIN_COUNT = "10000"
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
