//! `pontoon driver replay`: makes a recorded call again, in this process. It needs no daemon, no kernel and no root.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Failure, PROBLEM};
use super::output::{Format, Session, clean};
use super::plan::compiled;
use super::recording::{self, end, host_calls};
use crate::answers::{self, Difference, Replayed};
use crate::driver::admit;
use crate::driver::cache::Cache;
use crate::driver::compile::Compiler;
use crate::serve::folder::read_component;
use engine::Engine;
use operation::recording::{End, RecordedHostCall, Recording};
use words::{Error, Result};

/// Makes a recorded call again.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// What `pontoon driver trace` wrote
    file: PathBuf,
    /// Call this component, and not the one that was recorded
    #[arg(long, value_name = "COMPONENT")]
    with: Option<PathBuf>,
    /// Where it traps, write a core dump in WebAssembly's own format to FILE
    #[arg(long, value_name = "FILE")]
    coredump: Option<PathBuf>,
}

/// What became of it, for programs.
#[derive(Serialize)]
struct Report<'a> {
    same: bool,
    verdict: &'a str,
    recorded: &'a End,
    now: &'a End,
    host_calls: &'a [RecordedHostCall],
}

impl Replay {
    /// Does it.
    pub fn run(self, session: &mut Session<'_>) -> std::result::Result<(), Failure> {
        let recording = recording::read(&self.file)?;
        let component = match &self.with {
            Some(file) => read_component(file)?,
            None => recorded_component(&self.file, &recording)?,
        };
        let replayed = replay(&component, &recording, compiled(session))?;
        if let (Some(file), Some(coredump)) = (&self.coredump, &replayed.coredump) {
            words::file::write_whole(file, coredump)?;
            session.note(&format!("the core dump is in {}", file.display()));
        }
        let (same, verdict) = verdict(&recording, &replayed);
        match session.format {
            Format::Table => {
                let Recording { driver, function, .. } = &recording;
                let mut text = format!("{driver}: {function}\n{}", host_calls(&replayed.host_calls));
                text += &format!("recorded: {}\nnow:      {}\n", end(&recording.end), end(&replayed.end));
                if let (End::Trapped(trap), None) = (&replayed.end, &replayed.difference) {
                    text.extend(trap.backtrace.iter().map(|frame| format!("          at {}\n", clean(frame))));
                }
                session.print(&format!("{text}{verdict}\n"))?;
            }
            Format::Json => {
                let host_calls = &replayed.host_calls;
                let report =
                    Report { same, verdict: &verdict, recorded: &recording.end, now: &replayed.end, host_calls };
                session.json(&serde_json::to_string(&report).map_err(|e| Error::internal(e.to_string()))?)?;
            }
        }
        match is_good(&recording, &replayed, same, self.with.is_some()) {
            true => Ok(()),
            false => Err(Failure { code: PROBLEM, error: Error::invalid(complaint(same)) }),
        }
    }
}

/// Why it is not good, in the words of the verdict.
fn complaint(same: bool) -> &'static str {
    match same {
        true => "the other component traps as the recorded one did",
        false => "it does not go as recorded",
    }
}

/// What was recorded happens again; or another component comes past the point where the recorded one trapped.
fn is_good(recording: &Recording, replayed: &Replayed, same: bool, other: bool) -> bool {
    let trapped = matches!(recording.end, End::Trapped(_));
    let past = replayed.difference.as_ref().is_none_or(|difference| difference.recorded.is_none());
    let traps = matches!(replayed.end, End::Trapped(_)) && replayed.difference.is_none();
    match trapped && other {
        true => past && !traps,
        false => same,
    }
}

