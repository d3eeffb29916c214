//! Connections: accepted up to a number and from those who may, each with its time limits, and let finish at the end, or kept for whoever serves
//! them next.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::limits::{Limits, MAX_HEAD};
use super::patience::{Head, Patient};
use super::socket::{Listening, Rest, Waiting};
use crate::frontend::http::peer::{self, Caller};
use crate::frontend::http::socket::path_of;

/// How long to wait after an accept that failed: mostly for lack of file descriptors, which others must give back first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection on which nothing was ever asked may begin when the daemon stops: whoever has just connected is about to.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// What becomes of a socket that is not served any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is closed at once, and each connection after its answer.
    Close,
    /// It stays open, for whoever serves it next: who connects waits there. So do connections on which nothing is asked.
    Keep,
}

/// Serves until `shutdown` is ready; then accepts no more and lets requests in flight finish. Answers the socket, if it is to be kept.
pub async fn serve(
    listening: impl Into<Listening>,
    router: Router,
    shutdown: impl Future<Output = After>,
) -> Option<Listening> {
    serve_within(listening, router, shutdown, Limits::default()).await
}

/// [`serve`] with limits of one's own.
pub async fn serve_within(
    listening: impl Into<Listening>,
    router: Router,
    shutdown: impl Future<Output = After>,
    limits: Limits,
) -> Option<Listening> {
    let Listening { listener, rest: Rest { file, waiting, busy: mut connections } } = listening.into();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopping) = watch::channel(None);
    let path = path_of(&listener);
    let serve = |stream: UnixStream, begun, slot| {
        let (router, caller) = match peer::check(&stream, path.as_deref()) {
            Ok(caller) => (router.clone(), Some(caller)),
            Err(error) => {
                tracing::warn!("a client is refused: {error}");
                (peer::refusing(&error), None)
            }
        };
        connection(stream, begun, slot, router, caller, stopping.clone(), limits)
    };
    for Waiting { stream, begun } in waiting {
        // There are no more of them than places.
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        match UnixStream::from_std(stream) {
            Ok(stream) => drop(connections.spawn(serve(stream, Some(begun), slot))),
            Err(error) => tracing::warn!(%error, "a connection is lost"),
        }
    }
    tokio::pin!(shutdown);
    let after = loop {
        tokio::select! {
            after = &mut shutdown => break after,
            Some(_) = connections.join_next() => {}
            (stream, slot) = accept(&listener, &slots) => drop(connections.spawn(serve(stream, None, slot))),
        }
    };
    let listener = (after == After::Keep).then_some(listener);
    stop.send_replace(Some(after));
    let mut waiting = Vec::new();
    let all = async {
        while let Some(ended) = connections.join_next().await {
            waiting.extend(ended.ok().flatten());
        }
    };
    if tokio::time::timeout(limits.grace, all).await.is_err() {
        tracing::warn!(seconds = limits.grace.as_secs(), "requests in flight did not finish in time");
    }
    Some(Listening { listener: listener?, rest: Rest { file, waiting, busy: connections } })
}

