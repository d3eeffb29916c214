//! Values: how they are read, written and kept.

use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Context, Error, ErrorKind, MacAddress, Protocol, TextMap, fake};

#[test]
fn a_mac_address_reads_as_it_is_written() {
    let address = MacAddress([0x02, 0x42, 0, 0xab, 0xcd, 0xef]);
    assert_eq!(address.to_string(), "02:42:00:ab:cd:ef");
    assert_eq!("02:42:00:AB:cd:ef".parse(), Ok(address));
}

#[test]
fn what_is_no_mac_address_is_refused_by_name() {
    for text in
        ["", "02:42:00:ab:cd", "02:42:00:ab:cd:ef:01", "2:42:00:ab:cd:ef", "02-42-00-ab-cd-ef", "02:42:00:ab:cd:+f"]
    {
        let error = text.parse::<MacAddress>().unwrap_err();
        assert_eq!(error, Error::invalid_argument(format!("\"{text}\" is no MAC address")));
    }
}

#[test]
fn a_random_mac_address_is_local_and_unicast() {
    let addresses: Vec<_> = (0..100).map(|_| MacAddress::random()).collect();
    assert!(addresses.iter().all(|address| address.0[0] & 3 == 2));
    assert_ne!(addresses[0], addresses[1]);
}

#[test]
fn protocols_have_their_names() {
    let names = [Protocol::ICMP, Protocol::TCP, Protocol::UDP, Protocol::ICMPV6, Protocol::SCTP, Protocol(47)];
    assert_eq!(names.map(|protocol| protocol.to_string()), ["icmp", "tcp", "udp", "icmpv6", "sctp", "47"]);
}

#[test]
fn a_label_is_read_or_named() {
    let labels = TextMap::from([("mtu", "1400"), ("color", "green")]);
    assert_eq!(labels.parse("mtu"), Ok(Some(1400)));
    assert_eq!(labels.parse::<u32>("size"), Ok(None));
    let error = labels.parse::<u32>("color").unwrap_err();
    assert_eq!(error, Error::invalid_argument("color=\"green\": invalid digit found in string"));
}

#[test]
fn a_key_of_a_text_map_stands_once() {
    let labels = TextMap::from([("a", "1"), ("b", "2"), ("a", "3")]);
    assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
}

#[test]
fn context_keeps_kind_and_errno() {
    let error = Error { kernel_errno: Some(17), ..Error::already_exists("File exists") };
    let error = Err::<(), _>(error).context("bridge br0").unwrap_err();
    assert_eq!((error.kind, error.kernel_errno), (ErrorKind::AlreadyExists, Some(17)));
    assert_eq!(error.message, "bridge br0: File exists");
}

#[test]
fn a_key_keeps_a_value() {
    fake::reset();
    let key = Key::<Vec<u16>>::new("ports/a");
    assert_eq!(key.get(), Ok(None));
    key.set(&vec![80, 443]).unwrap();
    assert_eq!(fake::stored()["ports/a"], "[80,443]");
    assert_eq!(store::list("ports/"), Ok(vec![("a".to_owned(), vec![80, 443])]));
    assert_eq!(key.take(), Ok(Some(vec![80, 443])));
    assert_eq!(key.get(), Ok(None));
}

#[test]
fn a_value_of_another_type_is_an_internal_error() {
    fake::reset();
    store::set_bytes("a", b"text").unwrap();
    let error = Key::<u32>::new("a").get().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    let says = ["the store's \"a\" is no ", "older build"];
    assert!(says.iter().all(|part| error.message.contains(part)), "{error}");
}

#[test]
fn a_record_of_another_version_is_refused_with_both_numbers() {
    fake::reset();
    let key = |version| Key::<(String, u16)>::new("r/a").version(version);
    key(1).set(&("web".to_owned(), 80)).unwrap();
    assert_eq!(fake::stored()["r/a"], r#"{"version":1,"value":["web",80]}"#);
    assert_eq!(key(1).get(), Ok(Some(("web".to_owned(), 80))));
    assert_eq!(store::list_version("r/", 1), Ok(vec![("a".to_owned(), ("web".to_owned(), 80_u16))]));
    let says = "the store's r/a has version 1, and this build of the driver reads version 2: have it read that, too, or use \
                another key";
    assert_eq!(key(2).get(), Err(Error::internal(says)));
    assert_eq!(store::list_version::<u8>("r/", 2), Err(Error::internal(says)));
    // The value may be of another type by then.
    assert_eq!(Key::<[u8; 3]>::new("r/a").version(2).get(), Err(Error::internal(says)));
    for unversioned in ["[80,443]", "{}", "7", "no JSON"] {
        store::set_bytes("r/a", unversioned.as_bytes()).unwrap();
        let error = key(2).get().unwrap_err();
        assert!(error.message.starts_with("the store's r/a has no version, and this build"), "{error}");
    }
    key(2).set(&("web".to_owned(), 81)).unwrap();
    assert_eq!(key(2).take(), Ok(Some(("web".to_owned(), 81))));
}
