//! Objects in memory are those of the file, whatever is written.

use std::mem::discriminant;

use super::*;
use kernel::{HostPort, LinkKey};

const NETWORKS: [&str; 3] = ["n1", "n2", "n3"];

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % most
    }
}

fn port(number: u16) -> HostPort {
    HostPort { protocol: 6, port: number, more: number % 3, address: "0.0.0.0".parse().unwrap() }
}

/// An object that may be like one that is there: a link with the same index, a port with the same number.
fn any(numbers: &mut Numbers, id_of_object: i64) -> Object {
    let network = NETWORKS[numbers.below(3) as usize];
    let owner = ["e1", "e2"].get(numbers.below(3) as usize).copied();
    let number = numbers.below(4) as u16;
    let object = link(network, owner, Namespace::Host, number.into(), "v");
    let thing = match numbers.below(3) {
        0 => Thing::Port(port(10 * number)),
        1 => Thing::Forward { name: "v".into(), index: number.into(), ipv4: number == 1, ipv6: false },
        _ => object.thing.clone(),
    };
    Object { id: id_of_object, thing, ..object }
}

fn check(store: &Store) {
    let all = store.all_objects().unwrap().into_iter().map(|object| (object.id, object));
    let forwards = all.filter(|(_, object)| matches!(object.thing, Thing::Forward { .. })).collect();
    assert_eq!(*store.forwards().unwrap(), forwards);
    for network in NETWORKS {
        let stored = store.objects(&id(network), None).unwrap();
        let known = store.network_objects(&id(network)).unwrap();
        assert_eq!(known.all().cloned().collect::<Vec<_>>(), stored);
        for object in &stored {
            assert_eq!(known.get(object.id), Some(object));
            if let Some(key) = object.thing.link() {
                assert!(known.link(&key).is_some_and(|found| found.thing.link() == Some(key)));
            }
            if let Thing::Port(held) = object.thing {
                assert!(known.port(HostPort { port: held.last(), more: 0, ..held }).is_some());
            }
        }
        let gone = LinkKey { namespace: Namespace::Host, index: 0 };
        let is_there = stored.iter().any(|object| object.thing.link().as_ref() == Some(&gone));
        assert_eq!(known.link(&gone).is_some(), is_there);
    }
}

#[test]
fn known_objects_are_those_of_the_file() {
    let store = scratch();
    let mut numbers = Numbers(7);
    let (mut ids, mut held) = (Vec::new(), None);
    for round in 0..400 {
        let some =
            |numbers: &mut Numbers, ids: &[i64]| ids.get(numbers.below(ids.len().max(1) as u64) as usize).copied();
        let write = match numbers.below(20) {
            0..9 => {
                let id = if round % 5 == 0 { 0 } else { 10 * round + 9 };
                Write::AddObject(any(&mut numbers, id))
            }
            9..12 => match some(&mut numbers, &ids).and_then(|id| store.object(id).unwrap()) {
                Some(old) => {
                    let new = any(&mut numbers, old.id);
                    let is_same = discriminant(&new.thing) == discriminant(&old.thing);
                    let thing = if is_same { new.thing } else { old.thing };
                    Write::PutObject(Object { thing, ..new })
                }
                None => continue,
            },
            12..17 => Write::RemoveObject(some(&mut numbers, &ids).unwrap_or_default()),
            17..19 => Write::RemoveEndpoint(id(NETWORKS[numbers.below(3) as usize]), id("e1")),
            _ if round % 4 == 0 => Write::RemoveNetwork(id(NETWORKS[numbers.below(3) as usize])),
            _ => continue,
        };
        ids.extend(put(&store, [write]).unwrap());
        check(&store);
        // Somebody reads them still when the next commit comes.
        held = (round % 3 == 0).then(|| store.network_objects(&id("n1")).unwrap());
    }
    drop(held);
    assert!(ids.len() > 100, "{}", ids.len());
}

#[test]
fn what_was_not_committed_is_not_known() {
    let store = scratch();
    let first = put(&store, [Write::AddObject(link("n1", None, Namespace::Host, 1, "a"))]).unwrap();
    check(&store);
    let missing = Object { id: 99, ..link("n1", None, Namespace::Host, 1, "a") };
    let writes = [Write::RemoveObject(first[0]), Write::PutObject(missing)];
    assert!(matches!(put(&store, writes), Err(Error::NotFound(_))));
    check(&store);
    assert_eq!(store.network_objects(&id("n1")).unwrap().len(), 1);
}
