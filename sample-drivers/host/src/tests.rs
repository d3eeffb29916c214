//! The driver on the SDK's host in memory.

use pontoon_sdk::{ErrorKind, Protocol, fake};

use super::Host;

#[test]
fn nothing_is_made_and_nothing_left() {
    fake::reset();
    for name in ["one", "two"] {
        let network = fake::Network::<Host>::new(name);
        network.create().unwrap();
        let endpoint = network.endpoint("e");
        assert_eq!(endpoint.create().unwrap(), (None, vec![]));
        assert_eq!(endpoint.join(), Ok(fake::Joined::default()));
        endpoint.leave().unwrap();
        endpoint.delete().unwrap();
        network.delete().unwrap();
    }
    assert!(fake::link_names().is_empty() && fake::stored().is_empty() && fake::swept().is_empty());
}

#[test]
fn a_network_is_there_once_and_publishes_nothing() {
    fake::reset();
    let network = fake::Network::<Host>::new("one");
    network.create().unwrap();
    assert_eq!(network.create().unwrap_err().kind, ErrorKind::AlreadyExists);
    let published = network.endpoint("e").publish(Protocol::TCP, 80, 8080).create().unwrap_err();
    assert!(published.message.contains("port 80"), "{published}");
}
