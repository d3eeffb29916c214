//! Sandboxes and namespaces that are made.

use crate::tests::*;

/// Takes a bound namespace away even if the test fails.
struct Bound<'a>(&'a World, &'static str);

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        self.0.kernel.attempt(&[Change::RemoveNamespace(self.1.into())]);
    }
}

#[test]
fn namespaces_are_made_and_removed() {
    in_both(|world| {
        let _bound = Bound(world, "n1-a");
        let add = Change::AddNamespace("n1-a".into());
        let applied = world.one(add.clone());
        let Outcome::Namespace(made) = &applied.outcome else { panic!("{applied:?}") };
        let at = Namespace::At(made.clone());
        assert_eq!(made.path, world.folder.join("netns/n1-a"));
        assert_eq!(world.kernel.sandbox(&made.path).as_ref(), Ok(made));
        assert!(world.kernel.exists(&at));
        assert!(world.kernel.link_by_name(&at, &name("lo")).unwrap().unwrap().up);
        assert_eq!(world.fails(std::slice::from_ref(&add)).errno, Some(17));
        assert!(world.kernel.exists(&at));
        assert_eq!(world.kernel.undo(std::slice::from_ref(&applied)), []);
        assert!(!world.kernel.exists(&at) && !made.path.exists());
        assert_eq!(world.kernel.attempt(&[Change::RemoveNamespace("n1-a".into())]), []);
        // Another one at the same path is not the same.
        let Outcome::Namespace(again) = world.one(add).outcome else { panic!() };
        if again.inode != made.inode {
            let error = world.kernel.links(&at).unwrap_err();
            assert!(error.message.contains("another one is there now"), "{error}");
        }
        for name in ["", ".", "..", "a/b", ".a", "a b"] {
            assert!(world.kernel.apply(&[Change::AddNamespace(name.into())]).is_err());
        }
    });
}

#[test]
fn a_sandbox_must_be_there() {
    in_both(|world| {
        let error = world.kernel.sandbox(&world.folder.join("missing")).unwrap_err();
        assert!(error.message.contains("missing") && error.errno == Some(2), "{error}");
    });
}

/// Whoever works with it finds another machine.
#[test]
fn a_fake_that_boots_again_has_nothing() {
    let world = World::new(Some(Fake::new()));
    let (fake, empty) = (world.fake.clone().unwrap(), world.dump());
    let (identity, sandbox) = (world.kernel.identity().unwrap(), Sandbox::new(&world));
    world.link(bridge("br0", &["10.9.0.1/24"]));
    assert_eq!(world.other(INSTANCE).identity(), Ok(identity.clone()));
    fake.reboot();
    assert_ne!(world.kernel.identity().unwrap().boot, identity.boot);
    assert!(!world.kernel.exists(&sandbox.namespace()));
    assert_eq!(world.dump(), empty);
}

#[test]
fn a_sandbox_must_be_another_network_namespace() {
    in_real(|world| {
        let file = world.folder.join("file");
        let fifo = world.folder.join("fifo");
        std::fs::write(&file, "").unwrap();
        sh(&format!("mkfifo {}", fifo.display()));
        let refused = |path: &Path| world.kernel.sandbox(path).unwrap_err();
        assert!(refused(&file).message.contains("regular file"));
        assert!(refused(&fifo).message.contains("a FIFO"));
        assert!(refused(&world.folder).message.contains("a folder"));
        assert!(refused(Path::new("/dev/null")).message.contains("a device"));
        assert!(refused(Path::new("/proc/self/ns/mnt")).message.contains("of another kind"));
        assert!(refused(Path::new("/proc/thread-self/ns/net")).message.contains("the host's own"));
        let missing = refused(&world.folder.join("missing"));
        assert!(missing.message.contains("missing") && missing.errno == Some(2), "{missing}");
    });
}

#[test]
fn the_identity_is_the_namespaces() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut found = None;
        in_real(|world| {
            found = Some(world.kernel.identity().unwrap());
            assert_eq!(found, Some(world.kernel.identity().unwrap()));
            // Also from a thread that is elsewhere.
            let sandbox = Sandbox::new(world);
            assert_eq!(found, Some(sandbox.within(|| world.kernel.identity().unwrap())));
        });
        seen.extend(found);
    }
    assert_eq!(seen[0].boot, seen[1].boot);
    assert_ne!(seen[0].namespace, seen[1].namespace);
}

#[test]
fn a_kernel_works_from_any_thread() {
    in_real(|world| {
        let sandbox = Sandbox::new(world);
        sandbox.within(|| world.one(Change::AddLink(bridge("br0", &[]))));
        assert!(world.kernel.link_by_name(&Namespace::Host, &name("br0")).unwrap().is_some());
        assert_eq!(sandbox.within(|| sh("ip -o link | wc -l")).trim(), "1");
        let forward = Sysctl::Namespace("ipv4/ip_forward");
        let set = Change::SetSysctl { namespace: Namespace::Host, sysctl: forward.clone(), value: 1 };
        sandbox.within(|| world.one(set));
        assert_eq!(world.kernel.sysctl(&Namespace::Host, &forward), Ok(1));
    });
}

