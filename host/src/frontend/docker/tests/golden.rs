//! Every document in tests/wire, decoded. `PONTOON_GOLDEN=write` writes down what comes out.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wire")
}

/// Whether golden files are to be written instead of compared.
pub fn writing() -> bool {
    std::env::var_os("PONTOON_GOLDEN").is_some_and(|how| how == "write")
}

/// What a document means to the front end: an answer from memory, or an operation.
fn meaning(method: &str, body: &[u8]) -> String {
    let path = format!("/{method}");
    if let Some(answer) = from_memory(&plugin(), &path) {
        return format!("from memory: {answer}\n");
    }
    match decode(&path, body) {
        None => "there is no such method\n".into(),
        Some(Err(error)) => format!("refused: {error}\n"),
        Some(Ok(request)) => format!("{request:#?}\n"),
    }
}

fn documents() -> Vec<PathBuf> {
    let versions = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = versions.flat_map(|version| fs::read_dir(version).unwrap().map(|entry| entry.unwrap().path()));
    let mut documents: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    documents.sort();
    documents
}

#[test]
fn every_document_means_what_it_did() {
    let documents = documents();
    assert!(documents.len() > 100, "{}", documents.len());
    let mut other = Vec::new();
    for document in documents {
        let name = document.file_stem().unwrap().to_str().unwrap();
        let (_, method) = name.split_once('-').unwrap();
        let found = meaning(method, &fs::read(&document).unwrap());
        let expected = document.with_extension("expected");
        if writing() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            other.push(format!("{}:\n{found}", document.display()));
        }
    }
    assert!(other.is_empty(), "PONTOON_GOLDEN=write accepts these:\n{}", other.join("\n"));
}

#[test]
fn nothing_that_a_dockerd_sent_is_refused() {
    for document in documents() {
        let expected = fs::read_to_string(document.with_extension("expected")).unwrap();
        assert!(
            !expected.starts_with("refused") && !expected.starts_with("there is no"),
            "{}: {expected}",
            document.display()
        );
    }
}

#[tokio::test]
async fn documents_cross_a_socket_as_they_were_sent() {
    for version in ["20.10", "26.1"] {
        let head = fs::read_to_string(folder().join(version).join("head.txt")).unwrap();
        for document in documents().iter().filter(|path| path.parent().unwrap().ends_with(version)) {
            let name = document.file_stem().unwrap().to_str().unwrap();
            let (_, method) = name.split_once('-').unwrap();
            let body = fs::read_to_string(document).unwrap();
            let head = head.replace("PATH", method).replace("LENGTH", &body.len().to_string()).replace('\n', "\r\n");
            let served = socket::Served::start(router(plugin(), answering()));
            let answer = served.ask(format!("{head}\r\n{body}").as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{}: {answer}", document.display());
            assert!(answer.to_lowercase().contains("\r\ncontent-length: "), "{answer}");
        }
    }
}

/// An engine that has a reply for everything.
pub fn answering() -> Recorder {
    Recorder::new(|request| {
        Ok(match request {
            Request::AllocateNetwork(_) => Reply::Allocated([].into()),
            Request::CheckGateways(_) => Reply::GatewaysSkipped { ipv4: false, ipv6: true },
            Request::CreateEndpoint(_) => Reply::Chosen(Default::default()),
            Request::EndpointInfo(_) => Reply::Info([].into()),
            Request::Join(_) => Reply::Joined(Default::default()),
            Request::RequestPool(_) => {
                let pool = "10.9.0.0/24".parse().unwrap();
                Reply::Pool(operation::engine::TakenPool { id: "pool".parse().unwrap(), pool, data: [].into() })
            }
            Request::RequestAddress(_) => Reply::Address("10.9.0.2/24".parse().unwrap()),
            _ => Reply::Done,
        })
    })
}
