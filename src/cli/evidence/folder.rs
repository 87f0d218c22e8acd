//! The chain in a folder that it was exported to. What was exported once is never overwritten, but for the head and the marker of
//! the start, which move on.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::chain::{Chain, Stored};
use crate::api::names;
use crate::cli::Failure;
use domain::evidence::{Keys, SignedHead, Start};

/// Where something of the chain is in a folder.
pub fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(name).with_extension("json")
}

/// What a file is by its name: itself, or one of several that are numbered after it.
fn is(name: &str, what: &str) -> bool {
    name.strip_prefix(what).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Reads an exported chain, from a folder or a copy of a bucket: every `.json` file is a record, but for the head, the signed
/// heads, the keys and the marker of the start. Of several keys and markers the newest counts.
pub fn folder(dir: &Path) -> Result<Chain, Failure> {
    let mut chain = Chain::default();
    for entry in fs::read_dir(dir).map_err(|error| Failure::file(dir, error))? {
        let path = entry.map_err(|error| Failure::file(dir, error))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A record that is no text any more is a broken record, not a failed check.
        let text = fs::read(&path).map_err(|error| Failure::file(&path, error))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if name == names::EVIDENCE_HEAD {
            let head = serde_json::from_str(&text).map_err(|_| Failure::file(&path, "it has no index and hash"))?;
            chain.head = Some(head);
        } else if is(&name, names::EVIDENCE_START) {
            let data: Option<BTreeMap<String, String>> = serde_json::from_str(&text).ok();
            let start = data.as_ref().and_then(Start::read);
            let start = start.ok_or_else(|| Failure::file(&path, "it tells of no prune"))?;
            chain.start = chain.start.into_iter().chain([start]).max_by_key(|start| start.newest.last.index);
        } else if is(&name, names::EVIDENCE_CHECKPOINT) {
            chain.signed.push(signed(&path, &text)?);
        } else if is(&name, names::EVIDENCE_KEYS) {
            let keys = Keys::read(&text).ok_or_else(|| Failure::file(&path, "it has no keys"))?;
            chain.keys = chain.keys.into_iter().chain([keys]).max_by_key(|keys| keys.keys.len());
        } else {
            chain.records.push(Stored { name, text, ..Stored::default() });
        }
    }
    if chain.head.is_none() {
        chain.head = chain.signed.iter().map(SignedHead::head).max_by_key(|head| head.index); // a bucket has no other
    }
    Ok(chain)
}

/// A signed head in a file.
pub fn signed(path: &Path, text: &str) -> Result<SignedHead, Failure> {
    SignedHead::read(text).ok_or_else(|| Failure::file(path, "it is no signed head"))
}

/// Writes what the folder does not hold yet, and gives the number of records that were new.
///
/// # Guarantees
/// what was exported once is never overwritten: a record, a signed head or keys that have changed since, a chain that has become
/// shorter, or a start that has moved back, is named, and nothing is written
pub fn export(dir: &Path, chain: &Chain) -> Result<usize, Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, error))?;
    let records = absent(dir, chain.texts().map(|(name, text)| (name.to_owned(), text.to_owned())))?;
    let beside = absent(dir, chain.beside()?)?;
    let (head, start) = (file(dir, names::EVIDENCE_HEAD), file(dir, names::EVIDENCE_START));
    let before = folder(dir)?;
    let reaches = |head: &Option<domain::evidence::Head>| head.as_ref().map_or(0, |head| head.index);
    if reaches(&before.head) > reaches(&chain.head) {
        return Err(Failure::file(&head, "the chain is shorter than when it was exported"));
    }
    let (pruned, now) = (before.pruned(), chain.pruned());
    if pruned.index > now.index || (pruned.index == now.index && pruned != now) {
        return Err(Failure::file(&start, "the start of the chain is another one than when it was exported"));
    }
    for (path, text) in records.iter().chain(&beside) {
        fs::write(path, text).map_err(|error| Failure::file(path, error))?;
    }
    let write = |path: &Path, text: serde_json::Result<String>| {
        let text = text.map_err(|error| Failure::file(path, error))?;
        fs::write(path, text).map_err(|error| Failure::file(path, error))
    };
    if let Some(at) = &chain.start {
        write(&start, serde_json::to_string(&at.data()))?;
    }
    if let Some(at) = &chain.head {
        write(&head, serde_json::to_string(at))?;
    }
    Ok(records.len())
}