/// The next connection, once there is a free place for it.
async fn accept(listener: &UnixListener, slots: &Arc<Semaphore>) -> (UnixStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed; if it were, there would be nothing to accept for.
        let Ok(slot) = slots.clone().acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection to its end. If it stops before, because of this daemon, and nothing is asked on it: the connection.
async fn connection(
    stream: UnixStream,
    begun: Option<Vec<u8>>,
    _slot: OwnedSemaphorePermit,
    router: Router,
    caller: Option<Caller>,
    mut stopping: watch::Receiver<Option<After>>,
    limits: Limits,
) -> Option<Waiting> {
    let stream = Patient::new(stream, begun, limits.head, limits.stall);
    let head = stream.head();
    let (asked, first) = (head.clone(), Arc::new(Notify::new()));
    let (router, is_first, course) = (TowerToHyperService::new(router), first.clone(), stopping.clone());
    let service = service_fn(move |request| {
        // At once: what is read from here on is no head that has to come to its end.
        head.is_complete(true);
        is_first.notify_one();
        answered(request, router.clone(), caller, head.clone(), course.clone())
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // From the end of one request to the end of the next one's head, of which `Patient` sees to the latter.
        .header_read_timeout(limits.idle.max(limits.head))
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let until_stopped = async move {
        tokio::select! {
            biased;
            ended = &mut connection => return ended.map(|()| None),
            _ = stopping.changed() => {}
        }
        if *stopping.borrow() == Some(After::Close) {
            tokio::select! {
                biased;
                ended = &mut connection => return ended.map(|()| None),
                () = first.notified() => {}
                () = tokio::time::sleep(FIRST_REQUEST) => {}
            }
        }
        let was_asked = asked.is_answered();
        Pin::new(&mut connection).graceful_shutdown();
        let rest = connection.without_shutdown();
        tokio::pin!(rest);
        tokio::select! {
            biased;
            // At once: nothing was asked, nothing was read, and the client was told of no end.
            ended = &mut rest => ended.map(|parts| (!was_asked).then_some(parts)),
            // An answer is on its way, and says that it is the last one.
            () = std::future::ready(()) => rest.await.map(|_| None),
        }
    };
    let ended = until_stopped.await.inspect_err(|error| tracing::debug!(%error, "a connection broke off"));
    let parts = ended.ok()??;
    let stream = parts.io.into_inner().into_stream().into_std().ok()?;
    Some(Waiting { stream, begun: parts.read_buf.to_vec() })
}

/// Answers a request whose head is complete.
async fn answered(
    mut request: hyper::Request<Incoming>,
    router: TowerToHyperService<Router>,
    caller: Option<Caller>,
    head: Head,
    stopping: watch::Receiver<Option<After>>,
) -> Result<Response, Infallible> {
    caller.map(|caller| request.extensions_mut().insert(caller));
    let mut answer = router.call(request).await;
    head.is_complete(false);
    if stopping.borrow().is_some()
        && let Ok(answer) = &mut answer
    {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::frontend::http::socket::Bound;

    /// A daemon's socket, and how it is told to stop.
    struct Served {
        stop: oneshot::Sender<After>,
        task: JoinHandle<Option<Listening>>,
    }

    /// Answers who it is; `/slow` a little later.
    fn begin(listening: Listening, who: &'static str) -> Served {
        let (stop, stopped) = oneshot::channel();
        let slow = async move || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            who
        };
        let router = Router::new().route("/", get(async move || who)).route("/slow", get(slow));
        Served { stop, task: tokio::spawn(serve(listening, router, async { stopped.await.unwrap() })) }
    }

    async fn end(served: Served, after: After) -> Option<Listening> {
        served.stop.send(after).unwrap();
        served.task.await.unwrap()
    }

    async fn connect(path: &Path) -> UnixStream {
        UnixStream::connect(path).await.unwrap()
    }

    async fn send(stream: &mut UnixStream, path: &str) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: p\r\n\r\n").as_bytes()).await.unwrap();
    }

    async fn answer(stream: &mut UnixStream) -> String {
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    #[tokio::test]
    async fn what_is_kept_is_served_by_the_next_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.sock");
        let served = begin(Bound::bind(&path).unwrap().listen().unwrap(), "one");
        let [mut idle, mut new, mut begun, mut busy] =
            [connect(&path).await, connect(&path).await, connect(&path).await, connect(&path).await];
        for stream in [&mut idle, &mut begun] {
            send(stream, "/").await;
            assert!(answer(stream).await.ends_with("one"));
        }
        begun.write_all(b"GET / HT").await.unwrap();
        send(&mut busy, "/slow").await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let kept = end(served, After::Keep).await.unwrap();
        // Whose answer was on its way has it, and knows that it was the last.
        let last = answer(&mut busy).await;
        assert!(last.contains("connection: close") && last.ends_with("one"), "{last}");
        assert_eq!(busy.read(&mut [0]).await.unwrap(), 0);
        // All others ask meanwhile, and wait.
        let mut late = connect(&path).await;
        for stream in [&mut idle, &mut new, &mut late] {
            send(stream, "/").await;
        }
        begun.write_all(b"TP/1.1\r\nHost: p\r\n\r\n").await.unwrap();
        let kept = kept.pause().unwrap();
        let served = begin(kept.listen().unwrap(), "two");
        for stream in [&mut idle, &mut new, &mut late, &mut begun] {
            let answered = answer(stream).await;
            assert!(answered.ends_with("two") && !answered.contains("connection: close"), "{answered}");
        }
        assert!(end(served, After::Close).await.is_none());
        assert!(!path.exists());
    }

    /// As whoever asks once a connection does it: a stop loses nothing that was accepted.
    #[tokio::test]
    async fn whoever_has_just_connected_is_answered_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.sock");
        let served = begin(Bound::bind(&path).unwrap().listen().unwrap(), "one");
        let mut new = connect(&path).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        served.stop.send(After::Close).unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        send(&mut new, "/").await;
        assert!(answer(&mut new).await.contains("connection: close"));
        assert!(served.task.await.unwrap().is_none());
    }
}
