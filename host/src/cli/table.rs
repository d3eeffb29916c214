//! `pontoon table`: ls, put, rm of entries of a network's tables, as another host would.

use clap::builder::NonEmptyStringValueParser;

use super::client::path;
use super::exit::Failure;
use super::output::{Session, table};
use super::values::list;
use operation::table::{Entry, PutEntry};

/// Tables of networks.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List entries
    Ls {
        /// The network
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        network: String,
        /// Of this table only
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        table: Option<String>,
    },
    /// Put an entry, as another host would
    Put(Put),
    /// Remove an entry
    Rm {
        /// The network
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        network: String,
        /// The table
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        table: String,
        /// The entry's key
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        key: String,
    },
}

/// Puts an entry.
#[derive(Debug, clap::Args)]
pub struct Put {
    /// The network
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// The table
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    table: String,
    /// The entry's key
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    key: String,
    /// The value, as text
    value: String,
    /// Who owns it; an entry of another owner is not replaced
    #[arg(long, value_name = "NAME", default_value = "operator")]
    owner: String,
}

impl Command {
    /// Does it.
    pub async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Ls { network, table } => {
                let mut segments = vec!["networks", &network, "tables"];
                segments.extend(table.as_deref());
                let reply = session.client.get(&path(&segments)).await?;
                session.answer(&reply, |entries: Vec<Entry>| rows(&entries))
            }
            Self::Put(put) => {
                let path = path(&["networks", &put.network, "tables", &put.table, &put.key]);
                let reply = session.client.put(&path, &PutEntry { value: put.value, owner: put.owner }).await?;
                session.done(&reply, "")
            }
            Self::Rm { network, table, key } => {
                let reply = session.client.delete(&path(&["networks", &network, "tables", &table, &key])).await?;
                session.done(&reply, "")
            }
        }
    }
}

/// Entries as a table.
pub fn rows(entries: &[Entry]) -> String {
    let rows = entries.iter().map(|e| {
        let details = list(e.details.iter().map(|(key, value)| format!("{key}={value}")));
        let endpoint = e.endpoint.as_ref().map(|endpoint| format!("endpoint {endpoint}"));
        let title = endpoint.or(e.title.clone()).unwrap_or_default();
        [e.table.clone(), e.key.clone(), e.value.clone(), e.owner.clone(), title, details]
    });
    table(["TABLE", "KEY", "VALUE", "OWNER", "TITLE", "DETAILS"], rows)
}
