//! A driver as one file, on its way to another host: what it is called, its record, its state and its component.
//!
//! A line says the format; a second one, JSON, has the driver's name and of each part its length and SHA-256; then the parts follow, and nothing
//! else. There are no paths in it. Whatever comes in was made by anybody: all of it is bounded and checked before any of it is used.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::registry::EARLIER;
use crate::capability::store::{VALUE, check_key};
use crate::transaction::Assumed;
use grant::Limit;
use grant::gate::state::ROW;
use store::StateRow;
use words::file::digest;
use words::limit::COMPONENT;
use words::{Error, Id, Name, Result};

/// The first line.
const FORMAT: &[u8] = b"pontoon driver export 1\n";

/// What the first line of every format begins with.
const ANY_FORMAT: &[u8] = b"pontoon driver export ";

/// Bytes of the second line: it has 300.
const HEAD: usize = 4 << 10;

/// Bytes of a record: nine grants and configurations.
const RECORD: usize = 4 << 20;

/// Bytes of a driver's state that go into a file: a grant that says nothing allows 16 MiB.
const STATE: usize = 64 << 20;

/// Bytes of a whole file.
pub const MOST: usize = FORMAT.len() + HEAD + RECORD + STATE + COMPONENT;

/// The second line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: Name,
    record: Part,
    state: Part,
    component: Part,
}

/// A part, as the second line says it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    size: u64,
    digest: String,
}

/// What is in a file.
pub struct Archive {
    /// The driver, with the versions before it.
    pub record: store::Driver,
    /// What it remembers.
    pub state: Arc<Assumed>,
    /// Its component.
    pub component: Vec<u8>,
}

/// The name of the driver in a file, of which no more is looked at.
pub fn name(file: &[u8]) -> Result<Name> {
    head(file).map(|(head, _)| head.name)
}

/// Makes a file.
pub fn write(record: &store::Driver, state: &[StateRow], component: &[u8]) -> Result<Vec<u8>> {
    let failed =
        |e: &dyn std::fmt::Display| Error::internal(format!("the driver {} can't be written: {e}", record.name));
    let texts =
        [serde_json::to_vec(record).map_err(|e| failed(&e))?, postcard::to_allocvec(state).map_err(|e| failed(&e))?];
    for (text, most, what) in [(&texts[0], RECORD, "record"), (&texts[1], STATE, "state")] {
        if text.len() > most {
            let message =
                format!("the driver {} has a {what} of {} bytes: {most} go into a file", record.name, text.len());
            return Err(Error::invalid(message));
        }
    }
    let part = |bytes: &[u8]| Part { size: bytes.len() as u64, digest: digest(bytes) };
    let (name, component_part) = (record.name.clone(), part(component));
    let head = Head { name, record: part(&texts[0]), state: part(&texts[1]), component: component_part };
    let head = serde_json::to_vec(&head).map_err(|e| failed(&e))?;
    Ok([FORMAT, &head, b"\n", &texts[0], &texts[1], component].concat())
}

/// Takes a file apart.
pub fn read(file: &[u8]) -> Result<Archive> {
    let (head, mut rest) = head(file)?;
    let mut part = |part: &Part, what: &str, most: usize| {
        let size = usize::try_from(part.size).ok().filter(|size| *size <= most);
        let size = size.ok_or_else(|| wrong(format!("its {what} has {} bytes: at most {most}", part.size)))?;
        let (bytes, more) = rest.split_at_checked(size).ok_or_else(|| wrong(format!("it is cut off in its {what}")))?;
        rest = more;
        match digest(bytes) == part.digest {
            true => Ok(bytes),
            false => Err(wrong(format!("its {what} is damaged: it is not what the SHA-256 is of"))),
        }
    };
    let record = part(&head.record, "record", RECORD)?;
    let state = part(&head.state, "state", STATE)?;
    let component = part(&head.component, "component", COMPONENT)?.to_vec();
    if !rest.is_empty() {
        return Err(wrong(format!("{} bytes follow the component", rest.len())));
    }
    let record: store::Driver =
        serde_json::from_slice(record).map_err(|e| wrong(format!("its record can't be read: {e}")))?;
    let (state, rest): (Vec<StateRow>, _) =
        postcard::take_from_bytes(state).map_err(|e| wrong(format!("its state can't be read: {e}")))?;
    if !rest.is_empty() {
        return Err(wrong("its state can't be read: something follows it".into()));
    }
    check_record(&record, &head)?;
    Ok(Archive { state: Arc::new(checked(state, &record)?), record, component })
}

