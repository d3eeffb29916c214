//! The program `pontoon`: daemon and command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    pontoon::cli::main()
}
