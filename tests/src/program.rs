//! Commands of the program under test.

use std::ffi::OsStr;
use std::process::Command;

/// A command that is the program under test, or may start it. What that compiles is kept below target/, and not in the home of whoever runs the
/// tests.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("XDG_CACHE_HOME", crate::target().join("cache"));
    command
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn rust_files(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false if path.extension().is_some_and(|e| e == "rs") => vec![std::fs::read_to_string(path).unwrap()],
            false => Vec::new(),
        });
        files.collect()
    }

    /// No test starts the program in another way.
    #[test]
    fn no_test_leaves_compiled_code_at_home() {
        let files = rust_files(Path::new(env!("CARGO_MANIFEST_DIR")));
        let other = ["pontoon())", "pontoon_tests::pontoon())"].map(|program| format!("Command::new({program}"));
        let lines = files.iter().flat_map(|text| text.lines());
        let found: Vec<_> = lines.filter(|line| other.iter().any(|other| line.contains(other))).collect();
        assert!(files.len() > 50 && found.is_empty(), "use pontoon_tests::command: {found:#?}");
    }
}
