//! Plugins of the CNI project, as Debian has them: what they make is compared with what drivers make.

use serde_json::{Value, json};

use crate::Namespace;

/// Runs one: `command` is ADD or DEL, the container's link eth0. `config` says its `type`, and what it needs.
pub fn cni(command: &str, host: &Namespace, container: &Namespace, mut config: Value) {
    let folder = crate::target().join("cni/usr/lib/cni");
    config["cniVersion"] = json!("0.4.0");
    config["name"] = json!("n");
    let (plugin, folder, container) = (config["type"].as_str().unwrap(), folder.display(), container.text());
    let output = host.try_run_script(&format!(
        "printf '%s' '{config}' | CNI_COMMAND={command} CNI_CONTAINERID=c CNI_NETNS={container} CNI_IFNAME=eth0 CNI_PATH={folder} {folder}/{plugin}"
    ));
    assert!(output.status.success(), "{plugin}: {output:?}");
}

/// What a plugin reads of addresses that are given, and kept nowhere.
pub fn cni_addresses(addresses: &[(&str, &str)]) -> Value {
    let of = |(address, gateway): &(&str, &str)| json!({ "address": address, "gateway": gateway });
    json!({ "type": "static", "addresses": addresses.iter().map(of).collect::<Vec<_>>() })
}
