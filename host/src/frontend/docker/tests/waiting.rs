//! Answers that come late, clients that do not wait for them, and requests that wait for their turn.

use super::*;

const CREATE: &str = r#"{"NetworkID":"n","EndpointID":"e"}"#;
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_millis(300);

/// Waits until an engine was asked for so many things.
async fn asked(engine: &Recorder, count: usize) -> Vec<Request> {
    let all = async {
        while engine.asked().len() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all).await.expect("it was asked");
    engine.asked()
}

#[tokio::test]
async fn no_answer_is_withheld_and_what_is_done_too_late_is_taken_back() {
    let engine = obliging().after(LONG);
    let router = router_within(plugin(), engine.clone(), SHORT);
    let (status, answer) = ask(&router, "NetworkDriver.CreateEndpoint", CREATE).await;
    assert_eq!(status, 500);
    assert_eq!(answer["Err"], "no answer within 0.1 seconds: the driver has not finished");
    let [Request::CreateEndpoint(create), Request::DeleteEndpoint(key)] = &asked(&engine, 2).await[..] else {
        panic!()
    };
    assert_eq!(&create.key, key);
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing_behind() {
    let engine = obliging().after(SHORT);
    let router = router(plugin(), engine.clone());
    drop(tokio::time::timeout(SHORT / 2, ask(&router, "NetworkDriver.CreateNetwork", CREATE)).await);
    let [Request::CreateNetwork(_), Request::DeleteNetwork(id)] = &asked(&engine, 2).await[..] else { panic!() };
    assert_eq!(id.as_str(), "n");
}

#[tokio::test]
async fn what_failed_or_removed_is_not_taken_back() {
    let engine = Recorder::new(|_| Err(Error::internal("no"))).after(SHORT);
    let router = router(plugin(), engine.clone());
    for method in ["NetworkDriver.CreateEndpoint", "NetworkDriver.DeleteEndpoint"] {
        drop(tokio::time::timeout(SHORT / 2, ask(&router, method, CREATE)).await);
    }
    asked(&engine, 2).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(engine.asked().len(), 2);
}

#[tokio::test]
async fn requests_take_turns_within_their_deadline() {
    let engine = obliging().after(LONG);
    let router = router_within(plugin(), engine.clone(), SHORT);
    let many = (0..=limits::MAX_CALLS).map(|_| {
        let router = router.clone();
        tokio::spawn(async move { ask(&router, "NetworkDriver.Leave", CREATE).await })
    });
    let mut waited = 0;
    for answer in many.collect::<Vec<_>>() {
        let (status, answer) = answer.await.unwrap();
        assert_eq!(status, if waited_too_long(&answer) { 503 } else { 500 });
        waited += u32::from(waited_too_long(&answer));
    }
    assert_eq!(waited, 1);
    asked(&engine, limits::MAX_CALLS as usize).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(engine.asked().len(), limits::MAX_CALLS as usize, "the one without a turn was never begun");
}

fn waited_too_long(answer: &Value) -> bool {
    answer["Err"].as_str().unwrap().contains("too many requests")
}

#[tokio::test]
async fn large_requests_take_many_turns() {
    let engine = obliging().after(LONG);
    let router = router_within(plugin(), engine.clone(), SHORT);
    let large = format!("{CREATE}{}", " ".repeat(MAX_JSON - CREATE.len()));
    let many = (0..4).map(|_| {
        let (router, large) = (router.clone(), large.clone());
        tokio::spawn(async move { ask(&router, "NetworkDriver.Leave", large).await })
    });
    let mut waited = 0;
    for answer in many.collect::<Vec<_>>() {
        waited += u32::from(waited_too_long(&answer.await.unwrap().1));
    }
    assert_eq!(waited, 3, "the largest takes all 64 turns");
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let router = router(plugin(), Recorder::new(|_| panic!("boom")));
    let (status, answer) = ask(&router, "NetworkDriver.Leave", CREATE).await;
    assert_eq!((status, answer["Err"].as_str().unwrap()), (500, "the request panicked, which is a bug"));
}
