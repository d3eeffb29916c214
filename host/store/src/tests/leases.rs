//! Addresses: the next, the wanted, the last, and none.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The next address for an owner of the same name each time.
fn lease(store: &Store, pool: &Pool) -> Result<String> {
    take(store, "n1", pool, None, "e").map(|address| address.to_string())
}

fn wanted(store: &Store, pool: &Pool, address: &str, owner: &str) -> Result<IpAddr> {
    take(store, "n1", pool, Some(ip(address)), owner)
}

/// All addresses that a pool has to give, up to ten.
fn drain(store: &Store, pool: &Pool) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < 10 {
        match lease(store, pool) {
            Ok(address) => all.push(address),
            Err(Error::Exhausted(line)) => {
                assert!(line.contains(&pool.range.unwrap_or(pool.subnet).to_string()), "{line}");
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    all
}

fn free(store: &Store, address: &str) {
    store.release_address(&id("n1"), ip(address)).unwrap();
}

#[test]
fn small_subnets_give_what_they_have() {
    let cases: [(&str, &[&str]); 9] = [
        ("10.0.0.0/30", &["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.8/31", &["10.0.0.8", "10.0.0.9"]),
        ("10.0.0.7/32", &["10.0.0.7"]),
        ("255.255.255.254/31", &["255.255.255.254", "255.255.255.255"]),
        ("255.255.255.252/30", &["255.255.255.253", "255.255.255.254"]),
        ("fd00::/126", &["fd00::1", "fd00::2", "fd00::3"]),
        ("fd00::2/127", &["fd00::2", "fd00::3"]),
        ("fd00::9/128", &["fd00::9"]),
        (
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
            &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
        ),
    ];
    for (subnet, expected) in cases {
        assert_eq!(drain(&scratch(), &pool(subnet)), expected, "{subnet}");
    }
}

#[test]
fn huge_subnets_start_at_one() {
    let store = scratch();
    assert_eq!(drain(&store, &pool("fd00::/8"))[..2], ["fd00::1", "fd00::2"]);
    assert_eq!(drain(&scratch(), &pool("::/0"))[0], "::1");
    assert_eq!(drain(&scratch(), &pool("0.0.0.0/0"))[0], "0.0.0.1");
    assert_eq!(lease(&store, &pool("10.5.0.77/16")).unwrap(), "10.5.0.1", "host bits are nothing to it");
}

#[test]
fn an_address_rests_before_it_is_used_again() {
    let store = scratch();
    let small = pool("10.0.0.0/29");
    assert_eq!(lease(&store, &small).unwrap(), "10.0.0.1");
    assert_eq!(lease(&store, &small).unwrap(), "10.0.0.2");
    free(&store, "10.0.0.1");
    assert_eq!(drain(&store, &small), ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.1"], "it wraps");
    for address in ["10.0.0.4", "10.0.0.2", "10.0.0.6"] {
        free(&store, address);
    }
    assert_eq!(drain(&store, &small), ["10.0.0.2", "10.0.0.4", "10.0.0.6"], "after the last one that was given");
    free(&store, "10.0.0.6");
    assert_eq!(drain(&store, &small), ["10.0.0.6"], "the cursor at the end");
}

#[test]
fn the_cursor_outlives_a_restart() {
    let folder = Folder::new();
    let subnet = pool("10.0.0.0/29");
    let first = lease(&Store::open(&folder.0).unwrap(), &subnet).unwrap();
    let store = Store::open(&folder.0).unwrap();
    free(&store, &first);
    assert_eq!(lease(&store, &subnet).unwrap(), "10.0.0.2");
}

#[test]
fn reserved_addresses_are_nobodys() {
    let store = scratch();
    let aux = BTreeMap::from([("router".to_owned(), ip("10.0.0.3")), ("six".to_owned(), ip("fd00::1"))]);
    let guarded = Pool { gateway: Some(ip("10.0.0.1")), aux_addresses: aux, ..pool("10.0.0.0/29") };
    assert_eq!(drain(&store, &guarded), ["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    let line = wanted(&store, &guarded, "10.0.0.1", "e9").unwrap_err();
    assert!(matches!(&line, Error::Exists(line) if line == "10.0.0.1 is the gateway of 10.0.0.0/29"), "{line}");
    let line = wanted(&store, &guarded, "10.0.0.3", "e9").unwrap_err();
    assert!(matches!(&line, Error::Exists(line) if line.contains("\"router\"")), "{line}");
    let only = Pool { gateway: Some(ip("10.0.0.9")), ..pool("10.0.0.9/32") };
    assert!(drain(&store, &only).is_empty(), "a gateway can be all there is");
    let last = Pool { gateway: Some(ip("255.255.255.255")), ..pool("255.255.255.254/31") };
    assert_eq!(drain(&store, &last), ["255.255.255.254"]);
}

#[test]
fn addresses_are_chosen_from_the_range() {
    let store = scratch();
    let ranged = |range: &str| Pool { range: range.parse().ok(), ..pool("10.0.0.0/24") };
    assert_eq!(drain(&store, &ranged("10.0.0.64/30")), ["10.0.0.64", "10.0.0.65", "10.0.0.66", "10.0.0.67"]);
    assert_eq!(drain(&store, &ranged("10.0.0.0/31")), ["10.0.0.1"], "without the subnet's own address");
    assert_eq!(drain(&store, &ranged("10.0.0.254/31")), ["10.0.0.254"], "without the broadcast address");
    assert_eq!(drain(&store, &ranged("10.0.0.64/29"))[..2], ["10.0.0.68", "10.0.0.69"], "a range that was widened");
    wanted(&store, &ranged("10.0.0.64/30"), "10.0.0.200", "e").unwrap();
    for bad in ["10.0.1.0/28", "10.0.0.0/23", "fd00::/120", "0.0.0.0/0"] {
        assert!(matches!(lease(&store, &ranged(bad)), Err(Error::Invalid(_))), "{bad}");
    }
}

#[test]
fn a_wanted_address_is_given_once() {
    let store = scratch();
    let (four, six) = (pool("10.0.0.0/29"), pool("fd00::/64"));
    put(&store, [Write::PutEndpoint(endpoint("n1", "e1", "web"))]).unwrap();
    assert_eq!(wanted(&store, &four, "10.0.0.2", "e1").unwrap(), ip("10.0.0.2"));
    assert_eq!(wanted(&store, &six, "fd00::a00:2", "e1").unwrap(), ip("fd00::a00:2"));
    assert_eq!(wanted(&store, &four, "10.0.0.2", "e1").unwrap(), ip("10.0.0.2"), "the same owner again");
    let line = wanted(&store, &four, "10.0.0.2", "e2").unwrap_err();
    assert!(matches!(&line, Error::Exists(line) if line == "10.0.0.2 is taken by endpoint \"web\""), "{line}");
    for (pool, bad) in [
        (&four, "10.0.0.0"),
        (&four, "10.0.0.7"),
        (&four, "10.0.0.8"),
        (&four, "fd00::1"),
        (&six, "fd00::"),
        (&six, "10.0.0.1"),
        (&six, "fd00:0:0:1::"),
    ] {
        assert!(matches!(wanted(&store, pool, bad, "e2"), Err(Error::Invalid(_))), "{bad}");
    }
    wanted(&store, &six, "fd00::ffff:ffff:ffff:ffff", "e2").unwrap();
    assert_eq!(drain(&store, &four), ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    assert_eq!(take(&store, "n2", &four, Some(ip("10.0.0.2")), "e").unwrap(), ip("10.0.0.2"), "another network");
}

#[test]
fn leases_are_freed_by_address_and_owner() {
    let store = scratch();
    let four = pool("10.0.0.0/24");
    for (address, owner) in [("10.0.0.1", "a"), ("10.0.0.2", "b"), ("10.0.0.3", "b"), ("10.0.0.4", "c")] {
        wanted(&store, &four, address, owner).unwrap();
    }
    let six = Write::Lease {
        network: id("n1"),
        pool: pool("fd00::/64"),
        address: ip("fd00::5"),
        owner: "b".into(),
        next: false,
    };
    put(&store, [six, Write::ReleaseAddress { network: id("n1"), address: ip("10.0.0.1") }]).unwrap();
    let left = || {
        store.leases(&id("n1")).unwrap().into_iter().map(|l| format!("{} {}", l.address, l.owner)).collect::<Vec<_>>()
    };
    assert_eq!(left(), ["10.0.0.2 b", "10.0.0.3 b", "10.0.0.4 c", "fd00::5 b"]);
    store.release_owner(&id("n2"), "b").unwrap();
    store.release_owner(&id("n1"), "b").unwrap();
    assert_eq!(left(), ["10.0.0.4 c"]);
    put(&store, [Write::ReleaseOwner { network: id("n1"), owner: "c".into() }]).unwrap();
    assert!(left().is_empty());
}

#[test]
fn what_is_found_is_nobodys_yet() {
    let store = scratch();
    let four = pool("10.0.0.0/29");
    let find = |wanted: Option<&str>| store.find_address(&id("n1"), &four, wanted.map(ip), "e1");
    assert_eq!((find(None).unwrap(), find(None).unwrap()), (ip("10.0.0.1"), ip("10.0.0.1")));
    assert_eq!((find(Some("10.0.0.5")).unwrap(), store.leases(&id("n1")).unwrap()), (ip("10.0.0.5"), Vec::new()));
    // Whoever is first has it, and a wanted one does not lead the search away.
    wanted(&store, &four, "10.0.0.5", "e2").unwrap();
    assert!(matches!(find(Some("10.0.0.5")), Err(Error::Exists(_))));
    let late =
        Write::Lease { network: id("n1"), pool: four.clone(), address: ip("10.0.0.5"), owner: "e1".into(), next: true };
    assert!(matches!(put(&store, [late]), Err(Error::Exists(_))));
    assert_eq!(drain(&store, &four), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.6"]);
}

#[test]
fn orphans_are_freed() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "a")), Write::PutEndpoint(endpoint("n1", "e1", "web"))]).unwrap();
    store.claim_pools(&id("n1"), &["10.0.0.0/24".parse().unwrap()]).unwrap();
    store.claim_pools(&id("n2"), &["10.1.0.0/24".parse().unwrap()]).unwrap();
    wanted(&store, &pool("10.0.0.0/24"), "10.0.0.2", "e1").unwrap();
    wanted(&store, &pool("10.0.0.0/24"), "10.0.0.3", "e2").unwrap();
    take(&store, "n2", &pool("10.1.0.0/24"), None, "e1").unwrap();
    // What an engine took stays until it gives it back.
    let taken = TakenPool { id: id("p1"), origin: Origin::Native, driver: None, pool: pool("10.2.0.0/24"), created: 1 };
    store.take_pool(&taken).unwrap();
    store.take_address(&taken, None, false).unwrap();
    assert_eq!(store.release_orphans().unwrap(), 3);
    assert_eq!(store.taken_pools().unwrap(), std::slice::from_ref(&taken));
    assert_eq!(store.leases(&id("p1")).unwrap().len(), 1);
    let overlapping =
        TakenPool { id: id("p2"), origin: Origin::Native, driver: None, pool: pool("10.2.0.128/25"), created: 1 };
    assert!(matches!(store.take_pool(&overlapping), Err(Error::Exists(_))));
    assert_eq!(store.taken_pool(&id("p2")).unwrap(), None);
    store.release_taken_pool(&id("p1"), Some(&id("n1"))).unwrap();
    assert!(matches!(store.take_pool(&overlapping), Err(Error::Exists(_))), "it is the network's now");
    store.claim_pools(&id("n1"), &["10.0.0.0/24".parse().unwrap()]).unwrap();
    assert_eq!((store.taken_pool(&id("p1")).unwrap(), store.leases(&id("p1")).unwrap().len()), (None, 0));
    store.take_pool(&overlapping).unwrap();
    assert_eq!(store.release_orphans().unwrap(), 0);
    let [Lease { address, owner, .. }] = &store.leases(&id("n1")).unwrap()[..] else { panic!() };
    assert_eq!((*address, owner.as_str()), (ip("10.0.0.2"), "e1"));
    assert!(store.claim_pools(&id("n3"), &["10.0.0.0/25".parse().unwrap()]).is_err());
    store.claim_pools(&id("n3"), &["10.1.0.0/25".parse().unwrap()]).unwrap();
}

#[test]
fn an_address_that_an_engine_took_is_its_endpoints() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "a")), Write::PutEndpoint(endpoint("n1", "e1", "web"))]).unwrap();
    let [ours, others] = [("p1", "10.2.0.0/24"), ("p2", "10.3.0.0/24")].map(|(name, subnet)| {
        let taken = TakenPool { id: id(name), origin: Origin::Native, driver: None, pool: pool(subnet), created: 1 };
        store.take_pool(&taken).unwrap();
        taken
    });
    let hold = |address: &str, endpoint: &str| {
        put(&store, [Write::HoldAddress { address: ip(address), endpoint: id(endpoint) }]).unwrap();
    };
    for address in ["10.2.0.8", "10.2.0.9"] {
        store.take_address(&ours, Some(ip(address)), false).unwrap();
    }
    store.take_address(&ours, Some(ip("10.2.0.1")), true).unwrap();
    let holder = |address: &str| store.holder_of(&ours.id, ip(address)).unwrap();
    assert_eq!(holder("10.2.0.9"), None, "nobody knows whose it is");
    for (address, endpoint) in [("10.2.0.9", "e1"), ("10.2.0.8", "gone"), ("10.2.0.1", "e1"), ("10.2.0.77", "e1")] {
        hold(address, endpoint);
    }
    assert_eq!(holder("10.2.0.9"), Some(id("n1")));
    assert_eq!([holder("10.2.0.8"), holder("10.2.0.1"), holder("10.2.0.77")], [None, None, None]);
    assert_eq!(store.holder_of(&others.id, ip("10.2.0.9")).unwrap(), None);
    assert_eq!(store.leases(&ours.id).unwrap().len(), 3, "nothing is taken by it");
    put(&store, [Write::RemoveEndpoint(id("n1"), id("e1"))]).unwrap();
    assert_eq!(holder("10.2.0.9"), None);
    assert!(store.take_address(&ours, Some(ip("10.2.0.9")), false).is_err(), "until its engine gives it back");
}

