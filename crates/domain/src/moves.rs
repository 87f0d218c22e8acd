//! Movers: whether a change of somebody's department, title, company or manager is a move. Pure.
//!
//! A move is a change between two trusted responses, of somebody who works here, from a value to another value. What is kept
//! of people and follows HR is compared as it stands; of all else a short digest of the last value is kept, and no more.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::employee::{Text, comparable};
use super::lifecycle::State;
use super::profile::{Profile, ProfileField};

/// A field whose change can be a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MoveField {
    /// Department.
    Department,
    /// Job title.
    Title,
    /// The company that employs them.
    LegalEntity,
    /// Manager.
    Manager,
}

impl MoveField {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Department, Self::Title, Self::LegalEntity, Self::Manager];

    /// Those of which a change is a move where a policy does not say, as far as it keeps them.
    pub const USUAL: [Self; 3] = [Self::Department, Self::LegalEntity, Self::Manager];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Department => "department",
            Self::Title => "title",
            Self::LegalEntity => "legalEntity",
            Self::Manager => "manager",
        }
    }

    /// The text that it is; none of the manager.
    #[must_use]
    pub const fn text(self) -> Option<Text> {
        match self {
            Self::Department => Some(Text::Department),
            Self::Title => Some(Text::Title),
            Self::LegalEntity => Some(Text::LegalEntity),
            Self::Manager => None,
        }
    }

    /// What it is of a profile.
    #[must_use]
    pub fn field(self) -> ProfileField {
        self.text().map_or(ProfileField::Manager, ProfileField::Text)
    }

    const fn letter(self) -> char {
        match self {
            Self::Department => 'd',
            Self::Title => 't',
            Self::LegalEntity => 'l',
            Self::Manager => 'm',
        }
    }
}

/// Fields as a sentence lists them.
#[must_use]
pub fn in_words(fields: &[MoveField]) -> String {
    fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a policy says of moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveTerms {
    /// Fields of which a change is a move.
    pub on: Vec<MoveField>,
    /// A move opens a review, which is due after this time; none where it does not.
    pub review: Option<SignedDuration>,
    /// The digest of many moves at once that a human says are moves.
    pub accepted: Option<String>,
    /// The digest of many moves at once that a human says are none.
    pub ignored: Option<String>,
}

/// What is remembered of a person's moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// The newest.
    pub last: Option<Moved>,
    /// A review that nobody has answered yet.
    pub review: Option<Review>,
    /// The last value of fields that the profile does not show.
    pub values: Values,
}

/// A move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// When it was seen.
    pub at: Timestamp,
    /// What changed.
    pub fields: Vec<MoveField>,
}

/// How long a move is shown as a condition, and counted.
const RECENT: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Moved {
    /// Whether it is of the last thirty days.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < RECENT
    }
}

/// A review of somebody's access, which never ends any by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// When it was opened.
    pub since: Timestamp,
    /// What has changed since.
    pub fields: Vec<MoveField>,
    /// When it is due.
    pub due: Timestamp,
}

/// Short digests of the last values of fields, and of the record that gave them where there are several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<char, String>);

/// Stands before the digest of a record.
const RECORD: char = 'r';
/// Characters of a digest: forty bits.
const CHARACTERS: usize = 8;

impl Values {
    /// Reads what was stored; what a later version wrote, and this one does not know, is dropped.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        let known = |letter: &char| *letter == RECORD || MoveField::ALL.iter().any(|field| field.letter() == *letter);
        let pairs = text.split(' ').filter_map(|pair| pair.split_once(':'));
        let pairs = pairs.filter_map(|(letter, digest)| Some((letter.parse().ok()?, digest.to_owned())));
        Self(pairs.filter(|(letter, digest): &(char, String)| known(letter) && digest.len() == CHARACTERS).collect())
    }

    fn of(&self, field: MoveField) -> Option<&str> {
        self.0.get(&field.letter()).map(String::as_str)
    }

    fn set(&mut self, field: MoveField, digest: Option<String>) {
        match digest {
            Some(digest) => drop(self.0.insert(field.letter(), digest)),
            None => drop(self.0.remove(&field.letter())),
        }
    }
}

impl fmt::Display for Values {
    /// As it is stored: `d:mzxw6ytb m:onswg4tf`, 54 characters at most.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(|(letter, digest)| format!("{letter}:{digest}")).collect();
        f.write_str(&all.join(" "))
    }
}

/// A digest that is another one for each person: two people of one department have nothing in common by it.
fn digest(person: &str, what: &str, value: &str) -> String {
    let digest = Sha256::digest(format!("move\0{person}\0{what}\0{}", comparable(value)));
    let mut text = data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    text.truncate(CHARACTERS);
    text
}

/// What a trusted response says of somebody's position.
#[derive(Debug, Default)]
pub struct Position<'a> {
    /// The record that says so: connection and id.
    pub record: (&'a str, &'a str),
    /// What it says of each field; nothing where that is empty.
    pub said: [Option<&'a str>; MoveField::ALL.len()],
    /// Names that their manager's Person had, or could have had, besides the one in `said`: the same human.
    pub also_manager: Vec<String>,
}

/// What a position is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// What was remembered.
    pub moves: &'a Moves,
    /// What the profile showed.
    pub profile: &'a Profile,
    /// The record that said so, where there was only one.
    pub only_record: Option<(&'a str, &'a str)>,
    /// Their state.
    pub state: State,
}

