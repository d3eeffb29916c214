//! `shaping`: how fast links send and receive.

use super::handle::{self, LinkHandle, NamespaceHandle};
use super::{Answer, CallState, convert, links};
use ask::Refusal;
use ask::shaping::{Host, Rate};

/// ETH_HLEN: a packet's header, which counts beside the MTU.
const HEADER: u32 = 14;

impl Host for CallState {
    fn set_rate(&mut self, link: LinkHandle, rate: Option<Rate>) -> Answer<()> {
        let link = handle::link(self, link)?;
        let rate = rate.map(|rate| kernel::Rate { bytes: rate.bytes_per_second, burst: rate.burst });
        let (gate, transaction) = self.parts()?;
        let granted = gate.set_rate(transaction, &link, rate)?;
        if let (Some(rate), Some(info)) = (rate, transaction.look().link(&link.key)?) {
            let least = info.mtu.saturating_add(HEADER);
            if rate.burst < least {
                let burst = rate.burst;
                return Err(Refusal::invalid(format!(
                    "bursts of {burst} bytes: {} has packets of {least} bytes, which would all be lost",
                    link.name
                )));
            }
        }
        Ok(transaction.change(granted)?)
    }

    fn get_rate(&mut self, link: LinkHandle) -> Answer<Option<Rate>> {
        let link = handle::link(self, link)?;
        let (gate, transaction) = self.parts()?;
        let rate = transaction.rate(&gate.get_rate(transaction, &link)?)?;
        Ok(rate.map(|rate| Rate { bytes_per_second: rate.bytes, burst: rate.burst }))
    }

    fn add_ifb(&mut self, namespace: Option<NamespaceHandle>, name: String) -> Answer<LinkHandle> {
        let place = handle::namespace(self, namespace)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_ifb(transaction, place.as_ref(), convert::link_name(&name)?)?;
        links::add_one(self, granted)
    }

    fn redirect(&mut self, link: LinkHandle, through: Option<LinkHandle>) -> Answer<()> {
        let link = handle::link(self, link)?;
        let through = through.map(|through| handle::link(self, through)).transpose()?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.redirect(transaction, &link, through.as_ref())?;
        Ok(transaction.change(granted)?)
    }
}
