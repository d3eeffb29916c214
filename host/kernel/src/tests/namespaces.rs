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
