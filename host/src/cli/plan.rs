//! What `driver test`, `driver bench` and `driver grant --record` are told of a component that they run.

use std::path::{Path, PathBuf};

use super::output::Session;
use super::values::{pair, unique};
use crate::conformance::Plan;
use crate::driver::admit::admit;
use crate::driver::cache;
use crate::serve::folder::{name_of, read_component};
use words::{LinkName, Name, Result};

/// What the suite gives a driver.
#[derive(Debug, clap::Args)]
pub struct Setting {
    /// What the driver's configuration answers for KEY (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub configuration: Vec<(String, String)>,
    /// A label of every network that is made (repeatable)
    #[arg(long = "opt", short = 'o', value_name = "KEY=VALUE", value_parser = pair)]
    pub labels: Vec<(String, String)>,
    /// Make a link of this name in each host, for drivers whose links lie on one of the host's (repeatable)
    #[arg(long = "parent", value_name = "LINK", value_parser = LinkName::new)]
    pub parents: Vec<LinkName>,
    /// Only on a kernel in memory: needs no root, and has no packets
    #[arg(long)]
    pub fake: bool,
}

impl Setting {
    /// A run of all checks, with nothing else said of it.
    pub fn plan(&self, file: &Path) -> Result<Plan> {
        Ok(Plan {
            configuration: unique(self.configuration.clone())?,
            labels: unique(self.labels.clone())?,
            parents: self.parents.clone(),
            fake: self.fake,
            ..bare(file)?
        })
    }
}

/// A run with nothing set.
pub fn bare(file: &Path) -> Result<Plan> {
    Ok(Plan {
        name: name_of(file).or_else(|_| Name::new("driver"))?,
        component: component(file)?,
        upgrade_from: None,
        compiled: None,
        configuration: Default::default(),
        labels: Default::default(),
        checks: Vec::new(),
        strict: false,
        fake: false,
        parents: Vec::new(),
        cases: Vec::new(),
        grant: None,
    })
}

/// A component that can be tested; what is wrong with another names its file.
pub fn component(file: &Path) -> Result<Vec<u8>> {
    let component = read_component(file)?;
    admit(&component).map_err(|e| e.context(file.display()))?;
    Ok(component)
}

/// Where this user's commands keep compiled code. None, which is said: it is compiled each time.
pub fn compiled(session: &mut Session<'_>) -> Option<PathBuf> {
    let folder = cache::users_folder();
    folder.inspect_err(|why| session.note(&format!("compiled code is not kept for the next time: {why}"))).ok()
}
