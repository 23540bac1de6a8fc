"""Any video scored: footage, scores, events, page. `scorer` and `export` need torch: import them by name."""

from maam_lib.video.annotation import AnnotatedVideo, Annotator, picture_size
from maam_lib.video.browser_video import for_browsers
from maam_lib.video.detection import detect, footage_notes
from maam_lib.video.footage import open_footage, open_normal
from maam_lib.video.online import BATCH, in_channels, measured_on
from maam_lib.video.onnx_file import open_onnx
from maam_lib.video.playback import Playback
from maam_lib.video.progress import Progress, progress_line
from maam_lib.video.result_folder import check_free
from maam_lib.video.trouble import Footage, Frame
from maam_lib.video.trust import untrusted
