//! `pontoon driver export` and `import`: a driver as one file, from one host to another.

use std::path::PathBuf;

use super::client::path;
use super::exit::Failure;
use super::output::Session;
use super::upgrade::origin;
use crate::driver::archive;
use crate::serve::folder::{read_beyond, signed_beside};
use operation::driver::DriverDetails;
use words::file::write_whole;
use words::{Error, Name};

/// Writes a driver into a file.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The driver
    name: Name,
    /// The file, which is replaced
    file: PathBuf,
}

/// Takes a driver from a file.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file
    file: PathBuf,
    /// The name that networks say [default: the one that the driver had]
    #[arg(long)]
    name: Option<Name>,
    /// Take it although it is not signed and the host's policy wants a signature (of the component, in the file's name with .sig)
    #[arg(long)]
    allow_unsigned: bool,
}

impl Export {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let reply = session.client.get(&path(&["drivers", self.name.as_str(), "export"])).await?;
        write_whole(&self.file, &reply.bytes())?;
        session.note(&format!("{} has the driver {}", self.file.display(), self.name));
        Ok(())
    }
}

impl Import {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let file = read_beyond(&self.file, archive::MOST)?;
        if file.len() > archive::MOST {
            return Err(Error::invalid(format!("{} is larger than a driver can be", self.file.display())).into());
        }
        // Whether the rest can be used is the daemon's to say.
        let its_own = archive::name(&file).map_err(|e| e.context(self.file.display().to_string()))?;
        let name = self.name.unwrap_or(its_own);
        let signed = signed_beside(&self.file)?;
        let from = std::path::absolute(&self.file).unwrap_or(self.file);
        let route = path(&["drivers", name.as_str(), "import"]);
        let query = origin(&from.display().to_string(), &signed, self.allow_unsigned)?;
        let reply = session.client.upload(&format!("{route}?{query}"), file).await?;
        let details: DriverDetails = reply.read()?;
        if let Some(why) = &details.unpublished {
            session.note(&format!("Docker does not see it: {why}"));
        }
        session.done(&reply, name.as_str())
    }
}
