//! What a driver costs, by the language that it is written in: the same bridge driver in each, in one run.
//!
//! - size: the component's file
//! - compile: `pontoon compile`, the child process that makes machine code of it, once for each component
//! - load: from the cache of compiled code
//! - call: an instance is made, asked for its registration, and dropped
//! - attach: a whole endpoint, into a namespace: the kernel's part is the same for all
//! - memory: the least limit under which that call comes through

use engine::{Code, Engine};
use pontoon::driver::compile::Compiler;
use pontoon_tests::{Bench, LANGUAGES, Namespace, Timings, attach, bridge_code, create, driver, pontoon, registers};
use serde_json::json;
use words::limit::MEMORY;

const COMPILES: usize = 5;
const LOADS: usize = 50;
const CALLS: usize = 200;
const ATTACHES: usize = 30;
/// Bytes by which a memory grows.
const PAGE: usize = 64 << 10;

pub fn run() {
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
        let mut timings = Timings::new();
        let mut compiled = Vec::new();
        for _ in 0..COMPILES {
            compiled = timings.time("compile", || compile(&file));
        }
        let engine = Engine::new().unwrap();
        let load = |_| timings.time("load", || bridge_code(&engine, &compiled));
        let code = (0..LOADS).map(load).last().unwrap();
        for _ in 0..CALLS {
            assert!(timings.time("call", || registers(&code, MEMORY)));
        }
        attaches(&file, &mut timings);
        println!(
            "{language:12} {:10.0} {:11.1} {:9.2} {:9.3} {:10.2} {:10.0}",
            component.len() as f64 / 1e3,
            timings.median("compile"),
            timings.median("load"),
            timings.median("call"),
            timings.median("attach"),
            least_memory(&code) as f64 / 1e3,
        );
    }
}

/// The least memory with which a call comes through, by halves.
fn least_memory(code: &Code) -> usize {
    let (mut too_little, mut enough) = (0, MEMORY);
    while enough - too_little > PAGE {
        let middle = (too_little + enough) / 2;
        match registers(code, middle) {
            true => enough = middle,
            false => too_little = middle,
        }
    }
    enough
}

/// What the compiler's child makes of a component.
fn compile(file: &str) -> Vec<u8> {
    Compiler::Program(pontoon()).compile(&std::fs::read(driver(file)).unwrap()).unwrap()
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
