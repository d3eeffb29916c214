//! What went wrong, in the classes that the contract and libnetwork share.

use std::fmt;

/// A result with the [`Error`] of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an [`Error`]. Front ends turn it into what their protocol has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An argument has a value that can't be used.
    InvalidArgument,
    /// There is no such network, endpoint, link, key or rule.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// Not allowed: by the driver's grant, by ownership, or by the state that something is in.
    Forbidden,
    /// This driver or this kernel can't do it.
    NotImplemented,
    /// It may work later: a limit was reached, or something that it needs is away.
    Unavailable,
    /// Anything else.
    Internal,
}

/// An error, from the host to a driver or from a driver to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The class.
    pub kind: ErrorKind,
    /// For a person: what was wrong, with which value, and what to do. The host clips it to 1,024 bytes.
    pub message: String,
    /// The kernel's errno, positive, where the kernel refused.
    pub kernel_errno: Option<u32>,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), kernel_errno: None }
    }

    /// [`ErrorKind::InvalidArgument`]: name the argument and its value.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// [`ErrorKind::AlreadyExists`].
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, message)
    }

    /// [`ErrorKind::Forbidden`].
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    /// [`ErrorKind::NotImplemented`].
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotImplemented, message)
    }

    /// [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts `what` and a colon before the error's message; kind and the kernel's errno stay.
    ///
    /// # Errors
    /// The error that was there.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            let error = error.into();
            Error { message: format!("{what}: {}", error.message), ..error }
        })
    }
}

/// Text that couldn't be read is the fault of whoever gave it.
macro_rules! invalid_argument_from {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::invalid_argument(error.to_string())
            }
        }
    )*};
}

invalid_argument_from!(
    std::net::AddrParseError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    ipnet::AddrParseError,
    ipnet::PrefixLenError,
    serde_json::Error,
);

impl From<fmt::Error> for Error {
    fn from(error: fmt::Error) -> Self {
        Self::internal(error.to_string())
    }
}
