//! More than one: at once, again, and apart from each other.

use std::collections::BTreeSet;

use super::cast::{End, Net};
use super::links::check;
use super::stop::{Checked, Stop, worded};
use super::world::World;
use operation::endpoint::Protocol;
use operation::engine::{Interface, Joined, Reply, Request};

/// Networks of a crowd.
const NETWORKS: u8 = 4;
/// Endpoints of each.
const ENDPOINTS: u8 = 8;

/// 32 endpoints on several networks, made and removed at the same time.
pub fn crowd(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let mut nets = vec![world.create(&world.net("n1", 1)?)?];
    for number in 2..=NETWORKS {
        match world.create_another(&world.net(&format!("n{number}"), number)?) {
            Ok(net) => nets.push(net),
            Err(Stop::Skipped(_)) => break,
            Err(stop) => return Err(stop),
        }
    }
    let quiet = world.look()?;
    let each = NETWORKS * ENDPOINTS / u8::try_from(nets.len()).unwrap_or(NETWORKS);
    let mut ends = Vec::new();
    for net in &nets {
        for number in 0..each {
            ends.push(net.end(&format!("e{number} of {}", net.name), 10 + number)?);
        }
    }
    at_once(world, "create-endpoint", &ends, |end| Request::CreateEndpoint(end.create.clone()))?;
    let joined = at_once(world, "join", &ends, |end| Request::Join(end.join()))?;
    let link = |reply: &Reply| match reply {
        Reply::Joined(joined) => joined.interface.as_ref().map(|names| names.source.to_string()),
        _ => None,
    };
    let links: Vec<_> = joined.iter().filter_map(link).collect();
    let different: BTreeSet<_> = links.iter().collect();
    if different.len() != links.len() {
        let got = format!("{} links of {} endpoints", different.len(), links.len());
        return Err(Stop::failed("join of 32 endpoints at once", "a link for each of them", got));
    }
    at_once(world, "delete-endpoint", &ends, |end| Request::DeleteEndpoint(end.key()))?;
    world.same_kernel(&quiet, "delete-endpoint of 32 endpoints at once", "before create-endpoint")?;
    nets.iter().try_for_each(|net| world.delete(net))?;
    world.same(&empty, "delete-network", "before create-network")
}

fn at_once(world: &World<'_>, function: &str, ends: &[End], ask: impl Fn(&End) -> Request) -> Checked<Vec<Reply>> {
    let (answers, calls) = world.ask_at_once(ends.iter().map(ask).collect())?;
    world.note(&calls);
    let what = format!("{function} of {} endpoints at once", ends.len());
    let failed = calls.iter().find_map(|called| called.error.as_ref());
    if let Some(error) = failed {
        return Err(Stop::failed(what, "ok", worded(error)));
    }
    answers.into_iter().map(|answer| answer.map_err(|error| Stop::failed(&what, "ok", worded(&error)))).collect()
}

/// The same names and ids work again at once: what was removed is out of the way when the call has returned.
pub fn again(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    for round in 1..=3 {
        let when = |stop: Stop| stop.after(format!("round {round} with the same ids"));
        let net = world.create(&world.net("n", 1)?).map_err(when)?;
        for _ in 0..3 {
            let end = net.end("a", 2)?.port(Protocol::Tcp, 8080);
            world.bring_up(&end).map_err(when)?;
            world.remove(&end).map_err(when)?;
        }
        world.delete(&net).map_err(when)?;
    }
    world.same(&empty, "delete-network", "before create-network")
}

/// What happens to one endpoint changes nothing of another one of its network.
pub fn siblings(world: &mut World<'_>) -> Checked<()> {
    let net = world.create(&world.net("n", 1)?)?;
    let stays = net.end("stays", 2)?.port(Protocol::Tcp, 8080);
    let interface = world.add(&stays)?;
    live(world, &net, &stays, &interface)?;
    let before = world.look()?;
    let goes = net.end("goes", 3)?.port(Protocol::Tcp, 8081);
    let interface = world.add(&goes)?;
    live(world, &net, &goes, &interface)?;
    world.disconnect(&goes)?;
    world.leave(&goes)?;
    world.remove(&goes)?;
    world.same_kernel(&before, "the life of an endpoint beside another one", "before its create-endpoint")
}

