//! `pontoon driver test`: the conformance suite, in this process. It needs no daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

use super::exit::{Failure, PROBLEM};
use super::output::{Format, Session};
use super::plan::{Setting, compiled, component};
use crate::conformance::{self, CHECKS, Case, Outcome, Plan, Report, Verdict, read_cases};
use crate::serve::folder::read_grant;
use words::{Error, Kind};

/// Runs a driver through the conformance suite.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// The component
    #[arg(required_unless_present = "list")]
    file: Option<PathBuf>,
    #[command(flatten)]
    setting: Setting,
    /// Only this check (repeatable)
    #[arg(long = "check", value_name = "NAME")]
    checks: Vec<String>,
    /// Also the author's cases of this file [default: cases.toml beside the component, if it is there and no --check is given]
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// An earlier build of the driver: what it made has to go on with this one
    #[arg(long, value_name = "COMPONENT")]
    upgrade_from: Option<PathBuf>,
    /// Fail where the driver leaves something for the host to remove, which is fine otherwise
    #[arg(long)]
    strict: bool,
    /// Test it under this grant [default: it may do whatever it needs]
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// Also write the results to FILE, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// List the checks
    #[arg(long)]
    list: bool,
}

impl Test {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let Some(file) = self.file.as_ref().filter(|_| !self.list) else {
            return session.print(&super::output::table(
                ["CHECK", "WHAT IT SHOWS"],
                CHECKS.iter().map(|check| [check.name.to_owned(), check.about.to_owned()]),
            ));
        };
        let plan = Plan {
            cases: cases(self.cases, file, &self.checks)?,
            checks: self.checks,
            upgrade_from: self.upgrade_from.as_deref().map(component).transpose()?,
            strict: self.strict,
            grant: self.grant.as_deref().map(read_grant).transpose()?,
            ..self.setting.plan(file)?
        };
        let plan = Plan { compiled: compiled(session), ..plan };
        let report = watched(plan, session, true).await?;
        if let Some(file) = self.junit {
            std::fs::write(&file, report.junit())
                .map_err(|e| Error::internal(format!("can't write {}: {e}", file.display())))?;
        }
        summary(&report, session)?;
        match report.is_good() {
            true => Ok(()),
            false => Err(Failure { code: PROBLEM, error: verdict(&report) }),
        }
    }
}

/// Runs the suite on a thread of its own and prints each check as it ends, or only those that failed. After SIGINT or SIGTERM no check begins any more,
/// and nothing stays behind.
pub(super) async fn watched(plan: Plan, session: &mut Session<'_>, all: bool) -> Result<Report, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let failed = |e| Error::internal(format!("can't handle signals: {e}"));
    let mut ended = signal(SignalKind::terminate()).map_err(failed)?;
    let (sender, mut outcomes) = unbounded_channel();
    let suite = {
        let stop = stop.clone();
        // Nobody to tell: the command line is gone.
        std::thread::spawn(move || conformance::run(&plan, &stop, |outcome| drop(sender.send(outcome.clone()))))
    };
    loop {
        tokio::select! {
            outcome = outcomes.recv() => match outcome {
                Some(outcome) if all || outcome.result == Verdict::Failed => tell(&outcome, session)?,
                Some(_) => {}
                None => break,
            },
            _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
            _ = ended.recv() => stop.store(true, Ordering::Relaxed),
        }
    }
    let report = suite.join().map_err(|_| Error::internal("the suite panicked"))??;
    match stop.load(Ordering::Relaxed) {
        true => Err(Error::new(Kind::Unavailable, "interrupted").into()),
        false => Ok(report),
    }
}

/// The cases of a file, or of the one beside the component.
fn cases(named: Option<PathBuf>, component: &Path, checks: &[String]) -> Result<Vec<Case>, Error> {
    let beside = component.with_file_name("cases.toml");
    let beside = Some(beside).filter(|file| checks.is_empty() && file.exists());
    named.or(beside).map_or(Ok(Vec::new()), |file| read_cases(&file))
}

fn tell(outcome: &Outcome, session: &mut Session<'_>) -> Result<(), Failure> {
    if session.format == Format::Json {
        return session.json(&json(outcome)?);
    }
    session.print(&lines(outcome))
}

fn summary(report: &Report, session: &mut Session<'_>) -> Result<(), Failure> {
    if session.format == Format::Json {
        return session.json(&json(report)?);
    }
    let Report { passed, failed, skipped, seconds, .. } = report;
    session.print(&format!("\n{passed} passed, {failed} failed, {skipped} skipped in {seconds:.1} s"))
}

fn verdict(report: &Report) -> Error {
    let names: Vec<_> =
        report.outcomes.iter().filter(|o| o.result == Verdict::Failed).map(|outcome| &*outcome.check).collect();
    match names.is_empty() {
        true => Error::invalid(format!("the driver {} passed no check at all", report.driver)),
        false => Error::invalid(format!("the driver {} failed: {}", report.driver, names.join(", "))),
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::internal(e.to_string()))
}

/// A check for people: a line, and below it what is wrong.
fn lines(outcome: &Outcome) -> String {
    let result = match outcome.result {
        Verdict::Passed => "ok",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => "skipped",
    };
    let clean = |text: &str| super::output::clean(text);
    let reason = outcome.reason.as_ref().map(|reason| format!("  {}", clean(reason))).unwrap_or_default();
    let mut text = format!("{:<24} {result:<8} {:>6.2} s{reason}\n", outcome.check, outcome.seconds);
    // What the driver leaves to the host is fine: `--strict` makes a failure of it, and programs get it as a warning.
    let failure = outcome.failure.iter().flat_map(|failure| {
        let what = [("call", &failure.call), ("expected", &failure.expected), ("got", &failure.got)];
        let what = what.into_iter().map(|(name, value)| (name, value.as_str()));
        what.chain(failure.difference.iter().map(|line| ("", line.as_str())))
    });
    for (name, value) in failure {
        text += &format!("    {name:<10} {}\n", clean(value));
    }
    text
}
