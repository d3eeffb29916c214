//! Rates and redirections: what each check refuses, each alone.

use kernel::{Change, LinkKind, Rate};
use words::LinkName;

use super::calls::no;
use super::look::{Table, own, parent, place};
use super::*;

const RATE: Rate = Rate { bytes: 125_000, burst: 32_000 };

fn granted() -> Gate {
    gate("permissions = ['shaping']\nnamespaces = ['host']\nlimits = { links = 3 }")
}

#[test]
fn a_rate_is_of_the_drivers_own_link_and_one_that_can_be() {
    let (gate, view) = (granted(), Table::default());
    let link = own(1, "old");
    let set = gate.set_rate(&view, &link, Some(RATE)).unwrap();
    assert_eq!(*set, [Change::SetRate { link: link.key.clone(), rate: Some(RATE) }]);
    assert_eq!(*gate.set_rate(&view, &link, None).unwrap(), [Change::SetRate { link: link.key.clone(), rate: None }]);
    assert_eq!(gate.get_rate(&view, &link).unwrap().take().0, link.key);
    for bytes in [0, 999, 1_000_000_000_001, u64::MAX] {
        no(gate.set_rate(&view, &link, Some(Rate { bytes, ..RATE })), &format!("{bytes} bytes a second"));
    }
    for bytes in [1_000, 1_000_000_000_000] {
        assert!(gate.set_rate(&view, &link, Some(Rate { bytes, ..RATE })).is_ok());
    }
    no(gate.set_rate(&view, &link, Some(Rate { burst: 0, ..RATE })), "in bursts of 0");
    for link in [parent(9, "eth0"), own(9, "eth0")] {
        no(gate.set_rate(&view, &link, Some(RATE)), "the driver's");
        no(gate.set_rate(&view, &link, None), "the driver's");
        no(gate.get_rate(&view, &link), "the driver's");
    }
    let bare = super::gate("permissions = ['links']");
    no(bare.set_rate(&view, &link, Some(RATE)), "lacks shaping");
    no(bare.get_rate(&view, &link), "lacks shaping");
}

#[test]
fn an_ifb_is_a_link_like_others() {
    let (gate, mut view) = (granted(), Table::default());
    let view = &mut view;
    let name = |name: &str| LinkName::new(name).unwrap();
    let made = gate.add_ifb(view, None, name("ifb7")).unwrap().take();
    assert_eq!((made[0].kind.clone(), made[0].end.up, made.len()), (LinkKind::Ifb, true, 1));
    assert_eq!(gate.add_ifb(view, Some(&place()), name("eth0")).unwrap().take()[0].end.namespace, place().namespace);
    no(gate.add_ifb(view, None, name("eth0")), "eth0 is a name");
    no(gate.add_ifb(view, None, name("docker0")), "docker0 is a name");
    view.holds = 3;
    no(gate.add_ifb(view, None, name("ifb7")), "limits: links");
    let nowhere = super::gate("permissions = ['shaping']");
    no(nowhere.add_ifb(view, None, name("ifb7")), "it is in the host's namespace");
    no(
        super::gate("permissions = ['links']\nnamespaces = ['host']").add_ifb(view, None, name("ifb7")),
        "lacks shaping",
    );
}

#[test]
fn a_link_receives_through_another_of_the_drivers_own() {
    let (gate, view) = (granted(), Table::default());
    let (link, through) = (own(1, "old"), own(2, "ifb7"));
    let set = gate.redirect(&view, &link, Some(&through)).unwrap();
    assert_eq!(*set, [Change::Redirect { link: link.key.clone(), to: Some(2) }]);
    assert!(gate.redirect(&view, &link, None).is_ok());
    for other in [parent(9, "eth0"), own(9, "eth0")] {
        no(gate.redirect(&view, &other, Some(&through)), "the driver's");
        no(gate.redirect(&view, &link, Some(&other)), "the driver's");
        no(gate.redirect(&view, &other, None), "the driver's");
    }
    no(gate.redirect(&view, &link, Some(&own(21, "inner"))), "in another namespace");
    no(super::gate("permissions = ['links']").redirect(&view, &link, None), "lacks shaping");
}
