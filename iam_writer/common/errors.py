"""What can be wrong with a person's input. Each error says what was found and what to do about it.

The programs print these without a traceback and exit with status 1.
"""


class InputError(Exception):
    """Base of all errors that the owner of the input can mend."""


class MissingDataError(InputError):
    """The files of a dataset are not where they were looked for."""


class ArchiveError(InputError):
    """An archive is truncated, too large, or would write outside its target folder."""


class IndexFileError(InputError):
    """An index file contradicts itself or the images: an unknown form, an id that comes twice."""


class UnclearPagesError(InputError):
    """The names of line images do not tell which of them are of one page."""


class BadImageError(InputError):
    """One image cannot be read. It is skipped and counted, see TooManyBadImagesError."""


class TooManyBadImagesError(InputError):
    """More images than --max_bad_images allows cannot be read."""


class TooFewWritersError(InputError):
    """A dataset has fewer than two writers: there is nothing to tell apart."""


class EmptySplitError(InputError):
    """A split would hold no image."""


class OtherRunError(InputError):
    """A checkpoint is another run's: its settings or the files that it was trained on differ."""


class CheckpointError(InputError):
    """A checkpoint is missing, is none of ours, or is not calibrated."""


class GalleryError(InputError):
    """A gallery is missing, damaged, or was made with another checkpoint."""


class ExportError(InputError):
    """A format cannot be exported to, or what was made does not do as the checkpoint does."""


class NoWritingError(InputError):
    """There is no handwriting where some is needed."""


class DivergedError(InputError):
    """The loss is no longer a number."""


class ServiceError(InputError):
    """No tf.data service answers at --data_service."""


class FlagError(InputError):
    """A flag does not fit another one, or what this machine has."""
