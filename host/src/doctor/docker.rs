//! dockerd: there or not, how old, and whether it looks where Pontoon's sockets and links are.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::{is_refused, unknown};
use crate::client::dockerd::get;
use kernel::identify;
use operation::finding::Finding;
use words::Error;

/// 20.10's: the oldest that is tested.
const OLDEST_API: (u32, u32) = (1, 41);
/// Where every dockerd looks for plugins, whatever it is told.
const PLUGINS: &str = "/run/docker/plugins";

/// What was found of it.
#[derive(Default)]
pub struct Docker {
    /// The findings.
    pub findings: Vec<Finding>,
    /// There is one.
    pub present: bool,
    /// The plugins that it runs itself.
    pub managed: Vec<String>,
}

/// `GET /version`
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    api_version: String,
    #[serde(default)]
    components: Vec<Named>,
}

/// `GET /info`
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    /// Since 28.2.
    firewall_backend: Option<Backend>,
    security_options: Option<Vec<String>>,
    swarm: Option<Swarm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Backend {
    driver: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Swarm {
    local_node_state: String,
}

/// A component of the version, or one of `GET /plugins`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

/// Asks the dockerd at this socket. `plugins`: the folder of Pontoon's sockets.
pub async fn look(socket: &Path, plugins: &Path) -> Docker {
    let version: Version = match get(socket, "/version").await {
        Ok(version) => version,
        Err(error) => return Docker { findings: vec![absent(socket, &error)], ..Docker::default() },
    };
    if version.components.iter().any(|component| component.name == "Podman Engine") {
        let found = format!("Podman {} answers at {}: it asks no plugins", version.version, socket.display());
        return Docker { findings: vec![Finding::ok("dockerd", found)], ..Docker::default() };
    }
    // Each may be refused to whoever may not see everything; what there is of it is enough.
    let info: Info = get(socket, "/info").await.unwrap_or_default();
    let managed: Vec<Named> = get(socket, "/plugins").await.unwrap_or_default();
    let mut findings = vec![age(&version, &info)];
    match info.security_options.iter().flatten().any(|option| option == "name=rootless") {
        true => findings.push(rootless()),
        false => findings.extend(elsewhere(socket, plugins).await),
    }
    findings.extend(info.swarm.filter(|swarm| swarm.local_node_state == "active").map(|_| swarm()));
    Docker { findings, present: true, managed: managed.into_iter().map(|plugin| plugin.name).collect() }
}

fn absent(socket: &Path, error: &Error) -> Finding {
    let is = |errno: Errno| error.errno == Some(errno.raw_os_error());
    match is(Errno::NOENT) || is(Errno::CONNREFUSED) {
        true => Finding::ok("dockerd", format!("none runs at {}: Pontoon works without Docker, too", socket.display())),
        false if is_refused(error.errno) => unknown("dockerd", error, error.errno),
        false => Finding::warning("dockerd", error.message.clone(), "see what dockerd's own log says"),
    }
}

fn age(version: &Version, info: &Info) -> Finding {
    let mut found = format!("{}, API {}", version.version, version.api_version);
    if let Some(backend) = &info.firewall_backend {
        found.push_str(&format!(", firewall {}", backend.driver));
    }
    let number = |text: &str| Some(text.split_once('.')?).and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match number(&version.api_version) {
        Some(api) if api < OLDEST_API => {
            Finding::warning("dockerd", found, "upgrade it to 20.10 or newer: Pontoon is not tested with older ones")
        }
        _ => Finding::ok("dockerd", found),
    }
}

fn rootless() -> Finding {
    Finding::problem(
        "dockerd's namespaces",
        "it is rootless: its containers are in a network namespace of its own, where Pontoon makes no links",
        "use a dockerd that root runs",
    )
}

fn swarm() -> Finding {
    let found = "part of a swarm: Pontoon's networks are for its containers, not for its services";
    Finding::ok("swarm", found)
}

/// Compares namespaces with the process that listens. That is systemd where it activates dockerd, which then has its namespaces.
async fn elsewhere(socket: &Path, plugins: &Path) -> Vec<Finding> {
    let check = "dockerd's namespaces";
    let stream = UnixStream::connect(socket).await;
    let peer = stream.and_then(|stream| stream.peer_cred()).ok().and_then(|peer| peer.pid());
    // None or 0: it is in a process namespace that is not seen from here.
    let Some(process) = peer.filter(|process| *process > 0).map(|process| PathBuf::from(format!("/proc/{process}")))
    else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let seen = |path: &Path| identify(path).ok();
    if let (Some(theirs), Some(ours)) = (seen(&process.join("ns/net")), seen(Path::new("/proc/self/ns/net")))
        && theirs != ours
    {
        let found = "its network namespace is another one: it does not find the links that Pontoon makes";
        findings.push(Finding::problem(check, found, "run `pontoon serve` in the network namespace of dockerd"));
    }
    // None: that can't be seen.
    if let (Some(theirs), Some(ours)) = (seen(&process.join("root").join(&PLUGINS[1..])), seen(plugins))
        && theirs != ours
    {
        let found = format!("it looks for plugins in its own {PLUGINS}, which is not {} here", plugins.display());
        let advice = format!("serve with --plugins {PLUGINS}, in the mount namespace of dockerd");
        findings.push(Finding::problem(check, found, advice));
    }
    findings
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use tokio::net::UnixListener;

    use super::*;
    use operation::finding::Status;

    const RECENT: &str = r#"{"Version":"28.2.2","ApiVersion":"1.50","Components":[{"Name":"Engine"}]}"#;

    /// What is found of a dockerd that answers this, or refuses with 403 what is empty.
    async fn found(
        version: &'static str,
        info: &'static str,
        plugins: &'static str,
    ) -> (Docker, Vec<(Status, String)>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let answer = move |request: Request| async move {
            let text = match request.uri().path() {
                "/version" => version,
                "/info" => info,
                _ => plugins,
            };
            (if text.is_empty() { StatusCode::FORBIDDEN } else { StatusCode::OK }, text)
        };
        let listener = UnixListener::bind(&socket).unwrap();
        let router = Router::new().fallback(answer);
        tokio::spawn(async { axum::serve(listener, router).await });
        // Whether this machine has a /run/docker/plugins or not, it is the same here and for "dockerd".
        let docker = look(&socket, Path::new(PLUGINS)).await;
        let told = docker.findings.iter().map(|f| (f.status, f.found.clone())).collect();
        (docker, told)
    }

    #[tokio::test]
    async fn a_recent_one() {
        let info =
            r#"{"FirewallBackend":{"Driver":"nftables"},"Swarm":{"LocalNodeState":"inactive"},"SecurityOptions":null}"#;
        let (docker, told) = found(RECENT, info, r#"[{"Name":"mine:latest"}]"#).await;
        assert_eq!(told, [(Status::Ok, "28.2.2, API 1.50, firewall nftables".into())]);
        assert!(docker.present && docker.managed == ["mine:latest"]);
        let (docker, told) = found(RECENT, "", "").await;
        assert_eq!((docker.present, told.len()), (true, 1), "the rest may be refused");
    }

    #[tokio::test]
    async fn those_that_are_told_of() {
        let old = r#"{"Version":"19.03.1","ApiVersion":"1.40"}"#;
        assert_eq!(found(old, "{}", "[]").await.1, [(Status::Warning, "19.03.1, API 1.40".into())]);
        let rootless = r#"{"SecurityOptions":["name=seccomp,profile=default","name=rootless"]}"#;
        let (_, told) = found(RECENT, rootless, "[]").await;
        assert!(told[1].0 == Status::Problem && told[1].1.contains("rootless"), "{told:?}");
        let (_, told) = found(RECENT, r#"{"Swarm":{"LocalNodeState":"active"}}"#, "[]").await;
        assert!(told[1].0 == Status::Ok && told[1].1.contains("swarm"), "{told:?}");
        let podman = r#"{"Version":"5.4.2","ApiVersion":"1.41","Components":[{"Name":"Podman Engine"}]}"#;
        let (docker, told) = found(podman, "{}", "[]").await;
        assert!(!docker.present && told[0].1.contains("Podman 5.4.2"), "{told:?}");
        let (_, told) = found("<html>", "", "").await;
        assert!(told[0].0 == Status::Warning && told[0].1.contains("can't be read"), "{told:?}");
    }

    #[tokio::test]
    async fn one_that_does_not_run_is_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        for _ in 0..2 {
            let docker = look(&socket, Path::new(PLUGINS)).await;
            assert_eq!((docker.present, docker.findings[0].status), (false, Status::Ok));
            drop(std::os::unix::net::UnixListener::bind(&socket));
        }
    }

    #[tokio::test]
    async fn another_plugin_folder_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let findings = elsewhere(&socket, folder.path()).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].found.contains("its own /run/docker/plugins"), "{findings:?}");
    }
}
