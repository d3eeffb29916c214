//! A stream whose other side has to go on: a request's head that does not come to its end, or a write that makes no progress for a while, is
//! an error, so that a client that begins to ask, or never reads the answer, does not keep a connection for ever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream with a limit on how long a head may take, and on how long a write may stand still.
pub struct Patient<S> {
    stream: S,
    /// Read from it already, by another daemon: comes first.
    begun: Vec<u8>,
    head: Head,
    /// How long a head may take.
    within: Duration,
    /// Runs while a head is read: from the connection, and later from a head's first byte.
    reading: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    writing: Option<Pin<Box<Sleep>>>,
}

/// Whether the head of the request at hand is there whole. Whoever serves the stream says so.
#[derive(Clone, Default)]
pub struct Head(Arc<AtomicBool>);

impl Head {
    /// True while a request is answered; false from its answer on.
    pub fn is_complete(&self, complete: bool) {
        self.0.store(complete, Ordering::Relaxed);
    }

    /// Whether a request is being answered.
    pub fn is_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Patient<S> {
    /// Wraps a stream. `begun`: it is not new, and so much of a head was read already.
    pub fn new(stream: S, begun: Option<Vec<u8>>, within: Duration, patience: Duration) -> Self {
        let is_between_requests = begun.as_ref().is_some_and(Vec::is_empty);
        let reading = (!is_between_requests).then(|| Box::pin(sleep(within)));
        let begun = begun.unwrap_or_default();
        Self { stream, begun, head: Head::default(), within, reading, patience, writing: None }
    }

    /// The stream again.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Where the heads' ends are told.
    pub fn head(&self) -> Head {
        self.head.clone()
    }

    /// Passes what was read on, or the error that a head took too long.
    fn watch_head(
        &mut self,
        context: &mut Context<'_>,
        answer: Poll<io::Result<()>>,
        is_more: bool,
    ) -> Poll<io::Result<()>> {
        if self.head.is_answered() {
            self.reading = None;
            return answer;
        }
        if is_more && self.reading.is_none() {
            self.reading = Some(Box::pin(sleep(self.within)));
        }
        match (&mut self.reading, &answer) {
            (Some(reading), Poll::Pending) => {
                ready!(reading.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the request's head does not come to its end")))
            }
            _ => answer,
        }
    }

    /// Passes an answer on, or the error that it took too long.
    fn watch<R>(&mut self, context: &mut Context<'_>, answer: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if answer.is_ready() {
            self.writing = None;
            return answer;
        }
        let patience = self.patience;
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(writing.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.begun.is_empty() {
            let count = self.begun.len().min(buffer.remaining());
            buffer.put_slice(&self.begun[..count]);
            self.begun.drain(..count);
            return Poll::Ready(Ok(()));
        }
        let answer = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_more = buffer.filled().len() > before;
        self.watch_head(context, answer, is_more)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, answer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, answer)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, answer)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, answer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_write_that_nobody_reads_ends() {
        let (ours, theirs) = tokio::io::duplex(16);
        let mut patient = Patient::new(ours, None, LONG, SHORT);
        patient.write_all(&[0; 16]).await.unwrap();
        let error = patient.write_all(&[0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test]
    async fn what_was_read_already_comes_first() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut patient = Patient::new(ours, Some(b"ab".to_vec()), LONG, LONG);
        theirs.write_all(b"c").await.unwrap();
        let mut text = [0; 3];
        patient.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"abc");
        // Between two requests nobody need say anything, whichever daemon answered the last one.
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut idle = Patient::new(ours, Some(Vec::new()), SHORT, LONG);
        assert!(tokio::time::timeout(3 * SHORT, idle.read(&mut text)).await.is_err());
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_ends_the_connection() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut patient = Patient::new(ours, None, SHORT, LONG);
        let timed_out = |read: io::Result<usize>| assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let buffer = &mut [0; 16];
        timed_out(patient.read(buffer).await);
        // Beyond a head a body may take longer, and between requests nobody need say anything.
        for complete in [true, false] {
            patient.head().is_complete(true);
            theirs.write_all(b"a").await.unwrap();
            assert_eq!(patient.read(buffer).await.unwrap(), 1);
            patient.head().is_complete(complete);
            assert!(tokio::time::timeout(3 * SHORT, patient.read(buffer)).await.is_err());
        }
        theirs.write_all(b"P").await.unwrap();
        assert_eq!(patient.read(buffer).await.unwrap(), 1);
        timed_out(patient.read(buffer).await);
    }
}
