//! Drivers, networks, endpoints, objects: what was put is found, by every way there is.

use super::*;

#[test]
fn what_was_put_comes_back_after_a_restart() {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    let instance = store.instance();
    let object = link("n1", Some("e1"), Namespace::At(namespace("/run/netns/web", u64::MAX)), 5, "eth0");
    let batch = Batch {
        durability: Durability::Power,
        writes: vec![
            Write::PutDriver(driver("bridge")),
            Write::PutNetwork(network("n1", "front")),
            Write::PutEndpoint(endpoint("n1", "e1", "web")),
            Write::AddObject(object.clone()),
            Write::SetMeta { key: "boot".into(), value: "x".into() },
        ],
        ..Batch::default()
    };
    let given = store.commit(batch).unwrap();
    drop(store);
    let store = Store::open(&folder.0).unwrap();
    assert_eq!(store.instance(), instance);
    assert_eq!(store.driver(&name("bridge")).unwrap(), Some(driver("bridge")));
    let back = store.network(&id("n1")).unwrap().unwrap();
    assert_eq!(back, Network { serial: given[0], ..network("n1", "front") });
    assert_eq!(store.endpoint(&id("n1"), &id("e1")).unwrap(), Some(endpoint("n1", "e1", "web")));
    assert_eq!(store.object(given[1]).unwrap(), Some(Object { id: given[1], ..object }));
    assert_eq!(store.meta("boot").unwrap().as_deref(), Some("x"));
    assert_eq!(store.meta("toob").unwrap(), None);
    store.set_meta("boot", "y").unwrap();
    assert_eq!(store.meta("boot").unwrap().as_deref(), Some("y"));
    store.set_meta("boo%", "z").unwrap();
    let metas =
        |prefix: &str| store.metas(prefix).unwrap().into_iter().map(|(key, value)| key + &value).collect::<Vec<_>>();
    assert_eq!(
        (metas("boo"), metas("boo%"), metas("x")),
        (vec!["boo%z".into(), "booty".into()], vec!["boo%z".into()], vec![])
    );
    store.remove_meta("boot").unwrap();
    store.remove_meta("boot").unwrap();
    assert_eq!(store.meta("boot").unwrap(), None);
}

#[test]
fn instances_are_22_bits_and_differ() {
    let (a, b) = (scratch(), scratch());
    assert_ne!(a.instance(), b.instance());
    assert!((1..1 << 22).contains(&a.instance()));
}

#[test]
fn a_network_keeps_its_serial_and_a_serial_is_never_used_again() {
    let store = scratch();
    let first = put(&store, [Write::PutNetwork(network("n1", "a"))]).unwrap();
    assert!(put(&store, [Write::PutNetwork(network("n1", "renamed"))]).unwrap().is_empty());
    assert_eq!(store.network(&id("n1")).unwrap().unwrap().serial, first[0]);
    put(&store, [Write::RemoveNetwork(id("n1"))]).unwrap();
    let second = put(&store, [Write::PutNetwork(network("n1", "a"))]).unwrap();
    assert!(second[0] > first[0]);
}

#[test]
fn object_ids_are_never_used_again() {
    let store = scratch();
    let object = link("n1", None, Namespace::Host, 3, "br0");
    let first = put(&store, [Write::AddObject(object.clone())]).unwrap()[0];
    put(&store, [Write::RemoveObject(first), Write::RemoveObject(first)]).unwrap();
    assert!(put(&store, [Write::AddObject(object)]).unwrap()[0] > first);
}

#[test]
fn names_are_unique() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "a")), Write::PutEndpoint(endpoint("n1", "e1", "web"))]).unwrap();
    let taken = put(&store, [Write::PutNetwork(network("n2", "a"))]).unwrap_err();
    assert!(matches!(&taken, Error::Exists(line) if line.contains("\"a\"") && line.contains("n1")), "{taken}");
    let taken = put(&store, [Write::PutEndpoint(endpoint("n1", "e2", "web"))]).unwrap_err();
    assert!(matches!(&taken, Error::Exists(line) if line.contains("\"web\"") && line.contains("e1")), "{taken}");
    // The same names elsewhere, and the same records again.
    put(&store, [Write::PutNetwork(network("n2", "b")), Write::PutEndpoint(endpoint("n2", "e1", "web"))]).unwrap();
    put(&store, [Write::PutNetwork(network("n1", "a")), Write::PutEndpoint(endpoint("n1", "e1", "web"))]).unwrap();
    assert_eq!(store.networks().unwrap().len(), 2);
    assert_eq!(store.endpoints(None).unwrap().len(), 2);
}

