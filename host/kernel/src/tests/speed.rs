//! Figures, for people: `cargo test --release -- --ignored --nocapture speed`.

use std::time::Instant;

use crate::tests::*;

pub fn report(what: &str, mut times: Vec<u128>) {
    times.sort_unstable();
    println!("{what}: median {} µs, p95 {} µs", times[times.len() / 2], times[times.len() * 95 / 100]);
}

#[test]
#[ignore = "measures"]
fn speed_of_an_endpoint() {
    in_real(|world| {
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/16"]));
        let (mut add, mut look, mut delete) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..60 {
            let sandbox = Sandbox::new(world);
            let first = LinkEnd { master: Some(bridge.key.index), ..end(&Namespace::Host, &format!("ve{i}")) };
            let peer = LinkEnd {
                name: NewName::Prefix(name("eth")),
                mac: Some(MacAddress([2, 66, 10, 9, 0, i])),
                addresses: vec![format!("10.9.1.{i}/16").parse().unwrap()],
                ..end(&sandbox.namespace(), "x")
            };
            let start = Instant::now();
            let applied = world.one(Change::AddLink(veth(first, peer)));
            let Outcome::Link(host, Some(inside)) = applied.outcome else { panic!() };
            let route = Route {
                link: inside.key,
                destination: "0.0.0.0/0".parse().unwrap(),
                gateway: Some("10.9.0.1".parse().unwrap()),
                source: None,
                table: None,
                metric: None,
            };
            world.one(Change::AddRoute(route));
            add.push(start.elapsed().as_micros());
            let start = Instant::now();
            world.kernel.link(&host.key).unwrap().unwrap();
            look.push(start.elapsed().as_micros());
            let start = Instant::now();
            world.one(Change::RemoveLink(host.key));
            delete.push(start.elapsed().as_micros());
        }
        report("a pair into a sandbox with MAC, master, address, up, default route", add);
        report("looking at a link", look);
        report("deleting the pair", delete);
    });
}

/// Sixteen pairs into sandboxes, and their end: one by one, or condemned and reaped.
#[test]
#[ignore = "measures"]
fn speed_of_the_end() {
    in_real(|world| {
        let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/16"]));
        for condemned in [false, true, false, true] {
            // The kernel is still busy with the namespaces of the round before.
            thread::sleep(std::time::Duration::from_secs(2));
            let sandboxes: Vec<Sandbox> = (0..16).map(|_| Sandbox::new(world)).collect();
            let pairs: Vec<(LinkKey, LinkKey)> = sandboxes
                .iter()
                .enumerate()
                .map(|(i, sandbox)| {
                    let first = LinkEnd { master: Some(bridge.key.index), ..end(&Namespace::Host, &format!("ve{i}")) };
                    let addresses = vec![format!("10.9.1.{i}/16").parse().unwrap()];
                    let peer = LinkEnd { addresses, ..end(&sandbox.namespace(), "eth0") };
                    let (first, peer) = world.link(veth(first, peer));
                    (first.key, peer.unwrap().key)
                })
                .collect();
            let mut each = Vec::new();
            let all = Instant::now();
            for (first, peer) in pairs {
                let start = Instant::now();
                match condemned {
                    true => drop(world.kernel.condemn(&[first, peer]).unwrap()),
                    false => drop(world.one(Change::RemoveLink(first))),
                }
                each.push(start.elapsed().as_micros());
            }
            report(if condemned { "condemn, each" } else { "delete, each" }, each);
            if condemned {
                let start = Instant::now();
                assert_eq!(world.kernel.reap(&Namespace::Host).unwrap(), 16);
                println!("reaping 16: {} µs", start.elapsed().as_micros());
            }
            println!("all 16: {} µs", all.elapsed().as_micros());
        }
    });
}

#[test]
#[ignore = "measures"]
fn speed_of_rules() {
    in_real(|world| {
        let (mut add, mut remove, mut table) = (Vec::new(), Vec::new(), Vec::new());
        let rules = || {
            let all: Vec<NftRule> = super::nftables::examples().into_iter().map(|(rule, _)| rule).collect();
            Change::AddNftRules { namespace: Namespace::Host, table: "t".into(), rules: all[12..16].to_vec() }
        };
        // Others' rules, on which nothing should depend.
        for _ in 0..500 {
            world.one(rules());
        }
        for _ in 0..40 {
            let start = Instant::now();
            let applied = world.one(rules());
            add.push(start.elapsed().as_micros());
            let start = Instant::now();
            assert_eq!(world.kernel.undo(&[applied]), []);
            remove.push(start.elapsed().as_micros());
        }
        for _ in 0..40 {
            world.one(Change::RemoveNftTable { namespace: Namespace::Host, table: "t".into() });
            let applied = world.one(rules());
            let start = Instant::now();
            assert_eq!(world.kernel.undo(&[applied]), []);
            table.push(start.elapsed().as_micros());
        }
        report("adding 4 rules beside 2000", add);
        report("removing them", remove);
        report("removing them with chains and table", table);
    });
}

#[test]
#[ignore = "measures"]
fn speed_of_a_door() {
    in_real(|world| {
        let sandbox = Sandbox::new(world);
        let (mut alone, mut doorman) = (Vec::new(), Vec::new());
        let home = Kernel::current_namespace().unwrap();
        let keeper = crate::transport::doorman::Doorman::default();
        let route = crate::transport::socket::Protocol::Route;
        for _ in 0..300 {
            let start = Instant::now();
            namespace::within(sandbox.file().as_fd(), || crate::transport::socket::Socket::open(route)).unwrap();
            alone.push(start.elapsed().as_micros());
            let start = Instant::now();
            let open = move || crate::transport::socket::Socket::open(route);
            keeper.within(sandbox.file().as_fd(), home.as_fd(), open).unwrap();
            doorman.push(start.elapsed().as_micros());
        }
        report("a socket by a thread of its own", alone);
        report("a socket by the doorman", doorman);
    });
}