fn head(file: &[u8]) -> Result<(Head, &[u8])> {
    let Some(rest) = file.strip_prefix(FORMAT) else {
        return Err(match file.starts_with(ANY_FORMAT) {
            true => Error::invalid(
                "the file was made by another version of Pontoon: this one reads `pontoon driver export 1`",
            ),
            false => Error::invalid("the file is no driver that `pontoon driver export` wrote"),
        });
    };
    let end = rest.iter().take(HEAD).position(|byte| *byte == b'\n');
    let (line, rest) = rest.split_at(end.ok_or_else(|| wrong("its second line has no end".into()))?);
    let head = serde_json::from_slice(line).map_err(|e| wrong(format!("its second line can't be read: {e}")))?;
    Ok((head, &rest[1..]))
}

/// The record is that of the driver and of the component, and so are those before it.
fn check_record(record: &store::Driver, head: &Head) -> Result<()> {
    let others = record.earlier.iter().map(|earlier| &earlier.driver);
    if let Some(other) = others.clone().chain([record]).find(|one| one.name != head.name) {
        return Err(wrong(format!("it is of the driver {}, and has a record of {}", head.name, other.name)));
    }
    if record.digest != head.component.digest || record.size != head.component.size {
        return Err(wrong("its record is of another component".into()));
    }
    if record.earlier.len() > EARLIER || others.clone().any(|one| !one.earlier.is_empty()) {
        return Err(wrong(format!("it has more than {EARLIER} earlier versions")));
    }
    let is_digest =
        |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if let Some(one) = others.clone().find(|one| !is_digest(&one.digest)) {
        return Err(wrong(format!("version {} has no SHA-256", one.version.number)));
    }
    others.chain([record]).try_for_each(|one| one.grant.check()).map_err(|e| e.context("the file: a grant"))
}

/// State that a driver could have written, each key once, and no more than its grant allows.
fn checked(rows: Vec<(String, Id, Vec<u8>)>, record: &store::Driver) -> Result<Assumed> {
    let (mut state, mut bytes) = (Assumed::new(), 0_u64);
    for (key, network, value) in rows {
        check_key(&key).map_err(|e| Error::from(e).context("the file: its state"))?;
        if value.len() > VALUE {
            return Err(wrong(format!("the value of {key:?} has {} bytes: at most {VALUE}", value.len())));
        }
        bytes += (ROW + key.len() + value.len()) as u64;
        if let Some((_, _)) = state.insert(key.clone(), (network, Some(value))) {
            return Err(wrong(format!("the key {key:?} is there twice")));
        }
    }
    let most = record.grant.limit(Limit::StoreBytes);
    match bytes <= most {
        true => Ok(state),
        false => Err(wrong(format!("its state has {bytes} bytes, and its grant allows {most} (store-bytes)"))),
    }
}

fn wrong(what: String) -> Error {
    Error::invalid(format!("the file: {what}"))
}

#[cfg(test)]
mod tests {
    use operation::driver::Scope;

    use super::*;

    fn record(component: &[u8]) -> store::Driver {
        store::Driver {
            name: Name::new("d").unwrap(),
            digest: digest(component),
            size: component.len() as u64,
            network_type: "d".into(),
            data_scope: Scope::Local,
            connectivity_scope: Scope::Local,
            ipam: None,
            parts: vec!["driver".into()],
            configuration: [("k".to_owned(), "v".to_owned())].into(),
            schema: 3,
            grant: grant::Grant::default(),
            version: store::Version::default(),
            earlier: Vec::new(),
        }
    }

    fn rows(rows: &[(&str, &str)]) -> Vec<StateRow> {
        rows.iter().map(|(key, value)| ((*key).into(), Id::new("n").unwrap(), value.as_bytes().to_vec())).collect()
    }

    /// A file, its second line replaced.
    fn with_head(file: &[u8], from: &str, to: &str) -> Vec<u8> {
        let end = FORMAT.len() + file[FORMAT.len()..].iter().position(|byte| *byte == b'\n').unwrap();
        let head = std::str::from_utf8(&file[FORMAT.len()..end]).unwrap();
        assert!(head.contains(from), "{head}");
        [FORMAT, head.replacen(from, to, 1).as_bytes(), &file[end..]].concat()
    }

