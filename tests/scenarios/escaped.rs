//! What an escape from wasmtime reaches: `tests/src/bin/hostile_engine` stands in an engine process's place, and attacks in one way at a time.
//! Each way is named here, with how it must end.
//!
//! Each time the host's kernel and the store are the same afterwards as before, and another driver's calls answer meanwhile.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::scene::Scene;
use operation::driver::PUT_ASIDE;
use pontoon_tests::{Bench, Namespace, attach, create, same_at_last};
use serde_json::{Value, json};
use words::limit::{DEADLINE, DRIVER_CALLS};
use words::{Error, Result};

/// How an attack ends that the kernel ends.
const KILLED: &str =
    "the driver's process broke off: it ended (it crashed, or made a system call that it may not make)";

/// Asked for what is not there, or is not the driver's.
const FORGED: &[(&str, &str)] = &[
    ("forged-handle", "1 is no handle of this kind"),
    ("largest-handle", "4294967295 is no handle of this kind"),
    ("handle-of-the-call", "0 is no handle of this kind"),
    ("handle-of-another-kind", "1 is no handle of this kind"),
    ("handle-that-was-dropped", "1 is no handle of this kind"),
    ("handle-of-an-earlier-call", "1 is no handle of this kind"),
    ("handles-without-end", "more than 1000 handles at a time"),
    ("the-hosts-namespace", "only a namespace that the driver made can be removed"),
    ("link-of-another-driver", "the driver has no link victim there, and its grant names no such parent"),
    ("link-of-the-host", "the driver has no link eth0 there, and its grant names no such parent"),
    ("name-of-another-driver", "victim"),
    ("table-of-another-driver", "it is the table peers; the driver's grant lacks tables: peers"),
    ("packets-of-another-driver", "nothing ties the rule to the network"),
    ("join-outside-of-a-join", "create-network has no handle for capabilities.join-info.set-gateway"),
    ("route-outside-of-a-join", "create-network has no handle for capabilities.join-info.add-static-route"),
    ("interface-of-no-endpoint", "create-network has no handle for capabilities.interface-info.set-ip-address"),
    ("entry-of-no-endpoint", "create-network has no handle for capabilities.join-info.add-table-entry"),
    ("more-links-than-a-list-has", "at most 256 links at once"),
    ("message-of-exactly-the-limit", "a key is 1 to 256 bytes of printable ASCII; this one has 1114107 bytes"),
    ("lists-in-lists", "it said what makes no sense: a message of more than 262144 small values"),
    ("asks-without-end", "more than 10000 host calls in one call"),
    ("heavy-asks", "nnn"),
    ("random-bytes-without-end", "4294967295 random bytes at once: at most 4096"),
    ("link-and-no-end", "the driver's process broke off: it ended (it ended with 7)"),
    ("memory-without-end", "no more memory after "),
];

/// Asked for in calls of an endpoint.
const FORGED_BY_AN_ENDPOINT: &[(&str, &str)] =
    &[("pools-by-an-endpoint", "create-endpoint has no handle for capabilities.network-info.update-ipam-config")];

/// Said what is no message.
const MALFORMED: &[(&str, &str)] = &[
    ("garbage", "a message that is none"),
    ("garbage-without-a-length", "a message of 4294967295 bytes: at most 1114112"),
    ("empty-message", "a message that is none"),
    ("case-that-there-is-not", "a message that is none"),
    ("case-of-a-case-that-there-is-not", "a message that is none"),
    ("number-that-is-too-large", "a message that is none"),
    ("text-that-is-none", "a message that is none"),
    ("text-longer-than-its-message", "a message that is none"),
    ("more-after-the-end", "a message with 1 bytes after its end"),
    ("length-without-end", "a message of 4294967295 bytes: at most 1114112"),
    ("one-byte-too-many", "a message of 1114113 bytes: at most 1114112"),
    ("many-small-values", "it said what makes no sense: a message of more than 262144 small values"),
];

