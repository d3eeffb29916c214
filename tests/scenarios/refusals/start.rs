//! A daemon that must not start says why in one line, and leaves everything as it was.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pontoon_tests::{Daemon, Ran, command, pontoon};

use super::{files, with_a_network};

/// How long a refusal may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a daemon that has to refuse, and gives back the line that it said.
fn refused(command: &mut Command, code: i32, says: &[&str]) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it runs: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    assert_eq!((ran.code, ran.err.trim_end().lines().count(), ran.out.as_str()), (code, 1, ""), "{command:?}: {ran:?}");
    for part in says {
        assert!(ran.err.contains(part), "{part:?} is missing in: {}", ran.err);
    }
}

/// The state folder's files with their bytes, and the host's namespace.
fn all(daemon: &Daemon) -> (BTreeMap<String, Vec<u8>>, String) {
    (files(&daemon.file("state")), daemon.host.dump())
}

/// The command of a daemon with one of its flags set to something else.
fn serve_with(daemon: &Daemon, flags: &[(&str, &Path)]) -> Command {
    let original = daemon.serve();
    let mut command = Command::new(original.get_program());
    let arguments: Vec<_> = original.get_args().map(|a| a.to_owned()).collect();
    let mut position = 0;
    while position < arguments.len() {
        command.arg(&arguments[position]);
        if let Some((_, value)) = flags.iter().find(|(flag, _)| arguments[position] == **flag) {
            position += 1;
            command.arg(value);
        }
        position += 1;
    }
    command
}

#[test]
fn a_configuration_with_a_mistake() {
    let daemon = Daemon::stopped();
    let cases: &[(&str, &str, i32, &[&str])] = &[
        ("unknown.toml", "state = '/s'\nstaet = '/x'\n", 7, &["unknown.toml:2", "staet"]),
        ("bad.toml", "state = '/s'\nrun = [\n", 7, &["bad.toml:"]),
        ("type.toml", "state = 5\n", 7, &["type.toml:1", "invalid type"]),
        ("twice.toml", "state = '/a'\nstate = '/b'\n", 7, &["twice.toml:2"]),
        ("latin.toml", "state = '\u{fffd}\n", 7, &["latin.toml"]),
        ("log.toml", "log = 'x=y=z'\n", 7, &["log"]),
    ];
    for (name, text, code, says) in cases {
        std::fs::write(daemon.file(name), text).unwrap();
        // The flags override the file; it is read all the same, and so is the filter if no flag says one.
        let mut command = command(pontoon());
        command.arg("serve").arg("--config").arg(daemon.file(name)).arg("--state").arg(daemon.file("state"));
        refused(command.arg("--run").arg(daemon.file("run")), *code, says);
    }
    std::fs::write(daemon.file("binary.toml"), b"state = '\xff'\n").unwrap();
    for (name, code) in [("missing.toml", 4), ("binary.toml", 7), ("", 1)] {
        refused(daemon.serve().arg("--config").arg(daemon.file(name)), code, &[name]);
    }
    refused(daemon.serve().arg("--colour"), 2, &["--colour"]);
    assert!(!daemon.file("state").exists() && !daemon.file("run").exists(), "it made folders");
}

#[test]
fn a_socket_path_in_use() {
    let daemon = with_a_network();
    let before = super::at_rest(&daemon);
    refused(
        &mut serve_with(&daemon, &[("--state", &daemon.file("other"))]),
        5,
        &["another daemon listens on", "pontoon.sock"],
    );
    assert_eq!(super::seen(&daemon), before, "the first still answers");
    assert!(!daemon.file("other").exists(), "a state folder was made");
}

#[test]
fn a_socket_path_that_is_something_else() {
    let daemon = Daemon::stopped();
    std::fs::create_dir(daemon.file("run")).unwrap();
    std::fs::write(daemon.socket(), "precious").unwrap();
    refused(&mut daemon.serve(), 5, &["no socket", "pontoon.sock"]);
    assert_eq!(std::fs::read_to_string(daemon.socket()).unwrap(), "precious");
    let long = daemon.file(&"x".repeat(200));
    refused(&mut serve_with(&daemon, &[("--socket", &long)]), 7, &["can't bind"]);
    refused(&mut serve_with(&daemon, &[("--socket", &daemon.file("run/pontoon.sock/s"))]), 1, &["pontoon.sock"]);
    assert!(!daemon.file("state").exists());
}

