//! What went wrong, in libnetwork's error classes.

use serde::{Deserialize, Serialize};

/// A result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The class of an error. Front ends turn it into a status, the command line into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A value that can't be used.
    InvalidArgument,
    /// There is no such thing.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// Not allowed.
    Forbidden,
    /// This driver or kernel can't do it.
    NotImplemented,
    /// It may work later.
    Unavailable,
    /// Anything else.
    Internal,
}

/// An error for a person: what was wrong, with which value, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Its class.
    pub kind: Kind,
    /// The text.
    pub message: String,
    /// The kernel's errno (positive) where the kernel refused; EADDRNOTAVAIL where no address or subnet is left.
    #[serde(default)]
    pub errno: Option<i32>,
}

/// An error of one crate that becomes an [`Error`] on its way up.
pub trait Specific: Into<Error> {}

impl Specific for Error {}

impl Error {
    /// An error without an errno.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), errno: None }
    }

    /// A value that can't be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// It is there already.
    pub fn exists(message: impl Into<String>) -> Self {
        Self::new(Kind::AlreadyExists, message)
    }

    /// Not allowed.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, message)
    }

    /// A fault of the host's own, or of its surroundings.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// The same error with what was being done before it.
    #[must_use]
    pub fn context(mut self, doing: impl std::fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}
