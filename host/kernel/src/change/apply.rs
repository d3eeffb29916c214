//! Lists of changes: all or nothing, with those for one namespace that stand together sent together.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Instant;

use rustix::io::Errno;

use crate::change::above;
use crate::change::plan::{Failed, Plan, Step, aside, conclude, plan, question, takes_more_from};
use crate::link;
use crate::link::mark::Marks;
use crate::link::options::{leaves_bridge, of_port};
use crate::nft::sets::Place;
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Request};
use crate::{
    Applied, Change, Error, Kernel, LinkKey, LinkSpec, MadeLinks, Namespace, Neighbour, Outcome, Sysctl, ip, namespace,
    nft, shaping,
};

/// What changes have in common that can be sent together.
#[derive(PartialEq)]
enum Lane<'a> {
    /// Links that are made from this namespace.
    Links(&'a Namespace),
    /// Other changes of rtnetlink's there.
    Route(&'a Namespace),
    /// Anything else goes alone.
    Alone(usize),
}

/// What a refusal means for the changes beside it.
#[derive(Clone, Copy, PartialEq)]
enum Together {
    /// They needn't be tried.
    AllOrNone,
    /// Nothing.
    EachAlone,
    /// Nothing, and what is to come back may be there already.
    TakingBack,
}

/// Told what would take changes back that carry no mark in the kernel, right before they are made. Its error is theirs.
pub(crate) type Note<'a> = &'a mut dyn FnMut(&[Change]) -> Result<(), Error>;

/// Changes after which the deadline is looked at again: these take the kernel some 10 ms.
const AT_ONCE: usize = 64;

/// Makes all changes or none.
pub(crate) fn apply(
    kernel: &Kernel,
    session: &mut Session,
    changes: &[Change],
    deadline: Option<Instant>,
    note: Note,
) -> Result<Vec<Applied>, Error> {
    let mut applied = Vec::with_capacity(changes.len());
    let mut rest = changes;
    while !rest.is_empty() {
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            let error = Error::system("the deadline has passed", Errno::TIMEDOUT);
            return Err(taken_back(kernel, session, &applied, error));
        }
        let (now, later) = rest.split_at(together(rest).min(AT_ONCE));
        let mut failure = None;
        for step in steps(kernel, session, now, Together::AllOrNone, note) {
            match step {
                Ok(done) => applied.push(done),
                Err(failed) => {
                    applied.push(Applied { outcome: Outcome::Done, undo: failed.undo });
                    failure.get_or_insert(failed.error);
                }
            }
        }
        if let Some(error) = failure {
            return Err(taken_back(kernel, session, &applied, error));
        }
        rest = later;
    }
    Ok(applied)
}

fn taken_back(kernel: &Kernel, session: &mut Session, applied: &[Applied], mut error: Error) -> Error {
    for left in undo(kernel, session, applied) {
        tracing::error!(%error, %left, "a change was not undone");
        error.message = format!("{}; what came before it was not all undone: {left}", error.message);
    }
    error
}

/// Takes changes back, the last one first.
pub(crate) fn undo(kernel: &Kernel, session: &mut Session, applied: &[Applied]) -> Vec<Error> {
    let (mut errors, links) = undo_for_reaping(kernel, session, applied);
    let places: BTreeSet<&Namespace> = links.iter().map(|(link, _)| &link.namespace).collect();
    errors.extend(places.into_iter().filter_map(|at| link::condemn::reap(session, at, kernel.marks).err()));
    errors
}

