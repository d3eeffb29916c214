//! The iptables of others: what is read of them, and that iptables itself reads what is added.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::tests::*;

/// What dockerd makes of iptables (`ip6` for the other family).
fn docker(ip: &str) {
    sh(&format!(
        "{ip}tables-nft -N DOCKER-USER; {ip}tables-nft -A DOCKER-USER -j RETURN
         {ip}tables-nft -I FORWARD -j DOCKER-USER; {ip}tables-nft -P FORWARD DROP"
    ));
}

fn accept(place: IptablesPlace, link: &str, way: IptablesWay) -> IptablesChange {
    let (chain, comment) = (IptablesChain::DockerUser, format!("pontoon-024680-to-{link}"));
    IptablesChange::Accept { chain, place, link: name(link), index: 77, way, comment }
}

const FAMILIES: [(IptablesFamily, &str); 2] = [(IptablesFamily::Ipv4, "ip"), (IptablesFamily::Ipv6, "ip6")];

#[test]
fn rules_are_those_that_iptables_makes() {
    in_real(|world| {
        let names = ["br-1234567890ab", "b", "eth0.5@_"];
        for (family, ip) in FAMILIES {
            docker(ip);
            sh(&format!("{ip}tables-nft -N OTHER"));
            for (number, link) in names.into_iter().enumerate() {
                let way = [IptablesWay::From, IptablesWay::To, IptablesWay::Within][number];
                let generation = world.kernel.iptables(family).unwrap().generation;
                let change = accept(IptablesPlace::Last, link, way);
                assert_eq!(world.kernel.change_iptables(family, generation, &[change]), Ok(true));
                let direction = match way {
                    IptablesWay::From => format!("-i {link}"),
                    IptablesWay::To => format!("-o {link}"),
                    IptablesWay::Within => format!("-i {link} -o {link}"),
                };
                let rule = format!("{direction} -m comment --comment pontoon-024680-to-{link} -j ACCEPT");
                sh(&format!("{ip}tables-nft -A OTHER {rule}"));
                sh(&format!("{ip}tables-nft -C DOCKER-USER {rule}"));
            }
            // Every expression after the index, and what is written back by a restore.
            let list = |chain: &str| {
                let all = sh(&format!("nft --debug=netlink list chain {ip} filter {chain}"));
                all.lines().filter(|line| line.starts_with("  [")).map(str::to_owned).collect::<Vec<_>>()
            };
            let is_index = |line: &String| line.contains("load iif ") || line.contains("load oif ");
            let mut ours: Vec<String> = list("DOCKER-USER")[2..].to_vec();
            while let Some(at) = ours.iter().position(is_index) {
                let number = if cfg!(target_endian = "little") { "0x0000004d" } else { "0x4d000000" };
                assert!(ours[at + 1].contains(&format!("[ cmp eq reg 1 {number} ]")), "{ours:?}");
                ours.drain(at..at + 2);
            }
            assert_eq!(ours, list("OTHER"));
            let saved = |chain: &str| {
                let all = sh(&format!("{ip}tables-nft -S {chain}"));
                let rules = all.lines().filter(|l| l.starts_with("-A") && l.contains("comment"));
                rules.map(|line| line.replace(chain, "CHAIN")).collect::<Vec<_>>()
            };
            assert_eq!(saved("DOCKER-USER").len(), 3);
            assert_eq!(saved("DOCKER-USER"), saved("OTHER"));
            let before = world.kernel.iptables(family).unwrap();
            sh(&format!("{ip}tables-nft-save > {0}/saved; {ip}tables-nft-restore < {0}/saved", world.folder.display()));
            let after = world.kernel.iptables(family).unwrap();
            let comments = |filter: &IptablesFilter| {
                let rules = filter.docker_user.clone().unwrap().rules;
                rules.into_iter().map(|rule| rule.comment).collect::<Vec<_>>()
            };
            assert_eq!(comments(&before), comments(&after));
            let by_index =
                |filter: &IptablesFilter| filter.docker_user.iter().flat_map(|c| &c.rules).any(|r| r.by_index);
            assert!(by_index(&before) && !by_index(&after), "what is restored goes by the name alone");
        }
    });
}

