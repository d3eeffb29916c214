//! Notes of a transaction: what carries no mark in the kernel is told apart by nobody after a kill. So how to take it back is in the store
//! before it is made, and what is to be removed stays there until it is. A start does what is left: see `controller::restart`.

use kernel::{self, Change, MadeLinks};
use store::Store;

/// Writes down how changes are taken back, but for those of links that the call made itself: these go with the link.
pub(super) fn before(
    store: &Store,
    made: &MadeLinks,
    notes: &mut Vec<i64>,
    undo: &[Change],
) -> Result<(), kernel::Error> {
    let undo: Vec<Change> = undo.iter().filter(|change| !made.take_along(change)).cloned().collect();
    if undo.is_empty() {
        return Ok(());
    }
    let id = store.new_object_id();
    let failed = |e: store::Error| kernel::Error { message: e.to_string(), errno: None };
    store.note(id, &undo).map_err(failed)?;
    notes.push(id);
    Ok(())
}

/// Those of the removals that a start could not find by itself.
pub(super) fn unmarked(removals: &[Change]) -> Vec<Change> {
    let unmarked = |change: &&Change| {
        use Change::{
            GiveBack, RemoveAddress, RemoveForwarding, RemoveNeighbour, RemoveNftChain, RemoveNftElements,
            RemoveNftSet, RemovePath, RemoveProxy, RemoveRoute, RemoveRule,
        };
        matches!(
            change,
            GiveBack(..)
                | RemoveAddress(..)
                | RemoveForwarding(..)
                | RemoveNeighbour(..)
                | RemoveNftChain { .. }
                | RemoveNftElements { .. }
                | RemoveNftSet { .. }
                | RemovePath(..)
                | RemoveProxy(..)
                | RemoveRoute(..)
                | RemoveRule(..)
        )
    };
    removals.iter().filter(unmarked).cloned().collect()
}
