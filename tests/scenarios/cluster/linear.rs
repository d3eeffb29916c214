//! What nodes write to etcd and read there is as if one did it after the other, whatever fails meanwhile: the history of several clients on
//! several nodes is judged key by key (`history`). Clients that lie, as a program with a fault would, are found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pontoon::cluster::{Access, Cluster, Key, Outcome, Wanted, owned, owner};
use pontoon::config::{Config, Written};
use pontoon_tests::{Daemon, Etcd, read_here, until};

use super::history::{Action, Answer, MOST, Operation, State, is_linear};

/// Operations on a key, beside what leases do.
const EACH: usize = MOST - 16;

/// The network that all keys are of.
const NETWORK: &str = "n";

/// Between two operations of a client's, in milliseconds at most.
const PAUSE: u64 = 60;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// As it is.
    Honest,
    /// It answers that something is written before it is.
    Early,
    /// It reads what its node knew last.
    Stale,
}

/// A node without a daemon: its part of the cluster, in its own namespace.
pub struct Node {
    /// Its namespace.
    pub place: Daemon,
    /// It.
    pub cluster: Arc<Cluster>,
}

impl Node {
    /// One that joins: 192.0.2.NUMBER, a letter by its number.
    pub fn start(etcd: &Etcd, number: u8) -> Self {
        let place = etcd.node(&char::from(b'`' + number).to_string(), number, "");
        let written = Written { config: Some(place.file("config.toml")), ..Written::default() };
        let settings = Config::load(written).unwrap().cluster.unwrap();
        let start = move || {
            let access = Arc::new(Access::read(&settings).unwrap());
            Arc::new(Cluster::start(access, format!("host-{number}"), None).unwrap())
        };
        let cluster = place.host.enter(start).join().unwrap();
        Self { place, cluster }
    }

    /// Waits until it is as a node is.
    pub fn await_joined(&self) {
        let is_well = || {
            let health = self.cluster.health();
            health.joined && health.followed && health.fault.is_none()
        };
        until("a node to join", is_well);
    }
}

/// What happened in one generation: keys are its own.
struct Record {
    begin: Instant,
    stop: AtomicBool,
    kind: Client,
    keys: Vec<(String, bool)>,
    counts: Vec<AtomicUsize>,
    operations: Mutex<BTreeMap<String, Vec<Operation>>>,
}

impl Record {
    fn new(kind: Client, generation: usize, node: &Node) -> Arc<Self> {
        let named = |key: &Key<'_>| node.cluster.keys().of(key);
        let entry = |n: usize| {
            let key = format!("{kind:?}-{generation}-{n}");
            (named(&Key::Entry { network: NETWORK, table: "t", key: &key }), true)
        };
        let address = |n: usize| {
            let address = format!("10.{}.{}.{n}", generation % 250, kind as u8).parse().unwrap();
            (named(&Key::Address { network: NETWORK, address }), false)
        };
        let keys: Vec<_> = (0..4).map(entry).chain((1..4).map(address)).collect();
        Arc::new(Self {
            begin: Instant::now(),
            stop: AtomicBool::new(false),
            kind,
            counts: keys.iter().map(|_| AtomicUsize::new(0)).collect(),
            keys,
            operations: Mutex::default(),
        })
    }

    fn note(&self, key: &str, operation: Operation) {
        self.operations.lock().unwrap().entry(key.to_owned()).or_default().push(operation);
    }

    /// One operation of a client's.
    fn operate(&self, cluster: &Cluster, random: &mut fastrand::Rng, reads: bool, members: usize) {
        let index = random.usize(0..self.keys.len());
        if self.counts[index].fetch_add(1, Ordering::Relaxed) >= EACH {
            return;
        }
        let (key, leased) = &self.keys[index];
        let (node, called) = (cluster.node().as_str().as_bytes()[0], self.begin.elapsed());
        let action = match random.u8(0..10) {
            _ if reads => Action::Get,
            0..5 => Action::Put(random.u64(..)),
            5..8 => Action::Delete,
            _ => Action::Get,
        };
        let value = match action {
            Action::Put(value) => Some(owned(cluster.node().as_str(), value.to_string().as_bytes())),
            _ => None,
        };
        let write = || cluster.write(NETWORK, &[Wanted { key: key.clone(), value, leased: *leased }]);
        let mut answered = None;
        let answer = match (action, self.kind) {
            (Action::Get, Client::Stale) => Answer::Read(cluster.mirror().get(key).and_then(|kept| state(&kept.value))),
            (Action::Get, _) => match read_here(members, key) {
                Some(read) => Answer::Read(read.and_then(|value| state(&value))),
                None => Answer::Unknown,
            },
            (_, Client::Early) => {
                answered = Some(self.begin.elapsed());
                let _ = write();
                Answer::Done
            }
            _ => match write() {
                Ok(Outcome::Done) => Answer::Done,
                Ok(Outcome::Taken { node, .. }) => Answer::Taken(node.as_bytes()[0]),
                Ok(Outcome::Gone) => panic!("the network is gone"),
                Err(_) => Answer::Unknown,
            },
        };
        let answered = answered.unwrap_or_else(|| self.begin.elapsed());
        // What was read by nobody says nothing.
        if (action, answer) != (Action::Get, Answer::Unknown) {
            self.note(key, Operation { node, action, answer, called, answered });
        }
    }

