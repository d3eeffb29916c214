//! How a command ends: exit codes, and what leads to them.

use words::{Error, Kind};

/// It is done.
pub const OK: u8 = 0;
/// A fault of Pontoon's own, or of its surroundings.
pub const INTERNAL: u8 = 1;
/// The command line can't be understood.
pub const USAGE: u8 = 2;
/// The daemon can't be reached.
pub const UNREACHABLE: u8 = 3;
/// There is no such thing.
pub const NOT_FOUND: u8 = 4;
/// It is there already.
pub const ALREADY_EXISTS: u8 = 5;
/// Not allowed.
pub const FORBIDDEN: u8 = 6;
/// A value that can't be used.
pub const INVALID_ARGUMENT: u8 = 7;
/// This driver or kernel can't do it.
pub const NOT_IMPLEMENTED: u8 = 8;
/// It may work later.
pub const UNAVAILABLE: u8 = 9;
/// The doctor found a problem, the conformance suite a fault, a replay a difference.
pub const PROBLEM: u8 = 10;

/// The codes, for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  ok
  1  internal: a fault of Pontoon's own, or of its surroundings
  2  usage: the command line can't be understood
  3  the daemon can't be reached
  4  not found
  5  already exists
  6  forbidden
  7  invalid argument
  8  not implemented
  9  unavailable: it may work later
  10  pontoon doctor, pontoon driver test or pontoon driver replay found a problem

With several names, all are tried, and the code is the first error's.
With --output json, standard output has one JSON document a line and standard error the error as JSON.";

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What is told.
    pub error: Error,
}

impl Failure {
    /// A command line that can't be understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, error: Error::invalid(message) }
    }

    /// A daemon that can't be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { code: UNREACHABLE, error: Error::new(Kind::Unavailable, message) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: code(error.kind), error }
    }
}

/// The exit code of an error's kind.
pub fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => INTERNAL,
        Kind::NotFound => NOT_FOUND,
        Kind::AlreadyExists => ALREADY_EXISTS,
        Kind::Forbidden => FORBIDDEN,
        Kind::InvalidArgument => INVALID_ARGUMENT,
        Kind::NotImplemented => NOT_IMPLEMENTED,
        Kind::Unavailable => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_a_contract() {
        let kinds = [
            Kind::Internal,
            Kind::NotFound,
            Kind::AlreadyExists,
            Kind::Forbidden,
            Kind::InvalidArgument,
            Kind::NotImplemented,
            Kind::Unavailable,
        ];
        assert_eq!(kinds.map(code), [1, 4, 5, 6, 7, 8, 9]);
        assert_eq!((OK, Failure::usage("").code, Failure::unreachable("").code), (0, 2, 3));
        for code in 0..=10 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
