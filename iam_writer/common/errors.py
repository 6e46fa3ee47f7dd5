"""What can be wrong with the input of a user. Each message says what happened, to which file, and what to do.

The programs print these without a traceback and exit with status 1.
"""


class InputError(Exception):
    """The base of all errors that the user can correct."""


class MissingDataError(InputError):
    """The files of a dataset, or of something else that is needed, were not found."""


class ArchiveError(InputError):
    """An archive is truncated, too large, or would write outside its target folder."""


class IndexFileError(InputError):
    """An index file contradicts itself or the images: an unknown form, an id that comes twice."""


class UnclearPagesError(InputError):
    """The names of line images do not tell which of them are of one page."""


class BadImageError(InputError):
    """An image cannot be read. When a dataset is built, it is left out and counted; see TooManyBadImagesError."""


class TooManyBadImagesError(InputError):
    """More images than --max_bad_images allows cannot be read."""


class TooFewWritersError(InputError):
    """A dataset has fewer than two writers, so there is nothing to learn."""


class EmptySplitError(InputError):
    """A split would hold no image."""


class OtherRunError(InputError):
    """A checkpoint belongs to another run, with other settings or other files."""


class CheckpointError(InputError):
    """A checkpoint is missing, was not written by this package, or is not calibrated."""


class GalleryError(InputError):
    """A gallery is missing, damaged, or was made with another checkpoint."""


class ExportError(InputError):
    """An export cannot be made, or its probabilities differ from those of the checkpoint."""


class NoWritingError(InputError):
    """There is no handwriting where some is needed."""


class DivergedError(InputError):
    """The loss is no longer a number."""


class ServiceError(InputError):
    """No tf.data service answers at --data_service."""


class FlagError(InputError):
    """A flag contradicts another flag, or does not fit this machine."""