#[test]
fn a_state_folder_in_use() {
    let daemon = with_a_network();
    let before = super::at_rest(&daemon);
    let (socket, run) = (daemon.file("second/p.sock"), daemon.file("second"));
    refused(
        &mut serve_with(&daemon, &[("--socket", &socket), ("--run", &run)]),
        9,
        &["in use by another Pontoon", "state"],
    );
    assert!(!socket.exists(), "its socket was left behind");
    assert_eq!(super::seen(&daemon), before);
}

#[test]
fn a_state_folder_that_is_none() {
    let daemon = Daemon::stopped();
    std::fs::write(daemon.file("state"), "precious").unwrap();
    refused(&mut daemon.serve(), 1, &["state"]);
    assert_eq!(std::fs::read_to_string(daemon.file("state")).unwrap(), "precious");
    assert!(!daemon.socket().exists());
}

#[test]
fn a_store_of_a_newer_pontoon() {
    let mut daemon = with_a_network();
    daemon.stop();
    let path = daemon.file("state/pontoon.db");
    let whole = std::fs::read(&path).unwrap();
    let mut newer = whole.clone();
    // PRAGMA user_version (sqlite.org/fileformat.html, 1.3.7).
    newer[60..64].copy_from_slice(&(store::SCHEMA + 1).to_be_bytes());
    std::fs::write(&path, &newer).unwrap();
    let before = all(&daemon);
    refused(
        &mut daemon.serve(),
        1,
        &[
            "pontoon.db",
            &format!("schema {}", store::SCHEMA + 1),
            &format!("knows up to {}", store::SCHEMA),
            "newer Pontoon",
        ],
    );
    assert_eq!(all(&daemon), before);
    assert!(!daemon.socket().exists());
    std::fs::write(&path, &whole).unwrap();
    daemon.run();
    assert_eq!(daemon.json("network ls")[0]["name"], "n");
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn a_store_that_is_damaged() {
    let mut daemon = with_a_network();
    daemon.stop();
    let path = daemon.file("state/pontoon.db");
    let whole = std::fs::read(&path).unwrap();
    let damages: [(&str, Damage); 6] = [
        ("emptied", |bytes| bytes.clear()),
        ("text", |bytes| *bytes = b"no database ".repeat(1000)),
        ("cut in its header", |bytes| bytes.truncate(50)),
        ("cut in its middle", |bytes| bytes.truncate(bytes.len() / 2)),
        ("another program's", |bytes| bytes[68..72].fill(1)),
        ("a page overwritten", |bytes| bytes[4096..8192].fill(0x5a)),
    ];
    for (what, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let before = all(&daemon);
        println!("{what}");
        refused(&mut daemon.serve(), 1, &["pontoon.db", "no usable database"]);
        let after = all(&daemon);
        assert_eq!(after.0.get("pontoon.db"), before.0.get("pontoon.db"), "{what}");
        assert_eq!(after.1, before.1, "{what}");
    }
    std::fs::write(&path, &whole).unwrap();
    daemon.run();
    assert_eq!(daemon.json("network ls")[0]["name"], "n");
}

#[test]
fn whoever_is_not_root() {
    let daemon = with_a_network();
    // The program's own folder is not for everybody.
    let program = daemon.file("pontoon");
    std::fs::copy(pontoon(), &program).unwrap();
    std::fs::set_permissions(daemon.file(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program).args(words);
        command
    };
    let state = daemon.file("nobody");
    refused(&mut nobody(&["serve", "--state", state.to_str().unwrap()]), 6, &["root"]);
    assert!(!state.exists());
    let socket = daemon.socket();
    refused(&mut nobody(&["--socket", socket.to_str().unwrap(), "network", "rm", "n"]), 3, &["ermission denied"]);
    daemon.ok("network inspect n");
}
