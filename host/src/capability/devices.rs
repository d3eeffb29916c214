//! `links`: devices of the host's for containers.

use super::handle::LinkHandle;
use super::{Answer, CallState};

pub(super) fn take(call: &mut CallState, device: LinkHandle) -> Answer<()> {
    let device = call.handles.link(device)?.clone();
    let (gate, transaction) = call.parts()?;
    let granted = gate.take_device(transaction, &device)?;
    Ok(transaction.take_device(granted)?)
}
