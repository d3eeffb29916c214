//! What the elements of maps lead to, as the machine has it: read from the bytes in a fake machine's text, and from `nft -j` on a real one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::packet_rule::protocol;

/// An element of a map.
#[derive(Clone, Debug)]
pub struct Mapped {
    pub table: String,
    pub leads: Leads,
    pub text: String,
}

/// What it does with packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leads {
    /// What comes to a port of the host goes there.
    Port(u8, u16, IpAddr),
    Mark(u32),
}

impl Mapped {
    /// From a fake machine: `nft TABLE map NAME leads from {06, 00, …} to {0a, …}`.
    pub fn of_fake(line: &str) -> Option<Self> {
        let (head, value) = line.strip_prefix("nft ")?.rsplit_once(" to {")?;
        let (head, key) = head.split_once(" leads from {")?;
        let bytes = |text: &str| -> Vec<u8> {
            let hex = |byte| u8::from_str_radix(byte, 16).unwrap();
            text.trim_end_matches('}').split(", ").map(hex).collect()
        };
        let (key, value) = (bytes(key), bytes(value));
        let leads = match (&key[..], value.len()) {
            (_, 4) => Leads::Mark(u32::from_ne_bytes(value.try_into().unwrap())),
            ([protocol, 0, 0, 0, high, low, ..], 8) => {
                let to = Ipv4Addr::from(<[u8; 4]>::try_from(&value[..4]).unwrap());
                Leads::Port(*protocol, u16::from_be_bytes([*high, *low]), to.into())
            }
            ([protocol, 0, 0, 0, high, low, ..], _) => {
                let to = Ipv6Addr::from(<[u8; 16]>::try_from(&value[..16]).unwrap());
                Leads::Port(*protocol, u16::from_be_bytes([*high, *low]), to.into())
            }
            other => panic!("{line}: {other:?}"),
        };
        Some(Self { table: head.split(' ').next()?.to_owned(), leads, text: line.to_owned() })
    }

    /// From `nft -j list ruleset`: those of a map, but not of one that leads to chains.
    pub fn of_real(map: &Value) -> Vec<Self> {
        let of_one = |element: &Value| {
            let (key, value) = (&element[0], &element[1]);
            let leads = match value.as_u64() {
                Some(mark) => Leads::Mark(u32::try_from(mark).unwrap()),
                None => {
                    let to = value["concat"][0].as_str()?.parse().unwrap();
                    let port = key["concat"][1].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
                    Leads::Port(protocol(&key["concat"][0]), port, to)
                }
            };
            let table = map["table"].as_str()?.to_owned();
            Some(Self { table, leads, text: format!("map {} {element}", map["name"]) })
        };
        map["elem"].as_array().into_iter().flatten().filter_map(of_one).collect()
    }
}
