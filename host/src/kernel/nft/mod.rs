//! nftables: rules in tables of family inet, by transactions over NETLINK_NETFILTER (linux/netfilter/nf_tables.h).

use super::session::Session;
use super::{Applied, Error, Namespace, NftHandle, NftRule};

/// Adds rules.
pub(super) fn add(_: &mut Session, _: &Namespace, _: &str, _: &[NftRule]) -> Result<Applied, Error> {
    Err(Error::refused("not yet"))
}

/// Removes rules.
pub(super) fn remove(_: &mut Session, _: &Namespace, _: &str, _: &[NftHandle]) -> Result<Applied, Error> {
    Err(Error::refused("not yet"))
}

/// Removes a table.
pub(super) fn remove_table(_: &mut Session, _: &Namespace, _: &str) -> Result<Applied, Error> {
    Err(Error::refused("not yet"))
}

/// Tables.
pub(super) fn tables(_: &mut Session, _: &Namespace) -> Result<Vec<String>, Error> {
    Err(Error::refused("not yet"))
}

/// Rules.
pub(super) fn rules(_: &mut Session, _: &Namespace, _: &str) -> Result<Vec<(NftHandle, String)>, Error> {
    Err(Error::refused("not yet"))
}
