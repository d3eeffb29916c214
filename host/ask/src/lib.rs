//! What crosses the line between a driver and its host, as plain values: made from `wit/` when the host is built, without wasmtime.
//!
//! - [`Ask`]: everything that a driver can ask, a case for every function that it can import; [`HostCall`] is its name alone
//! - [`Answer`]: everything that it can be answered; [`Refusal`]: an error for the driver, or the end of the call
//! - [`Answers`]: something that answers: the host, a recording, a process at the other end of a socket
//! - [`links::Host`] …: the same for one interface with a method for each function, so that a missing one does not compile; [`dispatch`] leads
//!   to them
//! - [`Arguments`], [`Returned`]: everything that a driver can be called with and return
//! - [`types`], [`links`] …: the types of each interface by their names in `wit/`; a handle is a number
//! - [`bindings!`]: for the engine, all of this from and to wasmtime's own values

mod bytes;

pub use bytes::Bytes;
use words::{Error, Specific};

include!(concat!(env!("OUT_DIR"), "/asks.rs"));
include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// The number of handles that stand for a call itself, such as its `join-info`.
pub const OWN: u32 = 0;

/// Why a host call did not happen.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The driver gets this error.
    Error(Error),
    /// The call ends here.
    Trap(String),
}

/// Something that answers what a driver asks.
pub trait Answers {
    /// Answers with the case of the same name.
    fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal>;

    /// The driver has dropped a handle that it owned.
    fn dropped(&mut self, handle: u32);
}

impl Refusal {
    /// A value that can't be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::invalid(message).into()
    }

    /// A trap with a message.
    pub fn trap(message: impl std::fmt::Display) -> Self {
        Self::Trap(message.to_string())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(error) => write!(f, "{error}"),
            Self::Trap(trap) => write!(f, "trap: {trap}"),
        }
    }
}

/// Where no driver waits for an answer.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Error(error) => error,
            Refusal::Trap(trap) => Self::internal(trap),
        }
    }
}

impl<E: Specific> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        let address = types::IpNetwork { address: types::IpAddress::Ipv4((10, 0, 0, 1)), prefix_length: 24 };
        let end = links::LinkEnd {
            namespace: Some(namespaces::Namespace(3)),
            name: links::LinkName::Prefix("br".into()),
            mac_address: None,
            mtu: Some(1500),
            master: Some(links::Link(4)),
            addresses: vec![address],
            up: true,
        };
        Ask::LinksAdd { links: vec![links::LinkSpec { end: end.clone(), kind: links::LinkKind::Veth(end) }] }
    }

    #[test]
    fn what_is_said_is_read_again() {
        let asks = [
            ask(),
            Ask::StoreSet { key: "k".into(), value: vec![0, 171, 255].into() },
            Ask::NamespacesNamespaceSame { this: namespaces::Namespace(1), other: namespaces::Namespace(2) },
            Ask::LogLog { level: log::Level::Warn, message: "m".into() },
        ];
        for ask in asks {
            let text = serde_json::to_string(&ask).unwrap();
            assert_eq!(serde_json::from_str::<Ask>(&text).unwrap(), ask, "{text}");
        }
        let answer = Answer::StoreList(vec![("k".into(), vec![1].into())]);
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(text, r#"{"store.list":[["k","01"]]}"#);
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    }

    #[test]
    fn names_are_the_wits() {
        assert_eq!(ask().call(), HostCall::LinksAdd);
        assert_eq!((ask().call().name(), HostCall::LinksLinkSet.name()), ("links.add", "links.link.set"));
        let arguments = Arguments::Leave { network: "n".into(), endpoint: "e".into() };
        assert_eq!((arguments.part(), arguments.function()), ("driver", "leave"));
        let text = serde_json::to_string(&arguments).unwrap();
        assert_eq!(text, r#"{"leave":{"network":"n","endpoint":"e"}}"#);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in
            [r#"{"links.add":{}}"#, r#"{"links.sub":{"links":[]}}"#, r#"{"store.set":{"key":"k","value":"0g"}}"#]
        {
            assert!(serde_json::from_str::<Ask>(text).is_err(), "{text}");
        }
    }
}
