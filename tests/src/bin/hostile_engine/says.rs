//! Attacks by what is said, which need not be a message.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use ask::log::Level;
use ask::{Ask, Returned};
use engine::channel::{FromEngine, MESSAGE};
use engine::{Failure, Trap};
use rustix::net::{SendFlags, send};
use words::{Error, Kind};

use crate::Attacker;
use crate::asks::bridge;

type Attack = fn(&mut Attacker, &Returned);

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    // No messages.
    ("garbage", |attacker, _| framed(attacker.raw(), &[0xa5; 300])),
    ("garbage-without-a-length", |attacker, _| bytes(attacker.raw(), &[0xff; 4_096])),
    ("empty-message", |attacker, _| framed(attacker.raw(), &[])),
    ("case-that-there-is-not", |attacker, _| framed(attacker.raw(), &[0x63])),
    ("case-of-a-case-that-there-is-not", |attacker, _| framed(attacker.raw(), &[1, 0xff, 0x7f])),
    ("number-that-is-too-large", |attacker, _| framed(attacker.raw(), &[3, 0xff, 0xff, 0xff, 0xff, 0xff])),
    ("text-that-is-none", |attacker, _| {
        let number = encoded(&FromEngine::Asks(Ask::StoreGet { key: "k".into() }))[1];
        framed(attacker.raw(), &[1, number, 2, 0xc3, 0x28]);
    }),
    ("text-longer-than-its-message", |attacker, _| {
        let number = encoded(&FromEngine::Asks(Ask::StoreGet { key: "k".into() }))[1];
        framed(attacker.raw(), &[1, number, 0xff, 0xff, 0xff, 0xff, 0x0f, b'k']);
    }),
    ("more-after-the-end", |attacker, returned| {
        let mut message = encoded(&FromEngine::Ended(Ok(returned.clone())));
        message.push(0);
        framed(attacker.raw(), &message);
    }),
    ("length-without-end", |attacker, _| bytes(attacker.raw(), &u32::MAX.to_le_bytes())),
    ("one-byte-too-many", |attacker, _| framed(attacker.raw(), &vec![1; MESSAGE + 1])),
    ("half-a-message", |attacker, _| bytes(attacker.raw(), &[200, 0, 0, 0, 1])),
    ("a-drop-at-a-time", |attacker, _| {
        bytes(attacker.raw(), &1_000u32.to_le_bytes());
        loop {
            bytes(attacker.raw(), &[1]);
            std::thread::sleep(Duration::from_millis(5));
        }
    }),
    ("drop-after-drop", |attacker, _| {
        bytes(attacker.raw(), &1_000_000u32.to_le_bytes());
        loop {
            bytes(attacker.raw(), &[1]);
            // Sooner than whoever reads goes to sleep.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_micros(20) {}
        }
    }),
    ("many-small-values", |attacker, _| {
        let backtrace = vec![String::new(); 1_000_000];
        attacker.say(&FromEngine::Ended(Err(Failure::Trapped(Trap { backtrace, ..trap("many") }))));
    }),
    // Messages out of turn.
    ("loaded-again", |attacker, _| attacker.say(&FromEngine::Loaded(Ok(())))),
    ("fitted-instead", |attacker, _| attacker.say(&FromEngine::Fitted(Ok(())))),
    ("unfit-instead", |attacker, _| attacker.say(&FromEngine::Fitted(Err(Failure::Refused(Error::invalid("unfit")))))),
    ("result-of-another-function", |attacker, _| attacker.say(&FromEngine::Ended(Ok(Returned::DeleteNetwork(()))))),
    ("on-after-a-trap", |attacker, returned| {
        forged(attacker);
        attacker.say(&FromEngine::Ended(Ok(returned.clone())));
    }),
    ("a-link-after-a-trap", |attacker, _| {
        forged(attacker);
        attacker.say(&FromEngine::Asks(Ask::LinksAdd { links: vec![bridge("hb", 0)] }));
    }),
    ("a-refusal-after-a-trap", |attacker, _| {
        forged(attacker);
        attacker.say(&FromEngine::Ended(Err(Failure::Refused(Error::invalid("no more than that")))));
    }),
    ("a-link-that-nobody-waits-for", |attacker, _| {
        attacker.say(&FromEngine::Says(Ask::LinksAdd { links: vec![bridge("hb", 0)] }));
        attacker.say(&FromEngine::Ended(Err(Failure::Trapped(trap("after a link")))));
    }),
    // Those after which a call has its result.
    ("ended-twice", |attacker, returned| {
        let ended = FromEngine::Ended(Ok(returned.clone()));
        let _ = attacker.line.put(&ended);
        attacker.say(&ended);
    }),
    ("a-link-after-the-end", |attacker, returned| {
        let _ = attacker.line.put(&FromEngine::Ended(Ok(returned.clone())));
        attacker.say(&FromEngine::Asks(Ask::LinksAdd { links: vec![bridge("hb", 0)] }));
    }),
    ("half-a-message-after-the-end", |attacker, returned| {
        let _ = attacker.line.put(&FromEngine::Ended(Ok(returned.clone())));
        attacker.say(&FromEngine::Dropped(1));
        bytes(attacker.raw(), &[200, 0, 0, 0, 1]);
    }),
    ("answers-to-nobody", |attacker, returned| {
        let said = encoded(&FromEngine::Ended(Ok(returned.clone())));
        let others = attacker.raw.iter().enumerate().filter(|(number, _)| *number != attacker.number);
        others.for_each(|(_, line)| framed(line.as_fd(), &said));
        attacker.say(&FromEngine::Ended(Ok(returned.clone())));
    }),
    // Messages without end.
    ("says-without-end", |attacker, _| again(attacker, || FromEngine::Says(Ask::ClockNow {}))),
    ("log-without-end", |attacker, _| {
        again(attacker, || FromEngine::Says(Ask::LogLog { level: Level::Error, message: "\u{1b}[2J\n".repeat(500) }));
    }),
    ("drops-without-end", |attacker, _| again(attacker, || FromEngine::Dropped(1))),
    ("asks-and-hears-nothing", |attacker, _| {
        again(attacker, || FromEngine::Asks(Ask::RandomBytes { count: 4_096 }));
    }),
    // Nothing.
    ("silence", |_, _| std::thread::sleep(Duration::MAX)),
    ("spins", |_, _| {
        loop {
            std::hint::spin_loop();
        }
    }),
    // Ends.
    ("exit", |_, _| std::process::exit(7)),
    ("exit-and-all-is-well", |_, _| std::process::exit(0)),
    ("wild-pointer", |_, _| {
        // SAFETY: none.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
    }),
    // What people read.
    ("escapes-in-an-error", |attacker, _| {
        let error = Error { kind: Kind::Internal, message: "\u{1b}[2J\r\n\u{202e}".repeat(50_000), errno: Some(-1) };
        attacker.say(&FromEngine::Ended(Err(Failure::Refused(error))));
    }),
    ("escapes-in-a-trap", |attacker, _| {
        let text = "\u{1b}[2J\r\n\u{202e}".repeat(5_000);
        let (backtrace, details) = (vec![text.clone(); 10], text.clone());
        let trap = Trap { error: Error::internal(text), backtrace, details, coredump: None };
        attacker.say(&FromEngine::Ended(Err(Failure::Trapped(trap))));
    }),
    ("long-backtrace", |attacker, _| {
        let backtrace = vec!["f".repeat(20); 20_000];
        attacker.say(&FromEngine::Ended(Err(Failure::Trapped(Trap { backtrace, ..trap("deep down") }))));
    }),
];

/// After the message's number, as it would be in one.
fn encoded(message: &FromEngine) -> Vec<u8> {
    postcard::to_allocvec(message).unwrap()
}

fn framed(line: BorrowedFd<'_>, message: &[u8]) {
    let length = u32::try_from(message.len()).unwrap().to_le_bytes();
    bytes(line, &[&length, message].concat());
}

/// As they are, until the other end is gone.
fn bytes(line: BorrowedFd<'_>, mut left: &[u8]) {
    while !left.is_empty()
        && let Ok(sent) = send(line, left, SendFlags::NOSIGNAL)
    {
        left = &left[sent..];
    }
}

fn again(attacker: &mut Attacker, message: impl Fn() -> FromEngine) {
    while attacker.line.put(&message()).is_ok() && attacker.line.flush(None).is_ok() {}
}

/// Asks what ends the call.
fn forged(attacker: &mut Attacker) {
    let _ = attacker.ask(Ask::AddressesList { link: ask::links::Link(4_711) });
}

fn trap(text: &str) -> Trap {
    Trap { error: Error::internal(text), backtrace: Vec::new(), details: String::new(), coredump: None }
}
