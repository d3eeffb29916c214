//! How fast links send and receive.

use pontoon_sdk::links::{self, LinkEnd, LinkSpec};
use pontoon_sdk::shaping::{Rate, add_ifb, get_rate, redirect, set_rate};
use pontoon_sdk::{ErrorKind, Result, log};

use super::Stage;
use crate::check::same;

/// Sets, changes and removes rates of one end of a pair, in both directions, and leaves the pair behind.
pub(super) fn shaping(stage: &Stage) -> Result<()> {
    let [one, other, ifb] = ["pbwa", "pbwb", "pbwi"].map(|prefix| stage.link_name(prefix));
    let link = links::add_one(LinkSpec::veth(LinkEnd::named(one), LinkEnd::named(other)))?.link;
    let through = match add_ifb(None, &ifb) {
        Err(error) if error.kind == ErrorKind::NotImplemented => {
            log::info(format!("this kernel has no ifb: {error}"));
            return link.remove();
        }
        through => through?,
    };
    same(get_rate(&link)?, None, "shaping.get-rate of a new link")?;
    for rate in [(125_000, 32_000), (125_000_000_000, 40_000)] {
        let rate = Rate { bytes_per_second: rate.0, burst: rate.1 };
        for link in [&link, &through] {
            set_rate(link, Some(rate))?;
            same(get_rate(link)?, Some(rate), "shaping.get-rate after set-rate")?;
        }
    }
    set_rate(&link, None)?;
    same(get_rate(&link)?, None, "shaping.get-rate after set-rate of none")?;
    redirect(&link, Some(&through))?;
    redirect(&link, None)?;
    redirect(&link, None)?;
    redirect(&link, Some(&through))
}
