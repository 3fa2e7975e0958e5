"""Everything that onnxviz raises on purpose, each with the exit code of the command line.

OnnxvizError
├── UsageError          2  an option or argument that does not fit
│   └── SelectionError  2  a selection that cannot be read; points at the mistake
├── ModelError          3  the model is missing, broken or cannot be used
│   ├── NotAModelError  3  the file is not an ONNX model; says what it is
│   ├── UnsupportedError 3 a valid model that needs what onnxviz or the runtime does not do
│   │   └── MissingOperatorError 3 an operator that the runtime lacks, wholly or for the types of a node
│   └── NoMatchError    3  a selection that matches nothing
├── InputError          4  a picture, array, matrix or sound that cannot be fed
├── RunError            5  the runtime is missing or failed
│   ├── ExecutionError  5  the runtime failed on this input; another may run
│   ├── DeviceError     5  the device that was asked for does not work
│   └── ConversionError 5  the converter is missing or failed
├── OutputError         6  a file or folder exists already or cannot be written
└── VerificationError   7  results differ by more than the tolerance, or are not as well as was asked for
"""

from __future__ import annotations


class OnnxvizError(Exception):
    """Root of all errors that onnxviz raises on purpose; its text is one or two lines."""

    exit_code = 1


class UsageError(OnnxvizError):
    """An option or argument that does not fit the command, the model or another option."""

    exit_code = 2


class SelectionError(UsageError):
    """A selection that cannot be read; the text quotes it and points at the mistake."""


class ModelError(OnnxvizError):
    """The model is missing, broken or cannot be used."""

    exit_code = 3


class NotAModelError(ModelError):
    """The file is not an ONNX model; the text says what it is."""


class UnsupportedError(ModelError):
    """A valid model that needs what onnxviz or the runtime does not do."""


class MissingOperatorError(UnsupportedError):
    """An operator that the runtime lacks, wholly or for the types of a node; models without it may run.

    `op` names it, with its domain where that is not ONNX's, and `node` the node that calls it, where that is known.
    `kinds` are the types for which the runtime has it.
    """

    def __init__(self, text: str, op: str = "", node: str = "", kinds: tuple[str, ...] = ()) -> None:
        """Take the text and what it speaks of."""
        super().__init__(text)
        self.op = op
        self.node = node
        self.kinds = kinds


class NoMatchError(ModelError):
    """A selection that matches nothing in the model."""


class InputError(OnnxvizError):
    """A picture, array, matrix or sound that cannot be fed."""

    exit_code = 4


class RunError(OnnxvizError):
    """The runtime is missing or failed."""

    exit_code = 5


class ExecutionError(RunError):
    """The runtime opened the model and failed on this input; another may run."""


class DeviceError(RunError):
    """The device that was asked for does not work."""


class ConversionError(RunError):
    """The converter, TensorFlow or tf2onnx in another process, is missing or failed."""


class OutputError(OnnxvizError):
    """A file or folder exists already or cannot be written."""

    exit_code = 6


class VerificationError(OnnxvizError):
    """Results differ by more than the tolerance, or more of a layer is NaN, dead or saturated than may be."""

    exit_code = 7
