//! What an endpoint costs with this program beside another one, in turn in one run: `PONTOON_BESIDE=PROGRAM`, e.g. of the parent commit.
//!
//! Both daemons attach and detach over HTTP, as every client does; the command line's own process would be most of the time.

use std::process::Command;

use pontoon_tests::{Daemon, Namespace, Ran, Timings, driver, pontoon, rounds};

const ROUNDS: usize = 300;
/// Rounds before the first that counts: caches, pools and the store's file are warm then.
const WARM: usize = 20;
const NAMES: [&str; 4] = ["attach", "attach beside", "detach", "detach beside"];

pub fn run() {
    let Ok(other) = std::env::var("PONTOON_BESIDE") else {
        return println!("PONTOON_BESIDE names the program to compare with");
    };
    let mine = daemon(None);
    let theirs = daemon(Some(&other));
    let mut timings = Timings::new();
    for round in 0..WARM + rounds(ROUNDS) {
        let mut both = [(&mine, NAMES[0], NAMES[2]), (&theirs, NAMES[1], NAMES[3])];
        // The second of two finds the kernel warm.
        if round % 2 == 1 {
            both.reverse();
        }
        let counts = if round < WARM { None } else { Some(&mut timings) };
        endpoints(both, counts);
    }
    timings.table("an endpoint").print();
    let ratio = |of: &str, beside: &str| timings.median(of) / timings.median(beside);
    println!("attach is {:.3}, detach {:.3} of the other's", ratio(NAMES[0], NAMES[1]), ratio(NAMES[2], NAMES[3]));
}

fn endpoints(both: [(&Daemon, &'static str, &'static str); 2], mut timings: Option<&mut Timings>) {
    let sandboxes = [Namespace::new("a"), Namespace::new("b")];
    let mut timed = |name, work: &dyn Fn()| match timings.as_deref_mut() {
        Some(timings) => timings.time(name, work),
        None => work(),
    };
    for ((daemon, attach, _), sandbox) in both.iter().zip(&sandboxes) {
        let body = format!(r#"{{"namespace":"{}","name":"e"}}"#, sandbox.text());
        timed(attach, &|| daemon.ask("POST /networks/n/endpoints", &body));
    }
    for (daemon, _, detach) in both {
        timed(detach, &|| daemon.ask("DELETE /networks/n/endpoints/e", ""));
    }
}

/// One with a bridge network.
fn daemon(program: Option<&str>) -> Daemon {
    let mut daemon = Daemon::stopped();
    let mut serve = daemon.serve();
    if let Some(program) = program {
        let ours = pontoon();
        let arguments: Vec<_> =
            serve.get_args().map(|a| if *a == *ours { program.into() } else { a.to_owned() }).collect();
        serve = Command::new(serve.get_program());
        serve.args(arguments);
    }
    daemon.run_as(serve);
    // Each by its own command line: what the two say to each other may have changed.
    let component = driver("bridge");
    let mut load = Command::new(program.map_or_else(pontoon, Into::into));
    load.arg("--socket").arg(daemon.socket()).args(["driver", "load"]).arg(&component);
    let ran = Ran::of(load.arg("--grant").arg(component.with_extension("grant.toml")));
    assert_eq!(ran.code, 0, "{ran:?}");
    daemon.ok("network create --ipv6 n");
    daemon
}
