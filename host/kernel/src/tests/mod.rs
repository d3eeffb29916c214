//! One suite for the real kernel and the fake. On the real one each test has namespaces of its own that go with its threads, so nothing is left
//! behind even by a panic.
//!
//! - [`in_both`] runs a test on each, one after the other: the world that it is given makes sandboxes, and tells all that there is
//!   ([`World::dump`]), in the words of `ip` and `nft` or in the fake's own. What is asked of the kernel layer itself is the same.
//! - [`in_real`] is for what only the real one has: packets, iptables, nft's own encoding, files that are no namespaces.
//! - `lockstep`: random operations on both, with the same answers.

mod above;
mod changes;
mod condemning;
mod connections;
mod devices;
mod iptables;
mod known;
mod links;
mod lockstep;
mod namespaces;
mod nft_chains;
mod nft_frames;
mod nft_maps;
mod nft_ports;
mod nft_sets;
mod nftables;
mod options;
mod ports;
mod shaping;
mod speed;
mod wireguard;

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};

use crate::*;

/// A fresh host, and a kernel layer that works with it.
struct World {
    kernel: Kernel,
    folder: PathBuf,
    /// None: the host is a namespace of the real kernel, which the test's thread is in.
    fake: Option<Fake>,
}

const INSTANCE: u32 = 0x2_4680;

/// Runs a test on the real kernel, and on the fake.
fn in_both(test: impl Fn(&World) + Sync) {
    in_real(&test);
    test(&World::new(Some(Fake::new())));
}

