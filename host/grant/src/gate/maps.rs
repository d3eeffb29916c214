//! `nftables`: maps from ports of the host to where their packets go, and from addresses to marks.
//!
//! A map is a set whose elements lead to something. What a rule with one value is held to, each element is: so a rule that looks a map up can do
//! nothing that a rule could not, whatever comes into the map later.

use kernel::{Namespace, NftElement, NftField, NftMap, NftSetKind, NftStatement, NftVerdict};
use words::{Error, Kind, Result};

use super::nftables::{WantedNftRule, WantedProperty};
use super::sets::SeenSet;
use super::{Gate, Object, View};
use crate::{HostCall, MarkBits};

impl Gate {
    /// What an element of a map leads to: what a published port may, from a port that the call's owner has taken; or granted bits of marks.
    pub(super) fn check_value(&self, view: &impl View, element: NftElement) -> Result<()> {
        let call = HostCall::NftablesAddElements;
        match element {
            NftElement::HostPort { to, .. } => self.permit(call, Object::Target(to.ip()))?,
            NftElement::Mark(_, mark) => self.permit(call, Object::MarkBits(MarkBits(mark)))?,
            NftElement::Network(_) | NftElement::Ports(..) => {}
        }
        if let Some(port) = element.host_port()
            && !view.has_port([port, port])?
        {
            let why = format!("host port {port:#} is not taken by this endpoint: see `ports.take`");
            return Err(self.refused(call, Kind::Forbidden, &why));
        }
        Ok(())
    }

    /// A statement with the kind of the map that it looks up.
    pub(super) fn mapped(
        &self,
        sets: &[SeenSet],
        namespace: &Namespace,
        statement: NftStatement,
    ) -> Result<NftStatement> {
        let NftStatement::SetMarkBy { field, map, mask } = statement else { return Ok(statement) };
        if !matches!(field, NftField::Source | NftField::Destination) {
            return Err(Error::invalid(format!("{field:?} is not what the map {} has: addresses", map.name)));
        }
        let map = self.map(sets, namespace, map, NftSetKind::is_of_marks)?;
        Ok(NftStatement::SetMarkBy { field, map, mask })
    }

    /// A verdict with the kind of the map that it looks up.
    pub(super) fn mapped_verdict(
        &self,
        sets: &[SeenSet],
        namespace: &Namespace,
        verdict: NftVerdict,
    ) -> Result<NftVerdict> {
        let NftVerdict::DestinationNatBy(map) = verdict else { return Ok(verdict) };
        Ok(NftVerdict::DestinationNatBy(self.map(sets, namespace, map, NftSetKind::is_of_host_ports)?))
    }

    fn map(
        &self,
        sets: &[SeenSet],
        namespace: &Namespace,
        map: NftMap,
        fits: fn(NftSetKind) -> bool,
    ) -> Result<NftMap> {
        let kind = self.kind_of(sets, namespace, &map.name)?;
        match fits(kind) {
            true => Ok(NftMap { kind, ..map }),
            false => Err(Error::invalid(format!("{} does not lead there: it is of {kind:?}", map.name))),
        }
    }
}

/// Whether a rule looks into a set, or looks a map up.
pub(super) fn looks(rule: &WantedNftRule) -> bool {
    rule.conditions.iter().any(|given| matches!(given.property, WantedProperty::Member(..)))
        || rule.statements.iter().any(|statement| matches!(statement, NftStatement::SetMarkBy { .. }))
        || matches!(rule.verdict, NftVerdict::DestinationNatBy(_))
}
