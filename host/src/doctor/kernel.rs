//! What this kernel can do for drivers.

use rustix::io::Errno;

use super::unknown;
use kernel::{Error, Feature, try_features};
use operation::finding::Finding;

/// SO_NETNS_COOKIE: without it another namespace with the number of the one before it is taken for the same.
const COOKIES: (u32, u32) = (5, 14);

/// Looks at its version, and tries each feature.
pub fn look() -> Vec<Finding> {
    let mut findings = vec![version(&rustix::system::uname().release().to_string_lossy())];
    match try_features() {
        Ok(features) => findings.extend(features.into_iter().map(|(feature, tried)| one(feature, tried))),
        Err(error) => findings.push(unknown("kernel features", &error, error.errno)),
    }
    findings
}

fn version(release: &str) -> Finding {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < COOKIES => Finding::warning(
            "kernel",
            format!("Linux {release}: a network namespace is known again by its number alone, which another can get"),
            "use Linux 5.14 or newer",
        ),
        _ => Finding::ok("kernel", format!("Linux {release}")),
    }
}

fn one(feature: Feature, tried: Result<(), Error>) -> Finding {
    let check = format!("kernel {}", feature.name());
    let why = match tried {
        Ok(()) => return Finding::ok(check, "works"),
        Err(error) if error.errno == Some(Errno::OPNOTSUPP.raw_os_error()) => "this kernel has none".to_owned(),
        Err(error) => error.message,
    };
    match is_needed(feature) {
        true => Finding::problem(check, format!("{why}, and the bridge driver needs it"), advice(feature)),
        false => Finding::warning(check, format!("{why}: drivers that need it can't work"), advice(feature)),
    }
}

/// The bridge driver needs it, or the host for its links.
fn is_needed(feature: Feature) -> bool {
    matches!(feature, Feature::Veth | Feature::Bridge | Feature::Nftables | Feature::Sets)
}

fn advice(feature: Feature) -> String {
    let modules = match feature {
        Feature::Sets => return "use Linux 4.18 or newer".to_owned(),
        // Network address translation in family inet came with 5.2.
        Feature::Nftables => "-a nf_tables nft_chain_nat nft_masq nft_nat nft_ct nft_fib_inet, with Linux 5.2 or newer",
        Feature::Vlan => "8021q",
        other => other.name(),
    };
    format!("modprobe {modules}, or use a kernel that has it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::finding::Status;

    #[test]
    fn versions() {
        let table = [
            ("6.18.44-fc-v669", Status::Ok),
            ("5.14.0", Status::Ok),
            ("5.13.19-generic", Status::Warning),
            ("4.18.0-553.el8.x86_64", Status::Warning),
            ("10.0", Status::Ok),
            ("unheard-of", Status::Ok),
        ];
        for (release, status) in table {
            assert_eq!(version(release).status, status, "{release}");
        }
    }

    #[test]
    fn what_is_missing_is_a_problem_where_it_is_needed() {
        let missing = || Err(Error { message: "Operation not supported".into(), errno: Some(95) });
        for feature in Feature::ALL {
            let finding = one(feature, missing());
            let expected = if is_needed(feature) { Status::Problem } else { Status::Warning };
            assert_eq!(finding.status, expected, "{finding:?}");
            assert!(finding.found.contains("this kernel has none") && finding.advice.is_some());
        }
    }

    #[test]
    fn this_kernel_is_looked_at_and_nothing_is_left() {
        let links = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count();
        let before = links();
        let findings = look();
        assert_eq!(findings.len(), 1 + Feature::ALL.len(), "{findings:#?}");
        let problems: Vec<_> = findings.iter().filter(|f| f.status == Status::Problem).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        assert_eq!(links(), before);
    }
}
