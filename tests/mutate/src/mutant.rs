//! What can be taken out of the gate's source, by its form as `cargo fmt` leaves it.

use std::fmt;

/// A source with one check taken out.
#[derive(Debug)]
pub struct Mutant {
    /// Which file.
    pub file: String,
    /// Its text.
    pub text: String,
    line: usize,
    was: String,
}

/// Checks whose form is their own: the text, which stands once in its file, and what it is without the check.
const OWN: &[(&str, &str, &str)] = &[
    ("gate.rs", "match self.kept_out(call, Object::Own) {", "match None::<String> {"),
    ("view.rs", "match view.own_link(&self.key)? {", "match Some(self.name.clone()) {"),
    ("links.rs", "let Some(name) = place.made.clone() else {", "let Some(name) = Some(String::new()) else {"),
    ("links.rs", "!mark.is_made() && **namespace", "**namespace"),
    ("links.rs", "&& **namespace == Namespace::Host &&", "&&"),
    ("links.rs", "Namespace::Host && self.would_permit(call, named)", "Namespace::Host"),
    ("links.rs", "is_own || is_parent(*mark)", "is_own || is_parent(*mark) || true"),
    ("nftables.rs", "!parents.contains(link),", "true,"),
    ("nftables.rs", "NftProperty::Destination(net) => in_pools(*net),", "NftProperty::Destination(_) => true,"),
    ("nftables.rs", "Some((*first, last.saturating_sub(*first)))", "Some((*first, 0))"),
    ("nftables.rs", "if net.prefix_len() == net.max_prefix_len() =>", "=>"),
    ("nftables.rs", "NftVerdict::Drop => !chain.nat,", "NftVerdict::Drop => true,"),
    ("nftables.rs", "chain.nat && chain.hook == NftHook::Postrouting,", "chain.nat,"),
    ("nftables.rs", "(!parents.contains(link)).then_some(Tie::Link)", "Some(Tie::Link)"),
    ("nftables.rs", "NftCondition { negated: true, .. } => None,", ""),
    ("nftables.rs", "conditions.iter().filter(|condition| !condition.negated)", "conditions.iter()"),
    ("nftables.rs", "tied.map_err(|e| Error::invalid(e.message))?;", "drop(tied);"),
    ("settings.rs", "&& !link.as_str().starts_with('-')", ""),
    ("nftables.rs", "matches!(chain.hook, NftHook::Postrouting | NftHook::Input)", "true"),
    ("nftables.rs", "matches!(chain.hook, NftHook::Prerouting | NftHook::Output)", "true"),
    ("nftables.rs", "= (protocol, port, address) else {", "= (protocol.or(Some(6)), port, address) else {"),
    ("nftables.rs", "= (protocol, port, address) else {", "= (protocol, port.or(Some((8080, 0))), address) else {"),
    ("nftables.rs", "= (protocol, port, address) else {", "= (protocol, port, address.or(Some(any(to)))) else {"),
    ("nftables.rs", "[held.address, any(to)].map(|address| HostPort", "[any(to), any(to)].map(|address| HostPort"),
    ("nftables.rs", "chain.hook == NftHook::Prerouting && port", "false && port"),
    ("nftables.rs", "chain.hook == NftHook::Prerouting && is_for", "is_for"),
    ("nftables.rs", "verdict == NftVerdict::Drop && chain", "chain"),
    ("nftables.rs", "&& is_for_invalid(&conditions) {", "{"),
    ("nftables.rs", "Ok(is_held.then_some(port))", "Ok(Some(port))"),
    ("nftables.rs", "true => Ok(Some(held)),", "true => Ok(None),"),
    (
        "nftables.rs",
        "Some(HostPort { protocol, port, more, address })",
        "Some(HostPort { protocol, port, more: 0, address })",
    ),
    ("settings.rs", "Limit::Ports, wish.count())", "Limit::Ports, wish.addresses.len())"),
    ("nftables.rs", "if !view.has_port([port, HostPort {", "if false && !view.has_port([port, HostPort {"),
    ("links.rs", "= view.goes_by_name(&key)? {", "= view.goes_by_name(&key)?.filter(|_| false) {"),
    (
        "state.rs",
        "Some(false) => Err(foreign(&table, &key)),",
        "Some(false) => self.grant(call, EntryWrite { table, key, value: None }),",
    ),
    (
        "state.rs",
        "Some(true) => Err(Error::exists",
        "Some(true) => self.grant(call, EntryWrite { table, key, value: Some(value) }),\nSome(true) => Err(Error::exists",
    ),
    (
        "state.rs",
        "Some(false) => Err(Error::exists",
        "Some(false) => self.grant(call, EntryWrite { table, key, value: Some(value) }),\nSome(false) => Err(Error::exists",
    ),
];

