//! How keys are named, below the prefix:
//!
//! | key | value | goes with |
//! |---|---|---|
//! | `node/NODE` | what the node is, in JSON | the node's lease |
//! | `drain/NODE` | since when it takes no endpoints | `node activate`, or `node rm` |
//! | `network/NAME` | the network, in JSON | `network rm` |
//! | `net/ID/name` | its name: while this is there, the network is | `network rm` |
//! | `net/ID/table/TABLE/KEY` | the owner's name, a line's end, bytes | the node's lease, or its driver's word |
//! | `net/ID/endpoint/ENDPOINT` | the owner's name, a line's end, its name and addresses in JSON | `detach`, or `node rm` |
//! | `net/ID/address/ADDRESS` | the owner's name, a line's end, the endpoint's id | `detach`, or `node rm` |

use std::net::IpAddr;

use words::Name;

/// The names of keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// With a slash at its end.
    prefix: String,
}

/// What a key names.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the parts of the key")]
pub enum Key<'a> {
    Node(&'a str),
    /// Whether a node takes no endpoints.
    Drained(&'a str),
    Network(&'a str),
    /// Whether a network is there.
    Name(&'a str),
    Entry {
        network: &'a str,
        table: &'a str,
        key: &'a str,
    },
    Endpoint {
        network: &'a str,
        endpoint: &'a str,
    },
    Address {
        network: &'a str,
        address: IpAddr,
    },
}

impl Keys {
    /// Keys below a prefix that has no slash at its end.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}/") }
    }

    /// What all begin with.
    pub fn all(&self) -> &str {
        &self.prefix
    }

    /// What those of nodes begin with.
    pub fn nodes(&self) -> String {
        format!("{}node/", self.prefix)
    }

    /// What those of networks' names begin with.
    pub fn networks(&self) -> String {
        format!("{}network/", self.prefix)
    }

    /// What those of all networks begin with.
    pub fn of_networks(&self) -> String {
        format!("{}net/", self.prefix)
    }

    /// What those of one network begin with.
    pub fn of_network(&self, network: &str) -> String {
        format!("{}net/{network}/", self.prefix)
    }

    /// What those of a network's endpoints begin with.
    pub fn endpoints(&self, network: &str) -> String {
        format!("{}net/{network}/endpoint/", self.prefix)
    }

    /// The key of something.
    pub fn of(&self, key: &Key<'_>) -> String {
        let prefix = &self.prefix;
        match key {
            Key::Node(node) => format!("{prefix}node/{node}"),
            Key::Drained(node) => format!("{prefix}drain/{node}"),
            Key::Network(name) => format!("{prefix}network/{name}"),
            Key::Name(network) => format!("{prefix}net/{network}/name"),
            Key::Entry { network, table, key } => format!("{prefix}net/{network}/table/{table}/{key}"),
            Key::Endpoint { network, endpoint } => format!("{prefix}net/{network}/endpoint/{endpoint}"),
            Key::Address { network, address } => format!("{prefix}net/{network}/address/{address}"),
        }
    }

    /// What a key names; none: nothing that this version knows.
    pub fn parse<'a>(&self, text: &'a str) -> Option<Key<'a>> {
        let (kind, rest) = text.strip_prefix(&self.prefix)?.split_once('/')?;
        match kind {
            "node" => Some(Key::Node(rest)),
            "drain" => Some(Key::Drained(rest)),
            "network" => Some(Key::Network(rest)),
            "net" => {
                let (network, rest) = rest.split_once('/')?;
                if rest == "name" {
                    return Some(Key::Name(network));
                }
                let (kind, rest) = rest.split_once('/')?;
                match kind {
                    // A key may have slashes, a table has none.
                    "table" => rest.split_once('/').map(|(table, key)| Key::Entry { network, table, key }),
                    "endpoint" => Some(Key::Endpoint { network, endpoint: rest }),
                    "address" => rest.parse().ok().map(|address| Key::Address { network, address }),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The network that a key belongs to.
pub fn network_of<'a>(key: &Key<'a>) -> Option<&'a str> {
    match key {
        Key::Entry { network, .. } | Key::Endpoint { network, .. } | Key::Address { network, .. } => Some(network),
        Key::Node(_) | Key::Drained(_) | Key::Network(_) | Key::Name(_) => None,
    }
}

/// What belongs to a node, as a value.
pub fn owned(node: &str, bytes: &[u8]) -> Vec<u8> {
    [node.as_bytes(), b"\n", bytes].concat()
}

/// The node that a value belongs to, and what it has there; none: no node wrote it.
pub fn owner(value: &[u8]) -> Option<(&str, &[u8])> {
    let end = value.iter().position(|b| *b == b'\n')?;
    let node = std::str::from_utf8(&value[..end]).ok().filter(|node| Name::new(node).is_ok())?;
    Some((node, &value[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let keys = Keys::new("/p");
        let all = [
            Key::Node("a"),
            Key::Drained("a"),
            Key::Network("n"),
            Key::Name("id"),
            Key::Entry { network: "id", table: "peers", key: "a/b c" },
            Key::Endpoint { network: "id", endpoint: "e" },
            Key::Address { network: "id", address: "2001:db8::1".parse().unwrap() },
        ];
        for key in all {
            assert_eq!(keys.parse(&keys.of(&key)).as_ref(), Some(&key));
        }
        for other in ["/q/node/a", "/p/x/y", "/p/net/id", "/p/net/id/address/x", "/p/net/id/table/t", "/p"] {
            assert_eq!(keys.parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_value_has_an_owner() {
        assert_eq!(owner(&owned("a", b"x\ny")), Some(("a", &b"x\ny"[..])));
        assert_eq!(owner(b"no owner"), None);
        assert_eq!((owner(b"\xff\n"), owner(b"\x1b[31m\n"), owner(b"\n")), (None, None, None));
    }
}
