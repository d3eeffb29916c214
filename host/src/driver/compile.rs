//! Compiling in a child process under limits.
//!
//! A component can be made to compile for hours or to need all memory; that is outside what wasmtime promises to withstand. So a child
//! of this same program does it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::confine::{self, COMPILER_MEMORY, COMPILER_SECONDS};
use crate::launcher::{self, Launcher};
use crate::place::THIS_PROGRAM;
use words::{Error, Kind, Result};

/// The wall clock of the child. It is for one that does nothing: what compiles is limited by processor time, of which a machine under load
/// gives it little.
const TIME: Duration = Duration::from_secs(30 * 60);

/// Bytes of compiled code: a Python component's has about 60 MB.
pub const OUTPUT: u64 = 512 << 20;

/// The hidden subcommand of this program.
pub const SUBCOMMAND: &str = "compile";

/// The child's work, as a program: a component on standard input, compiled code on standard output.
pub fn child() -> Result<()> {
    kernel::close_inherited()?;
    confine::compiler().map_err(|e| Error::internal(format!("can't limit this process: {e}")))?;
    launcher::compile()
}

/// What makes a child that compiles.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A program with the subcommand.
    Program(PathBuf),
    /// The launcher.
    Launcher(Arc<Launcher>),
}

/// A child, and our ends of its standard input, output and error.
struct Started {
    child: Running,
    stdio: [File; 3],
}

enum Running {
    Own(Child),
    Launched(Arc<Launcher>, i32),
}

impl Compiler {
    /// This program.
    pub fn this_program() -> Self {
        Self::Program(THIS_PROGRAM.into())
    }

    /// Compiles a component in a child.
    pub fn compile(&self, component: &[u8]) -> Result<Vec<u8>> {
        self.compile_within(component, TIME, OUTPUT)
    }

    /// The same, with limits of one's own to the time and to the bytes that come out.
    fn compile_within(&self, component: &[u8], time: Duration, output: u64) -> Result<Vec<u8>> {
        let until = Instant::now() + time;
        let Started { mut child, stdio } = self.start().map_err(|e| e.context("starting the child that compiles"))?;
        let answer = converse(&mut child, stdio, component, until, output);
        let status = child.wait(until)?;
        match (answer, status) {
            (None, _) | (_, None) => Err(Error::new(
                Kind::Unavailable,
                format!("compiling took longer than {} seconds and was ended", time.as_secs()),
            )),
            (Some((compiled, _)), Some(status)) if status.success() && (compiled.len() as u64) <= output => {
                Ok(compiled)
            }
            (Some((_, text)), Some(status)) if status.signal().is_some() => Err(Error::invalid(format!(
                "the component can't be compiled within {COMPILER_SECONDS} seconds of a CPU and {} MiB of memory ({status}): {}",
                COMPILER_MEMORY >> 20,
                first_line(&text)
            ))),
            (Some((_, text)), Some(status)) => {
                Err(Error::invalid(format!("the component can't be compiled ({status}): {}", first_line(&text))))
            }
        }
    }

    fn start(&self) -> Result<Started> {
        let failed = |e: io::Error| Error::internal(e.to_string());
        let (stdin, component) = io::pipe().map_err(failed)?;
        let (compiled, stdout) = io::pipe().map_err(failed)?;
        let (text, stderr) = io::pipe().map_err(failed)?;
        let child = match self {
            Self::Program(program) => {
                let mut command = Command::new(program);
                command.arg(SUBCOMMAND).env_clear().stdin(stdin).stdout(stdout).stderr(stderr);
                Running::Own(command.spawn().map_err(|e| words::file::io(program, &e))?)
            }
            Self::Launcher(launcher) => {
                let number = launcher.compiler([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
                Running::Launched(launcher.clone(), number)
            }
        };
        let ours = [OwnedFd::from(component), compiled.into(), text.into()];
        Ok(Started { child, stdio: ours.map(File::from) })
    }
}

impl Running {
    fn kill(&mut self) {
        match self {
            Self::Own(child) => drop(child.kill()),
            Self::Launched(launcher, number) => drop(launcher.kill(*number)),
        }
    }

    /// How it ended; none: it had to be killed, at this time or before.
    fn wait(&mut self, until: Instant) -> Result<Option<ExitStatus>> {
        match self {
            Self::Own(child) => {
                child.wait().map(Some).map_err(|e| Error::internal(format!("waiting for the child that compiles: {e}")))
            }
            Self::Launched(launcher, number) => {
                while Instant::now() < until {
                    if let Some(status) = launcher.ended(*number)? {
                        return Ok(Some(status));
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                self.kill();
                Ok(None)
            }
        }
    }
}

/// Hands the component over and takes the output and the error text, unless that takes too long.
fn converse(
    child: &mut Running,
    [mut stdin, stdout, stderr]: [File; 3],
    component: &[u8],
    until: Instant,
    output: u64,
) -> Option<(Vec<u8>, String)> {
    thread::scope(|scope| {
        let left = || until.saturating_duration_since(Instant::now());
        let ((sender, receiver), (read, is_read)) = (mpsc::channel(), mpsc::channel());
        // A child that ends early closes the pipe; its error text says why.
        scope.spawn(move || {
            let _ = stdin.write_all(component);
            drop(stdin);
            let _ = read.send(());
        });
        scope.spawn(move || {
            let (mut compiled, mut text) = (Vec::new(), Vec::new());
            let _ = stdout.take(output + 1).read_to_end(&mut compiled);
            let _ = stderr.take(64 << 10).read_to_end(&mut text);
            let _ = sender.send((compiled, String::from_utf8_lossy(&text).into_owned()));
        });
        let answer = receiver.recv_timeout(left()).ok();
        let answer = answer.filter(|_| is_read.recv_timeout(left()).is_ok());
        if answer.is_none() {
            child.kill();
        }
        answer
    })
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("it ended without a word");
    words::foreign::printable(line, words::foreign::MESSAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The limits are lowered here, so that they need not be waited for.
    #[test]
    fn a_child_that_takes_too_long_or_writes_too_much_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let compile = |does: &str, output: u64| {
            let compiler = folder.path().join("compiler");
            std::fs::write(&compiler, format!("#!/bin/sh\n{does}\n")).unwrap();
            std::fs::set_permissions(&compiler, std::fs::Permissions::from_mode(0o700)).unwrap();
            Compiler::Program(compiler).compile_within(b"component", Duration::from_secs(1), output)
        };
        let error = compile("exec sleep 100", 8).unwrap_err();
        assert!(error.message.contains("took longer than 1 seconds and was ended"), "{error}");
        assert_eq!(compile("printf 12345678", 8).unwrap(), b"12345678");
        let error = compile("printf 123456789", 8).unwrap_err();
        assert!(error.message.contains("the component can't be compiled"), "{error}");
    }
}
