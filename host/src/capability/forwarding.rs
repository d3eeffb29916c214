//! `forwarding`: "let this link forward", a wish that the host fulfils: the kernel's switches here and in the call, and what it takes beside
//! somebody else's firewall after the commit, in [`crate::firewall`].

use wasmtime::component::Resource;

use super::Answer;
use super::handle::Link;
use crate::engine::CallState;
use crate::engine::bindings::imports::forwarding::Host;
use grant::HostCall;

impl Host for CallState {
    fn allow(&mut self, link: Resource<Link>, ipv4: bool, ipv6: bool) -> Answer<()> {
        self.ask(HostCall::ForwardingAllow, arguments!(link, ipv4, ipv6), |call| {
            let link = call.table.get(&link)?.clone();
            let (gate, transaction) = call.parts()?;
            let granted = gate.allow_forwarding(transaction, &link, ipv4, ipv6)?;
            Ok(transaction.forward(granted)?)
        })
    }

    fn disallow(&mut self, link: Resource<Link>) -> Answer<()> {
        self.ask(HostCall::ForwardingDisallow, arguments!(link), |call| {
            let link = call.table.get(&link)?.clone();
            let (gate, transaction) = call.parts()?;
            Ok(transaction.forward_no_more(gate.disallow_forwarding(transaction, &link)?)?)
        })
    }
}