/// Said it out of turn.
const OUT_OF_TURN: &[(&str, &str)] = &[
    ("loaded-again", "an answer to another question: its code is ready"),
    ("fitted-instead", "an answer to another question: the types were compared"),
    ("unfit-instead", "an answer to another question: the types were compared"),
    ("result-of-another-function", "create-network returned what delete-network returns"),
    ("on-after-a-trap", "it goes on after a trap: 4711 is no handle of this kind"),
    ("a-link-after-a-trap", "it goes on after a trap: 4711 is no handle of this kind"),
    ("a-refusal-after-a-trap", "it goes on after a trap: 4711 is no handle of this kind"),
    ("a-link-that-nobody-waits-for", "after a link"),
];

/// Said too much, or ended, or what nobody should have to read.
const LOUD: &[(&str, &str)] = &[
    ("says-without-end", "it goes on after a trap: more than 10000 host calls in one call"),
    ("log-without-end", "it goes on after a trap: more than 10000 host calls in one call"),
    ("exit", "the driver's process broke off: it ended (it ended with 7)"),
    ("exit-and-all-is-well", "the driver's process broke off: it ended (it ended with 0)"),
    // By what Rust's own handler of the signal does.
    ("wild-pointer", KILLED),
    ("escapes-in-an-error", "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}"),
    ("escapes-in-a-trap", "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}"),
    ("long-backtrace", "deep down"),
];

/// Takes its time, until it is ended: each is given little of it.
const ENDLESS: &[(&str, &str)] = &[
    ("half-a-message", "ran past its deadline of"),
    ("a-drop-at-a-time", "ran past its deadline of"),
    ("drop-after-drop", "ran past its deadline of"),
    ("drops-without-end", "ran past its deadline of"),
    ("asks-and-hears-nothing", "ran past its deadline of"),
    ("silence", "ran past its deadline of"),
    ("spins", "ran past its deadline of"),
];

/// Answers as it should, and says more.
const AFTERWARDS: &[&str] =
    &["ended-twice", "a-link-after-the-end", "half-a-message-after-the-end", "answers-to-nobody"];

/// Makes a system call that is not in the list.
const SYSTEM_CALLS: &[&str] = &[
    "open-a-file",
    "open-its-own-memory",
    "open-the-host",
    "file-in-memory",
    "copy-a-descriptor",
    "control-a-descriptor",
    "write-to-a-file",
    "read-the-code",
    "socket",
    "netlink-socket",
    "connect-a-line",
    "shut-a-line",
    "pass-a-descriptor",
    "take-a-descriptor",
    "kill-everyone",
    "kill-its-group",
    "kill-the-first-process",
    "kill-a-thread",
    "trace-another-process",
    "be-traced",
    "read-another-processs-memory",
    "write-another-processs-memory",
    "handle-of-another-process",
    "descriptor-of-another-process",
    "clone-a-process",
    "fork",
    "thread",
    "start-a-program",
    "new-code",
    "code-from-a-file",
    "data-becomes-code",
    "data-becomes-code-by-a-key",
    "shared-memory",
    "memory-as-a-stack",
    "huge-pages",
    "system-v-memory",
    "become-root",
    "take-capabilities",
    "raise-a-limit",
    "new-user-namespace",
    "enter-a-namespace",
    "mount",
    "change-the-root",
    "be-dumpable",
    "outlive-the-launcher",
    "another-filter",
    "bpf",
    "io-uring",
    "perf",
    "userfaultfd",
    "keys",
    "module",
    "reboot",
    "abort",
];

/// The largest number of a system call that is tried.
#[cfg(target_arch = "x86_64")]
const MOST: i64 = 470;

/// Those that come back.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const LEFT: &[i64] = &[
    libc::SYS_close, libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_brk, libc::SYS_rt_sigprocmask, libc::SYS_sched_yield,
    libc::SYS_mremap, libc::SYS_madvise, libc::SYS_recvfrom, libc::SYS_sigaltstack, libc::SYS_futex,
    libc::SYS_restart_syscall, libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_getrandom,
    // There is no such call, says the filter, so that libc takes the older one.
    libc::SYS_clone3,
];

