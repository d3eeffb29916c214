//! Drivers in languages other than Rust: each passes the suite, is begun and built by commands, and its author reads what is wrong.

use std::path::{Path, PathBuf};

use pontoon_tests::{Ran, driver, pontoon, with_tools};
use tempfile::TempDir;

use crate::conformance::{Run, passes_as_a_bridge};

/// A mistake in a new project, and what its author reads of it.
struct Mistake {
    /// What is replaced: the file, what stands there, and by what.
    edits: &'static [[&'static str; 3]],
    /// What `make` or, where that succeeds, the suite says.
    says: &'static [&'static str],
}

/// The interface as it is not yet, in a language whose SDK has bindings.
const OTHER_VERSION: Mistake = Mistake {
    edits: &[["wit", "@0.1.1", "@0.2.0"], ["sdk/bindings", "@0.1.1", "@0.2.0"]],
    says: &["was built for", "pontoon:driver/", "@0.2.0", "build it again with that version"],
};

/// What an author reads whose driver finds version 1 of what it remembers, and reads version 2.
const OTHER_BUILD: &str = "the store's k has version 1, and this build of the driver reads version 2: have it read that, too, \
                           or use another key";
const NO_VERSION_WANTED: &str = "the store's k has version 1, and this build of the driver reads no version";
const NO_VERSION: &str = "the store's k has no version, and this build of the driver reads version 2";

/// The macro makes a module of tests for each language.
const GO: &[Mistake] = &[
    OTHER_VERSION,
    // A panic.
    Mistake {
        edits: &[["main.go", "return nil // What a network", "panic(\"out of luck\") // What a network"]],
        says: &[
            "delete-network trapped",
            "it had said: panic: out of luck, in main.simple.DeleteNetwork (my-blue/main.go:",
        ],
    },
    // What another build of the driver stored.
    Mistake {
        edits: &[[
            "main.go",
            "return nil // What a network",
            "seven, one, two := 7, pontoon.Key[int]{Name: \"k\", Version: 1}, pontoon.Key[int]{Name: \"k\", Version: 2}; \
             none := pontoon.Key[int]{Name: \"k\"}; one.Set(&seven); _, first := two.Get(); _, second := none.Get(); \
             none.Set(&seven); _, third := two.Get(); \
             return fmt.Errorf(\"%v; %v; %v\", first, second, third) // What a network",
        ]],
        says: &["delete-network", OTHER_BUILD, NO_VERSION_WANTED, NO_VERSION],
    },
    // No mistake: a policy rule of a family and a route are listed with all that names them; a link is slowed down, a packet rule looks into a
    // set and counts, a tunnel has a peer.
    Mistake {
        edits: &[
            [
                "main.go",
                "return nil // What a network",
                "link, _ := pontoon.GetLink(name(\"simple\", network), nil); \
                 rule := pontoon.PolicyRule{Priority: 77, Table: 78, InputLink: link}; \
                 first := pontoon.AddPolicyRulesOfFamily(pontoon.FamilyIPv6, []pontoon.PolicyRule{rule}, nil); \
                 to, own := netip.MustParsePrefix(\"10.77.1.128/25\"), netip.MustParseAddr(\"10.77.1.1\"); \
                 second := pontoon.AddRoutes(pontoon.Route{Link: link, Destination: to, Source: own, Table: 79}); \
                 rules, _ := pontoon.ListWholePolicyRules(nil); routes, _ := pontoon.ListWholeRoutes(link); \
                 third := link.SetRate(&pontoon.Rate{BytesPerSecond: 125000, Burst: 9000}); rate, _ := link.Rate(); \
                 pontoon.AddSet(\"s\", pontoon.SetOfIPv4, nil); pontoon.AddElements(\"s\", pontoon.Element{Network: to}); \
                 pontoon.AddSet(\"m\", pontoon.MapOfIPv4HostPorts, nil); leads := pontoon.Element{Protocol: 6, First: 4299, To: netip.AddrPortFrom(own, 80)}; \
                 seventh := pontoon.AddElements(\"m\", leads); _, _ = pontoon.DestinationNATBy(\"m\"), pontoon.SetMarkBy(pontoon.FieldSource, \"m\", 1); \
                 packets := pontoon.NewPacketRule(pontoon.Forward, pontoon.Then(pontoon.Drop)).And(pontoon.Count). \
                 When(pontoon.Plain(pontoon.InputLink(link)), pontoon.InSet(pontoon.FieldSource, \"s\")); \
                 ids, fourth := pontoon.AddPacketRules([]pontoon.PacketRule{packets}, nil); counts, _ := pontoon.ReadCounters(ids); \
                 wg, fifth := pontoon.AddWireguard(pontoon.LinkEnd{Name: \"blue-wg\", Up: true}, 51820); \
                 sixth := wg.SetPeers(pontoon.Peer{Allowed: []netip.Prefix{to}}); peers, _ := wg.Peers(); \
                 return fmt.Errorf(\"%v %v %+v %+v; %v %+v; %v %+v; %v %v %v %v\", first, second, rules, routes, third, *rate, \
                 fourth, counts[0].Some(), fifth, sixth, peers[0].Key, seventh) // What a network",
            ],
            ["main.go", "\"net\"\n", "\"net\"\n\t\"net/netip\"\n"],
        ],
        says: &[
            "delete-network",
            "<nil> <nil> [{PolicyRule:{Priority:77",
            "Family:1 InputLinkName:simple-",
            "Source:10.77.1.1 Table:79",
            "<nil> {BytesPerSecond:125000 Burst:9000}; <nil> {Packets:0 Bytes:0}; <nil> <nil> AAAA",
            "host port 4299/tcp of 0.0.0.0 is not taken by this endpoint",
        ],
    },
    // A function that is missing, and a part.
    Mistake {
        edits: &[["main.go", ") Leave(", ") Left("]],
        says: &["does not implement pontoon.Driver (missing method Leave)"],
    },
    Mistake {
        edits: &[[
            "wit/world.wit",
            "driver-part@0.1.1;\n}",
            "driver-part@0.1.1;\n  include pontoon:driver/ipv6-releaser-part@0.1.1;\n}",
        ]],
        says: &["the world exports ipv6-releaser, whose methods main.simple lacks"],
    },
    Mistake {
        edits: &[["wit/world.wit", "driver-part@0.1.1;\n}", "ipv6-releaser-part@0.1.1;\n}"]],
        says: &["does not export pontoon:driver/driver@0.1.1"],
    },
    // Sockets are refused when the component is linked; files are not there.
    Mistake {
        edits: &[
            [
                "main.go",
                "return nil // What a network",
                "l, err := net.FileListener(os.NewFile(3, \"\")); if err == nil { l.Accept() }; return err // What a network",
            ],
            ["main.go", "\"net\"\n", "\"net\"\n\t\"os\"\n"],
        ],
        says: &["wasi_snapshot_preview1", "sock_"],
    },
    Mistake {
        edits: &[
            [
                "main.go",
                "return nil // What a network",
                "_, err := os.Open(\"/etc/passwd\"); return err // What a network",
            ],
            ["main.go", "\"net\"\n", "\"net\"\n\t\"os\"\n"],
        ],
        says: &["delete-network", "/etc/passwd: "],
    },
];

