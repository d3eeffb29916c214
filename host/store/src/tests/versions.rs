//! Files of earlier versions: everything in them is found.

use super::*;
use grant::Limit;
use operation::endpoint::{PortBinding, Protocol};
use rusqlite::Connection;

/// The last version whose records are as [`fill`] writes them.
const FILLED: usize = 3;

/// A file as a Pontoon of that version made it, or brought it up to date.
fn old_file(folder: &Folder, version: usize) {
    std::fs::create_dir(&folder.0).unwrap();
    let old = Connection::open(folder.database()).unwrap();
    old.pragma_update(None, "application_id", file::APPLICATION).unwrap();
    let (before, after) = file::STEPS[..version].split_at(version.min(FILLED));
    before.iter().for_each(|step| old.execute_batch(step).unwrap());
    old.execute("INSERT INTO meta VALUES ('instance', '77')", []).unwrap();
    fill(&old);
    after.iter().for_each(|step| old.execute_batch(step).unwrap());
    old.pragma_update(None, "user_version", version as u32).unwrap();
}

const OBJECT: &str =
    r#"{"network":"n1","endpoint":null,"thing":{"Link":{"namespace":"Host","index":3,"name":"x","peer":null}}}"#;
const FORWARD: &str = r#"{"network":"n1","endpoint":null,"thing":{"Forward":{"name":"x","ipv4":true,"ipv6":false}}}"#;
const DRIVER: &str = r#"{"name":"bridge","digest":"00","size":1,"network_type":"bridge","data_scope":"local","connectivity_scope":"local","parts":["driver"],"configuration":{}}"#;

fn old_network(id: &str, by_engine: bool) -> String {
    format!(
        r#"{{"id":"{id}","name":"{id}","driver":"bridge","pools":[{{"subnet":"10.5.0.0/24","gateway":"10.5.0.1"}}],"ipv4":true,"ipv6":false,"internal":false,"options":{{"k":"\"v\""}},"other":{{"o":"[1]"}},"address_space":"LocalDefault","by_engine":{by_engine},"allocated":false,"down":null,"created":1700000000}}"#
    )
}

fn old_endpoint(network: &str, sandbox: &str, joined: &str, attached: bool) -> String {
    format!(
        r#"{{"id":"e1","network":"{network}","name":"web","sandbox":{sandbox},"joined":{joined},"interface":[7,"eth0"],"mac":"02:42:0a:05:00:02","address":"10.5.0.2/24","address_ipv6":null,"gateway":"10.5.0.1","gateway_ipv6":null,"is_gateway":true,"is_gateway_ipv6":false,"ports":[{{"protocol":"tcp","container_port":80,"host_address":null,"host_port":8080,"host_port_end":0}}],"options":{{}},"attached":{attached},"created":1700000000}}"#
    )
}