/// All of one file.
pub fn of(file: &str, text: &str) -> Result<Vec<Mutant>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut mutants = Vec::new();
    let mut add = |line: usize, count: usize, with: String| {
        let mut changed: Vec<&str> = lines[..line].to_vec();
        changed.push(&with);
        changed.extend(&lines[line + count..]);
        let was = lines[line].trim().to_owned();
        mutants.push(Mutant { file: file.to_owned(), text: changed.join("\n") + "\n", line: line + 1, was });
    };
    for (number, line) in lines.iter().enumerate() {
        let (now, next) = (line.trim(), lines.get(number + 1).map_or("", |next| next.trim()));
        if let Some(count) = statement(&lines, number) {
            add(number, count, String::new());
        } else if let Some(condition) = now.strip_prefix("if ").and_then(|rest| rest.strip_suffix(" {")) {
            if condition.starts_with("let ") {
                continue;
            }
            if next.starts_with("return Err(") || next.starts_with("return Some(") {
                add(number, 1, format!("if false && ({condition}) {{"));
            } else if next == "return None;" {
                add(number, 1, format!("if true || ({condition}) {{"));
            } else if next.starts_with("self.permit(") {
                add(number, 1, format!("if false && ({condition}) {{"));
            }
        } else if now.contains("link.own().map(") {
            add(number, 1, line.replace("link.own()", "words::Result::<()>::Ok(())"));
        } else if now.contains(".owned(view)?") {
            add(number, 1, line.replace(".owned(view)?", ".clone()"));
        } else if now.starts_with("match ") && (next.starts_with("true => ") || next.starts_with("false => ")) {
            let refuses = next.starts_with("true => Err(") || next.starts_with("false => Ok(");
            add(number, 1, format!("match {} {{", !refuses));
        } else if now.starts_with("Object::") && now.contains(" => ") && !now.ends_with("=> None,") {
            let pattern = now.split(" => ").next().unwrap_or_default();
            add(number, 1, format!("{pattern} => None,\n{line}"));
        }
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    for (_, from, to) in OWN.iter().filter(|(of, ..)| *of == name) {
        let Some((before, after)) = text.split_once(from).filter(|(_, after)| !after.contains(from)) else {
            return Err(format!("{file} has not once {from:?}: the list in tests/mutate is out of date"));
        };
        let (line, was) = (before.lines().count(), (*from).to_owned());
        mutants.push(Mutant { file: file.to_owned(), text: format!("{before}{to}{after}"), line, was });
    }
    Ok(mutants)
}

/// How many lines a statement has that begins here, does nothing but refuse, and ends with `?;`.
fn statement(lines: &[&str], begin: usize) -> Option<usize> {
    const FORMS: [&str; 8] = ["self.", "all_owned(", "names::", "link.", "parent.", "check_", "addresses", "rules"];
    let indent = |line: &str| line.len() - line.trim_start().len();
    let now = lines[begin].trim();
    let entry = ["entries.", "routes."].iter().any(|form| now.starts_with(form));
    let before = lines[..begin].iter().rev().map(|line| line.trim()).find(|line| !line.starts_with("//"))?;
    if !(entry || FORMS.iter().any(|form| now.starts_with(form))) || !before.ends_with(['{', '}', ';']) {
        return None;
    }
    let end = (begin..lines.len()).find(|end| lines[*end].ends_with(';'))?;
    let plain = !lines[begin..=end].iter().any(|line| line.contains(" = "));
    // Not the last expression of a function, after which another one begins.
    let whole = lines[begin..=end].iter().all(|line| indent(line) >= indent(lines[begin]));
    (plain && whole && lines[end].ends_with("?;")).then_some(end - begin + 1)
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.was)
    }
}