fn found_networks(store: &Store, text: &str) -> Vec<String> {
    store.find_network(text).unwrap().iter().map(|n| n.id.to_string()).collect()
}

#[test]
fn a_network_is_found_by_id_name_and_prefix() {
    let store = scratch();
    let networks = [("abc1", "front"), ("abc2", "abc1"), ("abd", "ab"), ("x_z", "p"), ("xyz", "q"), ("x%z", "r")];
    put(&store, networks.map(|(id, name)| Write::PutNetwork(network(id, name)))).unwrap();
    assert_eq!(found_networks(&store, "front"), ["abc1"]);
    assert_eq!(found_networks(&store, "abc1"), ["abc1"], "an id before a name");
    assert_eq!(found_networks(&store, "ab"), ["abd"], "a name before a prefix");
    assert_eq!(found_networks(&store, "abc"), ["abc1", "abc2"]);
    assert_eq!(found_networks(&store, "x_"), ["x_z"]);
    assert_eq!(found_networks(&store, "x%"), ["x%z"]);
    for nothing in ["", "%", "_", "a%", "abc_", "ABC", "fron", "*", "'", "\0", "\u{10ffff}"] {
        assert_eq!(found_networks(&store, nothing), [""; 0], "{nothing:?}");
    }
}

fn found_endpoints(store: &Store, network: Option<&str>, text: &str) -> Vec<String> {
    let network = network.map(id);
    store.find_endpoint(network.as_ref(), text).unwrap().iter().map(|e| format!("{}/{}", e.network, e.id)).collect()
}

#[test]
fn an_endpoint_is_found_by_id_name_namespace_and_prefix() {
    let store = scratch();
    let at = |network, id, name, path| Endpoint { sandbox: Some(namespace(path, 9)), ..endpoint(network, id, name) };
    let endpoints = [
        at("n1", "aa1", "web", "/run/netns/one"),
        at("n1", "aa2", "w_b", "/var/run/netns/two"),
        at("n2", "ab", "web", "/proc/7/ns/net"),
        at("n2", "b%", "one", "/srv/one"),
    ];
    put(&store, endpoints.map(Write::PutEndpoint)).unwrap();
    assert_eq!(found_endpoints(&store, None, "web"), ["n1/aa1", "n2/ab"]);
    assert_eq!(found_endpoints(&store, Some("n2"), "web"), ["n2/ab"]);
    assert_eq!(found_endpoints(&store, None, "aa1"), ["n1/aa1"]);
    assert_eq!(found_endpoints(&store, None, "a"), ["n1/aa1", "n1/aa2", "n2/ab"]);
    assert_eq!(found_endpoints(&store, Some("n1"), "aa"), ["n1/aa1", "n1/aa2"]);
    assert_eq!(found_endpoints(&store, None, "one"), ["n2/b%"], "a name before a namespace");
    assert_eq!(found_endpoints(&store, Some("n1"), "one"), ["n1/aa1"]);
    for text in ["two", "/run/netns/two", "/var/run/netns/two"] {
        assert_eq!(found_endpoints(&store, None, text), ["n1/aa2"], "{text}");
    }
    assert_eq!(found_endpoints(&store, None, "/proc/7/ns/net"), ["n2/ab"]);
    for nothing in ["", "%", "_", "a_", "w%", "netns/two", "/run/netns/", "/run/netns/tw_"] {
        assert_eq!(found_endpoints(&store, None, nothing), [""; 0], "{nothing:?}");
    }
    assert_eq!(store.endpoints_in_sandbox(9).unwrap().len(), 4);
    assert_eq!(store.endpoints_in_sandbox(10).unwrap(), []);
}

