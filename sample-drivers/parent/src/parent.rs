//! The link of the host's that a network lies on.

use pontoon_sdk::links::{self, Link, LinkEnd, LinkKind, LinkSpec};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Context, Error, ErrorKind, Result, TextMap, configuration};
use serde::{Deserialize, Serialize};

use crate::name;

const LABEL: &str = "parent";

/// The link of the host's that a network lies on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parent {
    name: String,
    origin: Origin,
}

/// Where it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Origin {
    /// It was there.
    Host,
    /// It was made for this network, on a link that was there, and goes with it.
    Vlan,
    /// The same, and it leads nowhere.
    Dummy,
}

impl Parent {
    /// The link that the network's label `parent` names, or else the operator (`driver load --set parent=LINK`). `eth0.10` is made if it is not
    /// there, as VLAN 10 on `eth0`; where nobody names one, a link that leads nowhere is made.
    ///
    /// # Errors
    /// A link that is not there, is not granted, or that another network has had made.
    pub fn of(network: &str, labels: &TextMap) -> Result<Self> {
        let label = labels.get(LABEL).filter(|text| !text.is_empty()).map(str::to_owned);
        let parent = match label.or_else(|| configuration::get(LABEL)) {
            None => Self { name: name("dm-", network), origin: Origin::Dummy },
            Some(name) => Self::named(name)?,
        };
        let maker = parent.maker();
        if let Some(other) = maker.get()? {
            return Err(Error::forbidden(format!(
                "{LABEL}=\"{}\": network {other} has had it made, and takes it along; to share a VLAN, make it on the host \
                 (ip link add link LINK name LINK.ID type vlan id ID)",
                parent.name
            )));
        }
        if parent.origin != Origin::Host {
            parent.make().context(format!("{LABEL}=\"{}\"", parent.name))?;
            maker.set(&network.to_owned())?;
        }
        Ok(parent)
    }

    fn named(name: String) -> Result<Self> {
        if name == "lo" {
            return Err(Error::invalid_argument(format!("{LABEL}=\"lo\": the loopback link carries no other links")));
        }
        let origin = match links::get(None, &name) {
            Ok(_) => Origin::Host,
            Err(error) if error.kind == ErrorKind::NotFound && vlan(&name).is_some() => Origin::Vlan,
            Err(error) => return Err(error).context(format!("{LABEL}=\"{name}\"")),
        };
        Ok(Self { name, origin })
    }

    fn make(&self) -> Result<()> {
        let end = LinkEnd { up: true, ..LinkEnd::named(&self.name) };
        let added = match vlan(&self.name) {
            Some((below, id)) if self.origin == Origin::Vlan => {
                let parent = links::get(None, below)?;
                links::add_one(LinkSpec { end, kind: LinkKind::Vlan { parent: &parent, id } })
            }
            _ => links::add_one(LinkSpec { end, kind: LinkKind::Dummy }),
        };
        added.map(drop)
    }

    /// Whether packets leave the host by it.
    pub fn leads_out(&self) -> bool {
        self.origin != Origin::Dummy
    }

    /// The link.
    ///
    /// # Errors
    /// It is gone, or no longer granted.
    pub fn link(&self) -> Result<Link> {
        links::get(None, &self.name).context(format!("{LABEL}=\"{}\"", self.name))
    }

    /// Says how a network lies on it, in a word that `agrees` with that of each other network there.
    ///
    /// # Errors
    /// Another network's does not agree.
    pub fn take(&self, network: &str, how: &str, agrees: impl Fn(&str) -> bool) -> Result<()> {
        let others = store::list::<String>(&format!("on/{}/", self.name))?;
        if let Some((key, other)) = others.iter().find(|(_, other)| !agrees(other)) {
            return Err(Error::forbidden(format!(
                "{LABEL}=\"{}\": {how} does not go together with network {}, which is on it as {other}",
                self.name,
                key.rsplit('/').next().unwrap_or(key)
            )));
        }
        self.place_of(network).set(&how.to_owned())
    }

    /// Gives it up, and removes it if it was made for the network.
    ///
    /// # Errors
    /// The host's.
    pub fn release(&self, network: &str) -> Result<()> {
        self.place_of(network).remove()?;
        if self.origin == Origin::Host {
            return Ok(());
        }
        self.maker().remove()?;
        match links::get(None, &self.name) {
            Ok(link) => link.remove(),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn maker(&self) -> Key<String> {
        Key::new(format!("made/{}", self.name))
    }

    fn place_of(&self, network: &str) -> Key<String> {
        Key::new(format!("on/{}/{network}", self.name))
    }
}

/// The link below, and the VLAN's number, of a name such as `eth0.10`.
fn vlan(name: &str) -> Option<(&str, u16)> {
    let (below, id) = name.rsplit_once('.')?;
    let id = id.parse().ok().filter(|id| (1..=4094).contains(id))?;
    Some((below, id))
}
