"""Notebooks through papermill, and the pages of the report."""

from maam_lib.report.build import MARK, build_report
from maam_lib.report.collection import collect
from maam_lib.report.figures import epoch_picture, motion_picture
from maam_lib.report.kernels import foreign_program
from maam_lib.report.network_pictures import FRAMES, Picture, of_network
from maam_lib.report.notebooks import NOTEBOOK_FOLDER, SEQUENCE, reproduce
from maam_lib.report.slides import write_slides
