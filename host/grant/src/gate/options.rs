//! `links.set-bridge`, `set-port`, `set-properties` and `set-offloads`, and what reads them.

use kernel::{Change, LinkKey, LinkOption, LinkOptions};
use words::{Error, Result};

use super::{Gate, Granted, Link, Object, View};
use crate::{HostCall, Permission};

/// A link whose properties may be read.
#[derive(Clone, Debug)]
pub struct OptionsOf(pub LinkKey);

/// The kernel does the same with the link below.
const LISTENS: &str = "with it, it makes its parent take in the packets of others";

impl Gate {
    /// `links.set-bridge`
    pub fn set_bridge(&self, view: &impl View, link: &Link, options: LinkOptions) -> Result<Granted<Vec<Change>>> {
        self.set_options(HostCall::LinksSetBridge, link.owned(view)?, options)
    }

    /// `links.set-port`: what a bridge sends by one port is a matter of whoever has the bridge, too.
    pub fn set_port(&self, view: &impl View, link: &Link, options: LinkOptions) -> Result<Granted<Vec<Change>>> {
        let link = link.owned(view)?;
        if let Some(bridge) = view.master(&link.key)?
            && view.own_link(&bridge)?.is_none()
        {
            return Err(Error::forbidden(format!("{} is a port of a bridge that is not the driver's", link.name)));
        }
        self.set_options(HostCall::LinksSetPort, link, options)
    }

    /// `links.set-properties`
    pub fn set_properties(&self, view: &impl View, link: &Link, options: LinkOptions) -> Result<Granted<Vec<Change>>> {
        let link = link.owned(view)?;
        let listens = [LinkOption::Promiscuous, LinkOption::AllMulticast];
        let is_on = |option: &LinkOption| options.set.get(option).is_some_and(|on| *on != 0);
        if listens.iter().any(is_on) && view.has_parent(&link.key)? {
            self.permit(HostCall::LinksSetProperties, Object::Also(Permission::ChangedParents, LISTENS))?;
        }
        self.set_options(HostCall::LinksSetProperties, link, options)
    }

    /// `links.set-offloads`
    pub fn set_offloads(&self, view: &impl View, link: &Link, options: LinkOptions) -> Result<Granted<Vec<Change>>> {
        self.set_options(HostCall::LinksSetOffloads, link.owned(view)?, options)
    }

    fn set_options(&self, call: HostCall, link: Link, options: LinkOptions) -> Result<Granted<Vec<Change>>> {
        self.grant(call, vec![Change::SetOptions { link: link.key, options }])
    }

    /// `links.get-bridge`, `get-port`, `get-properties` and `get-offloads`
    pub fn read_options(&self, call: HostCall, view: &impl View, link: &Link) -> Result<Granted<OptionsOf>> {
        self.grant(call, OptionsOf(link.owned(view)?.key))
    }
}