    /// The keys whose history no order explains. `ended`: how many leases of each node ended meanwhile.
    fn judged(&self, ended: &BTreeMap<u8, usize>) -> Vec<(String, Vec<Operation>)> {
        let operations = self.operations.lock().unwrap();
        let mut wrong = Vec::new();
        for (key, leased) in &self.keys {
            let mut history = operations.get(key).cloned().unwrap_or_default();
            if *leased {
                let expire = |node: u8| Operation {
                    node,
                    action: Action::Expire,
                    answer: Answer::Unknown,
                    called: Duration::ZERO,
                    answered: Duration::ZERO,
                };
                history.extend(ended.iter().flat_map(|(node, count)| vec![expire(*node); *count]));
            }
            history.sort_by_key(|one| one.called);
            if !is_linear(&history) {
                wrong.push((key.clone(), history));
            }
        }
        wrong
    }
}

/// How many leases of a node end until all is seen: it is asked far more often than it can have new ones.
fn watch_leases(cluster: Arc<Cluster>, seen: Arc<AtomicBool>) -> JoinHandle<(u8, usize)> {
    std::thread::spawn(move || {
        let mut leases = BTreeSet::new();
        while !seen.load(Ordering::Relaxed) {
            leases.extend(cluster.lease());
            std::thread::sleep(Duration::from_millis(5));
        }
        (cluster.node().as_str().as_bytes()[0], leases.len() - 1)
    })
}

fn state(value: &[u8]) -> State {
    let (node, bytes) = owner(value)?;
    Some((node.as_bytes()[0], std::str::from_utf8(bytes).ok()?.parse().ok()?))
}

/// What fails in a generation.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// A node is cut off from etcd, for longer than its lease.
    CutOff,
    /// Etcd's leader is killed.
    Leader,
    /// Etcd has one member of three.
    Majority,
}

impl Failure {
    /// It fails, and is mended.
    fn happen(self, etcd: &mut Etcd) {
        match self {
            Self::CutOff => {
                etcd.cut(3, true);
                std::thread::sleep(Duration::from_millis(4_500));
                etcd.cut(3, false);
            }
            Self::Leader => {
                let leader = etcd.leader();
                etcd.kill(leader);
                std::thread::sleep(Duration::from_secs(3));
                etcd.run(leader);
            }
            Self::Majority => {
                let leader = etcd.leader();
                let other = (leader + 1) % 3;
                [leader, other].into_iter().for_each(|member| etcd.kill(member));
                std::thread::sleep(Duration::from_secs(3));
                [leader, other].into_iter().for_each(|member| etcd.run(member));
            }
        }
    }
}

/// Clients of each kind on all nodes, while something fails. Answers their records, and how many leases of each node ended.
fn generation(
    etcd: &mut Etcd,
    nodes: &[Node],
    kinds: &[Client],
    number: usize,
    failure: Failure,
) -> (Vec<Arc<Record>>, BTreeMap<u8, usize>) {
    let records: Vec<_> = kinds.iter().map(|kind| Record::new(*kind, number, &nodes[0])).collect();
    let seen: Arc<AtomicBool> = Arc::default();
    let watchers: Vec<_> = nodes.iter().map(|node| watch_leases(node.cluster.clone(), seen.clone())).collect();
    let mut threads = Vec::new();
    for (record, (node, client)) in
        records.iter().flat_map(|r| nodes.iter().flat_map(move |n| [0, 1].map(|c| (r, (n, c)))))
    {
        let (record, cluster) = (record.clone(), node.cluster.clone());
        let mut random = fastrand::Rng::with_seed((number * 100 + threads.len()) as u64);
        threads.push(node.place.host.enter(move || {
            while !record.stop.load(Ordering::Relaxed) {
                record.operate(&cluster, &mut random, client == 1, 3);
                std::thread::sleep(Duration::from_millis(random.u64(1..PAUSE)));
            }
        }));
    }
    std::thread::sleep(Duration::from_secs(1));
    failure.happen(etcd);
    etcd.await_leader();
    std::thread::sleep(Duration::from_millis(1_500));
    // A lease that ended is noticed when it is to be renewed.
    nodes.iter().for_each(Node::await_joined);
    records.iter().for_each(|record| record.stop.store(true, Ordering::Relaxed));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    std::thread::sleep(Duration::from_millis(1_200));
    nodes.iter().for_each(Node::await_joined);
    seen.store(true, Ordering::Relaxed);
    let ended = watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect();
    (records, ended)
}

#[test]
fn all_is_as_if_one_did_it_after_the_other_and_a_liar_is_found() {
    let mut etcd = Etcd::start(3);
    etcd.put(&format!("net/{NETWORK}/name"), NETWORK.as_bytes());
    let nodes: Vec<_> = (1..=3).map(|number| Node::start(&etcd, number)).collect();
    nodes.iter().for_each(Node::await_joined);
    let failures = [Failure::CutOff, Failure::Leader, Failure::Majority];
    let (mut operations, mut unknown, mut leases) = (0, 0, 0);
    for number in 0..super::rounds(3).max(3) {
        let (failure, with_liars) = (failures[number % 3], number == 0);
        let kinds: &[_] = if with_liars { &[Client::Honest, Client::Early, Client::Stale] } else { &[Client::Honest] };
        let (records, ended) = generation(&mut etcd, &nodes, kinds, number, failure);
        leases += ended.values().sum::<usize>();
        for record in &records {
            let wrong = record.judged(&ended);
            match record.kind {
                Client::Honest => assert!(wrong.is_empty(), "{failure:?}, {ended:?}: {:#?}", wrong[0]),
                liar => {
                    println!("{liar:?}: {} of {} histories can't be", wrong.len(), record.keys.len());
                    assert!(!wrong.is_empty(), "{liar:?} was not found");
                }
            }
        }
        let all = records[0].operations.lock().unwrap();
        operations += all.values().map(Vec::len).sum::<usize>();
        unknown += all.values().flatten().filter(|one| one.answer == Answer::Unknown).count();
    }
    println!("{operations} operations, {unknown} without an answer, {leases} leases that ended: each key has an order");
    assert!(operations > 300, "{operations} operations say little");
}
