//! A host that is looked at and not changed.

use ask::{Answer, Answers, Ask, HostCall, Refusal};
use words::Error;

/// Answers what only reads as what it is around does, and refuses the rest.
pub struct ReadOnly<A>(pub A);

impl<A: Answers> Answers for ReadOnly<A> {
    fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        match only_reads(ask.call()) {
            true => self.0.answer(ask),
            false => {
                Err(Error::forbidden(format!("a call that only tries may not change anything: {}", ask.call().name()))
                    .into())
            }
        }
    }

    fn dropped(&mut self, handle: u32) {
        self.0.dropped(handle);
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
    let set = matches!(call, H::SysctlsGetLink | H::SysctlsGetNeighbour | H::SysctlsGetNamespace);
    harmless || stored || placed || linked || routed || known || set
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
        let mut host = ReadOnly(Willing(Vec::new()));
        let key = || "k".to_owned();
        assert!(host.answer(Ask::StoreGet { key: key() }).is_ok());
        let refused = host.answer(Ask::StoreSet { key: key(), value: Vec::new().into() }).unwrap_err();
        assert!(refused.to_string().contains("may not change anything: store.set"), "{refused}");
        assert!(host.answer(Ask::PortsRelease { protocol: 6, addresses: Vec::new(), port: 80 }).is_err());
        assert_eq!(host.0.0, ["store.get"]);
    }

    /// By its name: whatever does not say that it reads is not let through.
    #[test]
    fn what_is_let_through_reads() {
        let reads = [
            "get",
            "list",
            "list-forwarding",
            "list-whole",
            "info",
            "same",
            "host",
            "get-link",
            "get-neighbour",
            "get-namespace",
        ];
        let harmless = ["log.log", "clock.now", "random.bytes", "configuration.all"];
        for call in HostCall::ALL.into_iter().filter(|call| only_reads(*call)) {
            let verb = call.name().rsplit('.').next().unwrap();
            assert!(reads.contains(&verb) || harmless.contains(&call.name()), "{}", call.name());
        }
    }
}
