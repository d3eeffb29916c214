//! `links.take-device`: a device of the host's for a container.

use kernel::LinkKey;
use words::{Error, Result};

use super::{Gate, Granted, Link, Object, View};
use crate::{HostCall, Limit, Permission};

/// A device that the endpoint at hand gets.
#[derive(Clone, Debug)]
pub struct TakenDevice(pub LinkKey);

/// Without it the host reaches nobody.
const UPLINK: &str = "packets of the host's for the outside leave by it";

impl Gate {
    /// `links.take-device`. What goes by the device, and who has it already, the kernel layer looks at right before.
    pub fn take_device(&self, view: &mut impl View, link: &Link) -> Result<Granted<TakenDevice>> {
        let call = HostCall::LinksTakeDevice;
        if link.is_own {
            return Err(Error::invalid(format!("{} is the driver's own: a container can have it as it is", link.name)));
        }
        self.permit(call, Object::Parent(Some(link.name.as_str())))?;
        if view.any_link(&link.key)?.as_deref() != Some(link.name.as_str()) {
            return Err(Error::not_found(format!("{} is gone, or has another name by now", link.name)));
        }
        if self.about.endpoint.is_none() {
            return Err(Error::invalid(format!(
                "{} is for a container: only an endpoint's call can take it",
                link.name
            )));
        }
        if view.is_way_out(&link.key)? {
            self.permit(call, Object::Also(Permission::Uplinks, UPLINK))?;
        }
        self.check_holding(view, call, Limit::Links, 1)?;
        self.grant(call, TakenDevice(link.key.clone()))
    }
}
