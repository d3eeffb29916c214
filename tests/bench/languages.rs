//! What a driver costs, by the language that it is written in: the same bridge driver in each, in one run.
//!
//! - size: the component's file
//! - compile: `pontoon compile`, the child process that makes machine code of it, once for each component
//! - load: from the cache of compiled code
//! - call: an instance is made, asked for its registration, and dropped
//! - attach: a whole endpoint, into a namespace: the kernel's part is the same for all
//! - memory: linear memory that the call had at its end
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

use std::time::Duration;

use pontoon::driver::compile::in_child;
use pontoon::engine::Engine;
use pontoon_tests::{Bench, LANGUAGES, Namespace, Timings, attach, bridge_code, create, driver, pontoon, registers};
use serde_json::json;

const COMPILES: usize = 5;
const LOADS: usize = 50;
const CALLS: usize = 200;
const ATTACHES: usize = 30;

fn main() {
    println!(
        "{:12} {:>10} {:>11} {:>9} {:>9} {:>10} {:>10}   medians; n = {COMPILES}, {LOADS}, {CALLS}, {ATTACHES}",
        "language", "size kB", "compile ms", "load ms", "call ms", "attach ms", "memory kB"
    );
    let others = LANGUAGES.iter().map(|language| (*language, format!("bridge-{language}")));
    for (language, file) in [("rust", "bridge".to_owned())].into_iter().chain(others) {
        let Ok(component) = std::fs::read(driver("bridge").with_file_name(format!("{file}.wasm"))) else {
            println!("{language:12} skipped: it is not built here");
            continue;
        };
        let mut timings = Timings::of(&["compile", "load", "call", "attach"]);
        let mut compiled = Vec::new();
        for _ in 0..COMPILES {
            compiled = timings.time("compile", || compile(&file));
        }
        let engine = Engine::new(Duration::from_secs(10)).unwrap();
        let load = |_| timings.time("load", || bridge_code(&engine, &compiled));
        let code = (0..LOADS).map(load).last().unwrap();
        let mut memory = 0;
        for _ in 0..CALLS {
            memory = timings.time("call", || registers(&code));
        }
        attaches(&file, &mut timings);
        println!(
            "{language:12} {:10.0} {:11.1} {:9.2} {:9.3} {:10.2} {:10.0}",
            component.len() as f64 / 1e3,
            timings.median("compile"),
            timings.median("load"),
            timings.median("call"),
            timings.median("attach"),
            memory as f64 / 1e3,
        );
    }
}

/// What the compiler's child makes of a component.
fn compile(file: &str) -> Vec<u8> {
    in_child(&pontoon(), &std::fs::read(driver(file)).unwrap()).unwrap()
}

fn attaches(file: &str, timings: &mut Timings) {
    let bench = Bench::new();
    bench.load("bridge", file, &[]);
    bench.wait(bench.controller.create_network(create("n", "bridge", &json!({"ipv6": true})))).unwrap();
    for _ in 0..ATTACHES {
        let sandbox = Namespace::new("a");
        let request = attach(&sandbox, &json!({}));
        timings.time("attach", || bench.wait(bench.controller.attach("n", request)).unwrap());
        bench.wait(bench.controller.detach(Some("n"), sandbox.text())).unwrap();
    }
}