#[test]
fn what_is_there_is_read() {
    in_real(|world| {
        let read = |family| world.kernel.iptables(family).unwrap();
        for (family, ip) in FAMILIES {
            assert_eq!((read(family).forward, read(family).docker_user), (None, None));
            docker(ip);
            let filter = read(family);
            let (forward, user) = (filter.forward.unwrap(), filter.docker_user.unwrap());
            assert!(forward.drops && !forward.used && user.used && !user.drops, "{forward:?} {user:?}");
            assert!(!forward.rules[0].returns && user.rules[0].returns);
            sh(&format!(
                "{ip}tables-nft -A DOCKER-USER -i eth0 -m comment --comment 'a b' -j RETURN
                 {ip}tables-nft -A DOCKER-USER -p tcp --dport 80 -m conntrack --ctstate NEW -j DROP
                 {ip}tables-nft -A DOCKER-USER -m comment --comment c -j RETURN; {ip}tables-nft -P FORWARD ACCEPT
                 {ip}tables-nft -F FORWARD"
            ));
            let filter = read(family);
            let (forward, user) = (filter.forward.unwrap(), filter.docker_user.unwrap());
            assert!(!forward.drops && forward.rules.is_empty() && !user.used);
            assert_eq!(filter.protected, BTreeSet::new());
            sh(&format!(
                "{ip}tables-nft -A FORWARD -o docker0 -j DOCKER-USER; {ip}tables-nft -A FORWARD -o br1 -i eth0 -j DROP
                 {ip}tables-nft -A FORWARD -o br2 -j ACCEPT; {ip}tables-nft -A FORWARD -o br+ -j DROP
                 {ip}tables-nft -A FORWARD ! -o br3 -j DROP; {ip}tables-nft -A FORWARD -i br4 -j DROP"
            ));
            assert_eq!(read(family).protected, ["br1", "docker0"].map(str::to_owned).into());
            let rules: Vec<_> = user.rules.iter().map(|rule| (rule.comment.as_str(), rule.returns)).collect();
            assert_eq!(rules, [("", true), ("a b", false), ("", false), ("c", true)]);
        }
    });
}

#[test]
fn changes_are_tied_to_what_was_read() {
    in_real(|world| {
        docker("ip");
        let family = IptablesFamily::Ipv4;
        let filter = world.kernel.iptables(family).unwrap();
        let last = filter.docker_user.unwrap().rules[0].handle;
        let changes = [
            accept(IptablesPlace::Before(last), "b0", IptablesWay::To),
            accept(IptablesPlace::First, "b1", IptablesWay::From),
            IptablesChange::Remove(IptablesChain::DockerUser, last),
        ];
        sh("iptables-nft -A OUTPUT -j ACCEPT");
        assert_eq!(world.kernel.change_iptables(family, filter.generation, &changes), Ok(false));
        let generation = world.kernel.iptables(family).unwrap().generation;
        let too_much = [changes[0].clone(), IptablesChange::Remove(IptablesChain::DockerUser, 999)];
        assert!(world.kernel.change_iptables(family, generation, &too_much).is_err());
        assert_eq!(world.kernel.change_iptables(family, generation, &changes), Ok(true));
        let rules = world.kernel.iptables(family).unwrap().docker_user.unwrap().rules;
        let comments: Vec<_> = rules.iter().map(|rule| rule.comment.as_str()).collect();
        assert_eq!(comments, ["pontoon-024680-to-b1", "pontoon-024680-to-b0"]);
    });
}

#[test]
fn changes_of_others_are_seen() {
    in_real(|world| {
        docker("ip");
        let watch = world.kernel.watch("mine").unwrap();
        let soon = Some(Duration::from_millis(50));
        sh("nft add table inet other; nft add table ip nat; nft add chain inet other c");
        assert_eq!(watch.wait(soon), Ok(Seen::Nothing));
        for (change, seen) in [
            ("iptables-nft -F DOCKER-USER", Seen::Change),
            ("nft add table inet mine-1", Seen::Loss),
            ("iptables-nft -F DOCKER-USER", Seen::Change),
            ("nft flush ruleset", Seen::Loss),
        ] {
            sh(change);
            assert_eq!(watch.wait(None), Ok(seen), "{change}");
            while watch.wait(soon) != Ok(Seen::Nothing) {}
        }
        // Its own changes it knows.
        let chain = NftChain { nat: false, hook: NftHook::Forward, priority: 0 };
        let rule = NftRule { chain, conditions: Vec::new(), verdict: NftVerdict::Accept, comment: String::new() };
        let own = Change::AddNftRules { namespace: Namespace::Host, table: "mine-1".into(), rules: vec![rule] };
        world.kernel.apply(&[own]).unwrap();
        assert_eq!(watch.wait(soon), Ok(Seen::Nothing));
        // More than the socket holds.
        docker("ip");
        sh("for i in $(seq 4000); do echo \"add rule ip filter FORWARD counter\"; done | nft -f -");
        while watch.wait(soon).unwrap() != Seen::Nothing {}
        sh("iptables-nft -F FORWARD");
        assert_eq!(watch.wait(None), Ok(Seen::Change), "it goes on");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| while watch.wait(None) == Ok(Seen::Change) {});
            thread::sleep(Duration::from_millis(20));
            watch.end().unwrap();
            waiting.join().unwrap();
        });
        assert_eq!(watch.wait(soon), Ok(Seen::End));
    });
}

#[test]
fn legacy_iptables_are_noticed() {
    in_real(|world| {
        assert_eq!(world.kernel.has_legacy_iptables(IptablesFamily::Ipv4), Ok(false));
        sh("iptables-legacy -P FORWARD DROP");
        assert_eq!(world.kernel.has_legacy_iptables(IptablesFamily::Ipv4), Ok(true));
        assert_eq!(world.kernel.has_legacy_iptables(IptablesFamily::Ipv6), Ok(false));
    });
}
