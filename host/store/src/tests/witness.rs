//! An older copy of a store is told from the newest.

use std::path::Path;

use super::*;

fn add(store: &Store) {
    let object = link("n1", None, Namespace::Host, 1, "br0");
    store
        .commit(Batch { writes: vec![Write::AddObject(object)], durability: Durability::Process, ..Batch::default() })
        .unwrap();
}

fn start(folder: &Path, witness: &Path) -> Store {
    let store = Store::open(folder).unwrap();
    store.hear(witness).unwrap();
    store
}

#[test]
fn an_older_copy_is_noticed_and_so_is_a_store_that_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (state, witness) = (at("state"), at("witness"));
    let store = start(&state, &witness);
    add(&store);
    drop(store);
    std::fs::copy(state.join("pontoon.db"), at("copy")).unwrap();
    let store = start(&state, &witness);
    assert!(!store.is_behind().unwrap());
    drop(store);
    assert!(!start(&state, &witness).is_behind().unwrap(), "as far as it was");
    add(&start(&state, &witness));
    std::fs::copy(at("copy"), state.join("pontoon.db")).unwrap();
    let store = start(&state, &witness);
    assert!(store.is_behind().unwrap());
    // It comes as far as the lost one was, and is behind all the same.
    add(&store);
    add(&store);
    drop(store);
    let store = start(&state, &witness);
    assert!(store.is_behind().unwrap());
    store.catch_up().unwrap();
    drop(store);
    assert!(!start(&state, &witness).is_behind().unwrap());
    std::fs::remove_dir_all(&state).unwrap();
    assert!(start(&state, &witness).is_behind().unwrap(), "it is another");
}