#[test]
fn each_request_for_an_engine_is_an_owner_of_its_own() {
    let store = scratch();
    let taken = TakenPool { id: id("p1"), origin: Origin::Native, driver: None, pool: pool("10.2.0.0/24"), created: 1 };
    store.take_pool(&taken).unwrap();
    let before = words::now();
    store.take_address(&taken, Some(ip("10.2.0.1")), true).unwrap();
    assert!(matches!(store.take_address(&taken, Some(ip("10.2.0.1")), true), Err(Error::Exists(_))));
    store.take_address(&taken, Some(ip("10.2.0.9")), false).unwrap();
    let [gateway, other] = &store.leases(&taken.id).unwrap()[..] else { panic!() };
    assert!(gateway.gateway && !other.gateway && (before..=words::now()).contains(&other.taken), "{other:?}");
    assert_eq!(store.leases_until(&taken.id, other.taken).unwrap(), [other.address], "a gateway's goes with its pool");
    assert!(store.leases_until(&taken.id, other.taken - 1).unwrap().is_empty());
}

/// What a driver gives is written with what it remembers of it: both or neither.
#[test]
fn what_a_driver_gives_comes_and_goes_with_its_state() {
    let store = scratch();
    let driver = Name::new("d").unwrap();
    let state =
        |pool: &str| Write::SetState { driver: driver.clone(), key: pool.into(), network: id(pool), value: vec![1] };
    let plain = Pool { gateway: None, aux_addresses: [("r".into(), ip("10.2.0.9"))].into(), ..pool("10.2.0.0/24") };
    let taken = |name: &str, pool: &Pool| TakenPool {
        id: id(name),
        origin: Origin::Native,
        driver: Some(driver.clone()),
        pool: pool.clone(),
        created: 1,
    };
    let first = taken("p1", &plain);
    put(&store, [state("p1"), Write::TakePool(first.clone())]).unwrap();
    let inside = taken("p2", &pool("10.2.0.128/25"));
    assert!(matches!(put(&store, [state("p2"), Write::TakePool(inside)]), Err(Error::Exists(_))));
    assert_eq!(store.state(&driver, "p2").unwrap(), None);
    let address = |text: &str, owner: &str| Write::TakeAddress {
        pool: first.clone(),
        address: ip(text),
        owner: owner.into(),
        gateway: false,
    };
    put(&store, [address("10.2.0.2", "e1")]).unwrap();
    for (text, owner) in
        [("10.2.0.2", "e2"), ("10.2.0.2", "e1"), ("10.2.0.9", "e2"), ("10.2.0.255", "e2"), ("10.3.0.1", "e2")]
    {
        assert!(put(&store, [state("p2"), address(text, owner)]).is_err(), "{text} for {owner}");
    }
    let leases: Vec<_> = store.leases_of(&id("p1"), "e1").unwrap().iter().map(|lease| lease.address).collect();
    assert_eq!((leases, store.leases_of(&id("p1"), "e2").unwrap().len()), (vec![ip("10.2.0.2")], 0));
    let claimed = |with: &str| store.claimed(&with.parse().unwrap(), 10).unwrap().len();
    assert_eq!(
        [claimed("10.0.0.0/8"), claimed("10.2.0.64/26"), claimed("10.3.0.0/16"), claimed("fd00::/8")],
        [1, 1, 0, 0]
    );
    put(&store, [Write::ReleasePool { pool: id("p1"), heir: None }]).unwrap();
    assert_eq!(
        (store.state(&driver, "p1").unwrap(), store.leases(&id("p1")).unwrap().len(), claimed("10.0.0.0/8")),
        (None, 0, 0)
    );
}
