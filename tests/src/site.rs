//! Containers on a host, and what has to be so for them, whatever the host is like and whoever made their networks.

use crate::{FAR, Namespace, Variant, ask_udp, fetch, listen_tcp, listen_udp, until};

/// What one side of a closed way is asked with; it is answered where it should not be.
const SECRET: &str = "hello";
const LARGE: usize = 1 << 20;

/// Five containers: `a` and `b` on one network, `c` on another, `shut` on an internal one. `a` publishes its ports 80, 81 and 53/udp as
/// 8080, 8081 and 5353/udp.
pub struct Site {
    /// What its host is like.
    pub variant: Variant,
    /// The host's namespace.
    pub host: Namespace,
    /// Everybody else.
    pub outside: Namespace,
    /// The one with ports.
    pub a: Namespace,
    /// Its neighbour.
    pub b: Namespace,
    /// On another network.
    pub c: Namespace,
    /// On an internal network.
    pub shut: [Namespace; 2],
}

/// What `a` publishes.
pub const PORTS: &str = "-p 8080:80 -p 8081:81 -p 5353:53/udp";

impl Site {
    /// Starts the servers of the site, and gives those who may not reach others the routes that they would need.
    pub fn open(self) -> Self {
        let large: &'static str = Box::leak("x".repeat(LARGE).into_boxed_str());
        for container in [&self.a, &self.b, &self.c, &self.shut[0], &self.shut[1]] {
            listen_tcp(container, 80, SECRET);
        }
        listen_tcp(&self.a, 81, large);
        listen_udp(&self.a, 53, SECRET);
        listen_tcp(&self.outside, 80, SECRET);
        listen_tcp(&self.outside, 81, large);
        for container in [&self.a, &self.c, &self.shut[0]] {
            for (address, uplink) in addresses(container).iter().zip(["192.0.2.1", "2001:db8::1"]) {
                let length = if address.contains(':') { 128 } else { 32 };
                self.outside.run(&format!("ip route replace {address}/{length} via {uplink}"));
            }
        }
        // Who is root in a container sets routes.
        let bridges = self.host.run("ip -o address show type bridge");
        for address in addresses(&self.shut[0]) {
            let network = address.rsplit_once(['.', ':']).map(|(network, _)| network).unwrap_or_default();
            let gateway = bridges.split_whitespace().find(|word| word.starts_with(network) && word.contains('/'));
            let gateway =
                gateway.and_then(|net| net.split('/').next()).unwrap_or_else(|| panic!("{address} {bridges}"));
            self.shut[0].run(&format!("ip route replace default via {gateway}"));
        }
        self
    }

    /// Containers of a network reach each other, also of an internal one.
    #[track_caller]
    pub fn neighbours_reach_each_other(&self) {
        for (one, other) in [(&self.a, &self.b), (&self.b, &self.a), (&self.shut[0], &self.shut[1])] {
            for address in addresses(other) {
                until(&format!("a neighbour at {address}"), || one.pings(&address));
                assert_eq!(fetch(one, &at(&address, 80)), SECRET, "a neighbour at {address}");
            }
        }
        for address in addresses(&self.a) {
            assert_eq!(fetch(&self.host, &at(&address, 80)), SECRET, "from the host to {address}");
        }
    }

    /// Containers reach everybody, next to the host and far away, also with much at once.
    #[track_caller]
    pub fn there_is_a_way_out(&self) {
        for near_and_far in self.families([["192.0.2.2", FAR[0]], ["2001:db8::2", FAR[1]]]) {
            for address in near_and_far {
                until(&format!("the way out to {address}"), || self.a.pings(address));
                assert_eq!(fetch(&self.c, &at(address, 80)), SECRET, "from the other network to {address}");
                assert_eq!(fetch(&self.a, &at(address, 81)).len(), LARGE, "much from {address}");
            }
        }
    }

