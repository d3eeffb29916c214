//! What a run found.

use std::borrow::Cow;

use serde::Serialize;

use super::stop::Failure;
use grant::Grant;

/// How one check ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The check's name.
    pub check: Cow<'static, str>,
    /// How it ended.
    pub result: Verdict,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is no failure, unless the run is strict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// The ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All as the interface says.
    Passed,
    /// It is not.
    Failed,
    /// It does not apply to this driver.
    Skipped,
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The driver's name.
    pub driver: String,
    /// How many checks passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were skipped.
    pub skipped: usize,
    /// How long all of it took.
    pub seconds: f64,
    /// The smallest grant that would have done, if that was to be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<Grant>,
    /// The checks, in the order in which they are listed.
    #[serde(skip)]
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// A run's result.
    pub fn new(driver: &str, outcomes: Vec<Outcome>, seconds: f64) -> Self {
        let count = |verdict| outcomes.iter().filter(|outcome| outcome.result == verdict).count();
        let [passed, failed, skipped] = [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(count);
        Self { driver: driver.to_owned(), passed, failed, skipped, seconds, needed: None, outcomes }
    }

    /// No check failed, and some passed.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// As JUnit's XML, which continuous integration reads: one suite, one case for each check.
    pub fn junit(&self) -> String {
        let cases: String = self.outcomes.iter().map(|outcome| case(&self.driver, outcome)).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n{cases}</testsuite>\n</testsuites>\n",
            escaped(&self.driver),
            self.outcomes.len(),
            self.failed,
            self.skipped,
            self.seconds
        )
    }
}

fn case(driver: &str, outcome: &Outcome) -> String {
    let mut inside = String::new();
    if let Some(failure) = &outcome.failure {
        let text = failure.to_string();
        let message = text.lines().next().unwrap_or_default();
        inside += &format!("<failure message=\"{}\">{}</failure>", escaped(message), escaped(&text));
    }
    if let Some(reason) = &outcome.reason {
        inside += &format!("<skipped message=\"{}\"/>", escaped(reason));
    }
    if !outcome.warnings.is_empty() {
        inside += &format!("<system-out>{}</system-out>", escaped(&outcome.warnings.join("\n")));
    }
    format!(
        "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">{inside}</testcase>\n",
        escaped(driver),
        escaped(&outcome.check),
        outcome.seconds
    )
}

/// Text for XML 1.0, which has no word for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_is_escaped() {
        let failure = Failure {
            call: "join".into(),
            expected: "<a>".into(),
            got: "\"b\" & \u{1b}".into(),
            difference: vec!["+ link x".into()],
        };
        let outcome = Outcome {
            check: "link".into(),
            result: Verdict::Failed,
            failure: Some(failure),
            reason: None,
            warnings: vec!["w".into()],
            seconds: 0.25,
        };
        let xml = Report::new("a&b", vec![outcome], 1.0).junit();
        assert!(xml.contains("tests=\"1\" failures=\"1\" skipped=\"0\""), "{xml}");
        assert!(xml.contains("message=\"join: expected &lt;a&gt;; got &quot;b&quot; &amp; \u{fffd}\""), "{xml}");
        assert!(xml.contains("&#10;+ link x</failure><system-out>w</system-out></testcase>"), "{xml}");
    }
}