const C: &[Mistake] = &[
    OTHER_VERSION,
    // A failed assertion, and an abort with a reason.
    Mistake {
        edits: &[
            ["driver.c", "return true; /* What a network", "assert(!network); return true; /* What a network"],
            ["driver.c", "#include <stdlib.h>", "#include <assert.h>\n#include <stdlib.h>"],
        ],
        says: &["delete-network trapped", "it had said: driver.c:", "delete_network: !network does not hold"],
    },
    Mistake {
        edits: &[["driver.c", "return true; /* What a network", "pontoon_panic(\"out of luck\"); /* What a network"]],
        says: &["delete-network trapped", "it had said: out of luck"],
    },
    // What another build of the driver stored.
    Mistake {
        edits: &[[
            "driver.c",
            "return true; /* What a network",
            "int seven = 7; void *read; size_t count; return pontoon_store_version(\"k\", 1, sizeof seven, &seven, 1, err) && \
             pontoon_load_version(\"k\", 2, sizeof seven, &read, &count, err); /* What a network",
        ]],
        says: &["delete-network", OTHER_BUILD],
    },
    // No mistake: a link is slowed down, and a packet rule counts.
    Mistake {
        edits: &[[
            "driver.c",
            "return true; /* What a network",
            "pontoon_link link; pontoon_driver_shaping_rate_t rate = {125000, 9000}; pontoon_driver_shaping_option_rate_t has; \
             if (!pontoon_get_link(name(\"simple\", network), NULL, &link, err) || \
             !pontoon_driver_shaping_set_rate(link, &rate, err) || !pontoon_driver_shaping_get_rate(link, &has, err)) return false; \
             pontoon_driver_nftables_packet_condition_t by = {.property = {.val.plain = pontoon_input_link(link).property}}; \
             pontoon_driver_nftables_statement_t count = {.tag = PONTOON_DRIVER_NFTABLES_STATEMENT_COUNTER}; \
             pontoon_driver_nftables_action_t drop = {PONTOON_DRIVER_NFTABLES_ACTION_PLAIN, {.plain = PONTOON_DROP}}; \
             pontoon_driver_nftables_packet_rule_t rule = {PONTOON_FORWARD, {&by, 1}, {&count, 1}, drop}; \
             pontoon_driver_nftables_list_packet_rule_t rules = {&rule, 1}; pontoon_rule_ids ids; \
             pontoon_driver_nftables_list_option_counter_t counts; \
             if (!pontoon_driver_nftables_add_packet_rules(NULL, &rules, &ids, err) || \
             !pontoon_driver_nftables_read_counters(&ids, &counts, err)) return false; \
             return has.val.burst == 9000 && counts.ptr[0].is_some && \
             pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL, \"slowed down and counted\"); /* What a network",
        ]],
        says: &["delete-network", "slowed down and counted"],
    },
    // A function that is missing, and a part.
    Mistake {
        edits: &[["driver.c", "driver_leave(", "driver_left("]],
        says: &["undefined symbol: exports_pontoon_driver_driver_leave"],
    },
    Mistake {
        edits: &[[
            "wit/world.wit",
            "driver-part@0.1.1;\n}",
            "driver-part@0.1.1;\n  include pontoon:driver/ipv6-releaser-part@0.1.1;\n}",
        ]],
        says: &["undefined symbol: exports_pontoon_driver_ipv6_releaser_release_ipv6"],
    },
    // A part that the world has, and no code for it.
    Mistake {
        edits: &[["Makefile", "$(PARTS) -c", "-c"]],
        says: &["failed to find export of interface `pontoon:driver/driver@0.1.1`"],
    },
    // Sockets are refused when the component is linked; files are not there.
    Mistake {
        edits: &[
            ["driver.c", "return true; /* What a network", "return accept(0, NULL, NULL) == 0; /* What a network"],
            ["driver.c", "#include <stdlib.h>", "#include <stdlib.h>\n#include <sys/socket.h>"],
        ],
        says: &["wasi_snapshot_preview1", "sock_accept"],
    },
];

