//! The names that a driver's links, sets and chains may have.

use kernel::{NewName, OWN_NAMES};
use words::{Error, LinkName, Result};

use super::View;

/// Bytes of the name of a set or a chain.
pub(super) const NAME: usize = 32;

/// Names that everybody knows before there is a link of them: those of engines, and of interfaces that a host may get tomorrow. Whoever has one
/// gets the addresses, rules and ports that are kept for it: dockerd takes a bridge `docker0` that it finds for its own. A `*` stands for the
/// rest. (Engines draw lots for all others: `br-` and `veth` with digits are free to whoever is first.)
const OTHERS: &[&str] = &[
    // Engines, and what serves them.
    "docker0",
    "docker_gwbridge",
    "antrea*",
    "br-ex",
    "br-int",
    "br-tun",
    "cali*",
    "cilium*",
    "cni*",
    "flannel*",
    "incusbr*",
    "kube*",
    "lxc*",
    "lxdbr*",
    "nerdctl*",
    "nodelocaldns*",
    "ovn*",
    "ovs*",
    "podman*",
    "tunl*",
    "virbr*",
    "vnet*",
    "vxlan.calico",
    "weave*",
    // What udev, the kernel and VPNs name.
    "lo",
    "bond*",
    "end*",
    "eno*",
    "enp*",
    "enP*",
    "ens*",
    "enx*",
    "eth*",
    "gre*",
    "ib*",
    "ip6gre*",
    "ip6tnl*",
    "ppp*",
    "sit*",
    "tailscale*",
    "tap*",
    "team*",
    "tun*",
    "usb*",
    "wg*",
    "wl*",
    "ww*",
];

/// Whether a set or a chain can have this name.
pub(super) fn is_word(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=NAME).contains(&name.len()) && name.bytes().all(word)
}

/// Refuses a name that is, or may become, another's. `on_host`: elsewhere there are no others. `usual` is what everybody calls this very link.
pub(super) fn check(view: &impl View, name: &NewName, on_host: bool, usual: Option<&str>) -> Result<()> {
    let first = match name {
        NewName::Exact(name) => name.clone(),
        NewName::Prefix(prefix) => LinkName::new(&format!("{prefix}0"))?,
    };
    if first.as_str().starts_with(OWN_NAMES) {
        return Err(Error::forbidden(format!("{first}: names that begin with {OWN_NAMES:?} are the host's own")));
    }
    let is_usual = matches!(name, NewName::Exact(name) if usual == Some(name.as_str()));
    if on_host && !is_usual && OTHERS.iter().any(|other| fits(other, first.as_str())) {
        return Err(Error::forbidden(format!(
            "{first} is a name that a container engine or an interface of the host may have: choose another"
        )));
    }
    if on_host && view.is_others_name(&first)? {
        return Err(Error::exists(format!("{first} is the name of another driver's link: choose another")));
    }
    Ok(())
}

fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start))
}
