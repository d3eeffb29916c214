//! How a check ends before its end: with what is wrong, or because it does not apply.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use words::{Error, Kind};

/// What a check's steps answer.
pub type Checked<T> = std::result::Result<T, Stop>;

/// Why a check stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The driver did something else than the interface says.
    Failed(Box<Failure>),
    /// It does not apply to this driver.
    Skipped(String),
    /// The suite itself could not go on.
    Broken(Error),
}

/// What is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The call, e.g. `join of endpoint a, network a`.
    pub call: String,
    /// What the interface says.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// Kernel and store: what is more (`+`) and what is missing (`-`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<String>,
}

impl Stop {
    /// A failure without a difference.
    pub fn failed(call: impl Display, expected: impl Display, got: impl Display) -> Self {
        Self::different(call, expected, got, Vec::new())
    }

    /// A failure with what is different in kernel and store.
    pub fn different(call: impl Display, expected: impl Display, got: impl Display, difference: Vec<String>) -> Self {
        let [call, expected, got] = [call.to_string(), expected.to_string(), got.to_string()];
        Self::Failed(Box::new(Failure { call, expected, got, difference }))
    }

    /// The check does not apply.
    pub fn skipped(why: impl Display) -> Self {
        Self::Skipped(why.to_string())
    }

    /// The same, after something that led to it.
    pub fn after(self, what: impl Display) -> Self {
        match self {
            Self::Failed(failure) => {
                let call = format!("{} ({what})", failure.call);
                Self::Failed(Box::new(Failure { call, ..*failure }))
            }
            other => other,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<kernel::Error> for Stop {
    fn from(error: kernel::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}; got {}", self.call, self.expected, self.got)?;
        self.difference.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// An error as the interface's own words have it: its kind first.
pub fn worded(error: &Error) -> String {
    format!("{}: {}", kind(error.kind), error.message)
}

/// A kind by its name in the WIT.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidArgument => "invalid-argument",
        Kind::NotFound => "not-found",
        Kind::AlreadyExists => "already-exists",
        Kind::Forbidden => "forbidden",
        Kind::NotImplemented => "not-implemented",
        Kind::Unavailable => "unavailable",
        Kind::Internal => "internal",
    }
}

/// Some kinds, for what is expected.
pub fn kinds(kinds: &[Kind]) -> String {
    kinds.iter().map(|k| kind(*k)).collect::<Vec<_>>().join(" or ")
}
