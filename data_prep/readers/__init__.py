"""One reader per official layout, and for videos of your own."""

from data_prep.readers.avenue import find_avenue, read_avenue
from data_prep.readers.own_labels import COLUMNS, LABEL_FILE, MASK_FOLDER
from data_prep.readers.shanghaitech import find_shanghaitech, read_shanghaitech
from data_prep.readers.ucsd import RELEASE, find_source, read_ucsd
from data_prep.readers.videos import read_videos