/// Those that the folder does not hold yet; one that it holds otherwise is an error.
fn absent(dir: &Path, texts: impl IntoIterator<Item = (String, String)>) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut absent = Vec::new();
    for (name, text) in texts {
        let path = file(dir, &name);
        match fs::read_to_string(&path) {
            Ok(before) if before == text => {}
            Ok(_) => return Err(Failure::file(&path, "it has changed since it was exported")),
            Err(error) if error.kind() == ErrorKind::NotFound => absent.push((path, text)),
            Err(error) => return Err(Failure::file(&path, error)),
        }
    }
    Ok(absent)
}

#[cfg(test)]
mod tests {
    use domain::evidence::{self, Head, Prune, PublicKey, SigningKey};
    use serde_json::json;

    use super::super::{Trust, verify};
    use super::*;

    /// A folder of its own, gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            Self(std::env::temp_dir().join(format!("rollcall-{test}-{}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn chain(length: u64) -> Chain {
        let mut chain = Chain { head: Some(Head::genesis()), ..Chain::default() };
        for index in 1..=length {
            let text = json!({"index": index, "previous": chain.head.as_ref().unwrap().hash}).to_string();
            chain.head = Some(Head { index, hash: evidence::hash(&text) });
            chain.records.push(Stored { name: evidence::name(index), text, ..Stored::default() });
        }
        chain
    }

    #[test]
    fn what_was_exported_verifies_offline() {
        let dir = Folder::new("verifies");
        assert_eq!(export(&dir.0, &chain(3)).unwrap(), 3);
        let summary = verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).unwrap();
        assert_eq!((summary.records, summary.head), (3, chain(3).head.unwrap()));
    }

    #[test]
    fn a_second_export_adds_what_is_new() {
        let dir = Folder::new("adds");
        export(&dir.0, &chain(2)).unwrap();
        assert_eq!(export(&dir.0, &chain(5)).unwrap(), 3);
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_ok());
    }

    #[test]
    fn a_record_that_changed_since_its_export_is_never_overwritten() {
        let dir = Folder::new("changed");
        export(&dir.0, &chain(2)).unwrap();
        let mut forged = chain(3);
        forged.records[0].text.push(' ');
        assert!(export(&dir.0, &forged).is_err());
        assert_eq!(folder(&dir.0).unwrap().records.len(), 2, "nothing was written");
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_ok());
    }

    #[test]
    fn a_chain_that_became_shorter_since_its_export_is_named() {
        let dir = Folder::new("shorter");
        export(&dir.0, &chain(3)).unwrap();
        for shorter in [chain(2), Chain::default()] {
            assert!(export(&dir.0, &shorter).is_err());
        }
        assert!(
            verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_ok(),
            "what was exported still stands"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_a_broken_record() {
        let dir = Folder::new("bytes");
        export(&dir.0, &chain(1)).unwrap();
        fs::write(dir.0.join("rollcall-evidence-00000001.json"), [0xff, 0xfe]).unwrap();
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_err());
    }

    /// A chain of so many records after a prune of the first ones.
    fn pruned(length: u64, up_to: u64) -> Chain {
        let mut chain = chain(length);
        let last = Head { index: up_to, hash: evidence::hash(&chain.records[up_to as usize - 1].text) };
        let newest = Prune { from: 1, last, at: jiff::Timestamp::UNIX_EPOCH, by: "carol".into() };
        chain.start = Some(Start::after(None, newest));
        chain.records.drain(..up_to as usize);
        chain
    }

    #[test]
    fn a_folder_that_is_exported_to_after_a_prune_verifies_from_the_marker_on() {
        let dir = Folder::new("pruned");
        assert_eq!(export(&dir.0, &pruned(5, 3)).unwrap(), 2);
        let summary = verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).unwrap();
        assert_eq!((summary.records, summary.pruned, summary.head), (2, 0, chain(5).head.unwrap()));
        fs::remove_file(file(&dir.0, names::EVIDENCE_START)).unwrap();
        assert!(
            verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_err(),
            "without the marker the first three are missing"
        );
    }

    #[test]
    fn a_folder_that_was_exported_to_before_a_prune_keeps_all_and_verifies_as_a_whole() {
        let dir = Folder::new("whole");
        export(&dir.0, &chain(4)).unwrap();
        assert_eq!(export(&dir.0, &pruned(5, 3)).unwrap(), 1);
        let summary = verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).unwrap();
        assert_eq!((summary.records, summary.pruned, summary.loose), (5, 3, 0));
        fs::write(file(&dir.0, &evidence::name(2)), "{}").unwrap();
        assert!(
            verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_err(),
            "also where a pruned record was changed"
        );
    }

    #[test]
    fn a_start_that_moved_back_or_changed_since_its_export_is_named() {
        let dir = Folder::new("start");
        export(&dir.0, &pruned(5, 3)).unwrap();
        let mut other = pruned(5, 3);
        other.start.as_mut().unwrap().newest.last.hash = evidence::hash("other");
        for back in [chain(5), pruned(5, 2), other] {
            assert!(export(&dir.0, &back).is_err());
        }
        assert_eq!(folder(&dir.0).unwrap().records.len(), 2, "nothing was written");
        export(&dir.0, &pruned(5, 4)).unwrap();
    }

    #[test]
    fn a_marker_that_tells_of_no_prune_is_damaged() {
        let dir = Folder::new("damaged");
        export(&dir.0, &pruned(5, 3)).unwrap();
        fs::write(file(&dir.0, names::EVIDENCE_START), r#"{"index":"3"}"#).unwrap();
        assert!(folder(&dir.0).is_err());
    }

    /// A chain of so many records, its head signed by the key of this seed.
    fn signed_chain(length: u64, seed: u8) -> (Chain, PublicKey) {
        let key = SigningKey::from_pem(&SigningKey::pem_of(&[seed; 32])).unwrap();
        let mut chain = chain(length);
        let at = jiff::Timestamp::UNIX_EPOCH;
        chain.signed = vec![SignedHead::sign(chain.head.as_ref().unwrap(), "home", &key, at).unwrap()];
        (chain, key.public())
    }

    #[test]
    fn signed_heads_gather_in_the_folder_and_each_is_compared() {
        let dir = Folder::new("signed");
        let (_, key) = signed_chain(1, 1);
        for length in [2, 4] {
            export(&dir.0, &signed_chain(length, 1).0).unwrap();
        }
        let trust = |key: &PublicKey| Trust { key: Some(key.clone()), ..Trust::default() };
        let read = || folder(&dir.0).unwrap();
        assert_eq!(read().signed.len(), 2);
        assert!(verify(&read(), Vec::new(), &trust(&key)).is_ok());
        assert!(verify(&read(), Vec::new(), &trust(&signed_chain(1, 2).1)).is_err(), "another key");
        fs::remove_file(file(&dir.0, names::EVIDENCE_HEAD)).unwrap();
        assert!(verify(&read(), Vec::new(), &trust(&key)).is_ok(), "the newest signed head is the head");
        fs::remove_file(file(&dir.0, &evidence::name(4))).unwrap();
        assert!(verify(&read(), Vec::new(), &Trust::default()).is_err(), "cut off, as the signed head shows");
    }

    #[test]
    fn a_signed_head_kept_elsewhere_shows_that_a_chain_was_cut_off() {
        let dir = Folder::new("elsewhere");
        let (short, key) = signed_chain(2, 1);
        export(&dir.0, &short).unwrap();
        let later = signed_chain(4, 1).0.signed;
        let alone = Trust { key: Some(key.clone()), ..Trust::default() };
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &alone).is_ok());
        for key in [None, Some(key)] {
            let with = Trust { key, heads: vec![("kept".to_owned(), later[0].clone())] };
            assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &with).is_err());
        }
    }

    #[test]
    fn an_unsigned_end_is_named_where_a_key_is_given_and_passes_where_none_is() {
        let dir = Folder::new("unsigned");
        let (signed, key) = signed_chain(2, 1);
        export(&dir.0, &signed).unwrap();
        export(&dir.0, &chain(3)).unwrap();
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust::default()).is_ok());
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new(), &Trust { key: Some(key), heads: Vec::new() }).is_err());
    }
}