impl Scene {
    /// The hostile driver's engine is the attacker's.
    fn with_the_attacker() -> Self {
        let scene = Self::of(Bench::apart(Path::new(env!("CARGO_BIN_EXE_hostile_engine"))));
        // Each of its handles is an earlier call's from here on.
        scene.quiet();
        scene
    }

    /// Attacks, while the other driver's calls answer. None: in calls of a network.
    fn escape(&self, name: &str, endpoint: bool) -> Error {
        let (controller, attack) = (self.bench.controller.clone(), name.to_owned());
        let attacking = match endpoint {
            false => self.bench.spawn(async move { network(&controller, "h", &attack).await }),
            true => {
                self.bench.wait(network(&controller, "h", "")).unwrap();
                let attach = attach(&self.other, &json!({"options": {"attack": attack}}));
                self.bench.spawn(async move { controller.attach("h", attach).await.map(drop) })
            }
        };
        let mut longest = Duration::ZERO;
        while longest.is_zero() || !attacking.is_finished() {
            longest = longest.max(self.goes_on());
        }
        let ended = self.bench.wait(attacking).unwrap();
        let error = ended.err().unwrap_or_else(|| Error::internal("it came through"));
        if error.message == "it came through" && !endpoint {
            self.bench.wait(self.bench.controller.remove_network("h")).unwrap();
        }
        if endpoint {
            self.bench.wait(self.bench.controller.remove_network("h")).unwrap();
        }
        assert!(longest < DEADLINE, "another driver's calls took {longest:?}");
        error
    }

    /// The driver's calls as they should be: no trap before counts any more.
    fn quiet(&self) {
        self.bench.wait(network(&self.bench.controller, "quiet", "")).unwrap();
        self.bench.wait(self.bench.controller.remove_network("quiet")).unwrap();
    }

    /// The other driver's calls: an endpoint comes and goes. Answers how long that took.
    fn goes_on(&self) -> Duration {
        self.work(&Namespace::new("working"))
    }