#[test]
fn counts_and_lists_go_by_driver_and_network() {
    let store = scratch();
    let other = Network { driver: name("null"), ..network("n2", "b") };
    put(&store, [Write::PutNetwork(network("n1", "a")), Write::PutNetwork(other)]).unwrap();
    let endpoints = [("n1", "e1", "a"), ("n1", "e2", "b"), ("n2", "e1", "a")];
    put(&store, endpoints.map(|(n, e, called)| Write::PutEndpoint(endpoint(n, e, called)))).unwrap();
    assert_eq!(store.network_count(&name("null")).unwrap(), 1);
    assert_eq!(store.network_count(&name("other")).unwrap(), 0);
    assert_eq!(store.networks_of_driver(&name("null")).unwrap()[0].id, id("n2"));
    assert_eq!(store.endpoint_count(&id("n1")).unwrap(), 2);
    assert_eq!(store.endpoint_counts().unwrap(), BTreeMap::from([(id("n1"), 2), (id("n2"), 1)]));
    assert_eq!(store.endpoints(Some(&id("n2"))).unwrap(), [endpoint("n2", "e1", "a")]);
    put(&store, [Write::PutDriver(driver("b")), Write::PutDriver(driver("a")), Write::PutDriver(driver("a"))]).unwrap();
    assert_eq!(store.drivers().unwrap(), [driver("a"), driver("b")]);
}

#[test]
fn links_are_found_by_namespace_and_index() {
    let store = scratch();
    let at = |path: &str, inode| Namespace::At(namespace(path, inode));
    let objects = [
        link("n1", None, Namespace::Host, 3, "br0"),
        link("n1", Some("e1"), at("/run/netns/a", 8), 3, "eth0"),
        link("n2", Some("e2"), at("/run/netns/a", 8), 4, "eth0"),
        Object {
            thing: Thing::Forward { name: "br0".into(), index: 7, ipv4: true, ipv6: false },
            ..link("n1", None, Namespace::Host, 0, "")
        },
    ];
    let ids = put(&store, objects.clone().map(Write::AddObject)).unwrap();
    let owner = |namespace: &Namespace, index| store.owner_of_link(namespace, index).unwrap().map(|o| o.id);
    assert_eq!(owner(&Namespace::Host, 3), Some(ids[0]));
    assert_eq!(owner(&Namespace::Host, 4), None);
    assert_eq!(owner(&at("/proc/7/ns/net", 8), 3), Some(ids[1]), "another path of the same namespace");
    assert_eq!(owner(&at("/run/netns/a", 9), 3), None, "another namespace at the same path");
    let network = Network { driver: name("d"), ..network("n1", "n1") };
    put(&store, [Write::PutNetwork(network)]).unwrap();
    let others = |driver: &str, link: &str| store.is_others_link(&name(driver), link).unwrap();
    assert!(others("other", "br0") && !others("d", "br0"));
    assert!(!others("other", "eth0"), "it is not on the host");
    assert_eq!(*store.forwards().unwrap(), [(ids[3], Object { id: ids[3], ..objects[3].clone() })].into());
    let moved = Object { id: ids[0], ..link("n1", None, at("/run/netns/b", 10), 6, "br1") };
    put(&store, [Write::PutObject(moved.clone())]).unwrap();
    assert_eq!(owner(&Namespace::Host, 3), None);
    assert_eq!(store.owner_of_link(&at("/y", 10), 6).unwrap(), Some(moved));
    let gone = put(&store, [Write::PutObject(Object { id: 99, ..objects[0].clone() })]);
    assert!(matches!(gone, Err(Error::NotFound(_))));
}

#[test]
fn objects_are_listed_by_owner() {
    let store = scratch();
    let objects = [("n1", None), ("n1", Some("e1")), ("n1", Some("e2")), ("n2", Some("e1"))];
    put(&store, objects.map(|(n, e)| Write::AddObject(link(n, e, Namespace::Host, 3, "x")))).unwrap();
    let count = |endpoint| store.objects(&id("n1"), endpoint).unwrap().len();
    assert_eq!(
        [count(None), count(Some(None)), count(Some(Some(&id("e1")))), count(Some(Some(&id("e3"))))],
        [3, 1, 1, 0]
    );
    assert_eq!(store.all_objects().unwrap().len(), 4);
}