/// Who somebody is now.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Name of their Person.
    pub person: &'a str,
    /// Their state.
    pub state: State,
    /// What the profile shows now.
    pub profile: &'a Profile,
    /// They have several records.
    pub several: bool,
    /// The response can be compared with what was known: neither the policy nor the source has changed.
    pub settled: bool,
}

/// What has changed, and what is remembered once that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The fields.
    pub fields: Vec<MoveField>,
    /// The values now.
    pub fresh: Values,
}

/// What a field was known to be.
enum Known<'a> {
    Nothing,
    Text(&'a str),
    Digest(&'a str),
}

impl<'a> Known<'a> {
    fn of(field: MoveField, before: Option<&Before<'a>>) -> Self {
        let Some(before) = before else { return Self::Nothing };
        let shown = || before.profile.get(&field.field()).map_or(Self::Nothing, Self::Text);
        before.moves.values.of(field).map_or_else(shown, Self::Digest)
    }

    fn is(&self, person: &str, field: MoveField, value: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Text(text) => *text == value || comparable(text) == comparable(value),
            Self::Digest(known) => *known == digest(person, field.as_str(), value),
        }
    }

    /// What is to be remembered of it next to what the profile shows.
    fn remembered(&self, person: &str, field: MoveField, profile: &Profile) -> Option<String> {
        if profile.get(&field.field()).is_some_and(|shown| self.is(person, field, shown)) {
            return None;
        }
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(digest(person, field.as_str(), text)),
            Self::Digest(known) => Some((*known).to_owned()),
        }
    }
}

/// Whether somebody in this state works here.
#[must_use]
pub const fn works_here(state: State) -> bool {
    matches!(state, State::Active | State::Leave | State::Suspended)
}

/// Compares what a response says of somebody's position with what was known: the values to remember as long as what was found is
/// not taken over, and what was found.
///
/// # Guarantees    what is empty, said for the first time, said by another record, or said after the policy or the source
///                 changed, is no move; while it cannot be told whether somebody works here, what was known stays
pub fn compare(
    on: &[MoveField],
    before: Option<&Before<'_>>,
    position: Option<&Position<'_>>,
    now: &Now<'_>,
) -> (Values, Option<Found>) {
    let mut held = Values::default();
    if on.is_empty() {
        return (held, None);
    }
    let holds = now.state == State::Unknown;
    let same_record = record(before, position, now, &mut held);
    let worked = before.is_some_and(|before| works_here(before.state) || before.state == State::Unknown);
    let comparable = same_record && now.settled && worked && works_here(now.state);
    let (mut fields, mut fresh) = (Vec::new(), Vec::new());
    for field in on.iter().copied() {
        let known = Known::of(field, before);
        let said = position.filter(|_| !holds);
        let said = said.and_then(|position| *position.said.get(field as usize)?);
        let same = |value: &str| known.is(now.person, field, value);
        let also = || {
            let also = position.filter(|_| field == MoveField::Manager).map(|position| &position.also_manager);
            also.into_iter().flatten().any(|name| same(name))
        };
        let settled = match said {
            None => known,
            Some(said) if !comparable || matches!(known, Known::Nothing) || same(said) || also() => Known::Text(said),
            Some(said) => {
                fields.push(field);
                fresh.push((field, Known::Text(said).remembered(now.person, field, now.profile)));
                known
            }
        };
        held.set(field, settled.remembered(now.person, field, now.profile));
    }
    let found = (!fields.is_empty()).then(|| {
        let mut values = held.clone();
        fresh.into_iter().for_each(|(field, digest)| values.set(field, digest));
        Found { fields, fresh: values }
    });
    (held, found)
}

/// Whether the same record spoke before; notes which one does now, where there are several.
fn record(before: Option<&Before<'_>>, position: Option<&Position<'_>>, now: &Now<'_>, held: &mut Values) -> bool {
    let noted = before.and_then(|before| before.moves.values.0.get(&RECORD));
    let speaks = position.map(|position| position.record);
    let of = |(connection, id): (&str, &str)| digest(now.person, "record", &format!("{connection}/{id}"));
    let same = match (before.and_then(|before| before.only_record), speaks) {
        (Some(only), Some(speaks)) => only == speaks,
        (None, Some(speaks)) => noted.is_some_and(|noted| *noted == of(speaks)),
        (_, None) => true,
    };
    if now.several {
        let speaks = speaks.map(of).or_else(|| noted.cloned());
        speaks.into_iter().for_each(|speaks| drop(held.0.insert(RECORD, speaks)));
    }
    same
}

/// Fewer at once are never many.
const FEW: usize = 10;
/// Share of the people who work here above which moves at once are many.
const MANY_PERCENT: usize = 20;

/// Whether so many moves at once are rather a reorganisation, a renamed department, or a column that was shifted.
#[must_use]
pub const fn are_many(movers: usize, working: usize) -> bool {
    movers >= FEW && movers.saturating_mul(100) > working.saturating_mul(MANY_PERCENT)
}

/// Names exactly these moves.
#[must_use]
pub fn digest_of<'a>(found: impl IntoIterator<Item = (&'a str, &'a Found)>) -> String {
    let mut lines: Vec<_> = found
        .into_iter()
        .map(|(person, found)| format!("{person} {} {}", in_words(&found.fields), found.fresh))
        .collect();
    lines.sort();
    let mut text = data_encoding::HEXLOWER.encode(&Sha256::digest(lines.join("\n")));
    text.truncate(12);
    text
}

#[cfg(test)]
mod tests;
