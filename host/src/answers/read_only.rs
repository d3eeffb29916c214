//! A host that is looked at and not changed.

use ask::{Answer, Answers, Ask, HostCall, Refusal};
use words::Error;

/// Answers what only reads as what it is around does, and refuses the rest.
pub struct ReadOnly<A> {
    /// What it is around.
    pub host: A,
    /// The driver's state may be written all the same: whoever made the call takes that over, or does not.
    pub writes_state: bool,
}

impl<A: Answers> Answers for ReadOnly<A> {
    fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        let call = ask.call();
        let is_state = matches!(call, HostCall::StoreSet | HostCall::StoreRemove);
        if only_reads(call) || (is_state && self.writes_state) {
            return self.host.answer(ask);
        }
        let why = match self.writes_state {
            true => "a migration may not change anything but the driver's state",
            false => "a call that only tries may not change anything",
        };
        Err(Error::forbidden(format!("{why}: {}", call.name())).into())
    }

    fn dropped(&mut self, handle: u32) {
        self.host.dropped(handle);
    }
}

/// Those that are named here; one that comes later does not.
fn only_reads(call: HostCall) -> bool {
    use HostCall as H;
    let harmless = matches!(call, H::LogLog | H::ClockNow | H::RandomBytes | H::ConfigurationGet | H::ConfigurationAll);
    let stored = matches!(call, H::StoreGet | H::StoreList | H::TablesGet | H::TablesList);
    let placed = matches!(call, H::NamespacesHost | H::NamespacesGet | H::NamespacesNamespaceSame);
    let linked = matches!(call, H::LinksGet | H::LinksList | H::LinksLinkInfo | H::AddressesList);
    let routed = matches!(call, H::RoutesList | H::RoutesListWhole | H::RulesList | H::RulesListWhole);
    let known = matches!(call, H::NeighboursList | H::NeighboursListForwarding | H::NftablesList);
    let set = matches!(call, H::SysctlsGetLink | H::SysctlsGetNeighbour | H::SysctlsGetNamespace | H::ShapingGetRate);
    let kept = matches!(call, H::LinksGetBridge | H::LinksGetPort | H::LinksGetProperties | H::LinksGetOffloads);
    let tunnelled = matches!(call, H::LinksReadPublicKey | H::LinksListPeers);
    let counted =
        matches!(call, H::NftablesListSets | H::NftablesListChains | H::NftablesListElements | H::NftablesReadCounters);
    harmless || stored || placed || linked || routed || known || set || counted || kept || tunnelled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers everything.
    struct Willing(Vec<&'static str>);

    impl Answers for Willing {
        fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
            self.0.push(ask.call().name());
            Ok(Answer::StoreSet(()))
        }

        fn dropped(&mut self, _: u32) {}
    }

    #[test]
    fn what_changes_something_does_not_get_through() {
        let mut host = ReadOnly { host: Willing(Vec::new()), writes_state: false };
        let key = || "k".to_owned();
        assert!(host.answer(Ask::StoreGet { key: key() }).is_ok());
        let refused = host.answer(Ask::StoreSet { key: key(), value: Vec::new().into() }).unwrap_err();
        assert!(refused.to_string().contains("may not change anything: store.set"), "{refused}");
        assert!(host.answer(Ask::PortsRelease { protocol: 6, addresses: Vec::new(), port: 80 }).is_err());
        assert_eq!(host.host.0, ["store.get"]);
        host.writes_state = true;
        assert!(host.answer(Ask::StoreSet { key: key(), value: Vec::new().into() }).is_ok());
        assert!(host.answer(Ask::StoreRemove { key: key() }).is_ok());
        let (table, value) = (key(), Vec::new().into());
        let refused = host.answer(Ask::TablesPut { table, key: key(), value }).unwrap_err();
        assert!(refused.to_string().contains("anything but the driver's state: tables.put"), "{refused}");
        assert_eq!(host.host.0, ["store.get", "store.set", "store.remove"]);
    }

    /// By its name: whatever does not say that it reads is not let through.
    #[test]
    fn what_is_let_through_reads() {
        let reads = [
            "get",
            "list",
            "list-forwarding",
            "list-whole",
            "list-sets",
            "list-chains",
            "list-elements",
            "read-counters",
            "info",
            "same",
            "host",
            "get-link",
            "get-neighbour",
            "get-namespace",
            "get-rate",
            "get-bridge",
            "get-port",
            "get-properties",
            "get-offloads",
            "read-public-key",
            "list-peers",
        ];
        let harmless = ["log.log", "clock.now", "random.bytes", "configuration.all"];
        for call in HostCall::ALL.into_iter().filter(|call| only_reads(*call)) {
            let verb = call.name().rsplit('.').next().unwrap();
            assert!(reads.contains(&verb) || harmless.contains(&call.name()), "{}", call.name());
        }
    }
}