    /// A published port answers everybody: from outside by each address, the host, a neighbour, another network, itself.
    #[track_caller]
    pub fn published_ports_answer(&self) {
        for address in self.variant.addresses() {
            until(&format!("{address}:8080 from outside"), || fetch(&self.outside, &at(address, 8080)) == SECRET);
            assert_eq!(fetch(&self.outside, &at(address, 8081)).len(), LARGE, "much from {address}");
            let family = if address.contains(':') { 6 } else { 4 };
            for source in ["", ",sourceport=4000", ",sourceport=9000"] {
                let udp = format!("{}{source}", at(address, 5353));
                assert_eq!(ask_udp(&self.outside, family, &udp), SECRET, "{udp} from outside");
            }
            let inside =
                [("the host", &self.host), ("itself", &self.a), ("a neighbour", &self.b), ("another network", &self.c)];
            for (who, from) in inside {
                assert_eq!(fetch(from, &at(address, 8080)), SECRET, "{address}:8080 from {who}");
            }
        }
        assert_eq!(fetch(&self.host, "127.0.0.1:8080"), SECRET, "from the host itself");
    }

    /// Nobody gets into or out of an internal network.
    #[track_caller]
    pub fn what_is_internal_stays_closed(&self) {
        let [shut, _] = &self.shut;
        let mut ways = Vec::new();
        for targets in self.families([["192.0.2.2", FAR[0]], ["2001:db8::2", FAR[1]]]) {
            ways.extend(targets.map(|to| ("out of the internal network", shut, at(to, 80))));
        }
        ways.extend(self.variant.addresses().into_iter().map(|to| ("to another's published port", shut, at(to, 8080))));
        for (from, to) in [(shut, &self.a), (shut, &self.c), (&self.a, shut), (&self.outside, shut)] {
            ways.extend(addresses(to).into_iter().map(|to| ("into or out of the internal network", from, at(&to, 80))));
        }
        are_closed(&ways);
    }

    /// Networks do not reach each other, and nobody outside reaches a container but by a published port.
    #[track_caller]
    pub fn networks_are_apart(&self) {
        let mut ways = Vec::new();
        for (name, from, to) in [
            ("from one network to another", &self.a, &self.c),
            ("from one network to another", &self.c, &self.a),
            ("from outside", &self.outside, &self.a),
            ("from outside", &self.outside, &self.c),
        ] {
            ways.extend(addresses(to).into_iter().map(|to| (name, from, at(&to, 80))));
        }
        are_closed(&ways);
    }

    /// All of it.
    #[track_caller]
    pub fn all_is_well(&self) {
        self.published_ports_answer();
        self.neighbours_reach_each_other();
        self.there_is_a_way_out();
        self.what_is_internal_stays_closed();
        self.networks_are_apart();
    }

    /// What the host has of a thing for each family.
    fn families<T>(&self, both: [T; 2]) -> Vec<T> {
        both.into_iter().take(if self.variant.has_ipv6() { 2 } else { 1 }).collect()
    }
}

/// None of these may answer. All are asked at the same time: silence takes seconds.
#[track_caller]
fn are_closed(ways: &[(&str, &Namespace, String)]) {
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = ways.iter().map(|(_, from, to)| scope.spawn(move || fetch(from, to))).collect();
        asking.into_iter().map(|answer| answer.join().unwrap()).collect()
    });
    let open: Vec<_> = ways.iter().zip(answers).filter(|(_, answer)| !answer.is_empty()).collect();
    let told: Vec<_> = open.iter().map(|((name, from, to), _)| format!("{name}: {} to {to}", from.text())).collect();
    assert!(told.is_empty(), "what should be closed is open: {told:#?}");
}

/// A container's addresses, IPv4 first.
fn addresses(container: &Namespace) -> Vec<String> {
    let listed = ["-4", "-6"].map(|family| container.run(&format!("ip -o {family} address show scope global")));
    let address = |line: &str| line.split_whitespace().nth(3)?.split('/').next().map(str::to_owned);
    listed.iter().flat_map(|lines| lines.lines()).filter_map(address).collect()
}

/// An address and a port, as socat takes them.
fn at(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