fn fill(old: &Connection) {
    let sandbox = format!(r#"{{"path":"/run/netns/web","inode":{}}}"#, u64::MAX);
    for (network, by_engine) in [("n1", false), ("n2", true)] {
        let sql = "INSERT INTO networks (id, name, driver, record) VALUES (?1, ?1, 'bridge', ?2)";
        old.execute(sql, (network, old_network(network, by_engine))).unwrap();
    }
    let sql = "INSERT INTO endpoints (network, id, name, sandbox, inode, record) VALUES (?1, 'e1', 'web', ?2, ?3, ?4)";
    old.execute(sql, ("n1", "/run/netns/web", -1, old_endpoint("n1", &sandbox, "null", false))).unwrap();
    let joined = old_endpoint("n2", "null", r#""/run/docker/netns/1""#, true);
    old.execute(sql, ("n2", "/run/docker/netns/1", None::<i64>, joined)).unwrap();
    let sql = "INSERT INTO objects (network, inode, link, link_name, record) VALUES ('n1', ?1, ?2, ?3, ?4)";
    old.execute(sql, (0, 3, "x", OBJECT)).unwrap();
    old.execute(sql, (None::<i64>, None::<i64>, None::<&str>, FORWARD)).unwrap();
    old.execute("INSERT INTO drivers VALUES ('bridge', ?1)", [DRIVER]).unwrap();
    old.execute("INSERT INTO state (driver, key, network, version, value) VALUES ('bridge', 'k', 'n1', 5, X'76')", [])
        .unwrap();
    let sql =
        "INSERT INTO entries (network, tab, key, owner, version, value) VALUES ('n1', 'peers', 'k', 'self', 6, X'76')";
    old.execute(sql, []).unwrap();
    let pool = r#"{"id":"p1","pool":{"subnet":"10.6.0.0/24"},"created":1700000000}"#;
    old.execute("INSERT INTO taken_pools VALUES ('p1', ?1)", [pool]).unwrap();
    let sql = "INSERT INTO leases VALUES (?1, 4, ?2, ?3)";
    for (network, address, owner) in [
        ("n1", [10, 5, 0, 2], "e1"),
        ("p1", [10, 6, 0, 1], "gateway 1700000001 12-3"),
        ("p1", [10, 6, 0, 2], "endpoint 1700000002 12-4"),
    ] {
        old.execute(sql, (network, address, owner)).unwrap();
    }
}

fn everything_is_found(store: &Store) {
    let docker = Origin::Docker { api: None };
    let of = |network: &str, origin: &Origin| Network {
        serial: if network == "n1" { 1 } else { 2 },
        name: name(network),
        pools: vec![Pool { gateway: "10.5.0.1".parse().ok(), ..pool("10.5.0.0/24") }],
        ipv6: false,
        options: BTreeMap::from([("k".into(), "\"v\"".into())]),
        origin: origin.clone(),
        global: false,
        allocated: false,
        down: None,
        ..super::network(network, network)
    };
    assert_eq!(store.networks().unwrap(), [of("n1", &Origin::Native), of("n2", &docker)]);
    let port = PortBinding {
        container_port_end: 0,
        protocol: Protocol::Tcp,
        container_port: 80,
        container_address: None,
        host_address: None,
        host_port: 8080,
        host_port_end: 0,
    };
    let unfinished = Endpoint {
        sandbox: Some(namespace("/run/netns/web", u64::MAX)),
        joined: Some("/run/netns/web".into()),
        address_ipv6: None,
        ports: vec![port],
        attached: false,
        ..endpoint("n1", "e1", "web")
    };
    let dockers = Endpoint {
        network: id("n2"),
        origin: docker.clone(),
        sandbox: None,
        joined: Some("/run/docker/netns/1".into()),
        attached: true,
        ..unfinished.clone()
    };
    assert_eq!(store.endpoints(None).unwrap(), [unfinished.clone(), dockers]);
    let with_mac = |of: &str| store.endpoint_with_mac(&id(of), unfinished.mac.unwrap()).unwrap();
    assert_eq!(with_mac("n1").as_ref(), Some(&unfinished));
    assert_eq!((with_mac("n2").unwrap().network, with_mac("n3")), (id("n2"), None));
    assert_eq!(store.unfinished_endpoints().unwrap(), [unfinished]);
    assert_eq!(store.all_objects().unwrap().len(), 2);
    let forwards: Vec<_> = store.forwards().unwrap().values().cloned().collect();
    let [Object { thing: Thing::Forward { name: link, .. }, .. }] = &forwards[..] else { panic!() };
    assert_eq!(link, "x");
    assert_eq!(
        store.taken_pools().unwrap(),
        [TakenPool { id: id("p1"), origin: docker, driver: None, pool: pool("10.6.0.0/24"), created: 1_700_000_000 }]
    );
    let leases = |of: &str| {
        let all = store.leases(&id(of)).unwrap();
        all.into_iter().map(|l| (l.address.to_string(), l.gateway, l.taken)).collect::<Vec<_>>()
    };
    assert_eq!(leases("n1"), [("10.5.0.2".into(), false, 0)]);
    let pools = [("10.6.0.1".into(), true, 1_700_000_001), ("10.6.0.2".into(), false, 1_700_000_002)];
    assert_eq!(leases("p1"), pools);
    assert_eq!(store.state(&name("bridge"), "k").unwrap(), Some((b"v".to_vec(), 5)));
    assert_eq!(store.entry(&id("n1"), "peers", "k").unwrap().unwrap().1, 6);
    assert_eq!(
        store.driver(&name("bridge")).unwrap().unwrap().grant,
        Grant::default(),
        "without a grant nothing is granted"
    );
}

#[test]
fn files_of_all_earlier_versions_are_brought_up_to_date() {
    for version in 1..SCHEMA as usize {
        let folder = Folder::new();
        old_file(&folder, version);
        let store = Store::open(&folder.0).unwrap();
        assert_eq!(store.instance(), 77);
        everything_is_found(&store);
        let limits = [Limit::Links, Limit::Rules, Limit::TableEntries, Limit::TableBytes];
        let held = || limits.map(|limit| store.held(&name("bridge"), limit).unwrap());
        assert_eq!(held(), [1, 1, 1, 7], "of version {version}");
        put(&store, [Write::AddObject(link("n2", None, Namespace::Host, 4, "y")), Write::RemoveNetwork(id("n1"))])
            .unwrap();
        assert_eq!(held(), [1, 0, 0, 0]);
        drop(store);
        assert_eq!(Store::open(&folder.0).unwrap().networks().unwrap().len(), 1, "and a second time it is only read");
    }
}
