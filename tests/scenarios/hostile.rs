//! The corpus of hostile drivers: `sample-drivers/hostile` attacks in one way at a time, and each way is named here, with how it must end.
//!
//! Each time the host's kernel and the store are the same afterwards as before, and another driver's network works. What a component can
//! be by itself, before it is called, is in `refusals/components.rs` and `limits.rs`.

mod worst;

use std::time::Duration;

use crate::scene::Scene;
use operation::table::PutEntry;
use pontoon_tests::{Bench, attach, create, same_at_last, until};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use words::limit::CALLS;
use words::{Error, Result};

/// Those that end with their time, and get little of it.
const ENDLESS: [&str; 2] = ["spin", "wait-in-the-host"];

/// The attacks in calls of a network, and what the answer must say.
const ATTACKS: &[(&str, &str)] = &[
    // Time, memory and whatever else a call has.
    ("spin", "create-network ran past its deadline of "),
    ("wait-in-the-host", "create-network ran past its deadline of "),
    ("allocate", "it asked for more than 32 MiB of memory"),
    ("recurse", "create-network trapped (if no pointer is wrong, look for a recursion without an end"),
    ("flood-the-log", "the log was flooded"),
    ("flood-the-host", "more than 10000 host calls in one call"),
    ("leak-handles", "more than 1000 handles at a time"),
    ("random-bytes", "1073741824 random bytes at once: at most 4096"),
    ("large-message", "too much data"),
    // More than the grant allows.
    ("many-links", "links.add: the driver's grant allows 20 (limits: links)"),
    ("many-links-one-by-one", "links.add: the driver's grant allows 20 (limits: links)"),
    ("many-addresses", "addresses.add: the driver's grant allows 10 (limits: addresses)"),
    ("many-addresses-at-once", "links.add: the driver's grant allows 10 (limits: addresses)"),
    ("many-routes", "routes.add: the driver's grant allows 10 (limits: routes)"),
    ("many-rules", "nftables.add: the driver's grant allows 10 (limits: rules)"),
    ("many-entries", "tables.put: the driver's grant allows 10 (limits: table-entries)"),
    ("many-bytes", "store.set: the driver's grant allows 100000 (limits: store-bytes)"),
    ("many-ports", "ports.take: the driver's grant allows 10 (limits: ports)"),
    ("links-again-and-again", "links.add: the driver's grant allows 20 (limits: links)"),
    ("pairs-again-and-again", "links.add: the driver's grant allows 20 (limits: links)"),
    ("remove-what-is-not-there", "nftables.add: the driver's grant allows 10 (limits: rules)"),
    ("remove-neighbours-without-end", "one call removes at most 10000 things from the kernel"),
    ("a-heap-of-rules-one-by-one", "nftables.add: the driver's grant allows 10 (limits: rules)"),
    ("a-heap-of-links", "links.add: the driver's grant allows 20 (limits: links)"),
    ("a-namespace-full-of-links", "links.add: the driver's grant allows 20 (limits: links)"),
    // What adds up.
    ("many-neighbours", "neighbours.add: the driver's grant allows 10 (limits: neighbours)"),
    ("many-forwarding-entries", "neighbours.add-forwarding: the driver's grant allows 10 (limits: neighbours)"),
    (
        "neighbours-and-forwarding-entries",
        "neighbours.add-forwarding: the driver's grant allows 10 (limits: neighbours)",
    ),
    ("neighbours-again-and-again", "neighbours.add: the driver's grant allows 10 (limits: neighbours)"),
    ("addresses-over-many-links", "addresses.add: the driver's grant allows 10 (limits: addresses)"),
    ("addresses-of-many-new-links", "links.add: the driver's grant allows 10 (limits: addresses)"),
    ("routes-over-many-links", "routes.add: the driver's grant allows 10 (limits: routes)"),
    ("rules-again-and-again", "nftables.add: the driver's grant allows 10 (limits: rules)"),
    ("forwarding-without-end", "forwarding.allow: the driver's grant allows 10 (limits: rules)"),
    ("many-namespaces", "namespaces.add: the driver's grant allows 10 (limits: namespaces)"),
    ("namespaces-again-and-again", "namespaces.add: the driver's grant allows 10 (limits: namespaces)"),
    ("many-ports-of-the-hosts-choice", "ports.take: the driver's grant allows 10 (limits: ports)"),
    ("ports-again-and-again", "ports.take: the driver's grant allows 10 (limits: ports)"),
    ("ports-by-tunnels", "links.add: the driver's grant allows 10 (limits: ports)"),
    ("many-short-keys", "store.set: the driver's grant allows 100000 (limits: store-bytes)"),
    ("large-entries", "tables.put: the driver's grant allows 100000 (limits: table-bytes)"),
    ("long-names-of-entries", "tables.put: the driver's grant allows 100000 (limits: table-bytes)"),
    ("bridge-a-macvlan", "links.add: as a port of a bridge it makes its parent take in the packets of others"),
    ("bridge-a-vlan", "the driver's grant lacks permissions: changed-parents"),
    (
        "bridge-a-macvlan-later",
        "links.link.set: as a port of a bridge it makes its parent take in the packets of others",
    ),
    // What others made.
    ("take-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("take-loopback", "the driver has no link lo there, and its grant names no such parent"),
    ("take-a-foreign-bridge", "the driver has no link victim there, and its grant names no such parent"),
    ("see-foreign-links", "saw no link of the host"),
    ("make-a-foreign-name", "eth0"),
    ("race-a-rename", "set hbb, which is what the handle means"),
    ("rule-in-another-namespace", "eth0 is in another namespace than the rule"),
    ("build-on-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    (
        "tunnel-without-a-parent",
        "without a parent it sends by every interface of the host; the driver's grant lacks parents: *",
    ),
    ("guess-a-namespace", "the network has no namespace of that name"),
    ("remove-the-hosts-namespace", "only a namespace that the driver made can be removed"),
    ("read-foreign-state", "saw its own keys and no others"),
    ("claim-a-foreign-table", "it is the table peers; the driver's grant lacks tables: peers"),
    ("watch-a-foreign-table", "it is the table peers; the driver's grant lacks tables: peers"),
    ("list-a-foreign-table", "it is the table peers; the driver's grant lacks tables: peers"),
    // Addresses and routes of others.
    ("default-route", "a default route is a permission of its own; the driver's grant lacks routes: default"),
    ("default-route-ipv6", "a default route is a permission of its own; the driver's grant lacks routes: default"),
    ("half-of-everything", "the driver's grant lacks routes: 128.0.0.0/1"),
    ("route-of-another-network", "the driver's grant lacks routes: 10.77.0.0/24"),
    ("route-in-the-local-table", "the routing table 255 is the kernel's own"),
    ("wider-than-the-network", "the driver's grant lacks routes: 10.78.0.0/23"),
    ("hijack-a-subnet", "10.77.0.1/24 lies in none of the network's pools"),
    ("address-as-wide-as-half-the-world", "10.78.0.0/1 is wider than the network's pools"),
    ("address-with-the-neighbours", "10.78.0.0/23 is wider than the network's pools"),
    ("new-link-as-wide-as-the-world", "10.78.0.0/0 is wider than the network's pools"),
    ("address-of-nobody", "192.0.2.0/24 lies in none of the network's pools"),
    ("neighbour-of-nobody", "192.0.2.0 lies in none of the network's pools"),
    // Ways and answers of others. By a parent that is granted: grants::a_parent_is_routed_by_beside_the_host.
    ("path-for-everything", "a default route is a permission of its own; the driver's grant lacks routes: default"),
    ("path-of-another-network", "the driver's grant lacks routes: 10.77.0.0/24"),
    ("path-in-the-local-table", "the routing table 255 is the kernel's own"),
    ("path-by-seventeen-hops", "17 next hops: 1 to 16"),
    ("many-paths", "routes.add-paths: the driver's grant allows 10 (limits: routes)"),
    ("answer-for-another-network", "10.77.0.2 lies in none of the network's pools"),
    ("answer-for-the-outside", "192.0.2.0 lies in none of the network's pools"),
    ("answer-for-the-host", "10.78.0.1 is an address of this host's"),
    ("many-answers", "neighbours.add-proxies: the driver's grant allows 10 (limits: neighbours)"),
    ("read-a-delay-that-is-not-granted", "the driver's grant lacks sysctls: link.ipv4-proxy-delay"),
    ("path-by-a-parent", "the driver has no link eth0 there, and its grant names no such parent"),
    ("path-over-the-lan", "the driver has no link eth0 there, and its grant names no such parent"),
    ("path-before-the-hosts", "the driver has no link eth0 there, and its grant names no such parent"),
    ("path-for-everything-by-a-parent", "the driver has no link eth0 there, and its grant names no such parent"),
    ("path-by-a-foreign-gateway", "the driver has no link eth0 there, and its grant names no such parent"),
    ("answer-for-the-router", "the driver has no link eth0 there, and its grant names no such parent"),
    ("answer-for-the-host-on-the-lan", "the driver has no link eth0 there, and its grant names no such parent"),
    ("answer-for-nobody-on-the-lan", "the driver has no link eth0 there, and its grant names no such parent"),
    // Bridges, ports and properties. By a link on a parent: grants::a_parent_is_built_on_and_not_changed.
    ("listen-on-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("listen-on-the-victim", "the driver has no link victim there, and its grant names no such parent"),
    ("listen-by-a-link-on-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("tap-on-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("tap-under-the-victims-name", "victim is the name of another driver's link"),
    ("tap-as-a-port", "the driver's grant lacks permissions: changed-parents"),
    ("listen-on-what-was-removed", "hb is gone: this call removed it"),
    ("forget-at-once-on-the-victim", "the driver has no link victim there, and its grant names no such parent"),
    ("filter-on-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("flood-the-victims-port", "the driver has no link victim there, and its grant names no such parent"),
    ("a-bridge-that-is-none", "hx is no bridge"),
    ("a-port-that-is-none", "hb is no port of a bridge"),
    ("remember-for-ever", "an ageing time of 4294967295 s: 0 to 1000000"),
    ("queue-without-end", "a queue of 4294967295 packets: 1 to 16384"),
    ("queue-of-nothing", "a queue of 0 packets: 1 to 16384"),
    ("vlans-without-end", "at most 1024 VLANs; these are 1025"),
    ("vlan-of-13-bits", "4097 is no VLAN id: 1 to 4094"),
    ("vlan-0", "0 is no VLAN id: 1 to 4094"),
    ("vlan-that-is-kept-for-the-kernel", "4095 is no VLAN id: 1 to 4094"),
    ("vlan-twice", "VLAN 7 is given twice"),
    ("two-default-vlans", "two are the default one"),
    ("options-again-and-again", "more than 10000 host calls in one call"),
    ("offload-what-eth0-does", "the driver has no link eth0 there, and its grant names no such parent"),
    ("offload-what-the-victim-does", "the driver has no link victim there, and its grant names no such parent"),
    ("offload-what-was-removed", "hb is gone: this call removed it"),
    ("offload-what-is-the-parents", "transmit checksums of hm can't be changed"),
    ("trap-after-offloads", "create-network trapped"),
    ("trap-after-options", "create-network trapped"),
    // Devices. With a grant that names one: devices.
    ("take-a-device-for-nobody", "the driver has no link eth0 there, and its grant names no such parent"),
    ("take-its-own-link", "links.take-device: the driver's grant lacks devices (permissions)"),
    // How fast links send and receive, which are others' or can't be so. Of a parent: grants::a_parent_is_built_on_and_not_changed.
    ("slow-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("slow-the-victim", "the driver has no link victim there, and its grant names no such parent"),
    ("slow-what-was-removed", "hb is gone: this call removed it"),
    ("rate-of-nothing", "0 bytes a second in bursts of 32000: 1000 to 1000000000000 bytes a second"),
    ("rate-without-end", "18446744073709551615 bytes a second in bursts of 4294967295"),
    ("burst-of-nothing", "125000 bytes a second in bursts of 0"),
    ("burst-that-loses-all", "bursts of 100 bytes: hb has packets of"),
    ("rates-again-and-again", "more than 10000 host calls in one call"),
    ("many-ifbs", "shaping.add-ifb: the driver's grant allows 20 (limits: links)"),
    ("ifb-by-an-engines-name", "docker0 is a name that a container engine"),
    ("ifb-by-the-victims-name", "victim is the name of another driver's link"),
    ("receive-what-eth0-does", "the driver has no link eth0 there, and its grant names no such parent"),
    ("send-through-eth0", "the driver has no link eth0 there, and its grant names no such parent"),
    ("receive-in-a-circle", "what hi receives can't go to hj: only to one of kind ifb"),
    ("receive-through-a-bridge", "what hx receives can't go to hb: only to one of kind ifb"),
    ("receive-in-another-namespace", "hi is in another namespace than hb"),
    ("slow-the-others-of-a-bridge", "its own are slow"),
    // Tunnels. With a way out: wireguard::what_a_driver_asks_of_tunnels_is_bounded.
    ("tunnel-by-every-link", "the driver's grant lacks parents: *"),
    ("tunnel-on-a-port-that-is-taken", "the driver's grant lacks parents: *"),
    ("tunnel-under-a-foreign-name", "the driver's grant lacks parents: *"),
    ("many-tunnels", "the driver's grant lacks parents: *"),
    ("tunnel-as-a-port", "the driver's grant lacks parents: *"),
    ("peer-for-everything", "the driver's grant lacks parents: *"),
    ("peer-for-half-of-everything", "the driver's grant lacks parents: *"),
    ("peer-for-the-lan", "the driver's grant lacks parents: *"),
    ("peer-of-another-network", "the driver's grant lacks parents: *"),
    ("peer-with-endless-networks", "the driver's grant lacks parents: *"),
    ("peers-without-end", "the driver's grant lacks parents: *"),
    ("peers-again-and-again", "the driver's grant lacks parents: *"),
    ("peer-on-the-host-itself", "the driver's grant lacks parents: *"),
    ("peer-with-its-own-key", "the driver's grant lacks parents: *"),
    ("peers-of-another-kind", "WireGuard link"),
    ("trap-after-a-peer", "the driver's grant lacks parents: *"),
    // Sets and packet rules of others, and for everybody.
    ("elements-for-a-set-of-another-network", "the network has no set \"theirs\""),
    ("look-into-a-set-of-another-network", "the network has no set \"theirs\""),
    ("set-by-the-name-of-a-map", "a set's name is 1 to 32 letters"),
    ("set-by-a-name-of-the-kernels", "with no '_' at its beginning"),
    ("set-by-an-endless-name", "a set's name is 1 to 32 letters"),
    ("many-sets", "nftables.add-set: the driver's grant allows 3 (limits: sets)"),
    ("many-elements-one-by-one", "nftables.add-elements: the driver's grant allows 10 (limits: set-elements)"),
    ("elements-again-and-again", "nftables.add-elements: the driver's grant allows 10 (limits: set-elements)"),
    ("elements-over-many-sets", "nftables.add-elements: the driver's grant allows 10 (limits: set-elements)"),
    ("elements-that-overlap", "overlaps with"),
    ("ports-among-addresses", "can't be in the set s"),
    ("remove-a-set-in-use", "a rule looks into the set s: remove it first"),
    ("set-back-in-the-same-call", "the network has a set s until this call is done, which removes it"),
    ("rule-tied-by-a-set", "nothing ties the rule to the network"),
    ("rule-tied-by-a-mark", "nothing ties the rule to the network"),
    ("mark-its-packets", "the driver's grant lacks mark-bits: 0x0000ff00"),
    ("mark-beside-its-mask", "0x1500 has bits outside of the mask 0xf00"),
    ("mark-everybodys-packets", "the driver's grant lacks mark-bits: 0xffffffff"),
    ("log-without-leave", "the driver's grant lacks permissions: packet-log"),
    ("log-with-control-characters", "a log's prefix is 1 to 32 printable characters"),
    ("log-without-end", "a log's prefix is 1 to 32 printable characters"),
    ("log-a-flood", "1000000 lines a second: 1 to 10"),
    ("untrack-its-packets-late", "Untrack can't stand in a filter chain at Prerouting -100"),
    ("untrack-everybodys-packets", "the driver's grant lacks hooks: prerouting -300"),
    ("reject-everybody", "nothing ties the rule to the network"),
    ("reject-before-routing", "can't happen in a chain of filter at Prerouting"),
    ("reset-without-a-protocol", "the rule needs that protocol"),
    ("shrink-everybodys-segments", "nothing ties the rule to the network"),
    ("segments-of-nothing", "segments of 1 bytes: 536 to 65495"),
    ("statement-in-a-nat-chain", "can't stand in a nat chain at Postrouting 100"),
    ("nine-statements", "a rule has at most 8 statements"),
    ("count-what-others-count", "nothing was counted for others' rules"),
    ("many-packet-rules", "nftables.add-packet-rules: the driver's grant allows 10 (limits: rules)"),
    ("redirect-the-hosts-ssh-and-count", "host port 22/tcp of 0.0.0.0 is not taken by this endpoint"),
    // Maps: host/grant/src/gate/tests/maps.rs has the rest.
    ("map-a-port-to-the-host", "192.0.2.1 lies in none of the network's pools"),
    ("map-a-port-to-a-loopback-address", "127.0.0.1 lies in none of the network's pools"),
    ("map-a-port-to-another-network", "10.250.0.9 lies in none of the network's pools"),
    ("map-the-hosts-ssh", "host port 22/tcp of 0.0.0.0 is not taken by this endpoint"),
    ("map-a-port-of-another-protocol", "host port 20070/udp of 0.0.0.0 is not taken by this endpoint"),
    ("map-a-port-of-one-address-for-all", "host port 20070/tcp of 0.0.0.0 is not taken by this endpoint"),
    ("release-a-mapped-port", "a packet rule still sends elsewhere what comes there"),
    ("map-by-the-name-of-a-set", "the network has a set m already"),
    ("set-for-a-map", "m does not lead there: it is of Ports"),
    ("map-for-a-set", "Source is not what the set m has: Marks4"),
    ("map-of-another-network", "the network has no set \"theirs\""),
    ("map-of-a-port-chain", "the network has no set \"nat-prerouting-dstnat/ports\""),
    ("map-in-a-filter-chain", "can't happen in a chain of filter at Forward"),
    ("map-to-marks-that-are-not-granted", "lacks mark-bits: 0x00000100"),
    ("mark-all-bits-by-a-map", "lacks mark-bits: 0xffffffff"),
    ("mark-everybodys-packets-by-a-map", "nothing ties the rule to the network"),
    ("mark-by-a-port", "SourcePort is not what the map m has: addresses"),
    ("a-port-twice-in-a-map", "overlaps with"),
    ("elements-of-a-map-without-end", "nftables.add-elements: the driver's grant allows 10 (limits: set-elements)"),
    ("remove-a-map-in-use", "a rule looks into the set m: remove it first"),
    ("fail-after-a-map", "gave up with a map in the kernel"),
    // Chains of its own, and ways in them. With more rules: host/grant/src/gate/tests/chains.rs.
    ("jump-into-a-chain-of-another-network", "the network has no chain \"theirs\""),
    ("rules-for-a-chain-of-another-network", "the network has no chain \"theirs\""),
    ("jump-into-a-base-chain", "the network has no chain \"filter-forward-0\""),
    ("goto-a-base-chain-of-the-hosts", "the network has no chain \"filter-input-0\""),
    ("jump-into-itself", "leads to chains that were made before it: c was not"),
    ("jump-in-a-circle", "a rule of the chain a leads to chains that were made before it: b was not"),
    ("jump-from-another-hook", "the chain c is behind another base chain than the rule"),
    ("jump-for-everybody", "nothing ties the rule to the network"),
    ("jump-for-all-but-its-own", "nothing ties the rule to the network"),
    ("return-from-a-base-chain", "a base chain returns nowhere"),
    ("translate-behind-a-filter", "can't happen in a chain of filter at Forward"),
    ("redirect-the-hosts-ssh-from-a-chain", "host port 22/tcp of 0.0.0.0 is not taken by this endpoint"),
    ("chain-at-a-hook-that-is-not-granted", "the driver's grant lacks hooks: input 0"),
    ("chain-by-the-name-of-another-table", "a chain's name is 1 to 32 letters"),
    ("chain-by-an-endless-name", "a chain's name is 1 to 32 letters"),
    ("a-thousand-chains", "nftables.add-chain: the driver's grant allows 10 (limits: rules)"),
    ("chains-again-and-again", "nftables.add-chain: the driver's grant allows 10 (limits: rules)"),
    ("chain-kept-by-a-rule", "a rule stands in the chain c, or leads there: remove it first"),
    ("chain-kept-by-a-jump", "a rule stands in the chain c, or leads there: remove it first"),
    ("chain-back-in-the-same-call", "the network has a chain c until this call is done, which removes it"),
    ("jump-into-a-chain-that-was-removed", "the network has no chain \"c\""),
    ("log-from-a-chain", "the driver's grant lacks permissions: packet-log"),
    ("fail-after-a-chain", "gave up with a chain in the kernel"),
    // Rules for what passes bridges.
    ("drop-all-frames", "nothing ties the rule to the network: for frames, one of its links"),
    ("drop-frames-of-addresses", "nothing ties the rule to the network: for frames, one of its links"),
    ("drop-frames-of-a-mac", "nothing ties the rule to the network: for frames, one of its links"),
    ("drop-all-frames-but-its-own", "nothing ties the rule to the network: for frames, one of its links"),
    ("drop-frames-of-eth0", "eth0"),
    ("drop-frames-of-the-victims-port", "victim"),
    ("drop-frames-of-what-was-removed", "hb is gone"),
    ("frames-at-a-hook-that-is-not-granted", "lacks hooks: prerouting -300"),
    ("translate-frames", "can't happen to a frame"),
    ("reject-frames", "can't happen to a frame"),
    ("jump-from-frames", "can't happen to a frame"),
    ("frames-by-their-connection", "is nothing that a bridge knows of a frame"),
    ("frames-for-the-host", "is nothing that a bridge knows of a frame"),
    ("frames-of-a-set", "is nothing that a bridge knows of a frame"),
    ("mark-frames", "lacks mark-bits: 0x0000ff00"),
    ("untrack-frames", "can't be done to a frame"),
    ("log-frames", "lacks permissions: packet-log"),
    ("many-frame-rules", "nftables.add-frame-rules: the driver's grant allows 10 (limits: rules)"),
    ("fail-after-a-frame-rule", "gave up with a rule at a bridge"),
    // Packet rules and settings of others.
    ("drop-everything", "nothing ties the rule to the network"),
    ("drop-another-network", "nothing ties the rule to the network"),
    ("drop-all-but-its-own", "nothing ties the rule to the network"),
    ("hook-that-is-not-granted", "the driver's grant lacks hooks: input 0"),
    ("priority-that-is-not-granted", "the driver's grant lacks hooks: forward -2147483648"),
    ("redirect-the-hosts-ssh", "host port 22/tcp of 0.0.0.0 is not taken by this endpoint"),
    ("redirect-another-network", "host port 80/tcp of 10.77.0.2 is not taken by this endpoint"),
    ("redirect-to-nobody", "192.0.2.1 lies in none of the network's pools"),
    ("policy-rule-for-another-network", "nothing ties the rule to the network"),
    ("policy-rule-of-a-family-for-another-network", "nothing ties the rule to the network"),
    ("policy-rule-of-a-family-for-everybody", "it would catch foreign packets"),
    ("policy-rule-for-the-local-table", "the routing table 255 is the kernel's own"),
    ("speak-for-another-network", "10.77.0.2 lies in none of the network's pools"),
    ("speak-for-the-outside", "192.0.2.9 lies in none of the network's pools"),
    ("speak-for-another-gateway", "10.77.0.1 lies in none of the network's pools"),
    ("speak-for-the-host-itself", "127.0.0.1 lies in none of the network's pools"),
    ("choose-everything", "0.0.0.0/0 is not the driver's to choose"),
    ("choose-another-network", "10.77.0.0/16 overlaps with 10.77.0.0/24 of network \"victim\""),
    (
        "choose-the-hosts-lan",
        "192.0.2.0/24 is not the driver's to choose; the driver's grant lacks pools: 192.0.2.0/24",
    ),
    ("switch-forwarding-off", "the driver's grant lacks sysctls: host.ipv4-forwarding"),
    ("setting-that-is-not-granted", "the driver's grant lacks sysctls: link.ipv4-route-localnet"),
    ("read-a-setting-that-is-not-granted", "the driver's grant lacks sysctls: link.ipv4-route-localnet"),
    ("read-forwarding", "the driver's grant lacks sysctls: host.ipv4-forwarding"),
    // What outlives that for which it was made, and names that somebody else has next.
    ("rename-under-a-policy-rule", "hb keeps its name as long as the rule 7 for table 9 goes by it"),
    ("rename-under-forwarding", "hb keeps its name as long as the forwarding of hb goes by it"),
    ("rename-to-an-engines-name", "docker_gwbridge is a name that a container engine"),
    ("take-an-engines-name", "docker0 is a name that a container engine"),
    ("take-an-engines-next-name", "cni0 is a name that a container engine"),
    ("take-the-name-of-an-interface-to-come", "eth7 is a name that a container engine or an interface of the host"),
    ("take-a-vlans-name", "eth0.10 is a name that a container engine or an interface of the host"),
    ("take-the-victims-name", "victim is the name of another driver's link"),
    ("take-a-name-that-policy-rules-go-by", "names that begin with \"pontoon\" are the host's own"),
    ("release-a-translated-port", "host port 20001/tcp is released, but a packet rule still sends elsewhere"),
    ("release-a-translated-port-of-one-address", "host port 20001/tcp of 192.0.2.1 is released, but a packet rule"),
    ("release-a-translated-port-of-two-rules", "host port 20001/tcp is released, but a packet rule"),
    ("release-a-translated-range", "host port 20001-20004/tcp is released, but a packet rule"),
    ("rule-wider-than-a-range", "host port 20001-20005/tcp of 0.0.0.0 is not taken as a whole by this endpoint"),
    ("range-with-a-port-that-is-taken", "host port 20002/tcp is in use by an endpoint already"),
    ("all-ports-at-once", "ports.take-range: the driver's grant allows 10 (limits: ports)"),
    ("range-from-zero", "there is no host port 0"),
    ("range-backwards", "host ports 20010-20009: the last is below the first"),
    // Texts that mean something to somebody else.
    ("path-as-a-link", "../../x"),
    ("format-as-a-link", "h%s%n"),
    ("escape-as-a-link", "interface name"),
    ("path-as-a-namespace", "a namespace's name is 1 to 32 letters, digits, '-' or '_'"),
    ("path-as-a-table", "a table's name is 1 to 128 bytes of printable ASCII without '/'"),
    ("nul-as-a-key", "a key is 1 to 256 bytes of printable ASCII"),
    ("statement-as-a-key", "Some([120]) under a key of that name"),
    ("huge-key", "a key is 1 to 256 bytes of printable ASCII; this one has 100000 bytes"),
    ("huge-value", "a value has at most 65536 bytes; this one has 200000"),
    ("escapes-in-an-error", "root# "),
    ("endless-error", "xxxx"),
    // A trap in the middle of each kind of change.
    ("trap-after-a-link", "create-network trapped"),
    ("trap-after-an-address", "create-network trapped"),
    ("trap-after-a-route", "create-network trapped"),
    ("trap-after-a-path", "create-network trapped"),
    ("trap-after-an-answer", "create-network trapped"),
    ("trap-after-a-set", "create-network trapped"),
    ("trap-after-a-policy-rule", "create-network trapped"),
    ("trap-after-a-neighbour", "create-network trapped"),
    ("trap-after-a-packet-rule", "create-network trapped"),
    ("trap-after-a-setting", "create-network trapped"),
    ("trap-after-forwarding", "create-network trapped"),
    ("trap-after-a-namespace", "create-network trapped"),
    ("trap-after-a-port", "create-network trapped"),
    ("trap-after-state", "create-network trapped"),
    ("trap-after-an-entry", "create-network trapped"),
    ("remove-then-trap", "create-network trapped"),
    // Below the bindings.
    ("forge-a-handle", "unknown handle index 999"),
    ("handle-of-zero", "unknown handle index 0"),
    ("handle-below-zero", "unknown handle index"),
    ("drop-a-handle-twice", "unknown handle index 7"),
    ("no-utf-8", "utf-8"),
    ("message-outside-of-memory", "out of bounds"),
    ("message-of-four-gigabytes", "out of bounds"),
    ("level-that-there-is-not", "discriminant"),
    ("call-back-while-being-called", "cannot leave component instance"),
];

/// The attacks in a join.
const JOINS: &[(&str, &str)] = &[
    ("a-million-routes", "an endpoint has at most 1000 static routes"),
    ("answer-with-a-foreign-link", "the driver has no link eth0 there"),
    (
        "default-route-for-the-container",
        "a default route is a permission of its own; the driver's grant lacks routes: default",
    ),
    (
        "route-for-the-container",
        "10.77.0.0/24 lies in none of the network's pools; the driver's grant lacks routes: 10.77.0.0/24",
    ),
    ("gateway-of-nobody", "192.0.2.1"),
    ("reach-into-the-container", "it is in the container's namespace; the driver's grant lacks namespaces: container"),
    ("release-a-translated-port-later", "host port 20002/tcp is released, but a packet rule still sends elsewhere"),
    ("handle-of-an-earlier-call", "wrong type"),
    ("take-eth0-into-the-container", "the driver has no link eth0 there, and its grant names no such parent"),
    ("take-the-victim-into-the-container", "the driver has no link victim there, and its grant names no such parent"),
    ("take-eth0-twice", "the driver has no link eth0 there, and its grant names no such parent"),
    ("build-on-what-was-taken", "the driver has no link eth0 there, and its grant names no such parent"),
    ("trap-after-a-device", "the driver has no link eth0 there, and its grant names no such parent"),
    ("fail-after-a-device", "the driver has no link eth0 there, and its grant names no such parent"),
];

impl Scene {
    fn new() -> Self {
        Self::of(Bench::new())
    }

    fn network(&self, options: &Value) -> Result<()> {
        let chooses = options["attack"].as_str().is_some_and(|name| name.starts_with("choose-"));
        let more = match chooses {
            true => json!({"no_pools": true, "options": options}),
            false => json!({"pools": [{"subnet": "10.78.0.0/24"}], "options": options}),
        };
        self.bench.wait(self.bench.controller.create_network(create("h", "hostile", &more))).map(drop)
    }

    /// An attack that must fail. What it leaves, a network without one included, goes with the network.
    fn attack(&self, name: &str) -> Error {
        if !ENDLESS.contains(&name) {
            return self.attack_now(name);
        }
        let before = self.allow_milliseconds("hostile", Some(100));
        let error = self.attack_now(name);
        self.allow_milliseconds("hostile", before);
        error
    }

    fn attack_now(&self, name: &str) -> Error {
        let options = json!({"attack": name});
        if ATTACKS.iter().any(|(known, _)| *known == name) {
            return self.network(&options).unwrap_err();
        }
        self.network(&json!({})).unwrap();
        let attached =
            self.bench.wait(self.bench.controller.attach("h", attach(&self.other, &json!({"options": options}))));
        self.bench.wait(self.bench.controller.remove_network("h")).unwrap();
        attached.unwrap_err()
    }

    /// The other driver's endpoint comes and goes before any of more operations than can run has ended.
    fn works_beside<F: Future<Output = Result<()>> + Send + 'static>(&self, endless: impl Fn(u32) -> F) {
        let spinning: Vec<_> = (0..=CALLS).map(|number| self.bench.spawn(endless(number))).collect();
        std::thread::sleep(Duration::from_millis(200));
        self.work(&self.other);
        assert!(!spinning.iter().any(JoinHandle::is_finished), "the other driver waited for a call that spins");
        // Those that still wait for a turn never begin.
        spinning.iter().for_each(JoinHandle::abort);
    }
}

fn ends(name: &str) -> &'static str {
    ATTACKS.iter().chain(JOINS).find(|(known, _)| *known == name).unwrap().1
}

/// Attacks that are contained, one scene for all of them.
fn contained(names: &[&str]) {
    let scene = Scene::new();
    // That the operator has given a grant is remembered.
    let usual = scene.allow_milliseconds("hostile", None);
    scene.allow_milliseconds("hostile", usual);
    let before = scene.seen();
    for name in names {
        let error = scene.attack(name);
        assert!(error.message.contains(ends(name)), "{name}: {error}");
        assert!(error.message.len() < 3_000 && !error.message.chars().any(char::is_control), "{name}: {error:?}");
        same_at_last(|| scene.seen(), &before);
    }
    scene.work(&scene.other);
}

macro_rules! attacks {
    ($($test:ident: $name:literal)*) => {
        /// Those that have a test.
        const TESTED: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                contained(&[$name]);
            }
        )*
    };
}

attacks! {
    spin: "spin"
    wait_in_the_host: "wait-in-the-host"
    allocate: "allocate"
    recurse: "recurse"
    flood_the_log: "flood-the-log"
    flood_the_host: "flood-the-host"
    leak_handles: "leak-handles"
    random_bytes: "random-bytes"
    large_message: "large-message"
    many_links: "many-links"
    many_links_one_by_one: "many-links-one-by-one"
    many_addresses: "many-addresses"
    many_addresses_at_once: "many-addresses-at-once"
    many_routes: "many-routes"
    many_rules: "many-rules"
    many_entries: "many-entries"
    many_bytes: "many-bytes"
    many_ports: "many-ports"
    links_again_and_again: "links-again-and-again"
    pairs_again_and_again: "pairs-again-and-again"
    remove_what_is_not_there: "remove-what-is-not-there"
    remove_neighbours_without_end: "remove-neighbours-without-end"
    a_heap_of_rules_one_by_one: "a-heap-of-rules-one-by-one"
    a_heap_of_links: "a-heap-of-links"
    a_namespace_full_of_links: "a-namespace-full-of-links"
    many_neighbours: "many-neighbours"
    many_forwarding_entries: "many-forwarding-entries"
    neighbours_and_forwarding_entries: "neighbours-and-forwarding-entries"
    neighbours_again_and_again: "neighbours-again-and-again"
    addresses_over_many_links: "addresses-over-many-links"
    addresses_of_many_new_links: "addresses-of-many-new-links"
    routes_over_many_links: "routes-over-many-links"
    rules_again_and_again: "rules-again-and-again"
    forwarding_without_end: "forwarding-without-end"
    many_namespaces: "many-namespaces"
    namespaces_again_and_again: "namespaces-again-and-again"
    many_ports_of_the_hosts_choice: "many-ports-of-the-hosts-choice"
    ports_again_and_again: "ports-again-and-again"
    ports_by_tunnels: "ports-by-tunnels"
    many_short_keys: "many-short-keys"
    large_entries: "large-entries"
    long_names_of_entries: "long-names-of-entries"
    bridge_a_macvlan: "bridge-a-macvlan"
    bridge_a_vlan: "bridge-a-vlan"
    bridge_a_macvlan_later: "bridge-a-macvlan-later"
    take_eth0: "take-eth0"
    take_loopback: "take-loopback"
    take_a_foreign_bridge: "take-a-foreign-bridge"
    see_foreign_links: "see-foreign-links"
    make_a_foreign_name: "make-a-foreign-name"
    race_a_rename: "race-a-rename"
    rule_in_another_namespace: "rule-in-another-namespace"
    build_on_eth0: "build-on-eth0"
    tunnel_without_a_parent: "tunnel-without-a-parent"
    guess_a_namespace: "guess-a-namespace"
    remove_the_hosts_namespace: "remove-the-hosts-namespace"
    read_foreign_state: "read-foreign-state"
    claim_a_foreign_table: "claim-a-foreign-table"
    list_a_foreign_table: "list-a-foreign-table"
    default_route: "default-route"
    default_route_ipv6: "default-route-ipv6"
    half_of_everything: "half-of-everything"
    route_of_another_network: "route-of-another-network"
    route_in_the_local_table: "route-in-the-local-table"
    wider_than_the_network: "wider-than-the-network"
    hijack_a_subnet: "hijack-a-subnet"
    address_of_nobody: "address-of-nobody"
    address_as_wide_as_half_the_world: "address-as-wide-as-half-the-world"
    address_with_the_neighbours: "address-with-the-neighbours"
    new_link_as_wide_as_the_world: "new-link-as-wide-as-the-world"
    neighbour_of_nobody: "neighbour-of-nobody"
    path_for_everything: "path-for-everything"
    path_of_another_network: "path-of-another-network"
    path_in_the_local_table: "path-in-the-local-table"
    path_by_seventeen_hops: "path-by-seventeen-hops"
    many_paths: "many-paths"
    answer_for_another_network: "answer-for-another-network"
    answer_for_the_outside: "answer-for-the-outside"
    answer_for_the_host: "answer-for-the-host"
    many_answers: "many-answers"
    read_a_delay_that_is_not_granted: "read-a-delay-that-is-not-granted"
    path_by_a_parent: "path-by-a-parent"
    path_over_the_lan: "path-over-the-lan"
    path_before_the_hosts: "path-before-the-hosts"
    path_for_everything_by_a_parent: "path-for-everything-by-a-parent"
    path_by_a_foreign_gateway: "path-by-a-foreign-gateway"
    answer_for_the_router: "answer-for-the-router"
    answer_for_the_host_on_the_lan: "answer-for-the-host-on-the-lan"
    answer_for_nobody_on_the_lan: "answer-for-nobody-on-the-lan"
    listen_on_eth0: "listen-on-eth0"
    listen_on_the_victim: "listen-on-the-victim"
    listen_by_a_link_on_eth0: "listen-by-a-link-on-eth0"
    tap_on_eth0: "tap-on-eth0"
    tap_under_the_victims_name: "tap-under-the-victims-name"
    tap_as_a_port: "tap-as-a-port"
    listen_on_what_was_removed: "listen-on-what-was-removed"
    forget_at_once_on_the_victim: "forget-at-once-on-the-victim"
    filter_on_eth0: "filter-on-eth0"
    flood_the_victims_port: "flood-the-victims-port"
    a_bridge_that_is_none: "a-bridge-that-is-none"
    a_port_that_is_none: "a-port-that-is-none"
    remember_for_ever: "remember-for-ever"
    queue_without_end: "queue-without-end"
    queue_of_nothing: "queue-of-nothing"
    vlans_without_end: "vlans-without-end"
    vlan_of_13_bits: "vlan-of-13-bits"
    vlan_0: "vlan-0"
    vlan_that_is_kept_for_the_kernel: "vlan-that-is-kept-for-the-kernel"
    vlan_twice: "vlan-twice"
    two_default_vlans: "two-default-vlans"
    options_again_and_again: "options-again-and-again"
    offload_what_eth0_does: "offload-what-eth0-does"
    offload_what_the_victim_does: "offload-what-the-victim-does"
    offload_what_was_removed: "offload-what-was-removed"
    offload_what_is_the_parents: "offload-what-is-the-parents"
    trap_after_offloads: "trap-after-offloads"
    trap_after_options: "trap-after-options"
    take_a_device_for_nobody: "take-a-device-for-nobody"
    take_its_own_link: "take-its-own-link"
    slow_eth0: "slow-eth0"
    slow_the_victim: "slow-the-victim"
    slow_what_was_removed: "slow-what-was-removed"
    rate_of_nothing: "rate-of-nothing"
    rate_without_end: "rate-without-end"
    burst_of_nothing: "burst-of-nothing"
    burst_that_loses_all: "burst-that-loses-all"
    rates_again_and_again: "rates-again-and-again"
    many_ifbs: "many-ifbs"
    ifb_by_an_engines_name: "ifb-by-an-engines-name"
    ifb_by_the_victims_name: "ifb-by-the-victims-name"
    receive_what_eth0_does: "receive-what-eth0-does"
    send_through_eth0: "send-through-eth0"
    receive_in_a_circle: "receive-in-a-circle"
    receive_through_a_bridge: "receive-through-a-bridge"
    receive_in_another_namespace: "receive-in-another-namespace"
    slow_the_others_of_a_bridge: "slow-the-others-of-a-bridge"
    tunnel_by_every_link: "tunnel-by-every-link"
    tunnel_on_a_port_that_is_taken: "tunnel-on-a-port-that-is-taken"
    tunnel_under_a_foreign_name: "tunnel-under-a-foreign-name"
    many_tunnels: "many-tunnels"
    tunnel_as_a_port: "tunnel-as-a-port"
    peer_for_everything: "peer-for-everything"
    peer_for_half_of_everything: "peer-for-half-of-everything"
    peer_for_the_lan: "peer-for-the-lan"
    peer_of_another_network: "peer-of-another-network"
    peer_with_endless_networks: "peer-with-endless-networks"
    peers_without_end: "peers-without-end"
    peers_again_and_again: "peers-again-and-again"
    peer_on_the_host_itself: "peer-on-the-host-itself"
    peer_with_its_own_key: "peer-with-its-own-key"
    peers_of_another_kind: "peers-of-another-kind"
    trap_after_a_peer: "trap-after-a-peer"
    elements_for_a_set_of_another_network: "elements-for-a-set-of-another-network"
    look_into_a_set_of_another_network: "look-into-a-set-of-another-network"
    set_by_the_name_of_a_map: "set-by-the-name-of-a-map"
    set_by_a_name_of_the_kernels: "set-by-a-name-of-the-kernels"
    set_by_an_endless_name: "set-by-an-endless-name"
    many_sets: "many-sets"
    many_elements_one_by_one: "many-elements-one-by-one"
    elements_again_and_again: "elements-again-and-again"
    elements_over_many_sets: "elements-over-many-sets"
    elements_that_overlap: "elements-that-overlap"
    ports_among_addresses: "ports-among-addresses"
    remove_a_set_in_use: "remove-a-set-in-use"
    set_back_in_the_same_call: "set-back-in-the-same-call"
    rule_tied_by_a_set: "rule-tied-by-a-set"
    rule_tied_by_a_mark: "rule-tied-by-a-mark"
    mark_its_packets: "mark-its-packets"
    mark_beside_its_mask: "mark-beside-its-mask"
    mark_everybodys_packets: "mark-everybodys-packets"
    log_without_leave: "log-without-leave"
    log_with_control_characters: "log-with-control-characters"
    log_without_end: "log-without-end"
    log_a_flood: "log-a-flood"
    untrack_its_packets_late: "untrack-its-packets-late"
    untrack_everybodys_packets: "untrack-everybodys-packets"
    reject_everybody: "reject-everybody"
    reject_before_routing: "reject-before-routing"
    reset_without_a_protocol: "reset-without-a-protocol"
    shrink_everybodys_segments: "shrink-everybodys-segments"
    segments_of_nothing: "segments-of-nothing"
    statement_in_a_nat_chain: "statement-in-a-nat-chain"
    nine_statements: "nine-statements"
    count_what_others_count: "count-what-others-count"
    many_packet_rules: "many-packet-rules"
    redirect_the_hosts_ssh_and_count: "redirect-the-hosts-ssh-and-count"
    map_a_port_to_the_host: "map-a-port-to-the-host"
    map_a_port_to_a_loopback_address: "map-a-port-to-a-loopback-address"
    map_a_port_to_another_network: "map-a-port-to-another-network"
    map_the_hosts_ssh: "map-the-hosts-ssh"
    map_a_port_of_another_protocol: "map-a-port-of-another-protocol"
    map_a_port_of_one_address_for_all: "map-a-port-of-one-address-for-all"
    release_a_mapped_port: "release-a-mapped-port"
    map_by_the_name_of_a_set: "map-by-the-name-of-a-set"
    set_for_a_map: "set-for-a-map"
    map_for_a_set: "map-for-a-set"
    map_of_another_network: "map-of-another-network"
    map_of_a_port_chain: "map-of-a-port-chain"
    map_in_a_filter_chain: "map-in-a-filter-chain"
    map_to_marks_that_are_not_granted: "map-to-marks-that-are-not-granted"
    mark_all_bits_by_a_map: "mark-all-bits-by-a-map"
    mark_everybodys_packets_by_a_map: "mark-everybodys-packets-by-a-map"
    mark_by_a_port: "mark-by-a-port"
    a_port_twice_in_a_map: "a-port-twice-in-a-map"
    elements_of_a_map_without_end: "elements-of-a-map-without-end"
    remove_a_map_in_use: "remove-a-map-in-use"
    fail_after_a_map: "fail-after-a-map"
    jump_into_a_chain_of_another_network: "jump-into-a-chain-of-another-network"
    rules_for_a_chain_of_another_network: "rules-for-a-chain-of-another-network"
    jump_into_a_base_chain: "jump-into-a-base-chain"
    goto_a_base_chain_of_the_hosts: "goto-a-base-chain-of-the-hosts"
    jump_into_itself: "jump-into-itself"
    jump_in_a_circle: "jump-in-a-circle"
    jump_from_another_hook: "jump-from-another-hook"
    jump_for_everybody: "jump-for-everybody"
    jump_for_all_but_its_own: "jump-for-all-but-its-own"
    return_from_a_base_chain: "return-from-a-base-chain"
    translate_behind_a_filter: "translate-behind-a-filter"
    redirect_the_hosts_ssh_from_a_chain: "redirect-the-hosts-ssh-from-a-chain"
    chain_at_a_hook_that_is_not_granted: "chain-at-a-hook-that-is-not-granted"
    chain_by_the_name_of_another_table: "chain-by-the-name-of-another-table"
    chain_by_an_endless_name: "chain-by-an-endless-name"
    a_thousand_chains: "a-thousand-chains"
    chains_again_and_again: "chains-again-and-again"
    chain_kept_by_a_rule: "chain-kept-by-a-rule"
    chain_kept_by_a_jump: "chain-kept-by-a-jump"
    chain_back_in_the_same_call: "chain-back-in-the-same-call"
    jump_into_a_chain_that_was_removed: "jump-into-a-chain-that-was-removed"
    log_from_a_chain: "log-from-a-chain"
    fail_after_a_chain: "fail-after-a-chain"
    drop_all_frames: "drop-all-frames"
    drop_frames_of_addresses: "drop-frames-of-addresses"
    drop_frames_of_a_mac: "drop-frames-of-a-mac"
    drop_all_frames_but_its_own: "drop-all-frames-but-its-own"
    drop_frames_of_eth0: "drop-frames-of-eth0"
    drop_frames_of_the_victims_port: "drop-frames-of-the-victims-port"
    drop_frames_of_what_was_removed: "drop-frames-of-what-was-removed"
    frames_at_a_hook_that_is_not_granted: "frames-at-a-hook-that-is-not-granted"
    translate_frames: "translate-frames"
    reject_frames: "reject-frames"
    jump_from_frames: "jump-from-frames"
    frames_by_their_connection: "frames-by-their-connection"
    frames_for_the_host: "frames-for-the-host"
    frames_of_a_set: "frames-of-a-set"
    mark_frames: "mark-frames"
    untrack_frames: "untrack-frames"
    log_frames: "log-frames"
    many_frame_rules: "many-frame-rules"
    fail_after_a_frame_rule: "fail-after-a-frame-rule"
    drop_everything: "drop-everything"
    drop_another_network: "drop-another-network"
    drop_all_but_its_own: "drop-all-but-its-own"
    hook_that_is_not_granted: "hook-that-is-not-granted"
    priority_that_is_not_granted: "priority-that-is-not-granted"
    redirect_the_hosts_ssh: "redirect-the-hosts-ssh"
    redirect_another_network: "redirect-another-network"
    redirect_to_nobody: "redirect-to-nobody"
    policy_rule_for_another_network: "policy-rule-for-another-network"
    policy_rule_of_a_family_for_another_network: "policy-rule-of-a-family-for-another-network"
    policy_rule_of_a_family_for_everybody: "policy-rule-of-a-family-for-everybody"
    policy_rule_for_the_local_table: "policy-rule-for-the-local-table"
    speak_for_another_network: "speak-for-another-network"
    speak_for_the_outside: "speak-for-the-outside"
    speak_for_another_gateway: "speak-for-another-gateway"
    speak_for_the_host_itself: "speak-for-the-host-itself"
    switch_forwarding_off: "switch-forwarding-off"
    setting_that_is_not_granted: "setting-that-is-not-granted"
    read_a_setting_that_is_not_granted: "read-a-setting-that-is-not-granted"
    read_forwarding: "read-forwarding"
    rename_under_a_policy_rule: "rename-under-a-policy-rule"
    rename_under_forwarding: "rename-under-forwarding"
    rename_to_an_engines_name: "rename-to-an-engines-name"
    take_an_engines_name: "take-an-engines-name"
    take_an_engines_next_name: "take-an-engines-next-name"
    take_the_name_of_an_interface_to_come: "take-the-name-of-an-interface-to-come"
    take_a_vlans_name: "take-a-vlans-name"
    take_the_victims_name: "take-the-victims-name"
    take_a_name_that_policy_rules_go_by: "take-a-name-that-policy-rules-go-by"
    release_a_translated_port: "release-a-translated-port"
    release_a_translated_port_of_one_address: "release-a-translated-port-of-one-address"
    release_a_translated_port_of_two_rules: "release-a-translated-port-of-two-rules"
    release_a_translated_range: "release-a-translated-range"
    rule_wider_than_a_range: "rule-wider-than-a-range"
    range_with_a_port_that_is_taken: "range-with-a-port-that-is-taken"
    all_ports_at_once: "all-ports-at-once"
    range_from_zero: "range-from-zero"
    range_backwards: "range-backwards"
    path_as_a_link: "path-as-a-link"
    format_as_a_link: "format-as-a-link"
    escape_as_a_link: "escape-as-a-link"
    path_as_a_namespace: "path-as-a-namespace"
    path_as_a_table: "path-as-a-table"
    nul_as_a_key: "nul-as-a-key"
    statement_as_a_key: "statement-as-a-key"
    huge_key: "huge-key"
    huge_value: "huge-value"
    escapes_in_an_error: "escapes-in-an-error"
    endless_error: "endless-error"
    trap_after_a_link: "trap-after-a-link"
    trap_after_an_address: "trap-after-an-address"
    trap_after_a_route: "trap-after-a-route"
    trap_after_a_path: "trap-after-a-path"
    trap_after_an_answer: "trap-after-an-answer"
    trap_after_a_set: "trap-after-a-set"
    trap_after_a_policy_rule: "trap-after-a-policy-rule"
    trap_after_a_neighbour: "trap-after-a-neighbour"
    trap_after_a_packet_rule: "trap-after-a-packet-rule"
    trap_after_a_setting: "trap-after-a-setting"
    trap_after_forwarding: "trap-after-forwarding"
    trap_after_a_namespace: "trap-after-a-namespace"
    trap_after_a_port: "trap-after-a-port"
    trap_after_state: "trap-after-state"
    trap_after_an_entry: "trap-after-an-entry"
    remove_then_trap: "remove-then-trap"
    forge_a_handle: "forge-a-handle"
    handle_of_zero: "handle-of-zero"
    handle_below_zero: "handle-below-zero"
    drop_a_handle_twice: "drop-a-handle-twice"
    no_utf_8: "no-utf-8"
    message_outside_of_memory: "message-outside-of-memory"
    message_of_four_gigabytes: "message-of-four-gigabytes"
    level_that_there_is_not: "level-that-there-is-not"
    call_back_while_being_called: "call-back-while-being-called"
    watch_a_foreign_table: "watch-a-foreign-table"
    choose_everything: "choose-everything"
    choose_another_network: "choose-another-network"
    choose_the_hosts_lan: "choose-the-hosts-lan"
    a_million_routes: "a-million-routes"
    answer_with_a_foreign_link: "answer-with-a-foreign-link"
    default_route_for_the_container: "default-route-for-the-container"
    route_for_the_container: "route-for-the-container"
    gateway_of_nobody: "gateway-of-nobody"
    reach_into_the_container: "reach-into-the-container"
    release_a_translated_port_later: "release-a-translated-port-later"
    handle_of_an_earlier_call: "handle-of-an-earlier-call"
    take_eth0_into_the_container: "take-eth0-into-the-container"
    take_the_victim_into_the_container: "take-the-victim-into-the-container"
    take_eth0_twice: "take-eth0-twice"
    build_on_what_was_taken: "build-on-what-was-taken"
    trap_after_a_device: "trap-after-a-device"
    fail_after_a_device: "fail-after-a-device"
}

/// No attack without a test, and none that is no longer there.
#[test]
fn every_attack_is_named() {
    let scene = Scene::new();
    // A message has its limit.
    let page = |number: usize| scene.network(&json!({"list": number.to_string()})).unwrap_err().message;
    let names =
        |page: String| page.rsplit(": ").next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let pages = (0..).map(|number| names(page(number))).take_while(|names: &Vec<String>| !names.is_empty());
    assert_eq!(pages.flatten().collect::<Vec<_>>(), TESTED);
    assert!(TESTED.len() >= 40, "{}", TESTED.len());
}

/// Calls that come through leave nothing that is for the next link of a name, whoever has taken away the one that they were for.
mod leaving {
    use super::*;

    fn leaves(attack: &str, then: impl FnOnce(&Scene)) {
        let scene = Scene::new();
        scene.bench.host.run("iptables-nft -P FORWARD DROP");
        until("the victim is let through", || scene.bench.host.run("iptables-nft -S FORWARD").contains("-o victim"));
        let before = scene.seen();
        scene.network(&json!({"leave": attack})).unwrap();
        then(&scene);
        scene.bench.wait(scene.bench.controller.remove_network("h")).unwrap();
        same_at_last(|| scene.seen(), &before);
    }

    /// The next link of the name gets no packet dropped, routed by another table, or let through.
    fn gets_nothing(scene: &Scene, name: &str) {
        let run = |command: &str| scene.bench.host.run(command);
        run(&format!("ip link add name {name} type bridge"));
        run(&format!("ip link set {name} up"));
        let rules = run("ip rule");
        assert!(rules.lines().all(|rule| !rule.contains("lookup 9") || rule.contains("[detached]")), "{rules}");
        for line in run("nft list ruleset").lines().filter(|line| line.contains(name)) {
            // What iptables shows is the name; beside it stands an index, and of a link that is there nft shows the name.
            assert!(!line.contains(&format!("iif \"{name}\"")) && !line.contains(&format!("oif \"{name}\"")), "{line}");
            assert!(line.contains("iif ") || line.contains("oif "), "{line}");
        }
        run(&format!("ip link del {name}"));
    }

    #[test]
    fn rules_of_a_link_that_is_removed() {
        leaves("rules-of-a-link-that-is-removed", |scene| {
            assert!(!scene.bench.host.dump().contains("lookup 9"), "the rule goes with the link");
            gets_nothing(scene, "hx");
        });
    }

    #[test]
    fn rules_of_a_link_whose_other_end_is_removed() {
        leaves("rules-of-a-link-whose-other-end-is-removed", |scene| {
            assert!(!scene.bench.host.dump().contains("lookup 9"), "the rule goes with the link");
            gets_nothing(scene, "hx");
        });
    }

    #[test]
    fn rules_of_a_link_on_one_that_is_removed() {
        leaves("rules-of-a-link-on-one-that-is-removed", |scene| gets_nothing(scene, "hx"));
    }

    #[test]
    fn rules_of_a_link_that_the_operator_removes() {
        leaves("rules-of-a-link-that-stays", |scene| {
            scene.bench.host.run("ip link del hx");
            gets_nothing(scene, "hx");
        });
    }

    #[test]
    fn rules_of_a_link_that_the_operator_renames() {
        leaves("rules-of-a-link-that-stays", |scene| {
            scene.bench.host.run("ip link set hx down");
            scene.bench.host.run("ip link set hx name hz");
            gets_nothing(scene, "hx");
        });
    }

    #[test]
    fn rules_of_a_link_that_moves_into_a_container() {
        leaves("nothing", |scene| {
            let attach = attach(&scene.other, &json!({"options": {"attack": "rules-of-a-link-that-moves"}}));
            let id = scene.bench.wait(scene.bench.controller.attach("h", attach)).unwrap().endpoint.id;
            gets_nothing(scene, &format!("hc{:.8}", id.as_str()));
            scene.bench.wait(scene.bench.controller.detach(Some("h"), "other")).unwrap();
            assert!(!scene.bench.host.dump().contains("lookup 9"), "the rule goes with the link");
        });
    }

    /// Others can have the name that a link had before.
    #[test]
    fn a_link_is_known_by_the_name_that_it_has() {
        leaves("keep-a-name-by-another", |scene| {
            let link = |name: &str| scene.bench.stored().contains(&format!("\"name\":\"{name}\""));
            assert!(link("hx") && !link("hb"));
        });
    }

    #[test]
    fn of_a_range_no_half_is_released() {
        leaves("release-half-a-range", |scene| {
            assert!(scene.bench.host.dump().contains("20001-20004"), "its rule is there");
            for port in 20_001..=20_004 {
                let bound = move || std::net::TcpListener::bind(("0.0.0.0", port)).is_err();
                assert!(scene.bench.host.enter(bound).join().unwrap(), "{port} is taken");
            }
        });
    }

    #[test]
    fn a_port_and_its_rule_go_in_any_order() {
        for attack in ["release-a-port-and-its-rule", "remove-a-rule-and-release-its-port"] {
            leaves(attack, |scene| {
                assert!(!scene.bench.host.dump().contains("20001"));
            });
        }
    }
}

/// It spins in more networks than calls can run. The other driver's calls go on beside it, before any of its own ends.
#[test]
fn exhaust_the_pool() {
    let scene = Scene::new();
    scene.allow_milliseconds("hostile", Some(5_000));
    scene.works_beside(|number| {
        let (controller, options) = (scene.bench.controller.clone(), json!({"options": {"attack": "spin"}}));
        async move { controller.create_network(create(&format!("h{number}"), "hostile", &options)).await.map(drop) }
    });
}

/// The same in what it is asked for whoever looks at its network.
#[test]
fn exhaust_the_pool_while_it_is_looked_at() {
    let scene = Scene::new();
    scene.bench.load("probe", "test/probe", &[("probe.spin", "decode-table-entry")]);
    scene.allow_milliseconds("probe", Some(5_000));
    let controller = &scene.bench.controller;
    scene.bench.wait(controller.create_network(create("p", "probe", &json!({"no_pools": true})))).unwrap();
    scene
        .bench
        .wait(controller.put_entry("p", "another", "k", PutEntry { value: "v".into(), owner: "operator".into() }))
        .unwrap();
    scene.works_beside(|_| {
        let controller = controller.clone();
        async move { controller.network("p", true).await.map(drop) }
    });
}