/// Takes changes back, the last one first, except that links that were made go first and all together: deleting each takes the kernel 30 ms.
/// They are condemned, and answered.
pub(crate) fn undo_for_reaping(
    kernel: &Kernel,
    session: &mut Session,
    applied: &[Applied],
) -> (Vec<Error>, Vec<(LinkKey, u64)>) {
    let mut made = MadeLinks::default();
    applied.iter().for_each(|applied| made.note(applied));
    let moved = applied.iter().any(|a| a.undo.iter().any(|change| matches!(change, Change::MoveLink(..))));
    // What is in a namespace that was made goes with it; of a pair that leads out of there the end outside is left, and enough.
    let made_namespaces: BTreeSet<Namespace> = applied
        .iter()
        .filter_map(|a| match &a.outcome {
            Outcome::Namespace(path) => Some(Namespace::At(path.clone())),
            _ => None,
        })
        .collect();
    let keys: Vec<LinkKey> =
        made.keys().iter().filter(|key| !made_namespaces.contains(&key.namespace)).cloned().collect();
    // A link that moved has another key by now.
    let condemned = if moved { None } else { link::condemn::condemn(session, &keys, kernel.marks).ok() };
    let changes = applied.iter().rev().flat_map(|a| a.undo.iter());
    let changes = one_per_table(changes.filter(|change| !(condemned.is_some() && made.take_along(change))));
    let kept = kept(session, &changes, kernel.marks);
    let mut errors = each(kernel, session, &changes, Together::TakingBack);
    errors.extend(each(kernel, session, &kept, Together::TakingBack));
    (errors, condemned.unwrap_or_default())
}

/// What the kernel takes from links beside what it is told with these changes, and is to stay: what brings it back.
fn kept(session: &mut Session, changes: &[Change], marks: Marks) -> Vec<Change> {
    let links: BTreeSet<LinkKey> = changes.iter().filter_map(|change| takes_more_from(change, None)).collect();
    // A link that is gone has nothing to keep.
    let there: Vec<Change> = links.into_iter().filter_map(|link| aside(session, &link, marks).ok()).flatten().collect();
    let told: HashSet<Change> = changes.iter().map(same_as_listed).collect();
    let replaced = |neighbour: &Neighbour| {
        let is_its = |n: &Neighbour| (&n.link, n.address) == (&neighbour.link, neighbour.address);
        changes.iter().any(|change| matches!(change, Change::AddNeighbour(n) if is_its(n)))
    };
    let goes = |change: &Change| match change {
        Change::AddNeighbour(neighbour) if replaced(neighbour) => true,
        _ => change.removal().is_some_and(|removal| told.contains(&removal)),
    };
    there.into_iter().filter(|change| !goes(change)).collect()
}

/// A change in the words in which [`aside`] speaks of the same thing.
fn same_as_listed(change: &Change) -> Change {
    match change {
        Change::RemovePath(path) => ip::path::plain(path).map_or_else(|| change.clone(), Change::RemoveRoute),
        _ => change.clone(),
    }
}

/// The removals of rules of one nftables table as one: each is a transaction, for which the kernel takes some 16 ms.
fn one_per_table<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    let mut tables = BTreeMap::new();
    for change in changes {
        let Change::RemoveNftRules { namespace, table, rules } = change else {
            all.push(change.clone());
            continue;
        };
        let position = *tables.entry((namespace, table)).or_insert(all.len());
        match all.get_mut(position) {
            Some(Change::RemoveNftRules { rules: others, .. }) => others.extend_from_slice(rules),
            _ => all.push(change.clone()),
        }
    }
    all
}

/// Makes each change by itself, in order, and goes on after errors.
pub(crate) fn attempt(kernel: &Kernel, session: &mut Session, changes: &[Change]) -> Vec<Error> {
    each(kernel, session, changes, Together::EachAlone)
}

fn each(kernel: &Kernel, session: &mut Session, changes: &[Change], how: Together) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(together(rest));
        let steps = steps(kernel, session, now, how, &mut |_| Ok(()));
        errors.extend(steps.into_iter().filter_map(|step| step.err().map(|f| f.error)));
        rest = later;
    }
    errors
}

/// How many changes from the front can be sent together.
fn together(changes: &[Change]) -> usize {
    let lanes = changes.iter().enumerate().map(|(i, change)| lane(i, change));
    let first = changes.first().map(|change| lane(0, change));
    lanes.take_while(|l| Some(l) == first.as_ref()).count().max(1)
}

