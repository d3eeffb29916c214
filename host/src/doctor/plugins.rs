//! The sockets by which dockerd finds drivers, looked for as dockerd does (moby's `pkg/plugins`, `discovery.go`): NAME.sock and
//! NAME/NAME.sock in its plugin folder, then files NAME.spec and NAME.json elsewhere.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;
use tokio::net::UnixStream;

use super::{access, unknown};
use crate::client::ask;
use operation::finding::Finding;
use words::Name;

/// Where dockerd looks when there is no socket.
const SPEC_FOLDERS: [&str; 2] = ["/etc/docker/plugins", "/usr/lib/docker/plugins"];
/// A plugin answers this from memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// The drivers of a daemon.
#[derive(Default)]
pub struct Published {
    /// Those that dockerd should find.
    pub expected: BTreeSet<Name>,
    /// Those whose sockets the daemon serves.
    pub served: BTreeSet<Name>,
}

/// Looks at the plugin folder and every socket in it. `managed`: the plugins that dockerd runs itself.
pub async fn look(folder: &Path, published: &Published, managed: &[String]) -> Vec<Finding> {
    let mut findings = vec![guarded(folder)];
    for name in &published.expected {
        findings.push(socket(name, &folder.join(format!("{name}.sock")), published.served.contains(name)).await);
        findings.extend(rivals(name, folder, &SPEC_FOLDERS.map(Path::new), managed));
    }
    for path in sockets(folder) {
        let is_ours = published.served.iter().any(|name| path == folder.join(format!("{name}.sock")));
        findings.extend(if is_ours { None } else { dead(&path).await });
    }
    findings
}

/// Whoever can write there is a network driver.
fn guarded(folder: &Path) -> Finding {
    let (check, shown) = ("plugin folder", folder.display());
    match access::writer(folder) {
        Ok(None) if folder.is_dir() => Finding::ok(check, format!("{shown}, where only root can write")),
        Ok(None) => Finding::problem(check, format!("{shown} is no folder"), "remove it; the daemon makes it anew"),
        Ok(Some(writer)) => Finding::problem(
            check,
            format!("{writer}: whoever can becomes a network driver, with root's rights"),
            format!("chown root:root {shown} && chmod 755 {shown}, and the same for the folder that is named"),
        ),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Finding::ok(check, format!("{shown} is not there; it is made with the first driver"))
        }
        Err(e) => unknown(check, format_args!("{shown}: {e}"), e.raw_os_error()),
    }
}

/// A driver's socket.
async fn socket(name: &Name, path: &Path, is_served: bool) -> Finding {
    let (check, shown) = (format!("plugin {name}"), path.display());
    if !is_served {
        let found = match path.exists() {
            true => format!("{shown} is somebody else's"),
            false => format!("there is no {shown}"),
        };
        return Finding::problem(check, found, format!("pontoon driver inspect {name} tries again, and says why not"));
    }
    match ask_for_capabilities(path).await {
        Err(why) => Finding::problem(
            check,
            format!("{shown} does not answer: {why}"),
            "restart the daemon: dockerd waits 15 seconds for each call",
        ),
        Ok(()) => match access::writer(path) {
            // The folders above are the plugin folder's finding.
            Ok(Some(writer)) if !writer.above => Finding::warning(
                check,
                format!("{writer}, and make networks as dockerd does"),
                format!("chown root {shown} && chmod 660 {shown}"),
            ),
            _ => Finding::ok(check, format!("{shown} answers")),
        },
    }
}

/// Asks what a driver answers from memory. Not the first question of dockerd's, Plugin.Activate: after that the daemon collects garbage.
async fn ask_for_capabilities(path: &Path) -> Result<(), String> {
    let request = Request::post("/NetworkDriver.GetCapabilities").header(HOST, "plugin.moby.localhost");
    let request = request.body(Full::<Bytes>::default());
    let request = request.map_err(|e| e.to_string())?;
    let (status, body) = match tokio::time::timeout(PATIENCE, ask(path, request)).await {
        Err(_) => return Err(format!("not within {} seconds", PATIENCE.as_secs())),
        Ok(answer) => answer.map_err(|e| e.to_string())?,
    };
    match status.is_success() && String::from_utf8_lossy(&body).contains("ConnectivityScope") {
        true => Ok(()),
        false => Err(format!("{status}, and it is no network driver")),
    }
}

