//! Texts of a person, as they are kept: cut, cleaned, and refused where they are something else than they should be.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};

use super::super::row::{Row, Slot};
use domain::employee::HrId;
use domain::field::SharedText;

/// Most words that are remembered because nobody mapped them, and the longest piece of one.
const MOST_WORDS: usize = 32;
const LONGEST_WORD: usize = 64;
/// Longest id, address and other text, in characters: what the API's schema takes.
const LONGEST_ID: usize = 128;
const LONGEST_ADDRESS: usize = 320;
const LONGEST_TEXT: usize = 256;

/// The texts that many people share, each held once for all of them.
#[derive(Default)]
pub(super) struct SharedTexts(HashSet<ByText, RandomState>);

/// One of them, found by what it says.
#[derive(PartialEq, Eq, Hash)]
struct ByText(SharedText);

impl Borrow<str> for ByText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl SharedTexts {
    /// The one that says this.
    pub(super) fn of(&mut self, text: &str) -> SharedText {
        if let Some(ByText(known)) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new = SharedText::new(text.into());
        self.0.insert(ByText(Arc::clone(&new)));
        new
    }
}

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

/// What one person alone has, such as a postal address of several lines: lines and other control characters become blanks,
/// since nothing is decided by it.
pub(super) fn own(text: &str) -> Box<str> {
    let plain: String = if has_control(text) {
        let words: Vec<_> =
            text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
        words.join(" ")
    } else {
        text.to_owned()
    };
    match plain.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => plain.get(..end).unwrap_or_default().into(),
        None => plain.into(),
    }
}

/// Most texts are of ASCII without any, which their bytes tell.
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| !matches!(byte, b' '..=b'~')) && text.chars().any(char::is_control)
}

pub(super) fn text(row: &Row, slot: Slot) -> Result<Option<String>, String> {
    Ok(cut(row, slot)?.map(str::to_owned))
}

/// A work address as written, without what programs put around it.
pub(super) fn address(text: &str) -> Result<String, String> {
    if usual(text) {
        return Ok(text.to_owned());
    }
    let bare = undecorated(&unmarked(text)).map(str::to_owned);
    let address = bare.ok_or("email is not an address")?.replace(['\u{2019}', '\u{2018}', '\u{02bc}'], "'");
    let foreign = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\')
    };
    let plain = !address.chars().any(foreign) && address.chars().count() <= LONGEST_ADDRESS;
    match address.split_once('@') {
        Some((local, domain)) if plain && !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {
            if local.starts_with(['\'', '=']) {
                return Err("email begins with a sign that a spreadsheet puts before a text".to_owned());
            }
            Ok(address)
        }
        _ => Err("email is not an address".to_owned()),
    }
}

/// Whether it is an address of letters, digits and the signs that most have, and nothing else.
fn usual(text: &str) -> bool {
    let Some(at) = text.bytes().position(|byte| byte == b'@') else { return false };
    let sign = |(place, byte): (usize, u8)| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+') || place == at
    };
    at > 0 && at + 1 < text.len() && text.len() <= LONGEST_ADDRESS && text.bytes().enumerate().all(sign)
}

/// The address in `mailto:ada@example.com`, `Ada Example <ada@example.com>`, `="ada@example.com"`,
/// `=HYPERLINK("mailto:ada@example.com")`, or with a sign behind it that ends a list. None, where it is not the only one.
fn undecorated(text: &str) -> Option<&str> {
    let mut text = text.trim_end_matches([';', ',', ' ']);
    if let Some(formula) = text.strip_prefix('=') {
        let quoted = formula.split('"').skip(1).step_by(2).filter(|part| part.contains('@')).map(without_scheme);
        let mut quoted = quoted.collect::<Vec<_>>();
        quoted.dedup();
        return match quoted.as_slice() {
            [one] => Some(one),
            [] => Some(text),
            _ => None,
        };
    }
    if let (Some(open), true) = (text.find('<'), text.ends_with('>')) {
        text = text.get(open + 1..text.len() - 1)?;
    }
    let text = without_scheme(text.trim());
    Some(text.strip_prefix('\'').and_then(|inside| inside.strip_suffix('\'')).unwrap_or(text))
}

fn without_scheme(text: &str) -> &str {
    const SCHEME: &str = "mailto:";
    let start = text.split_at_checked(SCHEME.len()).filter(|(start, _)| start.eq_ignore_ascii_case(SCHEME));
    start.map_or(text, |(_, address)| address.trim())
}

/// A text without letters that cannot be seen, and with the wide forms of ASCII that East Asian keyboards write made
/// plain: the same text to a reader, and another one to a comparison.
fn unmarked(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let wide = |c: char| matches!(c, '\u{ff01}'..='\u{ff5e}');
    if text.is_ascii() || !text.chars().any(|c| unseen(c) || wide(c)) {
        return Cow::Borrowed(text);
    }
    let plain = |c: char| if wide(c) { char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c) } else { c };
    Cow::Owned(text.chars().filter(|c| !unseen(*c)).map(plain).collect())
}

/// An id of the HR system. Ids are shown in events and conditions, so one that is an address is refused.
pub(super) fn hr_id(slot: Slot, row: &Row) -> Result<Option<HrId>, String> {
    let Some(text) = row.get(slot)? else { return Ok(None) };
    if text.len() <= LONGEST_ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return Ok(Some(HrId(text.to_owned()))); // as most are: nothing of what follows can be found in it
    }
    let text = unmarked(text);
    let text = as_text(&text);
    let name = slot.name();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST_ID && text.chars().count() > LONGEST_ID {
        return Err(format!("{name} is longer than {LONGEST_ID} characters"));
    }
    if has_control(text) {
        return Err(format!("{name} holds control characters"));
    }
    if text.contains('@') {
        return Err(format!("{name} is an address: leave the field out, and people are keyed by a digest of it"));
    }
    if text.chars().any(|c| c.is_whitespace() && c != ' ') {
        return Err(format!("{name} holds a blank that is none of a keyboard"));
    }
    if scientific(text) {
        return Err(format!("{name} is in scientific notation: a spreadsheet has dropped digits of it"));
    }
    Ok(Some(HrId(text.to_owned())))
}

/// An id as a text: without the apostrophe or the formula by which a spreadsheet keeps it one, and without the `.0` that
/// a program put behind a whole number.
fn as_text(id: &str) -> &str {
    let id = id.strip_prefix("=\"").and_then(|id| id.strip_suffix('"')).unwrap_or(id);
    let id = id.strip_prefix('\'').unwrap_or(id).trim();
    match id.split_once('.') {
        Some((whole, "0" | "00")) if (1..=15).contains(&whole.len()) && digits(whole) => whole,
        _ => id,
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.23E+05`, `1,23E+05`, `1E+05`, `1.5e5`: a number that may have been that of several people. `12E4` may be an id.
pub(crate) fn scientific(id: &str) -> bool {
    let Some((number, power)) = id.split_once(['E', 'e']) else { return false };
    let (sign, power) = power.split_at_checked(1).filter(|(sign, _)| matches!(*sign, "+" | "-")).unwrap_or(("", power));
    let part = number.split_once(['.', ',']);
    let (whole, fraction) = part.unwrap_or((number, "0"));
    digits(whole) && digits(fraction) && digits(power) && (part.is_some() || sign == "+")
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
