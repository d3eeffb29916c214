//! `forwarding`: "let this link forward", a wish that the host fulfils: the kernel's switches here and in the call, and what it takes beside
//! somebody else's firewall after the commit, in [`crate::firewall`].

use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, Refusal};
use crate::engine::CallState;
use crate::engine::bindings::imports::forwarding::Host;
use crate::firewall;
use grant::{HostCall, Object};
use kernel::{Change, IptablesFamily, Namespace, Sysctl};
use store::Thing;

impl Host for CallState {
    fn allow(&mut self, link: Resource<Link>, ipv4: bool, ipv6: bool) -> Answer<()> {
        self.ask(HostCall::ForwardingAllow, arguments!(link, ipv4, ipv6), |call, permit| {
            let link = handle::owned_link(call, &link)?;
            if link.key.namespace != Namespace::Host {
                return Err(Refusal::invalid(format!(
                    "{} is not in the host's namespace, and the host forwards only there",
                    link.name
                )));
            }
            if !firewall::can_except(&link.name) {
                return Err(Refusal::invalid(format!(
                    "iptables would misread the name {}, so it can't be excepted from the host's firewall: letters, digits, '-', '_', '.' and '@'",
                    link.name
                )));
            }
            let transaction = call.transaction()?;
            let families = [(IptablesFamily::Ipv4, ipv4), (IptablesFamily::Ipv6, ipv6)];
            let switches = families.into_iter().filter(|(_, asked)| *asked).flat_map(|(f, _)| firewall::switches(f));
            let mut changes = Vec::new();
            for path in switches {
                let sysctl = Sysctl::Namespace(path);
                // Written only where it is off: writing it again resets settings of every link.
                if transaction.kernel().sysctl(&Namespace::Host, &sysctl)? == 0 {
                    changes.push(Change::SetSysctl { namespace: Namespace::Host, sysctl, value: 1 });
                }
            }
            transaction.change(permit, &changes)?;
            transaction.made(Thing::Forward { name: link.name.to_string(), ipv4, ipv6 });
            Ok(())
        })
    }

    fn disallow(&mut self, link: Resource<Link>) -> Answer<()> {
        self.ask(HostCall::ForwardingDisallow, arguments!(link), |call, _| {
            let link = handle::own_link(call, &link)?.name.to_string();
            for object in call.transaction()?.objects()? {
                if matches!(&object.thing, Thing::Forward { name, .. } if *name == link) {
                    let permit = call.gate.permit(HostCall::ForwardingDisallow, Object::Own)?;
                    call.transaction()?.remove(permit, &object);
                }
            }
            Ok(())
        })
    }
}
