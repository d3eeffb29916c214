//! Token buckets, and where what a link receives goes first (net/sched): what the layer makes, and nothing else of tc.

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::link::LinkId;
use crate::fake::machine::{Machine, Reply, SpaceId};
use crate::shaping::{
    HANDLE, HEADER, INGRESS, TC_H_INGRESS, TC_H_ROOT, TCA_ACT_KIND, TCA_ACT_OPTIONS, TCA_KIND, TCA_MIRRED_PARMS,
    TCA_OPTIONS, TCA_TBF_PARMS, TCA_U32_ACT, TCA_U32_SEL,
};
use crate::transport::attribute::Writer;
use crate::transport::socket::Message;

/// The id of no link.
pub(super) const NOBODY: LinkId = 0;

/// What a link has of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shape {
    /// TCA_OPTIONS of its token bucket.
    pub bucket: Option<Vec<u8>>,
    /// It has a qdisc `ingress`.
    ingress: bool,
    /// Where that sends packets; the kernel keeps a filter whose link is gone.
    pub to: Option<LinkId>,
}

impl Machine {
    pub fn qdisc_new(&mut self, at: SpaceId, body: &[u8], exclusive: bool) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let (kind, parent) = (fields.text(TCA_KIND), fields.header_number(12)?);
        let shape = self.shape(at, &fields)?;
        match (kind.as_deref(), parent) {
            (Some("tbf"), TC_H_ROOT) => {
                let options = fields.must(TCA_OPTIONS)?;
                Fields::after(options, 0)?.must(TCA_TBF_PARMS)?;
                shape.bucket = Some(options.to_vec());
            }
            (Some("ingress"), TC_H_INGRESS) if shape.ingress && exclusive => return Err(Errno::EXIST),
            (Some("ingress"), TC_H_INGRESS) => shape.ingress = true,
            _ => return Err(Errno::NOENT),
        }
        Ok(Vec::new())
    }

    pub fn qdisc_delete(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let parent = fields.header_number(12)?;
        let shape = self.shape(at, &fields)?;
        match parent {
            TC_H_ROOT if shape.bucket.is_some() => shape.bucket = None,
            TC_H_INGRESS if shape.ingress => (shape.ingress, shape.to) = (false, None),
            _ => return Err(Errno::INVAL),
        }
        Ok(Vec::new())
    }

    pub fn qdisc_get(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let (index, handle) = (fields.header_number(4)?, fields.header_number(8)?);
        let shape = self.shape(at, &fields)?;
        let options = shape.bucket.clone().filter(|_| handle == HANDLE).ok_or(Errno::NOENT)?;
        let answer = header(index, HANDLE, TC_H_ROOT).put_text(TCA_KIND, "tbf").put(TCA_OPTIONS, &options);
        Ok(vec![Message { body: answer.finish() }])
    }

    pub fn filter_new(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let options = fields.nested(TCA_OPTIONS, 0)?.ok_or(Errno::INVAL)?;
        options.must(TCA_U32_SEL)?;
        let first =
            options.nested(TCA_U32_ACT, 0)?.and_then(|all| all.nested(1, 0).transpose()).ok_or(Errno::INVAL)??;
        let parameters = first.nested(TCA_ACT_OPTIONS, 0)?.ok_or(Errno::INVAL)?;
        let parameters = Fields::after(parameters.must(TCA_MIRRED_PARMS)?, 28)?;
        let to = self.by_index(at, parameters.header_number(24)?).ok_or(Errno::NODEV)?;
        let shape = self.shape(at, &fields)?;
        if !shape.ingress {
            return Err(Errno::INVAL);
        }
        shape.to = Some(to);
        Ok(Vec::new())
    }

    pub fn filter_list(&mut self, at: SpaceId, body: &[u8]) -> Reply {
        let fields = Fields::after(body, HEADER)?;
        let index = fields.header_number(4)?;
        let Some(to) = self.shape(at, &fields)?.to else { return Ok(Vec::new()) };
        let to = self.links.get(&to).filter(|link| link.space == at).map_or(0, |link| link.index);
        let parameters = [0, 0, 4, 1, 1, 1, to].map(u32::to_ne_bytes).concat();
        let options = Writer::default().put(TCA_MIRRED_PARMS, &parameters);
        let action = Writer::default().put_text(TCA_ACT_KIND, "mirred").nest(TCA_ACT_OPTIONS, options);
        let options = Writer::default().nest(TCA_U32_ACT, Writer::default().nest(1, action));
        let answer = header(index, 0x8000_0800, INGRESS).put_text(TCA_KIND, "u32").nest(TCA_OPTIONS, options);
        Ok(vec![Message { body: answer.finish() }])
    }

    fn shape(&mut self, at: SpaceId, fields: &Fields) -> Result<&mut Shape, Errno> {
        let id = self.by_index(at, fields.header_number(4)?).ok_or(Errno::NODEV)?;
        self.links.get_mut(&id).map(|link| &mut link.shape).ok_or(Errno::NODEV)
    }
}

fn header(index: u32, handle: u32, parent: u32) -> Writer {
    Writer::after(&[0, index, handle, parent, 0].map(u32::to_ne_bytes).concat())
}
