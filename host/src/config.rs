//! The daemon's configuration in two forms: [`Written`] is what a file or the command line says, [`Config`] is what it means.
//!
//! - [`cluster`]: the part `[cluster]`

pub mod cluster;

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tracing_subscriber::filter::Targets;

use cluster::Cluster;
use words::file::from_toml;
use words::{Error, Result};

/// Read if it is there and no other file is named.
pub const DEFAULT_FILE: &str = "/etc/pontoon/pontoon.toml";

/// Bytes of the file: its keys, a path of 4 KiB each at most, and much commentary.
const SIZE: usize = 64 << 10;

/// What is written: the keys of the file, and the flags of `pontoon serve`, which override it.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The configuration file, in TOML [default: /etc/pontoon/pontoon.toml if it is there]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The store and compiled drivers [default: /var/lib/pontoon]
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Sockets and namespaces; must not outlive a reboot [default: /run/pontoon]
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,
    /// The admin socket. A global flag, so not one of these.
    #[arg(skip)]
    pub socket: Option<PathBuf>,
    /// Where Docker looks for the sockets of network drivers [default: /run/docker/plugins]
    #[arg(long, value_name = "FOLDER")]
    pub plugins: Option<PathBuf>,
    /// dockerd's API socket, which garbage collection asks what is still known [default: /run/docker.sock]
    #[arg(long, value_name = "PATH")]
    pub docker: Option<PathBuf>,
    /// Components (*.wasm) that are loaded at start [default: /etc/pontoon/drivers]
    #[arg(long, value_name = "FOLDER")]
    pub drivers: Option<PathBuf>,
    /// Which keys may sign which drivers, in TOML [default: drivers need no signature]
    #[arg(long, value_name = "FILE")]
    pub signatures: Option<PathBuf>,
    /// What to log: a level, or a filter such as info,pontoon_kernel=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Etcd, for networks of global scope. In the file only.
    #[arg(skip)]
    pub cluster: Option<Cluster>,
}

/// What it means: every path absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The store and compiled drivers.
    pub state: PathBuf,
    /// Sockets and namespaces, gone after a reboot.
    pub run: PathBuf,
    /// The admin socket.
    pub socket: PathBuf,
    /// Where Docker looks for the sockets of network drivers.
    pub plugins: PathBuf,
    /// dockerd's API socket.
    pub docker: PathBuf,
    /// Components that are loaded at start.
    pub drivers: PathBuf,
    /// Which keys may sign which drivers; none: drivers need no signature.
    pub signatures: Option<PathBuf>,
    /// A filter as tracing-subscriber's `Targets` reads it.
    pub log: String,
    /// Etcd, for networks of global scope; none: this host is no node of a cluster.
    pub cluster: Option<Cluster>,
}

impl Config {
    /// Reads the file that the flags name, or the default one if it is there, and puts the flags over it.
    pub fn load(flags: Written) -> Result<Self> {
        let file = match &flags.config {
            Some(file) => read(file)?.ok_or_else(|| Error::not_found(format!("there is no {}", file.display())))?,
            None => read(Path::new(DEFAULT_FILE))?.unwrap_or_default(),
        };
        Self::meaning(flags.or(file))
    }

    /// Fills in what is not written.
    pub fn meaning(written: Written) -> Result<Self> {
        let path = |path: Option<PathBuf>, default: &str| absolute(path.unwrap_or_else(|| default.into()));
        let run = path(written.run, "/run/pontoon")?;
        let config = Self {
            state: path(written.state, "/var/lib/pontoon")?,
            socket: absolute(written.socket.unwrap_or_else(|| run.join("pontoon.sock")))?,
            plugins: path(written.plugins, "/run/docker/plugins")?,
            docker: path(written.docker, "/run/docker.sock")?,
            drivers: path(written.drivers, "/etc/pontoon/drivers")?,
            signatures: written.signatures.map(absolute).transpose()?,
            log: written.log.unwrap_or_else(|| "info".to_owned()),
            cluster: written.cluster,
            run,
        };
        config.filter()?;
        config.cluster.as_ref().map_or(Ok(()), Cluster::check)?;
        Ok(config)
    }

    /// The log filter.
    pub fn filter(&self) -> Result<Targets> {
        self.log.parse::<Targets>().map_err(|e| Error::invalid(format!("log: {:?} is no filter: {e}", self.log)))
    }
}

impl Written {
    /// This, and where it says nothing, the other.
    #[must_use]
    fn or(self, other: Self) -> Self {
        Self {
            config: self.config,
            state: self.state.or(other.state),
            run: self.run.or(other.run),
            socket: self.socket.or(other.socket),
            plugins: self.plugins.or(other.plugins),
            docker: self.docker.or(other.docker),
            drivers: self.drivers.or(other.drivers),
            signatures: self.signatures.or(other.signatures),
            log: self.log.or(other.log),
            cluster: self.cluster.or(other.cluster),
        }
    }
}

/// Reads a file; none if it is not there.
fn read(file: &Path) -> Result<Option<Written>> {
    match words::file::read_within(file, SIZE) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => from_toml(file.display(), &text).map(Some),
            Err(_) => Err(Error::invalid(format!("{} is not text in UTF-8", file.display()))),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::internal(format!("can't read {}: {e}", file.display()))),
    }
}

fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).map_err(|e| Error::invalid(format!("{:?} is no path: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Written { config: Some(path), ..Written::default() })
    }

    #[test]
    fn defaults() {
        let config = Config::meaning(Written::default()).unwrap();
        let paths = [&config.state, &config.run, &config.socket, &config.plugins, &config.drivers];
        let expected = [
            "/var/lib/pontoon",
            "/run/pontoon",
            "/run/pontoon/pontoon.sock",
            "/run/docker/plugins",
            "/etc/pontoon/drivers",
        ];
        assert_eq!(paths.map(|p| p.to_str().unwrap()), expected);
        assert_eq!(config.log, "info");
        assert_eq!(file("").unwrap(), config);
    }

    #[test]
    fn flags_go_over_the_file_and_paths_are_made_absolute() {
        let written: Written = from_toml("f", "run = '/r'\nstate = '/s'\nlog = 'warn'").unwrap();
        let flags = Written { state: Some("mine".into()), log: Some("debug".to_owned()), ..Written::default() };
        let config = Config::meaning(flags.or(written)).unwrap();
        assert_eq!(config.state, std::env::current_dir().unwrap().join("mine"));
        assert_eq!(config.socket, Path::new("/r/pontoon.sock"));
        assert_eq!(config.log, "debug");
    }

    #[test]
    fn a_mistake_is_one_line_with_its_place() {
        let table = [
            ("state = '/s'\n\nstat = 1\n", ":3: unknown field `stat`"),
            ("config = '/s'", ":1: unknown field `config`"),
            ("[state]", ":1: invalid type: map"),
            ("run = '/r'\nstate = ", ":2: "),
            ("log = 'a=b=c'", "log: \"a=b=c\" is no filter"),
        ];
        for (text, part) in table {
            let error = file(text).unwrap_err();
            assert!(error.message.contains(part), "{text:?}: {error}");
            assert!(!error.message.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let flags = Written { config: Some("/nonexistent/p.toml".into()), ..Written::default() };
        assert!(Config::load(flags).unwrap_err().message.contains("/nonexistent/p.toml"));
    }
}
