//! `nftables.add-frame-rules`: rules for what bridges pass from port to port.

use kernel::{NftProperty, NftStatement, NftVerdict};
use words::{Error, Result};

use super::nftables::{NftRules, WantedNftRule, WantedProperty};
use super::{Gate, Granted, Place, View};
use crate::HostCall;

impl Gate {
    /// `nftables.add-frame-rules`: rules of family bridge, each for one of the driver's own links. Addresses tie none of them: what is in a frame is
    /// its sender's to say, and a bridge passes it on unread.
    pub fn add_frame_rules(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        table: &str,
        mut rules: Vec<WantedNftRule>,
    ) -> Result<Granted<NftRules>> {
        let call = HostCall::NftablesAddFrameRules;
        rules.iter().try_for_each(check)?;
        self.check_logs(call, view, rules.iter_mut().map(|rule| &mut rule.verdict).collect())?;
        self.rules_of(call, view, place, table, rules)
    }
}

fn check(rule: &WantedNftRule) -> Result<()> {
    let is_own = rule.conditions.iter().any(|given| match &given.property {
        WantedProperty::InputLink(link) | WantedProperty::OutputLink(link) => link.is_own && !given.negated,
        _ => false,
    });
    if !is_own {
        return Err(Error::invalid(
            "nothing ties the rule to the network: for frames, one of its links that they come from or go to",
        ));
    }
    for given in &rule.conditions {
        let fits = match &given.property {
            WantedProperty::InputLink(_) | WantedProperty::OutputLink(_) => true,
            WantedProperty::Member(..) => false,
            WantedProperty::Other(property) => !matches!(
                property,
                NftProperty::DestinationLocal | NftProperty::Connection(_) | NftProperty::DestinationTranslated
            ),
        };
        if !fits {
            return Err(Error::invalid(format!("{:?} is nothing that a bridge knows of a frame", given.property)));
        }
    }
    let plain = |statement: &NftStatement| {
        matches!(statement, NftStatement::Counter | NftStatement::Limit(_) | NftStatement::SetMark { .. })
    };
    if let Some(statement) = rule.statements.iter().find(|statement| !plain(statement)) {
        return Err(Error::invalid(format!("{statement:?} can't be done to a frame")));
    }
    match rule.verdict {
        NftVerdict::Accept | NftVerdict::Drop | NftVerdict::Proceed | NftVerdict::Log { .. } => Ok(()),
        ref other => Err(Error::invalid(format!("{other:?} can't happen to a frame"))),
    }
}
