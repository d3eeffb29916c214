//! What was asked and answered, noted as it happens: for the trace of a call, and whole for its recording.

use std::time::Instant;

use ask::{Answer, Answers, Ask, HostCall, Refusal};
use operation::driver::HostCallTrace;
use operation::recording::{HostAnswer, RecordedHostCall};
use words::limit::RECORDED;

/// Notes what is asked of what it is around, and what that answers.
pub struct Recorded<A> {
    /// What it is around.
    pub host: A,
    noted: Vec<Noted>,
    bytes: usize,
    cut: bool,
}

/// A host call that was made.
struct Noted {
    call: HostCall,
    micros: u64,
    /// Why it was refused.
    refusal: Option<Refusal>,
    /// What was asked and answered, encoded; none where that had become too much.
    whole: Option<Encoded>,
}

/// Few calls are ever looked at, and all are noted: decoding can wait.
struct Encoded {
    ask: Vec<u8>,
    answer: Vec<u8>,
}

impl<A> Recorded<A> {
    /// Nothing is noted yet.
    pub fn new(host: A) -> Self {
        Self { host, noted: Vec::new(), bytes: 0, cut: false }
    }

    /// The host calls in short.
    pub fn trace(&self) -> Vec<HostCallTrace> {
        let one = |noted: &Noted| HostCallTrace {
            function: noted.call.name().into(),
            micros: noted.micros,
            error: noted.refusal.as_ref().map(Refusal::to_string),
        };
        self.noted.iter().map(one).collect()
    }

    /// The host calls whole, and whether some are missing because all together are too large.
    pub fn take(&mut self) -> (Vec<RecordedHostCall>, bool) {
        let noted = std::mem::take(&mut self.noted);
        let whole: Vec<_> = noted.iter().map_while(Noted::decoded).collect();
        let cut = whole.len() < noted.len();
        (whole, cut)
    }

    /// What is encoded, as long as all together is not too much.
    fn kept<T: serde::Serialize>(&mut self, value: &T) -> Option<Vec<u8>> {
        let bytes = postcard::to_allocvec(value).ok().filter(|_| !self.cut);
        self.bytes += bytes.as_ref().map_or(0, Vec::len);
        self.cut |= self.bytes > RECORDED;
        bytes.filter(|_| !self.cut)
    }
}

impl Noted {
    fn decoded(&self) -> Option<RecordedHostCall> {
        let Encoded { ask, answer } = self.whole.as_ref()?;
        let answer = match &self.refusal {
            Some(Refusal::Error(error)) => HostAnswer::Error(error.clone()),
            Some(Refusal::Trap(trap)) => HostAnswer::Trap(trap.clone()),
            None => HostAnswer::Ok(postcard::from_bytes(answer).ok()?),
        };
        Some(RecordedHostCall { ask: postcard::from_bytes(ask).ok()?, answer, micros: self.micros })
    }
}

impl<A: Answers> Answers for Recorded<A> {
    fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        let (start, call) = (Instant::now(), ask.call());
        let asked = self.kept(&ask);
        let answer = self.host.answer(ask);
        let (said, refusal) = match &answer {
            Ok(answer) => (self.kept(answer), None),
            Err(refusal) => (Some(Vec::new()), Some(refusal.clone())),
        };
        let whole = asked.zip(said).map(|(ask, answer)| Encoded { ask, answer });
        self.noted.push(Noted { call, micros: micros(start), refusal, whole });
        answer
    }

    fn dropped(&mut self, handle: u32) {
        self.host.dropped(handle);
    }
}

/// Microseconds since then.
pub fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::Error;

    /// Answers a value of this many bytes, or what the key says.
    struct Store(usize);

    impl Answers for Store {
        fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
            match ask {
                Ask::StoreGet { key } if key == "none" => Err(Error::not_found("no key").into()),
                Ask::StoreGet { key } if key == "trap" => Err(Refusal::trap("it ends")),
                _ => Ok(Answer::StoreGet(Some(vec![7; self.0].into()))),
            }
        }

        fn dropped(&mut self, _: u32) {}
    }

    fn get(key: &str) -> Ask {
        Ask::StoreGet { key: key.into() }
    }

    #[test]
    fn what_is_noted_is_what_was_said() {
        let mut recorded = Recorded::new(Store(3));
        for key in ["k", "none", "trap"] {
            let _ = recorded.answer(get(key));
        }
        let errors: Vec<_> = recorded.trace().into_iter().map(|call| call.error).collect();
        assert_eq!(errors, [None, Some("no key".into()), Some("trap: it ends".into())]);
        let (calls, cut) = recorded.take();
        let answers: Vec<_> = calls.iter().map(|call| &call.answer).collect();
        let value = HostAnswer::Ok(Answer::StoreGet(Some(vec![7; 3].into())));
        let error = HostAnswer::Error(Error::not_found("no key"));
        assert_eq!(answers, [&value, &error, &HostAnswer::Trap("it ends".into())]);
        assert_eq!((&calls[1].ask, cut), (&get("none"), false));
    }

    #[test]
    fn what_is_too_large_is_left_out_from_there_on() {
        let mut recorded = Recorded::new(Store(RECORDED / 2));
        for _ in 0..4 {
            recorded.answer(get("k")).unwrap();
        }
        assert_eq!(recorded.trace().len(), 4);
        let (calls, cut) = recorded.take();
        assert_eq!((calls.len(), cut), (1, true));
    }
}