fn lane(position: usize, change: &Change) -> Lane<'_> {
    match change {
        Change::AddLink(spec) => Lane::Links(link::add::maker(spec)),
        Change::SetLink(key, _) | Change::RemoveLink(key) => Lane::Route(&key.namespace),
        Change::AddAddress(key, _) | Change::RemoveAddress(key, _) => Lane::Route(&key.namespace),
        Change::AddRoute(route) | Change::RemoveRoute(route) => Lane::Route(&route.link.namespace),
        Change::AddPath(path) | Change::RemovePath(path) => Lane::Route(&path.namespace),
        Change::AddRule(rule) | Change::RemoveRule(rule) => Lane::Route(&rule.namespace),
        Change::AddNeighbour(n) | Change::RemoveNeighbour(n) => Lane::Route(&n.link.namespace),
        Change::AddForwarding(e) | Change::RemoveForwarding(e) => Lane::Route(&e.link.namespace),
        _ => Lane::Alone(position),
    }
}

/// Makes changes of one lane; one result for each.
fn steps(kernel: &Kernel, session: &mut Session, changes: &[Change], how: Together, note: Note) -> Vec<Step> {
    let done = match changes.first().map(|change| lane(0, change)) {
        Some(Lane::Links(_)) => links(session, changes, kernel.marks),
        Some(Lane::Route(at)) => routes(session, at, changes, kernel.marks, how, note),
        _ => Ok(changes.iter().map(|change| alone(kernel, session, change, how, note)).collect()),
    };
    // A namespace that is gone, or a socket that fails, is every change's failure, but what is to be removed from it is gone.
    done.unwrap_or_else(|error| changes.iter().map(|change| failed(change, error.clone())).collect())
}

fn failed(change: &Change, error: Error) -> Step {
    if namespace::is_gone(&error) && change.removes() {
        return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
    }
    let message = format!("{change}: {}", error.message);
    Err(Failed { error: Error { message, ..error }, undo: Vec::new() })
}

impl Change {
    /// The removal that this change takes back: of what has no handle of its own and is told apart by its value alone.
    pub fn removal(&self) -> Option<Self> {
        Some(match self {
            Self::AddAddress(link, address) => Self::RemoveAddress(link.clone(), *address),
            Self::AddRoute(route) => Self::RemoveRoute(route.clone()),
            Self::AddPath(path) => Self::RemovePath(path.clone()),
            Self::AddProxy(proxy) => Self::RemoveProxy(proxy.clone()),
            Self::AddRule(rule) => Self::RemoveRule(rule.clone()),
            Self::AddNeighbour(neighbour) => Self::RemoveNeighbour(neighbour.clone()),
            Self::AddForwarding(entry) => Self::RemoveForwarding(entry.clone()),
            _ => return None,
        })
    }

    fn removes(&self) -> bool {
        matches!(
            self,
            Self::RemoveLink(..)
                | Self::RemoveOwnName(..)
                | Self::RemoveAddress(..)
                | Self::RemoveRoute(..)
                | Self::RemovePath(..)
                | Self::RemoveRule(..)
                | Self::RemoveNeighbour(..)
                | Self::RemoveForwarding(..)
                | Self::RemoveProxy(..)
                | Self::RemoveNftRules { .. }
                | Self::RemoveNftChain { .. }
                | Self::RemoveNftSet { .. }
                | Self::RemoveNftElements { .. }
                | Self::RemoveNftTable { .. }
                | Self::RemoveNamespace(..)
        )
    }
}

fn links(session: &mut Session, changes: &[Change], marks: Marks) -> Result<Vec<Step>, Error> {
    let specs = changes.iter().filter_map(|change| match change {
        Change::AddLink(spec) => Some(spec),
        _ => None,
    });
    let specs: Vec<&LinkSpec> = specs.collect();
    let above = specs.iter().map(|spec| above::of_new(session, spec, marks)).collect::<Result<Vec<_>, Error>>()?;
    let mut steps = link::add::add(session, &specs, marks)?;
    above::add_to(&mut steps, above);
    Ok(steps)
}

