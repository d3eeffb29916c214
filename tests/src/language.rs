//! The languages other than Rust that drivers are written in.

use std::path::Path;
use std::process::Command;

/// As `pontoon driver new --language` and `sample-drivers/languages` know them.
pub const LANGUAGES: &[&str] = &["go", "c", "python", "javascript"];

/// A command that finds the languages' tools and the program under test.
pub fn with_tools(program: &str) -> Command {
    let mut command = Command::new(program);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let tools = std::fs::canonicalize(target).unwrap().join("tools/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", tools.display())).env("PONTOON", crate::pontoon());
    command
}