/// What dockerd would take for this driver, instead or while its socket is away.
fn rivals(name: &Name, folder: &Path, spec_folders: &[&Path], managed: &[String]) -> Vec<Finding> {
    let check = format!("plugin {name}");
    let both = |folder: &Path, end: &str| {
        let file = format!("{name}.{end}");
        [folder.join(&file), folder.join(name.as_str()).join(file)]
    };
    let specs = spec_folders.iter().flat_map(|folder| ["spec", "json"].into_iter().flat_map(|end| both(folder, end)));
    let [_, inner] = both(folder, "sock");
    let there = [inner].into_iter().chain(specs).filter(|path| path.exists());
    let mut findings: Vec<_> = there
        .map(|path| {
            let path = path.display();
            let found = format!("{path} has the same name: dockerd takes it whenever Pontoon's socket is away");
            Finding::warning(check.clone(), found, format!("remove {path}, or load the driver under another name"))
        })
        .collect();
    if managed.iter().any(|plugin| plugin.strip_suffix(":latest").unwrap_or(plugin) == name.as_str()) {
        let found = "dockerd has a managed plugin of the same name, and takes that instead";
        let advice = format!("docker plugin rm --force {name}, or load the driver under another name");
        findings.push(Finding::problem(check, found, advice));
    }
    findings
}

/// The sockets of a plugin folder, in both places that a name can have.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let read = std::fs::read_dir(folder).into_iter().flatten().flatten();
        read.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let own = entries(folder).into_iter().flat_map(|path| {
        let inner = path.file_name().map(|name| path.join(name).with_added_extension("sock"));
        [Some(path), inner].into_iter().flatten()
    });
    let is_socket = |path: &PathBuf| path.metadata().is_ok_and(|m| m.file_type().is_socket());
    let mut found: Vec<_> =
        own.filter(|path| path.extension().is_some_and(|e| e == "sock") && is_socket(path)).collect();
    found.sort();
    found
}

/// A socket that nobody listens on; others, whoever's they are, are left alone.
async fn dead(path: &Path) -> Option<Finding> {
    let (check, shown) = ("plugin socket", path.display());
    match tokio::time::timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Ok(_)) => None,
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => Some(Finding::problem(
            check,
            format!("nobody listens on {shown}: dockerd waits 15 seconds for each call to it"),
            format!("start the daemon that it belongs to, or rm {shown}"),
        )),
        Ok(Err(e)) => Some(unknown(check, format_args!("{shown}: {e}"), e.raw_os_error())),
        Err(_) => Some(unknown(check, format_args!("{shown} takes no connection"), None)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, write};
    use std::os::unix::net::UnixListener;

    use super::*;
    use operation::finding::Status;

    #[tokio::test]
    async fn dead_sockets_are_found_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            create_dir(folder.path().join(name)).unwrap();
        }
        let at = |name: &str| folder.path().join(name);
        for name in ["dead.sock", "a/a.sock", "b/other.sock", "no-socket"] {
            drop(UnixListener::bind(at(name)).unwrap());
        }
        write(at("file.sock"), "").unwrap();
        let _alive = UnixListener::bind(at("alive.sock")).unwrap();
        assert_eq!(sockets(folder.path()), [at("a/a.sock"), at("alive.sock"), at("dead.sock")]);
        let findings = look(folder.path(), &Published::default(), &[]).await;
        let found: Vec<_> = findings.iter().map(|f| (f.check.as_str(), f.status)).collect();
        let dead = ("plugin socket", Status::Problem);
        assert_eq!(found, [("plugin folder", Status::Ok), dead, dead]);
    }

    #[test]
    fn rivals_of_a_name_are_told() {
        let (folder, etc) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let name = Name::new("mine").unwrap();
        let told = |managed: &[&str]| {
            let managed: Vec<_> = managed.iter().map(|name| (*name).to_owned()).collect();
            let findings = rivals(&name, folder.path(), &[etc.path()], &managed);
            findings.iter().map(|f| f.status).collect::<Vec<_>>()
        };
        assert_eq!(told(&["mine:v1", "other:latest", "x/mine:latest"]), []);
        assert_eq!(told(&["mine:latest"]), [Status::Problem]);
        create_dir(folder.path().join("mine")).unwrap();
        create_dir(etc.path().join("mine")).unwrap();
        for file in
            [folder.path().join("mine/mine.sock"), etc.path().join("mine/mine.spec"), etc.path().join("mine.json")]
        {
            write(file, "").unwrap();
        }
        assert_eq!(told(&[]), [Status::Warning; 3]);
    }

    #[tokio::test]
    async fn a_driver_without_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new("mine").unwrap();
        let path = folder.path().join("mine.sock");
        assert!(socket(&name, &path, false).await.found.contains("there is no"));
        drop(UnixListener::bind(&path).unwrap());
        assert!(socket(&name, &path, false).await.found.contains("somebody else's"));
        let silent = socket(&name, &path, true).await;
        assert_eq!(silent.status, Status::Problem);
        assert!(silent.found.contains("does not answer: Connection refused"), "{silent:?}");
    }
}