fn routes(
    session: &mut Session,
    at: &Namespace,
    changes: &[Change],
    marks: Marks,
    how: Together,
    note: Note,
) -> Result<Vec<Step>, Error> {
    let known = known(session, at, changes)?;
    let mut plans: Vec<Result<Plan, Error>> =
        changes.iter().zip(&known).map(|(change, known)| plan(change, known.as_ref(), marks)).collect();
    if how == Together::AllOrNone {
        if plans.iter().any(Result::is_err) {
            plans.iter_mut().flatten().for_each(|plan| *plan = Plan::nothing());
        }
        let mac = |known: &Option<Answer>| link::read::seen(known.as_ref()?, marks).ok()??.info.mac;
        let more = changes.iter().zip(&known).filter_map(|(change, known)| takes_more_from(change, mac(known)));
        let links: BTreeSet<LinkKey> = more.collect();
        let asides = links.into_iter().map(|link| Ok((link.clone(), aside(session, &link, marks)?)));
        let mut asides = asides.collect::<Result<BTreeMap<_, Vec<_>>, Error>>()?;
        for (change, known) in changes.iter().zip(&known) {
            let above = above::of_change(session, change, known.as_ref(), marks)?;
            if let Some(link) = above::shrinks(change) {
                asides.entry(link.clone()).or_default().extend(above);
            }
        }
        for link in changes.iter().filter_map(leaves_bridge) {
            asides.entry(link.clone()).or_default().extend(of_port(session, link, marks)?);
        }
        let undo = plans.iter().rev().flatten().flat_map(|plan| plan.undo.iter()).chain(asides.values().flatten());
        note(&undo.cloned().collect::<Vec<_>>())?;
        let mut steps = send(session, at, changes, plans, how)?;
        bring_back(changes, &mut steps, asides);
        return Ok(steps);
    }
    send(session, at, changes, plans, how)
}

/// What must be known before each change; what the operation knows is not asked for.
fn known(session: &mut Session, at: &Namespace, changes: &[Change]) -> Result<Vec<Option<Answer>>, Error> {
    let questions: Vec<Option<Request>> = changes.iter().map(question).collect();
    let asked: Vec<Request> = questions.iter().flatten().cloned().collect();
    let mut answers = session.exchange_unknown(at, &asked)?.into_iter();
    Ok(questions.iter().map(|question| question.as_ref().and_then(|_| answers.next())).collect())
}

/// What the kernel took away beside what it was told comes back last: with the first change of the link that was made, or half.
fn bring_back(changes: &[Change], steps: &mut [Step], mut asides: BTreeMap<LinkKey, Vec<Change>>) {
    for (change, step) in changes.iter().zip(steps) {
        let undo = match step {
            Ok(applied) => &mut applied.undo,
            Err(failed) => &mut failed.undo,
        };
        if !undo.is_empty()
            && let Some(link) =
                takes_more_from(change, None).or_else(|| above::shrinks(change).or(leaves_bridge(change)).cloned())
            && let Some(aside) = asides.remove(&link)
        {
            undo.extend(aside);
        }
    }
}

fn send(
    session: &mut Session,
    at: &Namespace,
    changes: &[Change],
    plans: Vec<Result<Plan, Error>>,
    how: Together,
) -> Result<Vec<Step>, Error> {
    let requests: Vec<Request> = plans.iter().flatten().flat_map(|plan| plan.requests.iter().cloned()).collect();
    let answers = session.exchange(at, &requests)?;
    let mut rest = answers.as_slice();
    let steps = changes.iter().zip(plans).map(|(change, plan)| {
        let plan = plan.or_else(|error| failed(change, error).map(|_| Plan::nothing()))?;
        let (own, others) = rest.split_at(plan.requests.len().min(rest.len()));
        rest = others;
        conclude(change, plan, own, how.fine(change))
    });
    Ok(steps.collect())
}

impl Together {
    /// Refusals that are none.
    fn fine(self, change: &Change) -> &'static [Errno] {
        use Change::{AddAddress, AddPath, AddProxy, AddRoute, AddRule, SetOptions};
        // A port whose bridge went first has nothing left of it.
        if self == Self::TakingBack && matches!(change, SetOptions { .. }) {
            return &[Errno::INVAL, Errno::NODEV];
        }
        let adds = matches!(change, AddAddress(..) | AddRoute(..) | AddPath(..) | AddRule(..) | AddProxy(..));
        if self == Self::TakingBack && adds { &[Errno::EXIST] } else { &[] }
    }
}

