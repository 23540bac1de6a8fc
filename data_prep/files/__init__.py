"""Files read with checks, archives unpacked, and what is written: never lost, never half there."""

from data_prep.files.archives import SPARE_BYTES, is_archive_or_folder, is_junk, unpacked
from data_prep.files.reading import UnreadableError, in_form, open_npy, read_checked, read_json, read_text
from data_prep.files.source_files import (
    Part,
    States,
    archive_or_tree,
    changed,
    clips_in,
    examine,
    file_sha256,
    files_of,
    load_states,
    save_states,
    source_sha256,
    what_is_in,
)
from data_prep.files.writing import (
    DiskFullError,
    alone,
    aside_of,
    clear_asides,
    folder_aside,
    in_turn,
    is_aside,
    remove,
    write_json,
    write_text,
    written_aside,
)
