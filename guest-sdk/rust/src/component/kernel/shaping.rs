//! How fast links send and receive.

use crate::Result;
use crate::component::wit::shaping as wit;
use crate::component::{Link, Namespace};
use crate::shaping::Rate;

pub(crate) fn set_rate(link: &Link, rate: Option<Rate>) -> Result<()> {
    let rate = rate.map(|rate| wit::Rate { bytes_per_second: rate.bytes_per_second, burst: rate.burst });
    Ok(wit::set_rate(link, rate)?)
}

pub(crate) fn get_rate(link: &Link) -> Result<Option<Rate>> {
    Ok(wit::get_rate(link)?.map(|rate| Rate { bytes_per_second: rate.bytes_per_second, burst: rate.burst }))
}

pub(crate) fn add_ifb(namespace: Option<&Namespace>, name: &str) -> Result<Link> {
    Ok(wit::add_ifb(namespace, name)?)
}

pub(crate) fn redirect(link: &Link, through: Option<&Link>) -> Result<()> {
    Ok(wit::redirect(link, through)?)
}