/// Whether all is as it was, and what is not.
fn verdict(recording: &Recording, replayed: &Replayed) -> (bool, String) {
    if let Some(Difference { number, recorded, asked }) = &replayed.difference {
        let asked = clean(asked);
        return match recorded {
            Some(recorded) => {
                (false, format!("host call {number} differs\n  recorded {}\n  now      {asked}", clean(recorded)))
            }
            None => (false, format!("it goes on where the recording ends, with host call {number}: {asked}")),
        };
    }
    let same = match (&recording.end, &replayed.end) {
        (End::Trapped(before), End::Trapped(now)) => before.message == now.message,
        (before, now) => before == now,
    };
    (same, if same { "the same as recorded" } else { "it ends otherwise" }.to_owned())
}

/// The component that was recorded lies beside its recording.
fn recorded_component(file: &Path, recording: &Recording) -> Result<Vec<u8>> {
    let path = file.with_file_name(format!("{}.wasm", recording.component));
    let missing = |why: String| {
        Error::not_found(format!(
            "the component that was recorded is not beside the recording ({why}): say which one with --with"
        ))
    };
    let component = read_component(&path).map_err(|e| missing(e.message))?;
    match words::file::digest(&component) == recording.component {
        true => Ok(component),
        false => Err(missing(format!("{} was changed", path.display()))),
    }
}

fn replay(component: &[u8], recording: &Recording, compiled: Option<PathBuf>) -> Result<Replayed> {
    if recording.interface != admit::interface() {
        let Recording { interface, .. } = recording;
        return Err(Error::invalid(format!("the recording is of {interface}, and this is {}", admit::interface())));
    }
    let admitted = admit::admit(component)?;
    let compiled = match compiled {
        Some(folder) => Cache::shared(folder, Compiler::this_program())?.code_of(component)?,
        None => Compiler::this_program().compile(component)?,
    };
    let code = Engine::with_coredumps().and_then(|engine| engine.load(&compiled, &admitted.parts));
    answers::replay(&code.map_err(|e| e.context("the component can't be called"))?, recording)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ask::Returned;
    use operation::recording::Trap;

    fn trap(message: &str) -> End {
        End::Trapped(Trap { message: message.into(), backtrace: Vec::new() })
    }

    fn recording(end: End) -> Recording {
        serde_json::from_value(
            serde_json::json!({"number": 1, "driver": "d", "component": "", "interface": "", "function": "join",
            "arguments": {"leave": {"network": "n", "endpoint": "e"}}, "host_calls": [], "end": end, "micros": 1}),
        )
        .unwrap()
    }

    fn replayed(end: End, difference: Option<(Option<&str>, &str)>) -> Replayed {
        let difference = difference.map(|(recorded, asked)| Difference {
            number: 2,
            recorded: recorded.map(str::to_owned),
            asked: asked.to_owned(),
        });
        Replayed { host_calls: Vec::new(), end, difference, coredump: None }
    }

    #[test]
    fn what_is_good_and_what_is_said() {
        let ok = || End::Returned(Returned::Join(()));
        let table = [
            (ok(), replayed(ok(), None), true, true, "the same as recorded"),
            (trap("a"), replayed(trap("a"), None), true, false, "the same as recorded"),
            (trap("a"), replayed(ok(), None), false, true, "it ends otherwise"),
            (trap("a"), replayed(trap("b"), None), false, false, "it ends otherwise"),
            (
                trap("a"),
                replayed(trap("x"), Some((None, "links.add()"))),
                false,
                true,
                "it goes on where the recording ends",
            ),
            (trap("a"), replayed(trap("x"), Some((Some("a.b()"), "c.d()"))), false, false, "host call 2 differs"),
            (ok(), replayed(trap("x"), Some((None, "links.add()"))), false, false, "it goes on"),
        ];
        for (before, now, same, good, text) in table {
            let recording = recording(before);
            let (is_same, said) = verdict(&recording, &now);
            assert_eq!((is_same, said.contains(text)), (same, true), "{said}");
            // Of the recorded component, only the same is good; of another one, what this table says.
            assert_eq!(is_good(&recording, &now, is_same, false), same, "{said}");
            assert_eq!(is_good(&recording, &now, is_same, true), good, "{said}");
        }
    }
}
