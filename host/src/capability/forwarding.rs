//! `forwarding`: "let this link forward", a wish that the host fulfils: the kernel's switches here and in the call, and what it takes beside
//! somebody else's firewall after the commit, in [`crate::firewall`].

use super::handle::LinkHandle;
use super::{Answer, CallState};
use ask::forwarding::Host;

impl Host for CallState {
    fn allow(&mut self, link: LinkHandle, ipv4: bool, ipv6: bool) -> Answer<()> {
        let link = self.handles.link(link)?.clone();
        let (gate, transaction) = self.parts()?;
        let granted = gate.allow_forwarding(transaction, &link, ipv4, ipv6)?;
        Ok(transaction.forward(granted)?)
    }

    fn disallow(&mut self, link: LinkHandle) -> Answer<()> {
        let link = self.handles.link(link)?.clone();
        let (gate, transaction) = self.parts()?;
        Ok(transaction.forward_no_more(gate.disallow_forwarding(&link)?)?)
    }
}
