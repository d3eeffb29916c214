//! Capabilities: dropped from all sets, also from the one that limits what a program can gain by being started.

use rustix::io::Result;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// Drops all but these.
pub(super) fn keep(kept: CapabilitySet) -> Result<()> {
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    bound(kept)?;
    let kept = capabilities(None)?.permitted.intersection(kept);
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })
}

/// Drops all but these from what this process and those that it starts can ever have.
pub(super) fn bound(kept: CapabilitySet) -> Result<()> {
    // Without CAP_SETPCAP that set stays as it is: for the compiler child, which starts nothing, as the daemon left it.
    let bits = if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) { u64::BITS } else { 0 };
    for bit in 0..bits {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        // An error: this kernel knows no such capability.
        if !kept.contains(capability) && capability_is_in_bounding_set(capability) == Ok(true) {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    Ok(())
}
