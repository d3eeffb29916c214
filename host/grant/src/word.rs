//! Namespaces, kernel settings and hooks, as a grant says them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use ask::sysctls::{LinkSysctl, NamespaceSysctl, NeighbourSysctl};
use words::Error;

/// Bytes of a table's name.
const TABLE_NAME: usize = 128;

/// A kind of network namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NamespaceKind {
    /// The one that Pontoon works in.
    Host,
    /// Those of containers.
    Container,
    /// Those that the driver makes itself: whoever may make them may use them.
    #[serde(skip)]
    Own,
}

/// A hook of nftables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

/// A kernel setting: `link.NAME` of the driver's own links; `own.NAME`, `host.NAME` or `container.NAME` of a whole namespace. The names
/// are those of `sysctls` in `wit/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Sysctl {
    /// Of namespaces of this kind; none: of links.
    kind: Option<NamespaceKind>,
    name: &'static str,
}

impl Sysctl {
    /// The setting of links with this number in `link-sysctl`.
    pub fn of_link(number: usize) -> Self {
        Self { kind: None, name: LinkSysctl::NAMES[number] }
    }

    /// The setting of links' neighbours with this number in `neighbour-sysctl`.
    pub fn of_neighbours(number: usize) -> Self {
        Self { kind: None, name: NeighbourSysctl::NAMES[number] }
    }

    /// The setting with this number in `namespace-sysctl`, of namespaces of a kind.
    pub fn of_namespace(kind: NamespaceKind, number: usize) -> Self {
        Self { kind: Some(kind), name: NamespaceSysctl::NAMES[number] }
    }

    /// Of links, and not of a whole namespace.
    pub fn is_of_links(self) -> bool {
        self.kind.is_none()
    }

    fn scope(self) -> &'static str {
        match self.kind {
            None => "link",
            Some(NamespaceKind::Own) => "own",
            Some(NamespaceKind::Host) => "host",
            Some(NamespaceKind::Container) => "container",
        }
    }
}

impl TryFrom<String> for Sysctl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let links = (0..LinkSysctl::NAMES.len()).map(Self::of_link);
        let links = links.chain((0..NeighbourSysctl::NAMES.len()).map(Self::of_neighbours));
        let kinds = [NamespaceKind::Own, NamespaceKind::Host, NamespaceKind::Container].into_iter();
        let namespaces =
            kinds.flat_map(|kind| (0..NamespaceSysctl::NAMES.len()).map(move |n| Self::of_namespace(kind, n)));
        links.chain(namespaces).find(|sysctl| sysctl.to_string() == text).ok_or_else(|| {
            let shown: String = text.chars().take(80).collect();
            Error::invalid(format!(
                "{shown:?} is no setting: link. and one of {}; or own., host. or container. and one of {}",
                [&LinkSysctl::NAMES[..], &NeighbourSysctl::NAMES[..]].concat().join(", "),
                NamespaceSysctl::NAMES.join(", ")
            ))
        })
    }
}

/// By hand: the derived one would borrow the name from what it reads.
impl<'de> Deserialize<'de> for Sysctl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl From<Sysctl> for String {
    fn from(sysctl: Sysctl) -> Self {
        sysctl.to_string()
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.scope(), self.name)
    }
}

impl fmt::Display for NamespaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Own => "own",
        })
    }
}

impl fmt::Display for Hook {
    /// The word that is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A table's name: 1 to 128 bytes of printable ASCII without `/`.
pub fn check_table(table: &str) -> words::Result<()> {
    if (1..=TABLE_NAME).contains(&table.len()) && table.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a table's name is 1 to {TABLE_NAME} bytes of printable ASCII without '/'; this one has {} bytes",
        table.len()
    )))
}
