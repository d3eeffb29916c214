//! The drivers that are loaded: those that can't be called, and those that dockerd never asks.

use std::collections::BTreeSet;

use crate::client::dockerd::reserved;
use crate::controller::Controller;
use operation::driver::{Driver, PUT_ASIDE, READY};
use operation::finding::Finding;
use words::Name;

/// Looks at each, and answers which of them must have a plugin socket.
pub async fn look(controller: &Controller, docker: bool) -> (Vec<Finding>, BTreeSet<Name>) {
    match controller.drivers().await {
        Ok(drivers) if drivers.is_empty() => {
            let advice = "load one: pontoon driver load FILE.wasm --name NAME";
            (vec![Finding::warning("drivers", "none is loaded", advice)], BTreeSet::new())
        }
        Ok(drivers) => {
            let findings = drivers.iter().map(|driver| one(driver, docker)).collect();
            let names = drivers.into_iter().map(|driver| driver.name);
            (findings, names.filter(|name| reserved(name).is_none()).collect())
        }
        Err(error) => (vec![super::unknown("drivers", &error, error.errno)], BTreeSet::new()),
    }
}

fn one(driver: &Driver, docker: bool) -> Finding {
    let (name, check) = (&driver.name, format!("driver {}", driver.name));
    if driver.state != READY {
        let advice = match driver.state.starts_with(PUT_ASIDE) {
            true => "see in the daemon's log why it traps, and load a mended one".to_owned(),
            false => format!("load its component again: pontoon driver load FILE.wasm --name {name}"),
        };
        return Finding::problem(check, driver.state.clone(), advice);
    }
    if let Some(why) = &driver.not_loaded {
        let advice = "put a component there that can take its place, or the one that serves";
        return Finding::warning(check, why.clone(), advice);
    }
    let networks = match driver.networks {
        1 => "1 network".to_owned(),
        n => format!("{n} networks"),
    };
    match reserved(name) {
        Some(_) if docker => Finding::warning(
            check,
            format!("ready, {networks}; Docker does not see it: dockerd keeps its name for itself"),
            format!("load it under another name as well: pontoon driver load FILE.wasm --name pontoon-{name}"),
        ),
        _ => Finding::ok(check, format!("ready, {networks}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::driver::Scope;
    use operation::finding::Status;

    #[test]
    fn a_driver_is_ready_or_says_why_not() {
        let driver = |name: &str, state: &str| Driver {
            name: Name::new(name).unwrap(),
            network_type: "bridge".into(),
            ipam: None,
            data_scope: Scope::Local,
            connectivity_scope: Scope::Local,
            digest: String::new(),
            size: 1,
            parts: Vec::new(),
            networks: 1,
            state: state.into(),
            not_loaded: None,
        };
        let table = [
            ("mine", READY, true, Status::Ok, "ready, 1 network"),
            ("bridge", READY, false, Status::Ok, "ready, 1 network"),
            ("bridge", READY, true, Status::Warning, "Docker does not see it"),
            ("bridge", "it was changed", true, Status::Problem, "it was changed"),
        ];
        for (name, state, docker, status, found) in table {
            let finding = one(&driver(name, state), docker);
            assert_eq!(finding.status, status, "{finding:?}");
            assert!(finding.found.contains(found), "{finding:?}");
        }
    }
}
