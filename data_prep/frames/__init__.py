"""Frames and masks as the sources store them: pictures and videos."""

from data_prep.frames.clip_folder import clips_in, lies_beside_videos
from data_prep.frames.deep_pictures import Scale, scale_of
from data_prep.frames.masks import abnormal_pixels, array_masks, interval_labels, mask_array, mask_labels, mask_pictures
from data_prep.frames.picture_order import AGAIN, numbered_files
from data_prep.frames.pictures import (
    PICTURE_SUFFIXES,
    Pictures,
    colour_pictures,
    decoded,
    gray_pictures,
    listed,
    picture_folder,
    quiet_opencv,
    visible_entries,
    whole_folder,
)
from data_prep.frames.sizes import (
    Size,
    by,
    check_size,
    of_one_size,
    resize_flow,
    resize_frame,
    resize_nearest,
    with_size,
)
from data_prep.frames.video_files import Video, count_frames, open_file, open_stream, survey_video, video_frames
from data_prep.frames.video_pictures import Break, Shown
