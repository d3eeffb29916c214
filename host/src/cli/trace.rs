//! `--trace`: what the driver was called for, and what it asked of the host.

use super::output::table;
use operation::driver::CallTrace;

/// A table of calls, each followed by its host calls and its commit. Times are in microseconds.
pub fn show(calls: &[CallTrace]) -> String {
    let rows = calls.iter().flat_map(|call| {
        let first = [call.function.clone(), String::new(), call.micros.to_string(), String::new()];
        let rest = call.host_calls.iter().map(|host| {
            let result = host.error.clone().unwrap_or_else(|| "ok".to_owned());
            [String::new(), host.function.clone(), host.micros.to_string(), result]
        });
        let commit = [String::new(), "(commit)".to_owned(), call.commit_micros.to_string(), String::new()];
        std::iter::once(first).chain(rest).chain([commit])
    });
    table(["CALL", "HOST CALL", "MICROSECONDS", "RESULT"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::driver::HostCallTrace;

    #[test]
    fn calls_and_their_host_calls() {
        let host = |function: &str, error: Option<&str>| HostCallTrace {
            function: function.to_owned(),
            micros: 7,
            error: error.map(str::to_owned),
        };
        let host_calls = vec![host("links.add", None), host("routes.add", Some("forbidden: \u{1b}"))];
        let calls = [CallTrace { function: "join".to_owned(), micros: 40, commit_micros: 9, host_calls }];
        let expected = "\
CALL  HOST CALL   MICROSECONDS  RESULT
join              40
      links.add   7             ok
      routes.add  7             forbidden: \u{fffd}
      (commit)    9
";
        assert_eq!(show(&calls), expected);
    }
}
