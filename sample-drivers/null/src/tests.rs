//! The driver on the SDK's host in memory.

use pontoon_sdk::{Error, fake};

use super::Null;

#[test]
fn there_is_one_network() {
    fake::reset();
    let network = fake::Network::<Null>::new("one");
    network.create().unwrap();
    let message = "only one instance of \"null\" network is allowed";
    assert_eq!(fake::Network::<Null>::new("two").create(), Err(Error::forbidden(message)));
    network.delete().unwrap();
    network.delete().unwrap();
    fake::Network::<Null>::new("two").create().unwrap();
}

#[test]
fn nothing_is_in_it() {
    fake::reset();
    let network = fake::Network::<Null>::new("one");
    network.create().unwrap();
    let endpoint = network.endpoint("e");
    endpoint.create().unwrap();
    assert_eq!(endpoint.join(), Ok(fake::Joined::default()));
    endpoint.leave().unwrap();
    endpoint.delete().unwrap();
    network.delete().unwrap();
    assert!(fake::link_names().is_empty() && fake::stored().is_empty() && fake::swept().is_empty());
}
