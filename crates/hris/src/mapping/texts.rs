//! Texts of a person, as they are kept: cut, cleaned, and refused where they are something else than they should be.

use std::collections::BTreeMap;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use super::super::row::{Row, Slot};
use domain::employee::HrId;

/// Most words that are remembered because nobody mapped them, and the longest piece of one.
const MOST_WORDS: usize = 32;
const LONGEST_WORD: usize = 64;
/// Longest id, address and other text, in characters: what the API's schema takes.
const LONGEST_ID: usize = 128;
const LONGEST_ADDRESS: usize = 320;
const LONGEST_TEXT: usize = 256;

/// A text of the person, cut to what is kept. Control characters in a name are a sign of cells that ran together.
pub(super) fn cut(row: &Row, slot: Slot) -> Result<Option<&str>, String> {
    let Some(text) = row.get(slot)? else { return Ok(None) };
    if has_control(text) {
        return Err(format!("{} holds control characters", slot.name()));
    }
    if text.len() <= LONGEST_TEXT {
        return Ok(Some(text));
    }
    let end = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(end, _)| end);
    Ok(text.get(..end))
}

/// Most texts are ASCII, and then their bytes tell.
fn has_control(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_control()) } else { text.chars().any(char::is_control) }
}

pub(super) fn text(row: &Row, slot: Slot) -> Result<Option<String>, String> {
    Ok(cut(row, slot)?.map(str::to_owned))
}

/// A work address as written, with the apostrophe that word processors curl made straight again.
pub(super) fn address(text: &str) -> Result<String, String> {
    let (address, plain) = if text.is_ascii() {
        (text.to_owned(), text.len() <= LONGEST_ADDRESS && text.bytes().all(|byte| byte.is_ascii_graphic()))
    } else {
        let address = text.replace(['\u{2019}', '\u{2018}', '\u{02bc}'], "'");
        let blank = |c: char| c.is_control() || c.is_whitespace();
        let plain = address.chars().count() <= LONGEST_ADDRESS && !address.chars().any(blank);
        (address, plain)
    };
    match address.split_once('@') {
        Some((local, domain)) if plain && !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {
            Ok(address)
        }
        _ => Err("email is not an address".to_owned()),
    }
}

/// An id of the HR system. Ids are shown in events and conditions, so one that is an address is refused.
pub(super) fn hr_id(slot: Slot, row: &Row) -> Result<Option<HrId>, String> {
    let Some(text) = row.get(slot)? else { return Ok(None) };
    let name = slot.name();
    if text.len() > LONGEST_ID && text.chars().count() > LONGEST_ID {
        return Err(format!("{name} is longer than {LONGEST_ID} characters"));
    }
    if has_control(text) {
        return Err(format!("{name} holds control characters"));
    }
    if text.contains('@') {
        return Err(format!("{name} is an address: leave the field out, and people are keyed by a digest of it"));
    }
    if text.contains('+') && text.contains("E+") && text.parse::<f64>().is_ok() {
        return Err(format!("{name} is in scientific notation: a spreadsheet has dropped digits of it"));
    }
    Ok(Some(HrId(text.to_owned())))
}

/// The id of a person whose source has none: 130 bits of the digest of the lower-cased address.
pub(super) fn id_of_address(address: &str) -> HrId {
    let digest = BASE32_NOPAD.encode(&Sha256::digest(address.to_lowercase().as_bytes())).to_ascii_lowercase();
    HrId(format!("a-{}", digest.chars().take(26).collect::<String>()))
}

/// Counts a word nobody mapped. Bounded, and cleaned of what could deceive a terminal, since it ends up in a status.
pub(super) fn count(words: &mut BTreeMap<String, u32>, word: &str) {
    let word: String = word.chars().filter(|c| !c.is_control()).take(LONGEST_WORD).collect();
    if words.len() < MOST_WORDS || words.contains_key(&word) {
        let people = words.entry(word).or_default();
        *people = people.saturating_add(1);
    }
}
