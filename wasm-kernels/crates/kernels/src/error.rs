//! The one error of this crate: a code for programs, a message for people.

use std::fmt;

/// What kind of fault it was. [`Code::as_str`] is the spelling that crosses to JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Rows are not a whole number of features wide, or too many.
    BadShape,
    /// No features or too many; a name that is empty, too long or repeated; too many categories.
    BadFeatures,
    /// An option out of its range.
    BadOption,
    /// The second pass over the rows of a reference saw others than the first.
    PassesDiffer,
    /// Bytes that no `Reference` wrote.
    ReferenceMalformed,
    /// Bytes that no `State` or `FleetBank` wrote.
    SnapshotMalformed,
    /// Bytes of another [`crate::KERNEL_ABI`].
    AbiMismatch,
    /// A snapshot that counts on another reference's bins.
    ReferenceMismatch,
}

impl Code {
    /// The code in kebab-case.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::BadShape => "bad-shape",
            Code::BadFeatures => "bad-features",
            Code::BadOption => "bad-option",
            Code::PassesDiffer => "passes-differ",
            Code::ReferenceMalformed => "reference-malformed",
            Code::SnapshotMalformed => "snapshot-malformed",
            Code::AbiMismatch => "abi-mismatch",
            Code::ReferenceMismatch => "reference-mismatch",
        }
    }
}

/// A refused input. Prints as `code: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelError {
    pub code: Code,
    pub message: String,
}

impl KernelError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for KernelError {}
