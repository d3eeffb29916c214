//! How the layer's errors are put together: what was tried, and what the kernel said.

use std::fmt::Display;
use std::io;

use crate::Error;

impl Error {
    /// An error of the layer itself.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), errno: None }
    }

    /// The kernel's no to `doing`.
    pub(super) fn kernel(doing: impl Display, refusal: &Refusal) -> Self {
        Self { message: format!("{doing}: {refusal}"), errno: Some(refusal.errno) }
    }

    /// A system call's no to `doing`.
    pub(super) fn system(doing: impl Display, errno: rustix::io::Errno) -> Self {
        Self::kernel(doing, &Refusal { errno: errno.raw_os_error(), text: None })
    }

    /// The standard library's no to `doing`.
    pub(super) fn io(doing: impl Display, error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::kernel(doing, &Refusal { errno, text: None }),
            None => Self::refused(format!("{doing}: {error}")),
        }
    }
}

/// The kernel's no to one netlink message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Positive.
    pub errno: i32,
    /// The extended acknowledgement's text (NLMSGERR_ATTR_MSG), where the kernel gave one.
    pub text: Option<String>,
}

impl Refusal {
    /// Whether it says one of these.
    pub fn is(&self, errnos: &[rustix::io::Errno]) -> bool {
        errnos.iter().any(|e| e.raw_os_error() == self.errno)
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = io::Error::from_raw_os_error(self.errno).to_string();
        // The standard library appends "(os error 17)", which the caller has as a field of its own.
        f.write_str(said.split(" (os error").next().unwrap_or(&said))?;
        match &self.text {
            Some(text) => write!(f, " ({text})"),
            None => Ok(()),
        }
    }
}