/// A namespace that a test makes and takes away again under the same path, with a link of this name in it.
fn made_with(world: &World, bridge_name: &str) -> NamespacePath {
    let Outcome::Namespace(made) = world.one(Change::AddNamespace("n1-k".into())).outcome else { panic!() };
    let mut link = bridge(bridge_name, &[]);
    link.end.namespace = Namespace::At(made.clone());
    world.one(Change::AddLink(link));
    made
}

fn unbind(world: &World) {
    let path = world.folder.join("netns/n1-k");
    unmount(&path, UnmountFlags::DETACH).unwrap();
    std::fs::remove_file(path).unwrap();
}

fn has(world: &World, at: &NamespacePath, link: &str) -> Result<bool, Error> {
    Ok(world.kernel.link_by_name(&Namespace::At(at.clone()), &name(link))?.is_some())
}

fn idle(world: &World, at: &NamespacePath) -> usize {
    let crate::host::Host::Real(real) = &world.kernel.host else { panic!() };
    let route = crate::transport::socket::Protocol::Route;
    let sockets: Vec<_> = std::iter::from_fn(|| real.kept().take(at, route)).collect();
    let count = sockets.len();
    real.kept().give_back(at, sockets.into_iter().map(|socket| (route, socket)));
    count
}

#[test]
fn a_sandbox_is_kept_as_long_as_an_operation_wants_it() {
    in_real(|world| {
        let _bound = Bound(world, "n1-k");
        let at = made_with(world, "br7");
        let outside = LinkEnd { up: false, ..end(&Namespace::Host, "out7") };
        let inside = LinkEnd { up: false, ..end(&Namespace::At(at.clone()), "in7") };
        world.one(Change::AddLink(veth(outside, inside)));
        assert_eq!(idle(world, &at), 0, "nobody wants it");
        let (one, other) = (world.kernel.keep(&at), world.kernel.keep(&at));
        assert_eq!((has(world, &at, "br7"), idle(world, &at)), (Ok(true), 1));
        let forward = Sysctl::Namespace("ipv4/ip_forward");
        assert_eq!(world.kernel.sysctl(&Namespace::At(at.clone()), &forward), Ok(0));
        assert_eq!((has(world, &at, "br8"), idle(world, &at)), (Ok(false), 1), "one socket is enough");
        unbind(world);
        drop(one);
        assert_eq!(has(world, &at, "in7"), Ok(true), "the other operation goes on");
        drop(other);
        assert_eq!(has(world, &at, "in7").unwrap_err().errno, Some(2));
        // With its end in there goes the one out here: nothing holds the namespace any more.
        let begin = Instant::now();
        while world.kernel.link_by_name(&Namespace::Host, &name("out7")).unwrap().is_some() {
            assert!(begin.elapsed() < Duration::from_secs(30), "the namespace lives on");
            thread::sleep(Duration::from_millis(5));
        }
        drop(world.kernel.keep(&at));
        assert_eq!(idle(world, &at), 0, "of one that is gone nothing is kept");
    });
}

#[test]
fn a_kept_sandbox_is_not_taken_for_the_one_that_comes_after_it() {
    in_real(|world| {
        let _bound = Bound(world, "n1-k");
        let before = made_with(world, "br7");
        let _kept = world.kernel.keep(&before);
        assert_eq!(has(world, &before, "br7"), Ok(true));
        unbind(world);
        let after = made_with(world, "br8");
        assert_ne!(before.inode, after.inode, "the file that is kept holds the number");
        let _kept_too = world.kernel.keep(&after);
        for _ in 0..2 {
            assert_eq!((has(world, &before, "br7"), has(world, &before, "br8")), (Ok(true), Ok(false)));
            assert_eq!((has(world, &after, "br7"), has(world, &after, "br8")), (Ok(false), Ok(true)));
        }
    });
}

/// The thread that writes is not the one that read, and in no namespace that matters.
#[test]
fn a_setting_is_written_where_it_was_read() {
    in_both(|world| {
        let sandboxes = [Sandbox::new(world), Sandbox::new(world)];
        let forward = Sysctl::Namespace("ipv4/ip_forward");
        let set = |at: &Sandbox, value| {
            world.one(Change::SetSysctl { namespace: at.namespace(), sysctl: forward.clone(), value })
        };
        let applied = set(&sandboxes[0], 1);
        set(&sandboxes[1], 1);
        set(&sandboxes[1], 0);
        let values = || sandboxes.each_ref().map(|at| world.kernel.sysctl(&at.namespace(), &forward).unwrap());
        assert_eq!(values(), [1, 0]);
        assert_eq!(world.kernel.sysctl(&Namespace::Host, &forward), Ok(0));
        assert_eq!(world.kernel.undo(&[applied]), []);
        assert_eq!(values(), [0, 0]);
    });
}
