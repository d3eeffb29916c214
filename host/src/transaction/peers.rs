//! Peers of WireGuard links: they are set and removed at once, and what was comes back when the call fails. They are counted on their link.

use super::Transaction;
use grant::Granted;
use kernel::{Change, SetPeers};
use words::Error;

impl Transaction {
    /// Sets and removes peers of a link.
    pub fn set_peers(&mut self, set: Granted<SetPeers>) -> Result<(), Error> {
        let change = [Change::SetPeers(set.take())];
        self.apply(&change)?;
        Ok(self.note_peers(&change)?)
    }

    fn note_peers(&mut self, change: &[Change]) -> Result<(), store::Error> {
        let Some(Change::SetPeers(set)) = change.first() else { return Ok(()) };
        let Some(link) = self.id_of_link(&set.link)? else { return Ok(()) };
        let there = set.peers.iter().map(|peer| (peer.key, true));
        for (key, there) in there.chain(set.gone.iter().map(|key| (*key, false))) {
            self.counts.note_peer(link, key, there);
        }
        Ok(())
    }
}
