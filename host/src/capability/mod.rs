//! What drivers can import: one file for each WIT interface. Each function resolves what it was given, asks the gate, and hands what was granted to the
//! effect.
//!
//! - [`Refusal`]: refused → an error of the WIT's; a broken handle or a passed limit → a trap
//! - [`handle`], [`convert`]: what handles and values stand for
//! - `capabilities`: libnetwork's call-back objects
//! - `namespaces`, `links`, `addresses`, `routes`, `rules`, `neighbours`, `nftables`, `sysctls`, `forwarding`, `ports`: the kernel
//! - `store`, `tables`, `log`, `clock`, `random`, `configuration`: the rest

/// What a host call was asked, as text.
macro_rules! arguments {
    ($($argument:expr),*) => {
        <[String]>::join(&[$(format!("{:?}", $argument)),*], ", ")
    };
}

mod addresses;
mod capabilities;
mod clock;
mod configuration;
pub mod convert;
mod forwarding;
pub mod handle;
mod links;
mod log;
mod namespaces;
mod neighbours;
mod nftables;
mod ports;
mod random;
mod routes;
mod rules;
pub mod store;
mod sysctls;
pub mod tables;

use crate::engine::CallState;
use crate::engine::bindings::imports::types as wit;
use words::Error;

/// Why a host call did not happen.
#[derive(Debug)]
pub enum Refusal {
    /// The driver gets this error.
    Error(Error),
    /// The call ends here.
    Trap(wasmtime::Error),
}

/// What a host call answers.
pub type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// A value that can't be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::invalid(message).into()
    }

    /// A trap with a message.
    pub fn trap(message: impl std::fmt::Display) -> Self {
        Self::Trap(wasmtime::Error::msg(message.to_string()))
    }
}

/// Bytes as text: those that can be printed as they are, the others escaped.
struct Bytes<'a>(&'a [u8]);

impl std::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Items of one list: several datagrams' worth; a driver that needs more asks again.
const ITEMS: usize = 1_000;

/// Refuses a list that is too long.
fn check_length<T>(items: &[T]) -> Answer<()> {
    if items.len() > ITEMS {
        return Err(Refusal::invalid(format!("at most {ITEMS} items at once; these are {}", items.len())));
    }
    Ok(())
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<wasmtime::component::ResourceTableError> for Refusal {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<kernel::Error> for Refusal {
    fn from(error: kernel::Error) -> Self {
        Self::Error(error.into())
    }
}

/// Where no driver waits for an answer.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Error(error) => error,
            Refusal::Trap(trap) => Self::internal(trap.to_string()),
        }
    }
}

impl From<::store::Error> for Refusal {
    fn from(error: ::store::Error) -> Self {
        Self::Error(error.into())
    }
}

/// Functions whose WIT has no error trap where they are refused.
impl From<Refusal> for wasmtime::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Error(error) => wasmtime::Error::msg(error.message),
            Refusal::Trap(trap) => trap,
        }
    }
}

impl wit::Host for CallState {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<wit::Error> {
        match refusal {
            Refusal::Error(error) => Ok(convert::error_to_wit(error)),
            Refusal::Trap(trap) => Err(trap),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use grant::HostCall;

    /// The functions of a file that drivers import, with their bodies.
    fn imported(source: &str) -> Vec<(String, &str)> {
        let blocks = source.split("\nimpl ").skip(1).filter_map(|block| {
            let (head, body) = block.split_once(" {\n")?;
            let body = body.split("\n}\n").next()?;
            (head.contains("Host") && head.ends_with(" for CallState")).then_some(body)
        });
        let functions = blocks.flat_map(|body| body.split("    fn ").skip(1));
        functions.map(|text| (text.split('(').next().unwrap_or_default().to_owned(), text)).collect()
    }

    /// A capability that does not ask, or asks for another function, is found here; an effect without what the gate granted does not compile.
    #[test]
    fn every_import_asks_the_gate_for_itself() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capability");
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for (name, text) in imported(&source) {
                if name == "drop" || name == "convert_error" {
                    continue;
                }
                assert_eq!(text.matches(".ask(").count(), 1, "{name} asks once");
                let call = text.split(".ask(").nth(1).and_then(|rest| rest.split(',').next()).unwrap().trim();
                *asked.entry(call.rsplit("::").next().unwrap().to_owned()).or_default() += 1;
                let (asks, does) = (text.find(".ask("), text.find("transaction()"));
                assert!(
                    does.is_none_or(|does| asks.is_some_and(|asks| asks < does)),
                    "{name} does something before it asks"
                );
            }
        }
        let all: BTreeMap<_, _> = HostCall::ALL.into_iter().map(|call| (format!("{call:?}"), 1)).collect();
        assert_eq!(asked, all);
    }
}