const PYTHON: &[Mistake] = &[
    Mistake { edits: &[["wit", "@0.1.1", "@0.2.0"]], says: OTHER_VERSION.says },
    // A value of another type than the interface's.
    Mistake {
        edits: &[["app.py", "return pontoon.registration(", "return str("]],
        says: &[
            "register trapped",
            "it had said: TypeError: register (/0/app.py, line ",
            "what it returns is 'my-blue', of type str; the interface has Registration there",
        ],
    },
    // A number out of range.
    Mistake {
        edits: &[[
            "app.py",
            "pass  # What a network",
            "links.add_dummy(links.end(\"d\", mtu=1 << 32))  # What a network",
        ]],
        says: &[
            "delete-network",
            "TypeError: add: links[0].end.mtu is 4294967296, of type int; the interface has a number from 0 to 4294967295 there",
            "app.py, line ",
        ],
    },
    // An exception, with its place. It says a policy rule of a family and a route, listed with all that names them, and what a link's rate, a
    // packet rule and a tunnel are.
    Mistake {
        edits: &[[
            "app.py",
            "pass  # What a network",
            "import ipaddress; from pontoon import routes, rules; link = links.get(name(\"simple\", network)); \
             rules.add_of_family(rules.Family.IPV6, [rules.rule(77, 78, input_link=link)]); \
             net, own = ipaddress.ip_network(\"10.77.1.128/25\"), ipaddress.ip_address(\"10.77.1.1\"); \
             routes.add([routes.route(link, net, source=own, table=79)]); \
             from pontoon import nftables, shaping; shaping.set_rate(link, shaping.Rate(125000, 9000)); \
             nftables.add_set(\"s\", nftables.SetKind.IPV4); nftables.add_elements(\"s\", [nftables.element(net)]); \
             nftables.add_set(\"m\", nftables.SetKind.IPV4_HOST_PORTS); nftables.remove_elements(\"m\", [nftables.host_port_element(6, 80, own, 80)]); \
             (nftables.mark_element(net, 1), nftables.set_mark_by(nftables.PacketField.SOURCE, \"m\", 1), nftables.destination_nat_by(\"m\")); \
             packets = nftables.PacketRule(nftables.FORWARD, nftables.DROP).and_(nftables.COUNTER); \
             packets = packets.when(nftables.input_link(link), nftables.in_set(\"s\", nftables.PacketField.SOURCE)); \
             counts = nftables.read_counters(nftables.add_packet_rules([packets])); \
             wg = links.add_wireguard(links.end(\"blue-wg\", up=True), 51820); links.set_peers(wg, [links.peer(bytes(32), [net])]); \
             more = f\"{shaping.get_rate(link)} {counts} {len(links.list_peers(wg))} {len(links.read_public_key(wg))}\"; \
             raise ValueError(f\"out of luck: {rules.list_whole()} {routes.list_whole(link)} {more}\")  # What a network",
        ]],
        says: &[
            "delete-network",
            "ValueError: out of luck",
            "app.py, line",
            "in delete_network",
            "WholeRule(family=<Family.IPV6: 1>, priority=77",
            "input_link='simple-",
            "source=IpAddress_Ipv4(value=(10, 77, 1, 1)), table=79",
            "Rate(bytes_per_second=125000, burst=9000) [Counter(packets=0, bytes=0)] 1 32",
        ],
    },
    // There are no files.
    Mistake {
        edits: &[["app.py", "pass  # What a network", "open(\"/etc/passwd\")  # What a network"]],
        says: &["delete-network", "a driver has no files: there is no WASI"],
    },
    // What does not compile, a function that is missing, and a part.
    Mistake { edits: &[["app.py", "def join(", "def join)"]], says: &["SyntaxError: unmatched ')' (app.py, line "] },
    Mistake {
        edits: &[["app.py", "def create_endpoint(", "def created_endpoint("]],
        says: &["abstract class Driver", "'create_endpoint'"],
    },
    Mistake {
        edits: &[["wit/world.wit", "driver-part", "ipv6-releaser-part"]],
        says: &["cannot import name 'Registration' from 'pontoon'"],
    },
];

