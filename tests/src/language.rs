//! The languages other than Rust that drivers are written in.

use std::path::PathBuf;
use std::process::Command;

/// As `pontoon driver new --language` and `sample-drivers/languages` know them.
pub const LANGUAGES: &[&str] = &["go", "c", "python", "javascript"];

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// The bridge driver in a language, as [`driver`](crate::driver) takes it: none where the language's tools can't be had here, which is told.
pub fn bridge_in(language: &str) -> Option<String> {
    let name = format!("bridge-{language}");
    let skipped = target().join("drivers").join(&name).with_extension("skipped");
    if let Ok(reason) = std::fs::read_to_string(skipped) {
        eprintln!("skipped: no driver in {language}: {}", reason.trim_end());
        return None;
    }
    let built = target().join("drivers").join(&name).with_extension("wasm");
    assert!(built.exists(), "{} is not there: run `make languages`, or all with `make test`", built.display());
    Some(name)
}

/// A command that finds the languages' tools and the program under test.
pub fn with_tools(program: &str) -> Command {
    let mut command = Command::new(program);
    let tools = std::fs::canonicalize(target()).unwrap().join("tools/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", tools.display())).env("PONTOON", crate::pontoon());
    command
}
