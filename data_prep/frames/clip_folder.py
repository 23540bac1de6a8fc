"""Folders that hold clips: videos, and folders of pictures."""

import re
from pathlib import Path

from data_prep.frames.pictures import PICTURE_SUFFIXES, visible_entries

# Suffixes of what lies beside videos.
NO_VIDEO = re.compile(
    r"\.(txt|nfo|md|rst|log|csv|tsv|json|xml|ya?ml|ini|cfg|html?|pdf|docx?|xlsx?|db|dat|py|sh|m|mat|np[yz]|srt|sub|ass|vtt"
    r"|idx|wav|mp3|aac|flac|zip|gz|tar|7z|rar|md5|sha1|sha256|part)"
)


def lies_beside_videos(path: Path) -> bool:
    """Whether a file is by its name something else than a video or picture: notes, subtitles, labels."""
    return NO_VIDEO.fullmatch(path.suffix.lower()) is not None


def clips_in(folder: Path) -> list[Path]:
    """What may be a clip in a folder, by name: videos and folders; none where the folder itself holds pictures."""
    entries = visible_entries(folder)
    if any(path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES for path in entries):
        return []
    return [path for path in entries if path.is_dir() or not lies_beside_videos(path)]
