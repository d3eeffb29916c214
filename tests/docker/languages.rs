//! The bridge driver in each language carries packets between two containers, and publishes a port.

use pontoon_tests::{LANGUAGES, Machine, driver, fetch, listen_tcp, outside};

use crate::containers::pings;

macro_rules! in_every_language {
    ($($test:ident $language:literal),+ $(,)?) => {
        $(#[test]
        #[cfg_attr(skips = $language, ignore = "the language's tools can't be had here")]
        fn $test() { carries_packets($language); })+

        /// None is forgotten.
        #[test]
        fn every_language_is_tested() {
            assert_eq!([$($language),+], LANGUAGES);
        }
    };
}

in_every_language!(go "go", c "c", python "python", javascript "javascript");

fn carries_packets(language: &str) {
    let name = format!("bridge-{language}");
    let machine = Machine::start("26.1");
    let outside = outside(&machine.host);
    machine.pontoon(&format!("driver load {} --name {name}", driver(&name).display()));
    let before = machine.host.dump();
    machine.docker(&format!("network create -d {name} --ipv6 --subnet 10.31.0.0/24 --subnet fd00:31::/64 n"));
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    for key in ["IPAddress", "GlobalIPv6Address"] {
        let (first, second) = (machine.address("c1", "n", key), machine.address("c2", "n", key));
        assert!(pings(&machine, "c1", &second) && pings(&machine, "c2", &first), "{name}: {key}");
    }
    assert!(pings(&machine, "c1", "192.0.2.2"), "{name}: to the outside");
    listen_tcp(&machine.container("c1"), 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "{name}: a published port");
    machine.agree();
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
}