const JAVASCRIPT: &[Mistake] = &[
    Mistake { edits: &[["wit", "@0.1.1", "@0.2.0"], ["sdk", "@0.1.1", "@0.2.0"]], says: OTHER_VERSION.says },
    // What is thrown, with its place; it says what another build of the driver stored, and what a link's rate, a packet rule and a tunnel are.
    Mistake {
        edits: &[
            [
                "driver.ts",
                "// What a network",
                "let said = ''; const read = (key: store.Key<unknown>) => { \
                 try { key.get(); } catch (error) { said += error; } }; \
                 const [one, two, none] = [new store.Key('k', 1), new store.Key('k', 2), new store.Key('k')]; \
                 one.set(7); read(two); read(none); none.set(7); read(two); \
                 const link = links.get(name('simple', _network)); \
                 shaping.setRate(link, { bytesPerSecond: 125000n, burst: 9000 }); \
                 const net = { address: values.parse('10.77.1.128')!, prefixLength: 25 }; \
                 nftables.addSet('s', 'ipv4'); nftables.addElements('s', nftables.element(net)); \
                 nftables.addSet('m', 'ipv4-host-ports'); nftables.removeElements('m', nftables.hostPortElement(6, 80, net.address, 80)); \
                 void [nftables.markElement(net, 1), nftables.setMarkBy('source', 'm', 1), nftables.destinationNatBy('m')]; \
                 const packets = new nftables.PacketRule(nftables.FORWARD, nftables.lastly(nftables.DROP)).and(nftables.COUNTER) \
                 .when(nftables.plain(nftables.inputLink(link)), nftables.inSet('s', 'source')); \
                 const [count] = nftables.readCounters(nftables.addPacketRules([packets])); \
                 const wg = links.addWireguard({ name: 'blue-wg', up: true }, 51820); \
                 links.setPeers(wg, [{ publicKey: new Uint8Array(32), allowed: [net] }]); \
                 said += `; ${shaping.getRate(link)!.burst} ${count!.packets} ${links.listPeers(wg).length}`; \
                 throw new RangeError(`out of luck: ${said}`); // What a network",
            ],
            ["driver.ts", "registration, values", "nftables, registration, shaping, store, values"],
        ],
        says: &[
            "delete-network",
            "RangeError: out of luck",
            "driver.js",
            OTHER_BUILD,
            NO_VERSION_WANTED,
            NO_VERSION,
            "; 9000 0 1",
        ],
    },
    // Nothing is built of what has the wrong types: a function that is missing, a part, a value.
    Mistake {
        edits: &[["driver.ts", "  join(", "  joined("]],
        says: &["driver.ts", "'joined' does not exist in type"],
    },
    Mistake {
        edits: &[["wit/world.wit", "  include", "  include pontoon:driver/ipv6-releaser-part@0.1.1;\n  include"]],
        says: &["ipv6Releaser"],
    },
    Mistake {
        edits: &[["wit/world.wit", "driver-part", "ipv6-releaser-part"]],
        says: &["pontoon:driver/driver@0.1.1"],
    },
    Mistake {
        edits: &[["driver.ts", "'eth', undefined", "5, undefined"]],
        says: &["driver.ts", "'number' is not assignable to parameter of type 'string'"],
    },
    // There are no files.
    Mistake {
        edits: &[["driver.ts", "import { driverPart", "import { readFileSync } from 'node:fs';\nimport { driverPart"]],
        says: &["Cannot find module 'node:fs'"],
    },
];

