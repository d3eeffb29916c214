//! The languages other than Rust that drivers are written in.

use std::process::Command;

/// As `pontoon driver new --language` and `sample-drivers/languages` know them.
pub const LANGUAGES: &[&str] = &["go", "c", "python", "javascript"];

/// A command that finds the languages' tools and the program under test.
pub fn with_tools(program: &str) -> Command {
    let (mut command, target) = (crate::command(program), crate::target());
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", target.join("tools/bin").display()));
    command.env("PONTOON", crate::pontoon()).env("GOCACHE", target.join("author/go"));
    command
}
