//! How fast a link sends, and where what it receives goes first: queueing disciplines and a filter of tc (linux/pkt_sched.h, linux/pkt_cls.h).
//!
//! What a link sends goes through a token bucket, `tbf`. `htb` with `fq_codel` shares a rate among classes, and there is one container behind a
//! link; many kernels have no `fq_codel`. What a link receives can't wait: it goes to a link of kind ifb first, whose token bucket it waits in, and
//! then on as if nothing had been (`ingress`, a filter `u32` for everything, `mirred`), as the CNI plugin `bandwidth` has it.
//!
//! These have no mark in the kernel, but the link does. The token bucket has a handle that nobody else chooses, so another one's is never replaced.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::change::apply::Note;
use crate::link::mark::Marks;
use crate::link::read::{Seen, by_index, get};
use crate::link::set::own;
use crate::transport::attribute::{Writer, after, attributes, number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Request, flag, malformed};
use crate::{Applied, Change, Error, LinkKey, Outcome};

pub(crate) const RTM_NEWQDISC: u16 = 36;
pub(crate) const RTM_DELQDISC: u16 = 37;
pub(crate) const RTM_GETQDISC: u16 = 38;
pub(crate) const RTM_NEWTFILTER: u16 = 44;
pub(crate) const RTM_GETTFILTER: u16 = 46;

/// struct tcmsg
pub(crate) const HEADER: usize = 20;
pub(crate) const TC_H_ROOT: u32 = 0xffff_ffff;
pub(crate) const TC_H_INGRESS: u32 = 0xffff_fff1;
/// The handle of every qdisc `ingress`.
pub(crate) const INGRESS: u32 = 0xffff_0000;
/// The handle of this layer's token buckets: `706f:`. Handles that the kernel chooses begin with `8001:`.
pub(crate) const HANDLE: u32 = 0x706f_0000;

pub(crate) const TCA_KIND: u16 = 1;
pub(crate) const TCA_OPTIONS: u16 = 2;
pub(crate) const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;
pub(crate) const TCA_U32_SEL: u16 = 5;
pub(crate) const TCA_U32_ACT: u16 = 7;
pub(crate) const TCA_ACT_KIND: u16 = 1;
pub(crate) const TCA_ACT_OPTIONS: u16 = 2;
pub(crate) const TCA_MIRRED_PARMS: u16 = 2;
/// TC_U32_TERMINAL
const TERMINAL: u8 = 1;
const TC_ACT_STOLEN: u32 = 4;
const TCA_EGRESS_REDIR: u32 = 1;
/// ETH_P_ALL, in network byte order, under a priority of 1.
const EVERYTHING: u32 = 1 << 16 | 0x0003_u16.to_be() as u32;
/// Where in `struct tc_mirred` the link's index is.
const MIRRED_INDEX: usize = 24;
/// Ticks of 64 ns, in which the kernel has times (PSCHED_SHIFT).
const TICK: u64 = 64;
const SECOND: u64 = 1_000_000_000;
/// How long a packet waits at most. The CNI plugin `bandwidth` has it so.
const LATENCY_MS: u64 = 25;

/// What a link sends, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// Bytes a second.
    pub bytes: u64,
    /// Bytes that may go at once after a silence.
    pub burst: u32,
}

impl Rate {
    /// TCA_OPTIONS of a token bucket. `struct tc_tbf_qopt`: two rates (none is the peak), and the bytes that wait, the burst and the MTU of the
    /// peak, the two last in ticks. Of what the kernel gives back, the burst is rounded; the MTU is not, and means nothing without a peak: it has
    /// the burst once more.
    fn options(self) -> Writer {
        let Self { bytes, burst } = self;
        let limit = (bytes.saturating_mul(LATENCY_MS) / 1_000).saturating_add(burst.into());
        let ticks = u64::from(burst).saturating_mul(SECOND / TICK) / bytes.max(1);
        let rate = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut parameters = vec![0; 8];
        parameters.extend(rate.to_ne_bytes());
        parameters.extend([0; 12]);
        [limit, ticks, burst.into()]
            .into_iter()
            .for_each(|value| parameters.extend(u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes()));
        let options = Writer::default().put(TCA_TBF_PARMS, &parameters);
        let options = options.put(TCA_TBF_BURST, &burst.to_ne_bytes());
        if bytes > u64::from(u32::MAX) { options.put(TCA_TBF_RATE64, &bytes.to_ne_bytes()) } else { options }
    }