fn set_sysctl(
    session: &mut Session,
    namespace: &Namespace,
    sysctl: &Sysctl,
    value: i32,
    marks: Marks,
    note: Note,
) -> Result<Applied, Error> {
    let setting = namespace::sysctl::open(session, namespace, sysctl, marks)?;
    let old = setting.value;
    let undo = vec![Change::SetSysctl { namespace: namespace.clone(), sysctl: sysctl.clone(), value: old }];
    note(&undo)?;
    namespace::sysctl::set(session, namespace, sysctl, &setting, value)?;
    Ok(Applied { outcome: Outcome::Value(old), undo })
}

fn alone(kernel: &Kernel, session: &mut Session, change: &Change, how: Together, note: Note) -> Step {
    let done = match change {
        Change::AddNftRules { namespace, table, rules } => nft::add(session, &kernel.tables, namespace, table, rules),
        Change::RemoveNftRules { namespace, table, rules } => {
            nft::remove(session, &kernel.tables, namespace, table, rules)
        }
        Change::AddNftChain { namespace, table, chain } => {
            nft::own::add(session, &kernel.tables, namespace, table, chain, note)
        }
        Change::RemoveNftChain { namespace, table, chain } => {
            nft::own::remove(session, &kernel.tables, namespace, table, chain)
        }
        Change::AddNftSet { namespace, table, set, kind } => {
            nft::sets::add(session, &kernel.tables, Place { at: namespace, table, set }, *kind, note)
        }
        Change::RemoveNftSet { namespace, table, set, kind } => {
            nft::sets::remove(session, &kernel.tables, Place { at: namespace, table, set }, *kind)
        }
        Change::AddNftElements { namespace, table, set, elements } => {
            nft::sets::add_elements(session, &kernel.tables, Place { at: namespace, table, set }, elements, note)
        }
        Change::RemoveNftElements { namespace, table, set, elements } => {
            nft::sets::remove_elements(session, &kernel.tables, Place { at: namespace, table, set }, elements)
        }
        Change::RemoveNftTable { namespace, table } => nft::remove_table(session, &kernel.tables, namespace, table),
        Change::SetSysctl { namespace, sysctl, value } => {
            set_sysctl(session, namespace, sysctl, *value, kernel.marks, note)
        }
        Change::MoveLink(link, to) => link::moving::move_link(session, link, to, kernel.marks),
        Change::TakeDevice(link) => link::device::take(session, link, kernel.marks, note),
        Change::MoveDevice(device) => link::device::move_in(session, device, kernel.marks),
        Change::GiveBack(device) => link::device::give_back(session, device, kernel.marks),
        Change::AddOwnName(link) => link::naming::add(session, link, kernel.marks, note),
        Change::RemoveOwnName(link) => link::naming::remove(session, link, kernel.marks),
        Change::AddProxy(proxy) => ip::proxy::add(session, proxy, kernel.marks, note),
        Change::RemoveProxy(proxy) => ip::proxy::remove(session, proxy),
        Change::SetRate { link, rate } => shaping::set_rate(session, link, *rate, kernel.marks, note),
        Change::Redirect { link, to } => shaping::set_redirect(session, link, *to, kernel.marks, note),
        Change::SetOptions { link, options } => link::options::set(session, link, options, kernel.marks, note),
        Change::SetPeers(set) => link::wireguard::set(session, set, kernel.marks, note),
        Change::AddNamespace(name) => kernel.add_namespace(name),
        Change::RemoveNamespace(name) => kernel.remove_namespace(name),
        // Its errors say by themselves what they are about.
        Change::TakePort(wish) => {
            return kernel.ports.take(&kernel.host, wish).map_err(|error| Failed { error, undo: Vec::new() });
        }
        Change::ReleasePort(port) => Ok(kernel.ports.release(*port)),
        _ => Err(Error::refused("a change in the wrong lane")),
    };
    done.or_else(|error| match how.fine(change).iter().any(|fine| error.errno == Some(fine.raw_os_error())) {
        true => Ok(Applied { outcome: Outcome::Done, undo: Vec::new() }),
        false => failed(change, error),
    })
}
