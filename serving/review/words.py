"""The reasons of rows in words, for people who did not write the software."""

REASONS = {
    # done
    "copied": "has colours already: the file was copied unchanged",
    "toned_kept": "is toned (sepia, cyanotype): the file was copied unchanged",
    # skipped
    "color_input": "has colours already",
    "toned": "is toned (sepia, cyanotype)",
    "blank": "shows nothing: a blank page",
    "text": "is a page of text",
    "negative": "looks like a negative",
    "uncolored": "the model found next to no colour",
    "rejected": "a reviewer rejected the copy",
    "excluded": "is on the list of restricted items",
    # failed, or skipped where the name claims no picture
    "not_an_image": "is no picture, or of a format that is not read",
    # failed
    "unsafe_name": "its name would lead out of the output folder",
    "unwritable_name": "a copy cannot be written under its name",
    "duplicate_name": "the archive holds two files of this name",
    "duplicate_key": "two inputs have the same key",
    "not_a_file": "is a link or a device, not a file",
    "broken_archive": "its archive is broken",
    "not_found": "was listed, but does not exist",
    "unreadable": "could not be read from its disk or bucket",
    "undecodable": "the picture is broken",
    "unsupported_depth": "has a number of bits a channel that is not read",
    "unsupported_range": "has pixel values outside the range that is read",
    "unsupported_colour": "has a colour space that is not read",
    "unsupported_compression": "has a compression that is not read",
    "no_such_page": "the file has no such page",
    "decoder_crashed": "the decoder crashed on it",
    "decode_timeout": "decoding took too long",
    "out_of_memory": "took more memory than there is",
    "too_large": "has more pixels or bytes than the limit",
    "too_small": "has too few pixels",
    "inference": "the model failed on it",
    "unencodable": "the copy could not be encoded",
    "bad_data": "the data is bad",
}
