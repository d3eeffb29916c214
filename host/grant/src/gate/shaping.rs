//! `shaping`: how fast the driver's own links send and receive.

use kernel::{Change, LinkEnd, LinkKey, LinkKind, LinkSpec, Namespace, NewName, Rate};
use words::{Error, LinkName, Result};

use super::{Gate, Granted, Link, Place, View, names};
use crate::{HostCall, Limit};

/// A link whose rate may be read.
#[derive(Clone, Debug)]
pub struct RateOf(pub LinkKey);

/// Bytes a second that can be asked for: with less no packet gets through in time, and the kernel counts in nanoseconds.
const RATES: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000_000;

impl Gate {
    /// `shaping.set-rate`
    pub fn set_rate(&self, view: &impl View, link: &Link, rate: Option<Rate>) -> Result<Granted<Vec<Change>>> {
        let link = link.owned(view)?;
        if let Some(Rate { bytes, burst }) = rate
            && (!RATES.contains(&bytes) || burst == 0)
        {
            return Err(Error::invalid(format!(
                "{bytes} bytes a second in bursts of {burst}: {} to {} bytes a second, and bursts of 1 byte at least",
                RATES.start(),
                RATES.end()
            )));
        }
        self.grant(HostCall::ShapingSetRate, vec![Change::SetRate { link: link.key, rate }])
    }

    /// `shaping.get-rate`
    pub fn get_rate(&self, view: &impl View, link: &Link) -> Result<Granted<RateOf>> {
        self.grant(HostCall::ShapingGetRate, RateOf(link.owned(view)?.key))
    }

    /// `shaping.add-ifb`
    pub fn add_ifb(
        &self,
        view: &mut impl View,
        place: Option<&Place>,
        name: LinkName,
    ) -> Result<Granted<Vec<LinkSpec>>> {
        let call = HostCall::ShapingAddIfb;
        let namespace = self.namespace(call, place)?.take();
        let name = NewName::Exact(name);
        names::check(view, &name, namespace == Namespace::Host, None)?;
        self.check_holding(view, call, Limit::Links, 1)?;
        let end = LinkEnd { namespace, name, mac: None, mtu: None, master: None, addresses: Vec::new(), up: true };
        self.grant(call, vec![LinkSpec { end, kind: LinkKind::Ifb }])
    }

    /// `shaping.redirect`
    pub fn redirect(&self, view: &impl View, link: &Link, through: Option<&Link>) -> Result<Granted<Vec<Change>>> {
        let link = link.owned(view)?;
        let through = through.map(|through| through.owned(view)).transpose()?;
        if let Some(through) = through.as_ref().filter(|through| through.key.namespace != link.key.namespace) {
            return Err(Error::invalid(format!("{} is in another namespace than {}", through.name, link.name)));
        }
        let to = through.map(|through| through.key.index);
        self.grant(HostCall::ShapingRedirect, vec![Change::Redirect { link: link.key, to }])
    }
}
