//! Piles that a call makes and that are then there: what one call may have several together may not. The options `pile` and `count` of a network
//! say what and how much.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use pontoon_sdk::routes::Route;
use pontoon_sdk::{Error, Protocol, Result, TextMap, clock, namespaces, neighbours, ports, routes, store, tables};

use crate::Stage;
use crate::shares::{entry, neighbour};

/// Items of one host call.
const ITEMS: usize = 1_000;

/// Makes what the options say, if they do.
pub(crate) fn pile(network: &str, options: &TextMap, stage: &Stage) -> Option<Result<()>> {
    let count = options.get("count").and_then(|count| count.parse().ok()).unwrap_or_default();
    options.get("pile").map(|what| make(what, &network[..6], count, stage))
}

fn make(what: &str, name: &str, count: u32, stage: &Stage) -> Result<()> {
    let numbers: Vec<u32> = (0..count).collect();
    let each = |one: &dyn Fn(u32) -> Result<()>| numbers.iter().try_for_each(|number| one(*number));
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST)];
    match what {
        "links" => each(&|n| stage.link(&format!("h{name}{n}")).map(drop)),
        // They are there while the call is not committed.
        "links-for-a-while" => {
            each(&|n| stage.link(&format!("h{name}{n}")).map(drop))?;
            let begin = clock::now();
            while clock::now().duration_since(begin).is_ok_and(|since| since.as_millis() < 1_500) {
                (0..1_000_000).for_each(|number| {
                    black_box(number);
                });
            }
            Ok(())
        }
        "neighbours" => {
            let link = stage.link(&format!("h{name}"))?;
            let all: Vec<_> = numbers.iter().map(|n| neighbour(stage, &link, *n)).collect();
            all.chunks(ITEMS).try_for_each(neighbours::add)
        }
        "forwarding-entries" => {
            let [_, port] = &stage.port(&format!("h{name}"))?;
            let all: Vec<_> = numbers.iter().map(|n| entry(port, *n)).collect();
            all.chunks(ITEMS).try_for_each(neighbours::add_forwarding)
        }
        "routes" => {
            let link = stage.link(&format!("h{name}"))?;
            let all: Vec<_> = numbers.iter().map(|n| Route::new(&link, stage.address(2 + n).into())).collect();
            all.chunks(ITEMS).try_for_each(routes::add)
        }
        "namespaces" => each(&|n| namespaces::add(&format!("n{n}")).map(drop)),
        "ports" => each(&|n| {
            let port = 20_000 + u16::try_from(n).unwrap_or_default();
            ports::take(Protocol::UDP, &loopback, port..=port).map(drop)
        }),
        "any-ports" => each(&|_| ports::take_any(Protocol::TCP, &loopback).map(drop)),
        "ports-of-a-range" => each(&|_| ports::take(Protocol::TCP, &loopback, 1_990..=4_000).map(drop)),
        "entries" => each(&|n| tables::put("own", &format!("{name}{n}"), &[b'x'; 60_000])),
        "keys" => each(&|n| store::set_bytes(&format!("{name}{n}"), &[b'x'; 60_000])),
        "the-same-key" => each(&|_| store::set_bytes("same", &[b'x'; 60_000])),
        other => Err(Error::invalid_argument(format!("there is no pile of {other}"))),
    }
}

/// Reads what is there.
pub(crate) fn list(options: &TextMap) -> Result<()> {
    let count = options.get("count").and_then(|count| count.parse().ok()).unwrap_or_default();
    match options.get("list") {
        None => Ok(()),
        Some("entries") => (0..count).try_for_each(|_: u32| tables::list("own").map(drop)),
        Some(_) => (0..count).try_for_each(|_| store::list_bytes("").map(drop)),
    }
}
