//! `forwarding`: "let this link forward", a wish that the host fulfils: the kernel's switches here and in the call, and what it takes beside
//! somebody else's firewall after the commit, in [`crate::firewall`].

use wasmtime::component::Resource;

use super::handle::{self, Link};
use super::{Answer, Refusal};
use crate::engine::CallState;
use crate::engine::bindings::imports::forwarding::Host;
use crate::firewall;
use crate::grant::{HostCall, Object};
use crate::kernel::{Change, Namespace, Sysctl};
use crate::store::Thing;

/// The kernel's switches: the host's IPv4, and IPv6 for all links and those to come.
const IPV4: [&str; 1] = ["ipv4/ip_forward"];
const IPV6: [&str; 2] = ["ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"];

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
            let switches = IPV4.iter().filter(|_| ipv4).chain(IPV6.iter().filter(|_| ipv6));
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
