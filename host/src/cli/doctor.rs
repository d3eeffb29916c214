//! `pontoon doctor`: what stands between this machine and a working driver.
//!
//! The daemon looks, because it has the rights and the namespaces that matter; where none runs, this process does.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::client::Client;
use super::exit::{Failure, PROBLEM, UNREACHABLE};
use super::output::{Format, Session, table};
use crate::config::{Config, Written};
use crate::doctor::{AS_ROOT, examine};
use operation::finding::{Finding, Status};
use operation::table::Version;
use words::{Error, Kind};

/// A doctor does not hang: the daemon itself waits some ten seconds for a dockerd that does.
const PATIENCE: Duration = Duration::from_secs(45);

/// What `--help` says.
pub const HELP: &str = "\
Look for what stands between this machine and a working driver

Prints a line for each thing that was looked at: ok, warning, problem or unknown, what was found, and what to do about it. Nothing is changed.

A daemon that runs looks itself, with its own configuration. Where none runs, this command looks, as far as its user may, and these flags (which are those \
of `pontoon serve`) say where. Exit code 10: there is a problem. Warnings and what is unknown are fine.";

/// Looks, and prints what was found.
pub async fn run(flags: Written, session: &mut Session<'_>) -> Result<(), Failure> {
    let (config, mut findings) = configuration(flags)?;
    session.client = Client::new(config.socket.clone());
    let (daemon, answered) = daemon(&session.client).await;
    findings.push(daemon);
    let machine = match answered {
        Some(found) => found,
        None => examine(&config, None).await,
    };
    findings.extend(machine);
    match session.format {
        Format::Json => session.json(&json(&findings)?)?,
        Format::Table => session.print(&rows(&findings))?,
    }
    verdict(&findings)
}

/// What the flags and the file mean. A file that can't be read must not keep the doctor from looking.
fn configuration(flags: Written) -> Result<(Config, Vec<Finding>), Error> {
    match Config::load(flags.clone()) {
        Ok(config) => Ok((config, Vec::new())),
        Err(error) => {
            let advice = "mend it: `pontoon serve` does not start with it; what follows is without it";
            Ok((Config::meaning(flags)?, vec![Finding::problem("configuration", error.message, advice)]))
        }
    }
}

/// Whether a daemon answers, and what it found.
async fn daemon(client: &Client) -> (Finding, Option<Vec<Finding>>) {
    let version: Version = match ask(client, "/version").await {
        Ok(version) => version,
        Err(failure) => return (silent(&failure), None),
    };
    let found = ask(client, "/doctor").await;
    let own = env!("CARGO_PKG_VERSION");
    let finding = match &found {
        _ if version.version != own => Finding::warning(
            "daemon",
            format!("it is {}, and this command {own}", version.version),
            "restart it after an upgrade: systemctl restart pontoon; networks stay",
        ),
        Ok(_) => Finding::ok("daemon", version.version),
        Err(Failure { error, .. }) => {
            Finding::problem("daemon", format!("it can't look: {error}"), "see its log, and restart it")
        }
    };
    (finding, found.ok())
}

async fn ask<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, client.get(path)).await {
        Ok(reply) => Ok(reply?.read()?),
        Err(_) => Err(Failure::unreachable(format!("it does not answer within {} seconds", PATIENCE.as_secs()))),
    }
}

fn silent(failure: &Failure) -> Finding {
    let refused = failure.error.errno == Some(rustix::io::Errno::ACCESS.raw_os_error());
    let found = failure.error.message.clone();
    match failure.code {
        UNREACHABLE if refused => Finding::unknown("daemon", found, AS_ROOT),
        UNREACHABLE => Finding::problem(
            "daemon",
            found,
            "start it: systemctl start pontoon, or `pontoon serve`; if it runs, see its log",
        ),
        _ => Finding::problem("daemon", found, "is it a Pontoon that listens there? See its log"),
    }
}

/// A row for each finding, and one below it for what to do.
fn rows(findings: &[Finding]) -> String {
    let rows = findings.iter().flat_map(|finding| {
        let first = [mark(finding.status).to_owned(), finding.check.clone(), finding.found.clone()];
        let advice = finding.advice.as_ref().map(|advice| [String::new(), String::new(), format!("-> {advice}")]);
        std::iter::once(first).chain(advice)
    });
    table(["STATUS", "CHECK", "FOUND"], rows)
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Problem => "problem",
        Status::Unknown => "unknown",
    }
}

fn json(findings: &[Finding]) -> Result<String, Error> {
    serde_json::to_string(findings).map_err(|e| Error::internal(format!("can't write what was found: {e}")))
}

fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    match findings.iter().filter(|finding| finding.status == Status::Problem).count() {
        0 => Ok(()),
        n => {
            let what = if n == 1 { "problem" } else { "problems" };
            let error = Error::new(Kind::Unavailable, format!("{n} {what} in {} findings", findings.len()));
            Err(Failure { code: PROBLEM, error })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_was_found() {
        let findings = [
            Finding::ok("daemon", "0.1.0"),
            Finding::problem("plugin socket", "nobody\nlistens", "rm it"),
            Finding::unknown("kernel features", "no", AS_ROOT),
        ];
        let expected = "\
STATUS   CHECK            FOUND
ok       daemon           0.1.0
problem  plugin socket    nobody listens
                          -> rm it
unknown  kernel features  no
                          -> run `pontoon doctor` as root
";
        assert_eq!(rows(&findings), expected);
        let json = json(&findings).unwrap();
        assert!(json.starts_with(r#"[{"check":"daemon","status":"ok","found":"0.1.0"},"#), "{json}");
    }

    #[test]
    fn only_a_problem_is_a_failure() {
        let ok = Finding::ok("a", "b");
        let fine = [ok.clone(), Finding::warning("a", "b", "c"), Finding::unknown("a", "b", "c")];
        assert_eq!(verdict(&fine), Ok(()));
        let failure = verdict(&[ok, Finding::problem("a", "b", "c")]).unwrap_err();
        assert_eq!((failure.code, failure.error.message.as_str()), (10, "1 problem in 2 findings"));
    }
}
