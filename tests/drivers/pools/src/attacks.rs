//! What a driver could answer that the host must not take.

use std::net::IpAddr;

use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::{AddressRequest, AllocatedPool, Result, tables};

use super::Pool;

fn given(subnet: &str) -> Result<AllocatedPool> {
    Ok(AllocatedPool { pool: net(subnet), reserved: Vec::new() })
}

#[expect(clippy::unwrap_used, reason = "texts of this file")]
fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[expect(clippy::unwrap_used, reason = "texts of this file")]
fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// So many addresses that nobody gets.
fn reserving(count: u32) -> Result<AllocatedPool> {
    let reserved = (0..count).map(|n| (format!("r{n}"), address("10.80.0.9"))).collect();
    Ok(AllocatedPool { pool: net("10.80.0.0/24"), reserved })
}

/// In the place of a pool.
pub fn of_pool(attack: &str) -> Option<Result<AllocatedPool>> {
    Some(match attack {
        "overlap" => given("10.77.0.0/25"),
        "swallow" => given("10.77.0.0/16"),
        "not-granted" => given("10.81.0.0/24"),
        "wider-than-granted" => given("10.80.0.0/15"),
        "everything" => given("0.0.0.0/0"),
        "host-bits" => given("10.80.0.7/24"),
        "multicast" => given("224.1.0.0/24"),
        "the-hosts-own" => given("192.0.2.0/24"),
        "other-family" => given("fd00:80::/64"),
        "another-pool" => given("10.80.9.0/24"),
        "many-reserved" => reserving(257),
        "many-thousand-reserved" => reserving(50_000),
        "a-million-reserved" => reserving(1_000_000),
        "reserved-outside" => {
            Ok(AllocatedPool { pool: net("10.80.0.0/24"), reserved: vec![("r".into(), address("10.80.1.1"))] })
        }
        "reserved-nameless" => {
            Ok(AllocatedPool { pool: net("10.80.0.0/24"), reserved: vec![(String::new(), address("10.80.0.1"))] })
        }
        "make-a-link" => links::add_one(LinkSpec::bridge(LinkEnd::named("evil0"))).and_then(|_| given("10.80.0.0/24")),
        "write-a-table" => tables::put("peers", "k", b"v").and_then(|()| given("10.80.0.0/24")),
        "trap" => panic!("as it was told"),
        #[expect(clippy::empty_loop, reason = "the host has to end it")]
        "spin" => loop {},
        _ => return None,
    })
}

/// In the place of an endpoint's address.
pub fn of_address(attack: &str, pool: &Pool, request: &AddressRequest) -> Option<Result<IpAddr>> {
    // The gateway is given as it should be.
    let _ = pool.given.first()?;
    Some(Ok(match attack {
        "address-outside" => address("10.80.200.1"),
        "address-twice" => *pool.given.first()?,
        "address-of-the-pool" => pool.subnet.network(),
        "address-of-broadcast" => pool.subnet.broadcast(),
        "address-of-the-other-family" => address("fd00:80::5"),
        "address-reserved" => address("10.80.0.9"),
        "another-address" if request.address.is_some() => address("10.80.0.77"),
        "address-trap" => panic!("as it was told"),
        _ => return None,
    }))
}
