//! How fast links send and receive.

use super::{check_place, with_link};
use crate::fake::sys::{Link, Namespace};
use crate::links::{LinkEnd, LinkKind, LinkSpec};
use crate::shaping::Rate;
use crate::{Error, Result};

/// The kernel's name of the kind.
const IFB: &str = "ifb";

pub(crate) fn set_rate(link: &Link, rate: Option<Rate>) -> Result<()> {
    let mtu = with_link(link.0, |link| link.info.mtu)?;
    if let Some(Rate { bytes_per_second, burst }) = rate
        && (!(1_000..=1_000_000_000_000).contains(&bytes_per_second) || burst < mtu + 14)
    {
        return Err(Error::invalid_argument(format!("{bytes_per_second} bytes a second in bursts of {burst}")));
    }
    with_link(link.0, |link| link.rate = rate)
}

pub(crate) fn get_rate(link: &Link) -> Result<Option<Rate>> {
    with_link(link.0, |link| link.rate)
}

pub(crate) fn add_ifb(namespace: Option<&Namespace>, name: &str) -> Result<Link> {
    let namespace = namespace.map(|namespace| crate::namespaces::Namespace(Namespace(namespace.0)));
    let end = LinkEnd { namespace: namespace.as_ref(), up: true, ..LinkEnd::named(name) };
    let made = super::links::add(&[LinkSpec { end, kind: LinkKind::Dummy }])?.into_iter().next();
    let (link, _) = made.ok_or_else(|| Error::internal("no link was made"))?;
    with_link(link.0, |link| link.info.kind = IFB.to_owned())?;
    Ok(link)
}

pub(crate) fn redirect(link: &Link, through: Option<&Link>) -> Result<()> {
    let (namespace, kind) = with_link(link.0, |link| (link.namespace, link.info.kind.clone()))?;
    if let Some(through) = through {
        check_place(through, namespace)?;
        if kind == IFB || with_link(through.0, |through| through.info.kind != IFB)? {
            return Err(Error::invalid_argument(
                "what a link receives goes through one of kind ifb, and no ifb's does",
            ));
        }
    }
    with_link(link.0, |link| link.receives_through = through.map(|through| through.0))
}