    fn read(options: &[u8]) -> Result<Self, Error> {
        let parameters = attributes(options).find(TCA_TBF_PARMS)?.ok_or_else(malformed)?;
        let at = |start: usize| parameters.get(start..start + 4).ok_or_else(malformed).and_then(number);
        let long = attributes(options).find(TCA_TBF_RATE64)?;
        let long = long.map(|value| value.try_into().map(u64::from_ne_bytes).map_err(|_| malformed())).transpose()?;
        let (bytes, ticks, own) = (long.unwrap_or(at(8)?.into()), at(28)?, at(32)?);
        // One that somebody has changed by hand.
        let rounded = u128::from(bytes) * u128::from(u64::from(ticks) * TICK) / u128::from(SECOND);
        let burst = if own == 0 { u32::try_from(rounded).unwrap_or(u32::MAX) } else { own };
        Ok(Self { bytes, burst })
    }
}

/// The rate of a link; none: it has none of this layer's, or is gone.
pub(crate) fn rate(session: &mut Session, key: &LinkKey) -> Result<Option<Rate>, Error> {
    // Kernels of before 6.9 answer only who wants an echo.
    let question = Request::of(RTM_GETQDISC, flag::ECHO, header(key, HANDLE, TC_H_ROOT, 0).finish());
    match session.exchange(&key.namespace, &[question])?.first() {
        Some(Err(refusal)) if refusal.is(&[Errno::NOENT, Errno::NODEV, Errno::INVAL]) => Ok(None),
        Some(Err(refusal)) => Err(Error::kernel("reading the rate", refusal)),
        Some(Ok(messages)) => {
            let found = messages.iter().find_map(|message| {
                let body = message.body.as_slice();
                let is_root = number(body.get(12..16)?).ok()? == TC_H_ROOT;
                let is_bucket = after(body, HEADER).ok()?.find(TCA_KIND).ok()?.map(text).as_deref() == Some("tbf");
                after(body, HEADER).ok()?.find(TCA_OPTIONS).ok()?.filter(|_| is_root && is_bucket)
            });
            found.map(Rate::read).transpose()
        }
        None => Err(malformed()),
    }
}

/// Limits what a link sends, or no more. `EEXIST`: somebody else has put a qdisc there.
pub(crate) fn set_rate(
    session: &mut Session,
    key: &LinkKey,
    wanted: Option<Rate>,
    marks: Marks,
    note: Note,
) -> Result<Applied, Error> {
    own_link(session, key, marks)?;
    let before = rate(session, key)?;
    if before == wanted {
        return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
    }
    let undo = vec![Change::SetRate { link: key.clone(), rate: before }];
    note(&undo)?;
    let header = header(key, HANDLE, TC_H_ROOT, 0).put_text(TCA_KIND, "tbf");
    let request = match wanted {
        Some(rate) => Request::of(RTM_NEWQDISC, flag::CREATE, header.nest(TCA_OPTIONS, rate.options()).finish()),
        None => Request::of(RTM_DELQDISC, 0, header.finish()),
    };
    send(session, key, &[request])?;
    Ok(Applied { outcome: Outcome::Done, undo })
}

/// The link that what a link receives goes to first, by its ifindex; 0: one that is gone.
pub(crate) fn redirect(session: &mut Session, key: &LinkKey) -> Result<Option<u32>, Error> {
    let question = Request::all(RTM_GETTFILTER, header(key, 0, INGRESS, 0).finish());
    for message in session.list(&key.namespace, "filters", question)? {
        let body = message.body.as_slice();
        let is_its = number(body.get(4..8).ok_or_else(malformed)?)? == key.index;
        let options = after(body, HEADER)?.find(TCA_OPTIONS)?.filter(|_| is_its);
        let actions = options.map(|options| attributes(options).find(TCA_U32_ACT)).transpose()?.flatten();
        for action in actions.map(attributes).into_iter().flatten() {
            let (_, action) = action?;
            let kind = attributes(action).find(TCA_ACT_KIND)?.map(text);
            let options = attributes(action).find(TCA_ACT_OPTIONS)?.filter(|_| kind.as_deref() == Some("mirred"));
            let parameters = options.map(|options| attributes(options).find(TCA_MIRRED_PARMS)).transpose()?.flatten();
            if let Some(parameters) = parameters {
                let to = parameters.get(MIRRED_INDEX..MIRRED_INDEX + 4).ok_or_else(malformed)?;
                return number(to).map(Some);
            }
        }
    }
    Ok(None)
}