    fn refused(file: &[u8]) -> String {
        let Err(error) = read(file) else { panic!("it was read") };
        assert_eq!(error.message.lines().count(), 1, "{error}");
        error.message
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (component, state) = (b"component".to_vec(), rows(&[("a", "1"), ("b", "")]));
        let file = write(&record(&component), &state, &component).unwrap();
        assert_eq!(name(&file).unwrap().as_str(), "d");
        let read = read(&file).unwrap();
        assert_eq!((read.record, &read.component), (record(&component), &component));
        assert_eq!(read.state.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read.state["a"], (Id::new("n").unwrap(), Some(b"1".to_vec())));
    }

    /// What the fuzzer begins with gets to the end.
    #[test]
    fn the_fuzzers_seed_is_a_file() {
        let archive = read(include_bytes!("../../../tests/fuzz/corpus/archive/file")).unwrap();
        assert_eq!((archive.record.earlier.len(), archive.state.len()), (1, 2));
    }

    #[test]
    fn a_file_that_was_changed_anywhere_is_refused() {
        let component = b"component".to_vec();
        let file = write(&record(&component), &rows(&[("a", "1")]), &component).unwrap();
        for end in 0..file.len() {
            refused(&file[..end]);
        }
        for place in 0..file.len() {
            let mut changed = file.clone();
            changed[place] ^= 1;
            // A name is only compared with the record's.
            refused(&changed);
        }
        refused(&[file.as_slice(), b"x"].concat());
    }

    #[test]
    fn hostile_files_are_refused_with_the_reason() {
        let component = b"component".to_vec();
        let good = record(&component);
        let file = |record: &store::Driver, state: &[StateRow]| write(record, state, &component).unwrap();
        let whole = file(&good, &[]);
        assert!(refused(b"PK\x03\x04").contains("no driver that `pontoon driver export` wrote"));
        assert!(refused(b"pontoon driver export 2\n{}\n").contains("another version of Pontoon"));
        assert!(refused(&[FORMAT, &vec![b' '; 1 << 20]].concat()).contains("second line has no end"));
        for name in ["../../etc/passwd", "/etc/passwd", "a/b", ""] {
            assert!(refused(&with_head(&whole, "\"d\"", &format!("{name:?}"))).contains("second line"), "{name}");
        }
        assert!(refused(&with_head(&whole, "\"d\"", "\"e\"")).contains("of the driver e, and has a record of d"));
        let size = format!("\"size\":{}", component.len());
        for (said, says) in [("18446744073709551615", "at most"), ("67108865", "at most"), ("67108864", "cut off")] {
            assert!(refused(&with_head(&whole, &size, &format!("\"size\":{said}"))).contains(says), "{said}");
        }
        assert!(refused(&with_head(&whole, &size, "\"size\":-1")).contains("can't be read"));
        assert!(refused(&with_head(&whole, "{\"name\"", "{\"path\":\"x\",\"name\"")).contains("unknown field"));
        let other = store::Driver { name: Name::new("other").unwrap(), ..good.clone() };
        let earlier = |driver: store::Driver| store::Earlier { driver, ended: 0, how: String::new() };
        let with = |earlier: Vec<store::Earlier>| store::Driver { earlier, ..good.clone() };
        let records = [
            (with(vec![earlier(other)]), "has a record of other"),
            (store::Driver { digest: digest(b"another"), ..good.clone() }, "another component"),
            (with(vec![earlier(good.clone()); EARLIER + 1]), "more than"),
            (with(vec![earlier(with(vec![earlier(good.clone())]))]), "more than"),
            (with(vec![earlier(store::Driver { digest: "../x".into(), ..good.clone() })]), "no SHA-256"),
        ];
        for (record, says) in records {
            assert!(refused(&file(&record, &[])).contains(says), "{says}");
        }
        let large = "x".repeat(VALUE + 1);
        let long = "k".repeat(257);
        let much = "x".repeat(VALUE);
        let keys: Vec<String> = (0..300).map(|key| key.to_string()).collect();
        let many: Vec<_> = keys.iter().map(|key| (key.as_str(), much.as_str())).collect();
        let states: [(&[(&str, &str)], &str); 5] = [
            (&[("a", "1"), ("a", "2")], "there twice"),
            (&[("", "1")], "1 to 256 bytes"),
            (&[(&long, "1")], "1 to 256 bytes"),
            (&[("a", &large)], "at most 65536"),
            (&many, "its grant allows 16777216 (store-bytes)"),
        ];
        for (state, says) in states {
            assert!(refused(&file(&good, &rows(state))).contains(says), "{says}");
        }
    }
}