macro_rules! in_every_language {
    ($($module:ident $language:literal: $mistakes:ident),+ $(,)?) => {
        $(mod $module {
            #[test]
            #[cfg_attr(skips = $language, ignore = "the language's tools can't be had here")]
            fn the_bridge_passes_the_suite() { super::the_bridge_passes_the_suite($language); }
            #[test]
            #[cfg_attr(skips = $language, ignore = "the language's tools can't be had here")]
            fn a_driver_from_nothing() { super::a_driver_from_nothing($language); }
            #[test]
            #[cfg_attr(skips = $language, ignore = "the language's tools can't be had here")]
            fn what_an_author_reads() { super::what_an_author_reads($language, super::$mistakes); }
        })+
        /// None is forgotten.
        #[test]
        fn every_language_is_tested() {
            assert_eq!([$($language),+], pontoon_tests::LANGUAGES);
        }
    };
}

in_every_language!(go "go": GO, c "c": C, python "python": PYTHON, javascript "javascript": JAVASCRIPT);

fn the_bridge_passes_the_suite(language: &str) {
    let driver = driver(&format!("bridge-{language}"));
    passes_as_a_bridge(&driver);
    let fake = Run::of(&driver, &["--strict", "--fake"]);
    assert_eq!((fake.code, fake.ended("failed").collect::<Vec<_>>()), (Some(0), Vec::new()), "{}", fake.err);
}

#[test]
#[cfg_attr(skips = "python", ignore = "the language's tools can't be had here")]
fn the_sdk_for_python_passes_its_own_tests() {
    let bindings = tempfile::tempdir().unwrap();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/python");
    let mut command = with_tools("componentize-py");
    command.args(["-q", "-d", "../../wit", "-w", "complete", "bindings"]).arg(bindings.path().join("b"));
    let made = Ran::of(command.current_dir(&sdk));
    assert_eq!(made.code, 0, "{made:?}");
    let mut command = with_tools("python3");
    command.env("PYTHONPATH", format!("{}:.", bindings.path().join("b").display())).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = Ran::of(command.arg("tests/test_sdk.py").current_dir(&sdk));
    assert!(ran.code == 0 && ran.err.contains("\nOK"), "{ran:?}");
}

/// One that only manages addresses has no part `driver`, of which the SDK speaks.
#[test]
#[cfg_attr(skips = "python", ignore = "the language's tools can't be had here")]
fn the_sdk_for_python_is_for_a_manager_of_addresses_too() {
    let bindings = tempfile::tempdir().unwrap();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/python");
    let mut command = with_tools("componentize-py");
    command.args(["-q", "-d", "../../wit", "-w", "ipam-part", "bindings"]).arg(bindings.path().join("b"));
    let made = Ran::of(command.current_dir(&sdk));
    assert_eq!(made.code, 0, "{made:?}");
    let program = "from pontoon import *\nclass Ipam(Part, exports.Ipam): ...\nprint('Driver' in globals())\n";
    let mut command = with_tools("python3");
    command.env("PYTHONPATH", format!("{}:.", bindings.path().join("b").display())).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = Ran::of(command.args(["-c", program]).current_dir(&sdk));
    assert_eq!((ran.code, ran.out.trim()), (0, "False"), "{ran:?}");
}

/// What is not an author's to read, or not there for all.
const GENERATED: &[&str] = &["bindings", "node_modules", "build", "__pycache__", ".mypy_cache"];