/// Networks don't see each other: what happens to one changes nothing of the other.
pub fn apart(world: &mut World<'_>) -> Checked<()> {
    let empty = world.look()?;
    let first = world.create(&world.net("first", 1)?)?;
    let second = world.create_another(&world.net("second", 2)?)?;
    let (a, b) = (first.end("a", 2)?.port(Protocol::Tcp, 8080), second.end("b", 2)?.port(Protocol::Tcp, 8081));
    let (of_a, of_b) = (world.add(&a)?, world.add(&b)?);
    let when = |stop: Stop| stop.after("beside another network");
    live(world, &first, &a, &of_a).map_err(when)?;
    let joined = live(world, &second, &b, &of_b).map_err(when)?;
    world.remove(&a)?;
    world.delete(&first)?;
    let when = |stop: Stop| stop.after("after another network was deleted");
    check(world, &second, &b, &of_b, &joined).map_err(when)?;
    let c = second.end("c", 3)?;
    let of_c = world.add(&c).map_err(when)?;
    live(world, &second, &c, &of_c).map_err(when)?;
    [b, c].iter().try_for_each(|end| world.remove(end)).map_err(when)?;
    world.delete(&second).map_err(when)?;
    world.same(&empty, "delete-network", "before create-network")
}

fn live(world: &World<'_>, net: &Net, end: &End, interface: &Interface) -> Checked<Joined> {
    let joined = world.join(end)?;
    check(world, net, end, interface, &joined)?;
    world.connect(end)?;
    Ok(joined)
}

/// Ids are opaque: those that begin alike are different, and short and long ones are ids as well.
pub fn ids(world: &mut World<'_>) -> Checked<()> {
    let long = "x".repeat(120);
    let docker = "0123456789ab".repeat(5) + "01";
    // A network's id in Docker is random, and a bridge is named after its first twelve digits; of other sorts nobody knows that.
    let nets = [("swarm-network-aaaaaaaaaa1", 1), ("swarm-network-aaaaaaaaaa2", 2), ("q", 3)];
    let mut made: Vec<Net> = Vec::new();
    for (id, number) in nets {
        let net = world.net(id, number)?.id(id)?;
        let net = if made.is_empty() { world.create(&net) } else { world.create_another(&net) };
        match net {
            Ok(net) => made.push(net),
            Err(Stop::Skipped(_)) if !made.is_empty() => break,
            Err(stop) => return Err(stop.after(format!("with the id {id}"))),
        }
    }
    let mut links = BTreeSet::new();
    for (net, place) in made.iter().zip(1..) {
        let ids = [format!("{docker}1"), format!("{docker}2"), format!("{long}1"), format!("{long}2"), "e".to_owned()];
        for (id, number) in ids.iter().zip(2..) {
            // An endpoint's id is nobody else's, on whichever network.
            let end = net.end(&format!("{id:.12}..."), number)?.id(&format!("{id}{place}"))?;
            let when = |stop: Stop| {
                stop.after(format!("with the id {}, beside one that begins alike", end.create.key.endpoint))
            };
            let interface = world.add(&end).map_err(when)?;
            let joined = world.join(&end).map_err(when)?;
            check(world, net, &end, &interface, &joined).map_err(when)?;
            let Some(names) = joined.interface else { continue };
            if !links.insert(names.source.to_string()) {
                let got = format!("{}, which another endpoint has", names.source);
                return Err(when(Stop::failed("join", "a link of the endpoint's own", got)));
            }
        }
    }
    Ok(())
}