/// Runs a test in a fresh namespace of the real kernel.
fn in_real(test: impl FnOnce(&World) + Send) {
    thread::scope(|scope| {
        let run = || {
            namespace::enter_new().unwrap();
            link::set::loopback_up().unwrap();
            let world = World::new(None);
            test(&world);
        };
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl World {
    fn new(fake: Option<Fake>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pontoon-kernel-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let kernel = Self::layer(fake.as_ref(), INSTANCE, &folder);
        Self { kernel, folder, fake }
    }

    /// A kernel layer of another instance on the same host.
    fn other(&self, instance: u32) -> Kernel {
        Self::layer(self.fake.as_ref(), instance, &self.folder)
    }

    fn layer(fake: Option<&Fake>, instance: u32, folder: &Path) -> Kernel {
        let host = match fake {
            Some(fake) => fake.clone().into(),
            None => Kernel::current_namespace().unwrap().into(),
        };
        Kernel::new(Config { host, instance, run_folder: folder.to_owned() }).unwrap()
    }

    /// Everything that the layer can change on the host; of a fake, everywhere.
    fn dump(&self) -> String {
        self.fake.as_ref().map_or_else(dump, Fake::state)
    }

    /// The same, once the kernel has done what it does later.
    fn settled(&self) -> String {
        let mut before = self.dump();
        while self.is_real() {
            thread::sleep(Duration::from_millis(20));
            let now = self.dump();
            if now == before {
                break;
            }
            before = now;
        }
        before
    }

    /// Makes sure that all is as it was.
    #[track_caller]
    fn same(&self, before: &str, what: &str) {
        let (begin, mut after) = (Instant::now(), self.dump());
        while self.is_real() && after != before && begin.elapsed() < Duration::from_secs(2) {
            // The kernel does some of it later: IPv6's local routes, for one.
            thread::sleep(Duration::from_millis(20));
            after = self.dump();
        }
        let gone: Vec<&str> = before.lines().filter(|l| !after.lines().any(|a| a == *l)).collect();
        let new: Vec<&str> = after.lines().filter(|l| !before.lines().any(|b| b == *l)).collect();
        assert!(gone.is_empty() && new.is_empty(), "{what}\ngone: {gone:#?}\nnew: {new:#?}");
    }

    fn is_real(&self) -> bool {
        self.fake.is_none()
    }

    /// Makes one change that must work.
    fn one(&self, change: Change) -> Applied {
        self.all(&[change]).pop().unwrap()
    }

    fn all(&self, changes: &[Change]) -> Vec<Applied> {
        self.kernel.apply(changes).unwrap()
    }

    fn fails(&self, changes: &[Change]) -> Error {
        self.kernel.apply(changes).expect_err("it should fail")
    }

    fn link(&self, spec: LinkSpec) -> (NewLink, Option<NewLink>) {
        match self.one(Change::AddLink(spec)).outcome {
            Outcome::Link(first, peer) => (first, peer),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Namespaces that a test made and left are bound there.
        for bound in std::fs::read_dir(self.folder.join("netns")).into_iter().flatten().flatten() {
            let _ = unmount(bound.path(), UnmountFlags::DETACH);
        }
        let removed = std::fs::remove_dir_all(&self.folder);
        assert!(thread::panicking() || removed.is_ok(), "{} stays: {removed:?}", self.folder.display());
    }
}

/// Another namespace, which dies with this.
struct Sandbox {
    at: NamespacePath,
    kept: Kept,
}

/// What keeps a sandbox.
enum Kept {
    /// A thread inside.
    Thread { file: OwnedFd, _leave: mpsc::Sender<()> },
    /// The fake.
    Fake(Fake),
}

impl Sandbox {
    fn new(world: &World) -> Self {
        let Some(fake) = &world.fake else { return Self::real(world) };
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = format!("/proc/fake-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        fake.add_namespace(Path::new(&path)).unwrap();
        Self { at: world.kernel.sandbox(Path::new(&path)).unwrap(), kept: Kept::Fake(fake.clone()) }
    }

    fn real(world: &World) -> Self {
        let (tell, told) = mpsc::channel();
        let (leave, stay) = mpsc::channel::<()>();
        thread::spawn(move || {
            namespace::enter_new().unwrap();
            link::set::loopback_up().unwrap();
            let thread = rustix::thread::gettid().as_raw_nonzero();
            tell.send((thread, Kernel::current_namespace().unwrap())).unwrap();
            let _ = stay.recv();
        });
        let (thread, file) = told.recv().unwrap();
        let path = PathBuf::from(format!("/proc/{}/task/{thread}/ns/net", std::process::id()));
        Self { at: world.kernel.sandbox(&path).unwrap(), kept: Kept::Thread { file, _leave: leave } }
    }

    fn namespace(&self) -> Namespace {
        Namespace::At(self.at.clone())
    }

    fn file(&self) -> &OwnedFd {
        match &self.kept {
            Kept::Thread { file, .. } => file,
            Kept::Fake(_) => panic!("a sandbox of the fake has no file"),
        }
    }

    /// Does something on a thread inside, where there is an inside.
    fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        match &self.kept {
            Kept::Thread { file, .. } => namespace::within(file.as_fd(), || Ok(action())).unwrap(),
            Kept::Fake(_) => action(),
        }
    }

    /// Everything that the layer can change there.
    fn dump(&self) -> String {
        match &self.kept {
            Kept::Thread { .. } => self.within(dump),
            Kept::Fake(fake) => fake.state(),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Kept::Fake(fake) = &self.kept {
            fake.remove_namespace(&self.at.path);
        }
    }
}

/// Runs a command in the calling thread's namespace.
fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Everything that the layer can change in the calling thread's namespace, without what changes by itself.
fn dump() -> String {
    sh("{ ip -d address; ip -4 route show table all; ip -6 route show table all; ip rule; ip -6 rule
        ip neigh show nud permanent; ip neigh show proxy; bridge fdb | grep -E 'permanent|static' | grep -vE '^(33:33|01:00:5e)' | sort; bridge -d link; nft -a list ruleset
        cat /proc/sys/net/ipv4/conf/*/proxy_arp /proc/sys/net/ipv[46]/neigh/*/proxy_delay /proc/sys/net/ipv4/ip_forward; } |
        sed -E 's/[a-z_]*timer +[0-9.]+//g; s/ state [A-Za-z]+//g; s/NO-CARRIER,|,LOWER_UP//g; s/(tso_max_size|tso_max_segs) [0-9]+//g
        s/ tentative| linkdown//g; s/(qdisc|qlen) [a-z0-9]+//g; /fe80::|ff00::/d'")
}

fn name(name: &str) -> LinkName {
    LinkName::new(name).unwrap()
}

fn end(namespace: &Namespace, name: &str) -> LinkEnd {
    LinkEnd {
        namespace: namespace.clone(),
        name: NewName::Exact(self::name(name)),
        mac: None,
        mtu: None,
        master: None,
        addresses: Vec::new(),
        up: true,
    }
}

fn bridge(name: &str, addresses: &[&str]) -> LinkSpec {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    // Without a MAC of its own a bridge takes on its ports'.
    let mac = Some(MacAddress([2, 0, 0, 0, 0, 1]));
    LinkSpec { end: LinkEnd { addresses, mac, ..end(&Namespace::Host, name) }, kind: LinkKind::Bridge }
}

fn veth(first: LinkEnd, peer: LinkEnd) -> LinkSpec {
    LinkSpec { end: first, kind: LinkKind::Veth(Box::new(peer)) }
}

/// Makes a change, takes it back, and makes sure that all is as before.
fn there_and_back(world: &World, change: Change) {
    let before = world.settled();
    let applied = world.one(change.clone());
    assert_ne!(before, world.dump(), "{change} did nothing");
    assert_eq!(world.kernel.undo(&[applied]), []);
    world.same(&before, &format!("{change} was not undone"));
}