    /// Each ends as it must, and nothing is as it was not before.
    fn contains(&self, attacks: &[(&str, &str)], endpoint: bool) {
        let (before, mut wrong) = (self.seen(), Vec::new());
        for (number, (name, ends)) in attacks.iter().enumerate() {
            let error = self.escape(name, endpoint);
            let is_plain = error.message.len() < 4_000 && !error.message.chars().any(char::is_control);
            if !is_plain || !error.message.contains(ends) {
                wrong.push(format!("{name}: {:.1000}", error.message));
            }
            same_at_last(|| self.seen(), &before);
            if number % 5 == 4 {
                self.quiet();
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// A network of the driver's, and what is attacked in its calls.
async fn network(controller: &pontoon::controller::Controller, name: &str, attack: &str) -> Result<()> {
    let options = match attack {
        "" => json!({}),
        attack => json!({"attack": attack}),
    };
    let more: Value = json!({"no_pools": true, "options": options});
    controller.create_network(create(name, "hostile", &more)).await.map(drop)
}

#[test]
fn what_is_forged_is_refused() {
    let scene = Scene::with_the_attacker();
    scene.contains(FORGED, false);
    scene.contains(FORGED_BY_AN_ENDPOINT, true);
}

#[test]
fn what_is_no_message_ends_the_process() {
    Scene::with_the_attacker().contains(MALFORMED, false);
}

#[test]
fn what_is_out_of_turn_ends_the_process() {
    Scene::with_the_attacker().contains(OUT_OF_TURN, false);
}

#[test]
fn what_is_loud_is_cut_off() {
    Scene::with_the_attacker().contains(LOUD, false);
}

#[test]
fn what_is_endless_ends() {
    let scene = Scene::with_the_attacker();
    scene.allow_milliseconds("hostile", Some(200));
    let begin = Instant::now();
    scene.contains(ENDLESS, false);
    // 700 ms for each with the time in which the daemon waits for a process to end it, and as much again on a busy machine.
    assert!(begin.elapsed() < Duration::from_millis(1_400) * ENDLESS.len() as u32, "{:?}", begin.elapsed());
}

#[test]
fn a_system_call_outside_of_the_list_ends_the_process() {
    let attacks: Vec<_> = SYSTEM_CALLS.iter().map(|name| (*name, KILLED)).collect();
    let scene = Scene::with_the_attacker();
    scene.contains(&attacks, false);
    if cfg!(target_arch = "x86_64") {
        scene.contains(&[("call-of-the-x32-interface", KILLED), ("call-of-a-32-bit-machine", KILLED)], false);
    }
}

/// A call has its result, and what is said after that is no other call's.
#[test]
fn what_is_said_afterwards_is_for_nobody() {
    let scene = Scene::with_the_attacker();
    let before = scene.seen();
    for name in AFTERWARDS {
        scene.bench.wait(network(&scene.bench.controller, "h", name)).unwrap();
        scene.bench.wait(scene.bench.controller.remove_network("h")).unwrap();
        scene.quiet();
        scene.goes_on();
        same_at_last(|| scene.seen(), &before);
    }
}

/// Each by its number. What a list of names could have forgotten is among them.
#[test]
#[cfg(target_arch = "x86_64")]
fn every_system_call_outside_of_the_list_ends_the_process() {
    let (scene, mut left) = (Scene::with_the_attacker(), Vec::new());
    let before = scene.seen();
    let begin = Instant::now();
    // Those that end a process; and the kernel's own, for its probes, which no filter sees (uretprobe and uprobe).
    let others = [libc::SYS_exit, libc::SYS_exit_group, libc::SYS_rt_sigreturn, 335, 336];
    for number in (0..=MOST).filter(|number| !others.contains(number)) {
        let attack = number.to_string();
        let error = scene.bench.wait(network(&scene.bench.controller, "h", &attack)).unwrap_err();
        if error.message.contains("came back with") {
            left.push(number);
        } else {
            assert!(error.message.contains(KILLED), "{number}: {error}");
        }
        if number % 4 == 0 {
            scene.quiet();
        }
    }
    println!("{MOST} system calls: {:?}", begin.elapsed());
    assert_eq!(left, LEFT);
    scene.goes_on();
    same_at_last(|| scene.seen(), &before);
}

/// A process that does not load its code takes no more of a call's time than the call has, however many wait for it; and it counts as a trap.
#[test]
fn what_does_not_start_holds_nobody_up() {
    let scene = Scene::with_the_attacker();
    scene.allow_milliseconds("hostile", Some(500));
    let before = scene.seen();
    let stalling = scene.escape("stall-from-now-on", false);
    assert!(stalling.message.contains("it ended with 7"), "{stalling}");
    let begin = Instant::now();
    let calls: Vec<_> = (0..DRIVER_CALLS)
        .map(|number| {
            let controller = scene.bench.controller.clone();
            scene.bench.spawn(async move { network(&controller, &format!("h{number}"), "").await })
        })
        .collect();
    let mut longest = Duration::ZERO;
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        longest = longest.max(scene.goes_on());
    }
    let (took, errors) = (begin.elapsed(), calls.into_iter().map(|call| scene.bench.wait(call).unwrap().unwrap_err()));
    for error in errors {
        let said =
            ["it did not answer in time (it was killed)", "the driver's process was not ready in time", PUT_ASIDE];
        assert!(said.iter().any(|said| error.message.contains(said)), "{error}");
    }
    assert!(took < Duration::from_secs(5) && longest < DEADLINE, "{took:?}, {longest:?}");
    let aside = scene.bench.wait(network(&scene.bench.controller, "h", "")).unwrap_err();
    assert!(aside.message.contains(PUT_ASIDE), "{aside}");
    scene.goes_on();
    same_at_last(|| scene.seen(), &before);
}