/// Has what a link receives go to another one first, or no more. `EEXIST`: somebody else has put a qdisc there.
pub(crate) fn set_redirect(
    session: &mut Session,
    key: &LinkKey,
    to: Option<u32>,
    marks: Marks,
    note: Note,
) -> Result<Applied, Error> {
    let seen = own_link(session, key, marks)?;
    if let Some(index) = to {
        let through = LinkKey { namespace: key.namespace.clone(), index };
        let through = own_link(session, &through, marks)?;
        if through.info.kind != IFB || seen.info.kind == IFB {
            let message =
                format!("what {} receives can't go to {}: only to one of kind ifb", seen.info.name, through.info.name);
            return Err(Error { message, errno: Some(Errno::INVAL.raw_os_error()) });
        }
    }
    let before = redirect(session, key)?;
    if before == to {
        return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
    }
    let undo = vec![Change::Redirect { link: key.clone(), to: before.filter(|index| *index != 0) }];
    note(&undo)?;
    let qdisc = || header(key, INGRESS, TC_H_INGRESS, 0).put_text(TCA_KIND, "ingress").finish();
    let mut requests = Vec::new();
    requests.extend(before.map(|_| Request::of(RTM_DELQDISC, 0, qdisc())));
    if let Some(index) = to {
        requests.push(Request::of(RTM_NEWQDISC, flag::CREATE | flag::EXCL, qdisc()));
        let filter = header(key, 0, INGRESS, EVERYTHING).put_text(TCA_KIND, "u32");
        let filter = filter.nest(TCA_OPTIONS, everything_to(index)).finish();
        requests.push(Request::of(RTM_NEWTFILTER, flag::CREATE | flag::EXCL, filter));
    }
    for request in requests {
        if let Err(error) = send(session, key, &[request]) {
            // What was there before is gone by then.
            if let Some(index) = before.filter(|_| to.is_some() && error.errno != Some(Errno::EXIST.raw_os_error())) {
                tracing::error!(%key, index, "what it receives goes nowhere else any more");
            }
            return Err(error);
        }
    }
    Ok(Applied { outcome: Outcome::Done, undo })
}

pub(crate) const IFB: &str = "ifb";

/// TCA_OPTIONS of a filter `u32` for every packet: one key without a bit that counts, and where they go.
fn everything_to(index: u32) -> Writer {
    // struct tc_u32_sel, and one struct tc_u32_key.
    let mut selector = vec![0; 32];
    (selector[0], selector[2]) = (TERMINAL, 1);
    // struct tc_mirred: index, capabilities, action, two counts, what to do, and the link.
    let parameters = [0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, index].map(u32::to_ne_bytes).concat();
    let options = Writer::default().put(TCA_MIRRED_PARMS, &parameters);
    let action = Writer::default().put_text(TCA_ACT_KIND, "mirred").nest(TCA_ACT_OPTIONS, options);
    let actions = Writer::default().nest(1, action);
    Writer::default().put(TCA_U32_SEL, &selector).nest(TCA_U32_ACT, actions)
}

/// struct tcmsg
fn header(key: &LinkKey, handle: u32, parent: u32, info: u32) -> Writer {
    let numbers = [0, key.index, handle, parent, info].map(u32::to_ne_bytes);
    Writer::after(&numbers.concat())
}

fn own_link(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Seen, Error> {
    let seen = get(session, &key.namespace, by_index(key.index), marks)?;
    let seen = seen.ok_or_else(|| Error::system(format_args!("{key}"), Errno::NODEV))?;
    own(key, &seen)?;
    Ok(seen)
}

fn send(session: &mut Session, key: &LinkKey, requests: &[Request]) -> Result<(), Error> {
    let answers = session.exchange(&key.namespace, requests)?;
    match answers.iter().find_map(|answer| answer.as_ref().err()) {
        Some(refusal) if refusal.is(&[Errno::EXIST]) => {
            let message = format!("somebody else has put a queueing discipline on {key}: remove it (tc qdisc show)");
            Err(Error { message, errno: Some(refusal.errno) })
        }
        Some(refusal) if refusal.is(&[Errno::NOENT]) => {
            let mut error = Error::kernel("this kernel lacks what limits a link (tbf, ingress, u32, mirred)", refusal);
            error.errno = Some(Errno::OPNOTSUPP.raw_os_error());
            Err(error)
        }
        Some(refusal) => Err(Error::kernel("the queueing discipline", refusal)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_was_written() {
        for (bytes, burst) in [(1_000, 1), (125_000, 32_000), (1_250_000_000, 4_000_000), (1 << 40, u32::MAX)] {
            let rate = Rate { bytes, burst };
            assert_eq!(Rate::read(&rate.options().finish()), Ok(rate));
        }
    }

    /// `tc qdisc change` by hand leaves the field out that has the burst.
    #[test]
    fn a_burst_that_somebody_changed_is_what_the_kernel_says_of_it() {
        let mut options = Rate { bytes: 1_250_000, burst: 32_000 }.options().finish();
        options[4 + 32..4 + 36].fill(0);
        let burst = Rate::read(&options).unwrap().burst;
        assert!((31_900..=32_000).contains(&burst), "{burst}");
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let options = Rate { bytes: 1_000, burst: 2_000 }.options().finish();
        for length in 5..40 {
            assert!(Rate::read(&options[..length]).is_err(), "{length}");
        }
    }
}