/// A network with one of everything.
fn furnish(store: &Store, network_id: &str, subnet: &str) {
    let of_endpoint = Write::PutEntry {
        network: id(network_id),
        table: "peers".into(),
        key: "own".into(),
        owner: OWN.into(),
        endpoint: Some(id("e1")),
        value: b"v".into(),
    };
    let writes = [
        Write::PutNetwork(network(network_id, network_id)),
        Write::PutEndpoint(endpoint(network_id, "e1", "web")),
        Write::AddObject(link(network_id, None, Namespace::Host, 3, "br0")),
        Write::AddObject(link(network_id, Some("e1"), Namespace::Host, 4, "veth0")),
        set("bridge", &format!("{network_id}/key"), network_id, "value"),
        of_endpoint,
        entry(network_id, "foreign", "other", "v"),
        Write::Watch { network: id(network_id), table: "peers".into(), object_type: 1 },
        Write::ReplacePools { network: id(network_id), pools: vec![subnet.parse().unwrap()] },
        Write::Lease {
            network: id(network_id),
            pool: pool(subnet),
            address: subnet.replace("0/24", "9").parse().unwrap(),
            owner: "e1".into(),
            next: false,
        },
    ];
    put(store, writes).unwrap();
    take(store, network_id, &pool(subnet), None, "e2").unwrap();
}

/// How many there are of endpoints, objects, keys, entries, watches, leases.
fn census(store: &Store, network_id: &str) -> [usize; 6] {
    let n = id(network_id);
    let keys = store.state_list(&name("bridge"), &format!("{network_id}/"), usize::MAX).unwrap().0.len();
    let entries = store.entries(&n, None).unwrap().0.len();
    let (endpoints, objects) = (store.endpoints(Some(&n)).unwrap().len(), store.objects(&n, None).unwrap().len());
    [endpoints, objects, keys, entries, store.watches(&n).unwrap().len(), store.leases(&n).unwrap().len()]
}

#[test]
fn what_hangs_on_an_endpoint_or_network_goes_with_it_and_nothing_else() {
    let store = scratch();
    furnish(&store, "n1", "10.1.0.0/24");
    furnish(&store, "n2", "10.2.0.0/24");
    assert_eq!(census(&store, "n1"), [1, 2, 1, 2, 1, 2]);
    put(&store, [Write::RemoveEndpoint(id("n1"), id("e1"))]).unwrap();
    assert_eq!(census(&store, "n1"), [0, 1, 1, 1, 1, 1]);
    put(&store, [Write::RemoveNetwork(id("n1")), Write::RemoveNetwork(id("n1"))]).unwrap();
    assert_eq!(census(&store, "n1"), [0; 6]);
    assert_eq!(census(&store, "n2"), [1, 2, 1, 2, 1, 2]);
    store.claim_pools(&id("n3"), &["10.1.0.0/24".parse().unwrap()]).unwrap();
    assert!(store.claim_pools(&id("n3"), &["10.2.0.0/24".parse().unwrap()]).is_err());
}

#[test]
fn a_path_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"/run/\xff"));
    let odd = Endpoint { sandbox: Some(NamespacePath { path, inode: 1 }), ..endpoint("n1", "e1", "a") };
    assert!(matches!(put(&scratch(), [Write::PutEndpoint(odd)]), Err(Error::Invalid(_))));
}

#[test]
fn errors_have_a_kind_for_the_front_ends() {
    use words::Kind;
    let folder = Folder::new();
    let _store = Store::open(&folder.0).unwrap();
    let kinds = [
        (Error::Exists("x".into()), Kind::AlreadyExists),
        (Error::NotFound("x".into()), Kind::NotFound),
        (Error::Invalid("x".into()), Kind::InvalidArgument),
        (Error::TooLong("x".into()), Kind::Unavailable),
        (Error::Conflict("x".into()), Kind::Unavailable),
        (folder.refusal(), Kind::Unavailable),
        (Error::damaged(&folder.0, "x"), Kind::Internal),
    ];
    for (error, kind) in kinds {
        let line = error.to_string();
        assert_eq!(words::Error::from(error), words::Error::new(kind, line));
    }
    let none_left = words::Error::from(Error::Exhausted("x".into()));
    let errno = Some(rustix::io::Errno::ADDRNOTAVAIL.raw_os_error());
    assert_eq!((none_left.kind, none_left.errno), (Kind::Unavailable, errno), "by which whoever asked can tell");
}
