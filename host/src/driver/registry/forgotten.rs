//! Versions that nobody wants any more.

use std::collections::BTreeSet;

use super::Drivers;
use super::versions::within;
use operation::driver::Forgot;
use store::{Batch, Durability, Write};
use words::{Name, Result};

impl Drivers {
    /// Forgets each driver's earlier versions but so many, or one driver's, with their components and code; and the code of those that are kept:
    /// a rollback compiles it again.
    pub fn forget_versions(&self, only: Option<&Name>, keep: usize) -> Result<Vec<Forgot>> {
        let alone = self.write();
        let records = match only {
            Some(name) => vec![self.record(name)?],
            None => self.store.drivers()?,
        };
        let mut forgetting = Vec::new();
        for record in records {
            let before = record.clone();
            let earlier = within(record.earlier, record.version.before, keep);
            let versions = before.earlier.len() - earlier.len();
            if versions > 0 {
                let kept = store::Driver { earlier, ..before.clone() };
                let writes = vec![Write::PutDriver(kept)];
                self.store.commit(Batch { writes, durability: Durability::Power, ..Batch::default() })?;
            }
            forgetting.push((before, versions));
        }
        let drivers = self.store.drivers()?;
        let kept: BTreeSet<_> = drivers.iter().flat_map(store::Driver::digests).collect();
        let serving: BTreeSet<_> = drivers.iter().map(|driver| driver.digest.as_str()).collect();
        let forget = |(before, versions): (store::Driver, usize)| {
            let bytes = self.components.size_of(before.digests());
            before.digests().filter(|digest| !kept.contains(digest)).for_each(|digest| self.components.forget(digest));
            let unused = before.digests().filter(|digest| !serving.contains(digest));
            unused.for_each(|digest| self.components.forget_code(digest));
            let bytes = bytes - self.components.size_of(before.digests());
            Forgot { name: before.name, versions, bytes }
        };
        let all = forgetting.into_iter().map(forget).collect();
        drop(alone);
        Ok(all)
    }
}
