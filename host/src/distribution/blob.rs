//! One download: it goes on where it broke off, in this command or in a later one, and counts only if its digest is right.

use std::io::{Read, Write};

use super::failure::{broken, damaged};
use super::kept::Part;
use super::layout::{Descriptor, named};
use super::progress::Progress;
use super::reference::Reference;
use super::registry::Registry;
use words::limit::COMPONENT;
use words::{Error, Kind, Result};

/// How often a download that gets on goes on in one command.
const TRIES: u32 = 5;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

impl Registry {
    /// What a descriptor is of: it is kept already, or it is downloaded.
    pub(super) fn blob(&self, of: &Reference, blob: &Descriptor) -> Result<Vec<u8>> {
        if let Some(bytes) = self.kept.blob(&blob.digest) {
            return Ok(bytes);
        }
        if self.ways.offline {
            return Err(self.not_here(of));
        }
        let mut part = self.kept.part(&blob.digest)?;
        // Another command may have brought it meanwhile.
        if let Some(bytes) = self.kept.blob(&blob.digest) {
            part.remove();
            return Ok(bytes);
        }
        if let Err(error) = self.fill(of, blob, &mut part) {
            // What broke off is gone on with; other bytes are not.
            if error.kind != Kind::Unavailable {
                part.remove();
            }
            return Err(error);
        }
        let bytes = std::mem::take(&mut part.bytes);
        let digest = named(&bytes);
        let is_right = digest == blob.digest;
        if is_right {
            self.kept.keep(&bytes)?;
        }
        part.remove();
        if is_right { Ok(bytes) } else { Err(damaged(of, &format!("the digest of {} is {digest}", blob.digest))) }
    }

    fn fill(&self, of: &Reference, blob: &Descriptor, part: &mut Part) -> Result<()> {
        let too_large = |_| damaged(of, &format!("it has {} bytes", blob.size));
        let size = usize::try_from(blob.size).map_err(too_large)?.min(COMPONENT);
        let mut progress = Progress::new(size, self.ways.progress);
        for tries in (0..TRIES).rev() {
            let before = part.bytes.len();
            let more = self.more(of, blob, size, part, &mut progress);
            match more {
                Ok(()) if part.bytes.len() == size => return Ok(()),
                // What gets on is worth another try.
                Ok(()) if tries > 0 && part.bytes.len() > before => {}
                Ok(()) => return Err(Error::new(Kind::Unavailable, format!("{} ends the download early", of.host()))),
                Err(error) if error.kind == Kind::Unavailable && tries > 0 && part.bytes.len() > before => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One request: from where the part ends to the end, or from the beginning where the registry knows no ranges.
    fn more(
        &self,
        of: &Reference,
        blob: &Descriptor,
        size: usize,
        part: &mut Part,
        progress: &mut Progress,
    ) -> Result<()> {
        if part.bytes.len() > size {
            part.begin_anew().map_err(|e| unkept(&e))?;
        }
        if part.bytes.len() == size && size > 0 {
            return Ok(());
        }
        let range = format!("bytes={}-", part.bytes.len());
        let all = [("range", range.as_str())];
        let headers = if part.bytes.is_empty() { &all[..0] } else { &all[..] };
        let answer = self.http.get(of, &format!("blobs/{}", blob.digest), headers, &[200, 206])?;
        if answer.status() == 200 {
            part.begin_anew().map_err(|e| unkept(&e))?;
        }
        let (mut body, mut chunk) = (answer.into_body().into_reader(), vec![0; CHUNK]);
        loop {
            let read = body.read(&mut chunk).map_err(|error| broken(of.host(), &error))?;
            if part.bytes.len() + read > size {
                return Err(damaged(of, &format!("{} has more than {size} bytes", blob.digest)));
            }
            if read == 0 {
                return Ok(());
            }
            part.file.write_all(&chunk[..read]).map_err(|e| unkept(&e))?;
            part.bytes.extend(&chunk[..read]);
            progress.at(part.bytes.len());
        }
    }
}

/// The download can't be written to the user's folder.
fn unkept(error: &std::io::Error) -> Error {
    Error::internal(format!("can't keep a download: {error}"))
}
