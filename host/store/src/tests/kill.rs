//! `kill -9`: what was committed is there, what was not is not, and another can have the folder at once.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// Where the child works; unset in an ordinary run.
const FOLDER: &str = "PONTOON_STORE_TEST_FOLDER";

/// The child: commits without end and says each number after its commit. Both keys of a commit have one value.
#[test]
#[ignore = "runs as the child of the test below"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Store::open(folder.as_ref()).unwrap();
    for i in 0.. {
        let durability = if i % 50 == 49 { Durability::Power } else { Durability::Process };
        let value = i.to_string();
        let writes = vec![set("d", "first", "n1", &value), set("d", "second", "n1", &value)];
        store.commit(Batch { writes, durability, ..Batch::default() }).unwrap();
        println!("committed {i}");
    }
}

fn value(store: &Store, key: &str) -> u32 {
    let (bytes, _) = store.state(&name("d"), key).unwrap().unwrap();
    String::from_utf8(bytes).unwrap().parse().unwrap()
}

#[test]
fn a_commit_survives_kill_9() {
    let folder = Folder::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                &format!("{}::child", module_path!().split_once("::").unwrap().1),
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, &folder.0)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(std::result::Result::ok);
        let mut numbers = lines.filter_map(|line| line.rsplit_once("committed ")?.1.parse::<u32>().ok());
        let seen = numbers.nth(round * 67).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = numbers.last().unwrap_or(seen);
        let store = Store::open(&folder.0).unwrap();
        let kept = value(&store, "first");
        assert!(kept == seen || kept == seen + 1, "committed {seen}, found {kept}");
        assert_eq!(value(&store, "second"), kept, "half a commit");
    }
}
