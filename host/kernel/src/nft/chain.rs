//! Base chains and their names, such as `nat-prerouting-dstnat` and `filter-forward-0`.

use crate::{NftChain, NftHook};

/// The priorities that nft has names for (and none for 0, which is only `filter` in filter chains).
const PRIORITIES: [(&str, i32); 5] =
    [("raw", -300), ("mangle", -150), ("dstnat", -100), ("security", 50), ("srcnat", 100)];
const HOOKS: [(&str, NftHook); 5] = [
    ("prerouting", NftHook::Prerouting),
    ("input", NftHook::Input),
    ("forward", NftHook::Forward),
    ("output", NftHook::Output),
    ("postrouting", NftHook::Postrouting),
];

/// NF_INET_* (linux/netfilter.h).
pub(super) fn hook_number(hook: NftHook) -> u32 {
    match hook {
        NftHook::Prerouting => 0,
        NftHook::Input => 1,
        NftHook::Forward => 2,
        NftHook::Output => 3,
        NftHook::Postrouting => 4,
    }
}

/// The chain's type in the kernel's words.
pub(super) fn kind(chain: NftChain) -> &'static str {
    if chain.nat { "nat" } else { "filter" }
}

/// The chain's name.
pub(super) fn name(chain: NftChain) -> String {
    let hook = HOOKS.iter().find(|(_, hook)| *hook == chain.hook).map_or("", |(name, _)| name);
    match PRIORITIES.iter().find(|(_, priority)| *priority == chain.priority) {
        Some((priority, _)) => format!("{}-{hook}-{priority}", kind(chain)),
        None => format!("{}-{hook}-{}", kind(chain), chain.priority),
    }
}

/// The chain of a name; none where the name is not one that [`name`] makes.
pub(super) fn parse(text: &str) -> Option<NftChain> {
    let mut parts = text.splitn(3, '-');
    let nat = match parts.next()? {
        "nat" => true,
        "filter" => false,
        _ => return None,
    };
    let hook = parts.next()?;
    let hook = HOOKS.iter().find(|(name, _)| *name == hook)?.1;
    let priority = parts.next()?;
    let named = PRIORITIES.iter().find(|(name, _)| *name == priority).map(|(_, number)| *number);
    let chain = NftChain { nat, hook, priority: named.or_else(|| priority.parse().ok())? };
    (name(chain) == text).then_some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let names = ["nat-prerouting-dstnat", "filter-forward-0", "filter-input--10", "nat-postrouting-srcnat"];
        for text in names {
            assert_eq!(parse(text).map(name).as_deref(), Some(text));
        }
        let others = ["filter-forward", "nat-prerouting--100", "filter-forward-+0", "x-forward-0", "filter-x-0", ""];
        assert!(others.iter().all(|text| parse(text).is_none()));
    }
}
