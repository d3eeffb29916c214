//! Versions that nobody wants any more.

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
        let mut all = Vec::new();
        for record in records {
            let before = record.clone();
            let earlier = within(record.earlier, record.version.before, keep);
            let versions = before.earlier.len() - earlier.len();
            if versions > 0 {
                let kept = store::Driver { earlier, ..before.clone() };
                let writes = vec![Write::PutDriver(kept)];
                self.store.commit(Batch { writes, durability: Durability::Power, ..Batch::default() })?;
            }
            let bytes = self.components.size_of(before.digests());
            self.forget_all_unused(&alone, before.digests());
            for digest in before.digests().filter(|digest| *digest != before.digest) {
                if !self.store.drivers()?.iter().any(|driver| driver.digest == digest) {
                    self.components.forget_code(digest);
                }
            }
            let bytes = bytes - self.components.size_of(before.digests());
            all.push(Forgot { name: before.name, versions, bytes });
        }
        Ok(all)
    }
}
