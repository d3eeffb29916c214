//! Room on the disk: what is removed takes no more of it than it had.

use super::*;

/// Two networks' rows one after the other, so that each page has some of both: the worst that a removal has to write.
#[test]
fn removing_a_network_takes_no_more_room_than_what_is_stored() {
    let folder = Folder::new();
    let store = Store::open(&folder.0).unwrap();
    put(&store, [("n1", "a"), ("n2", "b")].map(|(id, called)| Write::PutNetwork(network(id, called)))).unwrap();
    let rows = |number: u32| {
        let key = format!("{number:08}{}", "k".repeat(100));
        ["n1", "n2"].map(|n| [entry(n, &key, OWN, &key), Write::AddObject(link(n, None, Namespace::Host, number, "x"))])
    };
    let writes = (0..2_000).flat_map(rows).flatten().collect();
    store.commit(Batch { writes, ..Batch::default() }).unwrap();
    // All of it into the file.
    store.write(Durability::Process, |_| Ok(())).unwrap();
    let checkpoint = |c: &Connection| Ok(c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?);
    store.read(checkpoint).unwrap();
    let size = |name: &str| std::fs::metadata(folder.0.join(name)).unwrap().len();
    let stored = size("pontoon.db");
    put(&store, [Write::RemoveNetwork(id("n1"))]).unwrap();
    let log = size("pontoon.db-wal");
    println!("{stored} bytes are stored, and the log of the removal has {log}");
    // A page has 24 bytes more there.
    assert!(log > stored / 4 && log < stored + stored / 64, "{log} of {stored}");
}
