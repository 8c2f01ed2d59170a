"""What can go wrong, one small class each; every one is also the builtin a caller would expect."""


class AutotagError(Exception):
    """Base of all errors raised on purpose: the message names the file, the value and the remedy."""


class ConfigError(AutotagError, ValueError):
    """A field of a configuration has a value outside the study's grid."""


class AudioError(AutotagError, ValueError):
    """Base of the errors about one audio file; in results the name of the class says which one it is."""


class AudioNotFound(AudioError, FileNotFoundError):
    """There is no such file, or a folder holds no audio."""


class UnreadableAudio(AudioError, OSError):
    """The file is there but the operating system will not let us read it, or it is none."""


class EmptyAudio(AudioError):
    """The file has no bytes, or less sound than one frame."""


class NotAudio(AudioError):
    """The bytes are not audio in a format that can be read here."""


class BadSamples(AudioError):
    """Samples are NaN, infinite, or so far beyond full scale that they are no sound."""


class SilentAudio(AudioError):
    """No sample is louder than the last bit of a 16-bit file: there is nothing to tag."""


class TagsUnreadable(AudioError):
    """The file has no place for tags that autotag knows, or what stands there is damaged."""


class TagsUnwritable(AudioError, OSError):
    """The operating system will not let us write the file, or the disk is full."""


class NoHome(AutotagError, OSError):
    """A user has no folder of their own, where autotag would keep a file that nobody named."""


class NoRoom(AutotagError, OSError):
    """The folder for temporary files has no room for a sound."""


class Crashed(AudioError):
    """The process that was at the file ended, or an error was raised that nobody foresaw."""


class WorkerError(AutotagError, RuntimeError):
    """Processes that tag cannot be started."""


class SinkError(AutotagError, ValueError):
    """A file that results are to go to cannot take them: its ending, its content, or another process."""


class ExtraMissing(AutotagError, ImportError):
    """A library is not installed that only a part of autotag needs."""


class ModelError(AutotagError, ValueError):
    """A file is not a model of autotag, or not one that this version can run."""


class ModelNotFound(AutotagError, LookupError):
    """No model of that name, or at that resolution, is installed."""


class VocabularyNotFound(AutotagError, LookupError):
    """A model has no output of that vocabulary."""


class DeviceNotFound(AutotagError, LookupError):
    """The onnxruntime that is installed cannot run a network on such a device."""


class BudgetError(AutotagError, ValueError):
    """No installed model is as fast, as small and as good as was asked for."""


class LibraryError(AutotagError, ValueError):
    """A file is not a library of autotag or of the model asked for, or what is asked of it cannot be done."""


class LibraryNotFound(LibraryError, FileNotFoundError):
    """There is no library in that place yet."""


class PortInUse(AutotagError, OSError):
    """A port of this machine is another program's, or not for this user."""


class TagNotFound(AutotagError, LookupError):
    """A model has no tag of that name."""
