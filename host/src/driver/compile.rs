//! Compiling in a child process under limits, and the cache of its output.
//!
//! A component can be made to compile for hours or to need all memory; that is outside what wasmtime promises to withstand. So a child
//! of this same program does it. What it wrote is kept in a folder that only root can enter, and its hash in the store: the very bytes that
//! are about to be run are hashed first, because a flipped byte in compiled code runs too.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::admit::SIZE;
use store::Store;
use words::file::{digest, io, make_private, remove_parts, write_whole};
use words::{Error, Kind, Result};

/// Address space of the child: a Python component needs about 1.5 GiB.
const ADDRESS_SPACE: u64 = 4 << 30;

/// Seconds of processor time of the child: a Python component takes 6 to 20.
const CPU_SECONDS: u64 = 120;

/// The wall clock of the child.
const TIME: Duration = Duration::from_secs(180);

/// Bytes of compiled code: a Python component's has about 60 MB.
const OUTPUT: u64 = 512 << 20;

/// The hidden subcommand of this program.
pub const SUBCOMMAND: &str = "compile";

/// The child's work: a component on standard input, compiled code on standard output.
pub fn child() -> anyhow::Result<()> {
    kernel::close_inherited()?;
    for (resource, limit) in
        [(Resource::As, ADDRESS_SPACE), (Resource::Cpu, CPU_SECONDS), (Resource::Core, 0), (Resource::Nofile, 16)]
    {
        // What is limited already stays so.
        let limit = Some(getrlimit(resource).maximum.map_or(limit, |already| limit.min(already)));
        setrlimit(resource, Rlimit { current: limit, maximum: limit })?;
    }
    crate::confine::compiler();
    let mut component = Vec::new();
    std::io::stdin().lock().take(SIZE as u64 + 1).read_to_end(&mut component)?;
    let compiled = engine::compile(&component)?;
    std::io::stdout().lock().write_all(&compiled)?;
    Ok(())
}

/// Compiled code by the component's digest.
pub struct Cache {
    folder: PathBuf,
    compiler: PathBuf,
}

impl Cache {
    /// A cache in `folder`, which is made for root alone; `compiler` is this program.
    pub fn new(folder: PathBuf, compiler: PathBuf) -> Result<Self> {
        make_private(&folder)?;
        remove_parts(&folder);
        Ok(Self { folder, compiler })
    }

    /// Compiles, and replaces what the cache has.
    pub fn compile(&self, store: &Store, digest_of_component: &str, component: &[u8]) -> Result<Vec<u8>> {
        let compiled = in_child(&self.compiler, component)?;
        let path = self.path(digest_of_component);
        write_whole(&path, &compiled)?;
        store.set_meta(&key(digest_of_component), &digest(&compiled))?;
        Ok(compiled)
    }

    /// What the cache has of a component, if its hash is right.
    pub fn cached(&self, store: &Store, digest_of_component: &str) -> Result<Option<Vec<u8>>> {
        let Some(expected) = store.meta(&key(digest_of_component))? else { return Ok(None) };
        let path = self.path(digest_of_component);
        match words::file::read_within(&path, OUTPUT as usize) {
            Ok(bytes) if digest(&bytes) == expected => Ok(Some(bytes)),
            Ok(_) => {
                tracing::warn!("{}: the compiled code was changed; it is compiled again", path.display());
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }

    /// Forgets a component's code.
    pub fn remove(&self, store: &Store, digest_of_component: &str) -> Result<()> {
        let _ = std::fs::remove_file(self.path(digest_of_component));
        Ok(store.remove_meta(&key(digest_of_component))?)
    }

    fn path(&self, digest_of_component: &str) -> PathBuf {
        self.folder.join(format!("{digest_of_component}.cwasm"))
    }
}

fn key(digest_of_component: &str) -> String {
    format!("compiled/{digest_of_component}")
}

/// Compiles a component in a child process of this program.
pub fn in_child(compiler: &Path, component: &[u8]) -> Result<Vec<u8>> {
    in_child_within(compiler, component, TIME, OUTPUT)
}

/// The same, with limits of one's own to the time and to the bytes that come out.
fn in_child_within(compiler: &Path, component: &[u8], time: Duration, output: u64) -> Result<Vec<u8>> {
    let mut child = Command::new(compiler)
        .arg(SUBCOMMAND)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| io(compiler, &e))?;
    let answer = converse(&mut child, component, time, output);
    if answer.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| io(compiler, &e))?;
    match answer {
        None => Err(Error::new(
            Kind::Unavailable,
            format!("compiling took longer than {} seconds and was ended", time.as_secs()),
        )),
        Some((compiled, _)) if status.success() && (compiled.len() as u64) <= output => Ok(compiled),
        Some((_, text)) if status.signal().is_some() => Err(Error::invalid(format!(
            "the component can't be compiled within {CPU_SECONDS} seconds of a CPU and {} MiB of address space ({status}): {}",
            ADDRESS_SPACE >> 20,
            first_line(&text)
        ))),
        Some((_, text)) => {
            Err(Error::invalid(format!("the component can't be compiled ({status}): {}", first_line(&text))))
        }
    }
}

/// Hands the component over and takes the output and the error text, unless that takes too long.
fn converse(child: &mut Child, component: &[u8], time: Duration, output: u64) -> Option<(Vec<u8>, String)> {
    let (mut stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        // A child that ends early closes the pipe; its error text says why.
        scope.spawn(move || drop(stdin.write_all(component)));
        scope.spawn(move || {
            let (mut compiled, mut text) = (Vec::new(), Vec::new());
            let _ = stdout.take(output + 1).read_to_end(&mut compiled);
            let _ = stderr.take(64 << 10).read_to_end(&mut text);
            let _ = sender.send((compiled, String::from_utf8_lossy(&text).into_owned()));
        });
        let answer = receiver.recv_timeout(time).ok();
        if answer.is_none() {
            let _ = child.kill();
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
            in_child_within(&compiler, b"component", Duration::from_secs(1), output)
        };
        let error = compile("exec sleep 100", 8).unwrap_err();
        assert!(error.message.contains("took longer than 1 seconds and was ended"), "{error}");
        assert_eq!(compile("printf 12345678", 8).unwrap(), b"12345678");
        let error = compile("printf 123456789", 8).unwrap_err();
        assert!(error.message.contains("the component can't be compiled"), "{error}");
    }
}