/// The text of all files below a folder, but of what was generated.
fn sources(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| match path.is_dir() {
        true if GENERATED.iter().any(|name| path.ends_with(name)) => String::new(),
        true => sources(&path),
        false => String::from_utf8(std::fs::read(path).unwrap()).unwrap_or_default(),
    };
    files.map(text).collect()
}

/// What the guide says that things are called in each language is what the SDKs call them, and no SDK or sample has another word for what the
/// interface calls revoke.
#[test]
fn one_word_for_one_thing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guide = std::fs::read_to_string(root.join("guest-sdk/README.md")).unwrap();
    let section = guide.split("\n## ").find(|section| section.starts_with("The same words")).unwrap();
    let mut names = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        for (cell, language) in row.split('|').skip(2).zip(["rust", "go", "c", "python", "javascript"]) {
            let sdk = sources(&root.join("guest-sdk").join(language));
            for name in cell.split('`').skip(1).step_by(2) {
                let mut words = sdk.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                assert!(words.any(|word| word == name), "{language}: the SDK has no {name}");
                names += 1;
            }
        }
    }
    assert!(names > 50, "{names} names: where is the table?");
    for folder in ["guest-sdk", "sample-drivers", "tests/kinds"] {
        let other = sources(&root.join(folder)).to_lowercase();
        assert!(!other.contains("withdraw"), "{folder} says withdraw; the interface says revoke");
    }
}

/// A new project in a folder of its own.
fn new(language: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_tools(pontoon().to_str().unwrap());
    let made = Ran::of(command.args(["driver", "new", "my-blue", "--language", language]).current_dir(&folder));
    assert_eq!((made.code, made.out.as_str()), (0, "my-blue\n"), "{made:?}");
    let project = folder.path().join("my-blue");
    (folder, project)
}

fn make(project: &Path, goal: &str) -> Ran {
    Ran::of(with_tools("make").arg("--no-print-directory").args(goal.split_whitespace()).current_dir(project))
}

fn a_driver_from_nothing(language: &str) {
    let (_folder, project) = new(language);
    assert!(std::fs::read_to_string(project.join("README.md")).unwrap().starts_with("# my-blue\n"));
    for goal in ["", "test"] {
        let made = make(&project, goal);
        assert_eq!(made.code, 0, "make {goal}: {}\n{}", made.out, made.err);
    }
    let again = make(&project, "");
    assert!(!again.out.contains("driver build"), "nothing changed, and it was built again: {}", again.out);
    let run = Run::of(&project.join("my-blue.wasm"), &[]);
    assert_eq!((run.code, run.ended("failed").collect::<Vec<_>>()), (Some(0), Vec::new()), "{}", run.err);
    assert_eq!(run.lines.iter().filter(|line| line["check"].to_string().contains("case: ")).count(), 4, "cases.toml");
}

/// A part of what `make test` does.
fn tested(project: &Path) -> Ran {
    let line = "driver test --fake my-blue.wasm --check life-ipv4 --check release-ipv6";
    Ran::of(with_tools(pontoon().to_str().unwrap()).args(line.split_whitespace()).current_dir(project))
}

/// One project for all mistakes: each is made, read of, and taken back.
fn what_an_author_reads(language: &str, mistakes: &[Mistake]) {
    let (_folder, project) = new(language);
    for mistake in mistakes {
        let before: Vec<_> = mistake.edits.iter().flat_map(|edit| edited(&project, edit)).collect();
        let built = make(&project, "");
        let read = if built.code == 0 { tested(&project) } else { built };
        let said = format!("{}\n{}", read.out, read.err);
        assert_ne!(read.code, 0, "{:?}: {said}", mistake.edits);
        for words in mistake.says {
            assert!(said.contains(words), "{:?}: {words:?} is not in {said}", mistake.edits);
        }
        for (path, text) in before.into_iter().rev() {
            std::fs::write(path, text).unwrap();
        }
    }
}

/// Makes an edit, in one file or in all below a folder, and gives what stood there.
fn edited(project: &Path, [place, from, to]: &[&str; 3]) -> Vec<(PathBuf, String)> {
    let mut files = vec![project.join(place)];
    let mut changed = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains(from) {
            std::fs::write(&path, text.replace(from, to)).unwrap();
            changed.push((path, text));
        }
    }
    assert!(!changed.is_empty(), "{place} has no {from:?}");
    changed
}
