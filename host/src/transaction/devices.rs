//! Devices of the host's that containers have. The object keeps what a device was: its removal gives it back.

use super::Transaction;
use grant::Granted;
use grant::gate::devices::TakenDevice;
use kernel::{Change, LinkKey, Namespace, Outcome};
use store::{self, Thing};
use words::Error;

impl Transaction {
    /// Takes a device, which is the owner's from then on.
    pub fn take_device(&mut self, device: Granted<TakenDevice>) -> Result<(), Error> {
        let outcomes = self.apply(&[Change::TakeDevice(device.take().0)])?;
        let Some(Outcome::Device(device)) = outcomes.into_iter().next() else {
            return Err(Error::internal("the kernel layer did not answer with a device"));
        };
        self.made(Thing::Device(device));
        Ok(())
    }

    /// Whether a link of the host's is a device that the endpoint at hand has taken.
    pub(super) fn has_taken(&self, link: &LinkKey) -> Result<bool, store::Error> {
        if link.namespace != Namespace::Host || self.owner.endpoint.is_none() {
            return Ok(false);
        }
        let is_it = |thing: &Thing| matches!(thing, Thing::Device(device) if device.index == link.index);
        Ok(self.there()?.any(|object| object.endpoint == self.owner.endpoint && is_it(&object.thing)))
    }
}
