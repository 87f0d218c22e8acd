//! What somebody is known by: every address and user name, from when to when, but for those that a human took back.

use jiff::Timestamp;

use super::answer::Statement;
use super::employment::Whose;
use super::{KnownPerson, RosterEntry};
use crate::ownership::{comparable, email_key};

/// Most aliases that are kept; the oldest that no longer hold go first.
const MAX_ALIASES: usize = 64;
/// Longest alias that the schema takes.
const MAX_ALIAS_LEN: usize = 512;

/// From when to when an alias was somebody's.
#[derive(Clone, PartialEq, Eq)]
pub struct AliasDates {
    /// The alias.
    pub alias: String,
    /// When an answer first had it; none where it has been theirs as long as they are known.
    pub since: Option<Timestamp>,
    /// When answers no longer had it; none while they do.
    pub until: Option<Timestamp>,
    /// A human took it back, and HR has it still: it counts until that is corrected.
    pub disputed: bool,
}

/// What the person is known by already.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) before: Option<&'a RosterEntry>,
    /// Persons that become one with it.
    pub(super) absorbed: &'a [&'a KnownPerson],
    /// What a human said is not theirs.
    pub(super) disowned: &'a [String],
}

/// What they are known by, and from when to when. `whole` says whether every record of theirs was read.
///
/// What a human took back goes, and does not come back by what was read once; but HR may still have it. Then two differ, and it
/// goes on to count: what it names may be this one's, and is not ended with anybody else's.
pub(super) fn next(
    known: Known<'_>,
    statements: &[&Statement<'_>],
    whole: bool,
    whose: Whose<'_>,
) -> (Vec<String>, Vec<AliasDates>) {
    let mut current = Vec::new();
    statements.iter().for_each(|stated| add(&mut current, stated, whose));
    let disowned = |alias: &String| known.disowned.contains(alias);
    let dates = known.before.map_or(&[] as &[_], |before| &before.alias_dates);
    let dated = |alias: &String| dates.iter().find(|dates| dates.alias == *alias);
    // Where nothing is said, HR has what it had.
    let still =
        |alias: &String| current.contains(alias) || (!whole && dated(alias).is_none_or(|one| one.until.is_none()));
    let before = known.before.map_or(&[] as &[_], |before| &before.aliases);
    if current == before && dates.is_empty() && known.disowned.is_empty() && known.absorbed.is_empty() {
        return (current, Vec::new()); // as for nearly everybody
    }
    let mut aliases: Vec<String> = before.iter().filter(|alias| !disowned(alias) || still(alias)).cloned().collect();
    let absorbed = known.absorbed.iter().filter_map(|other| other.entry.as_deref()).flat_map(|entry| &entry.aliases);
    let absorbed: Vec<&String> = absorbed.filter(|alias| !disowned(alias)).collect();
    for alias in absorbed.iter().copied().chain(&current) {
        if !aliases.contains(alias) {
            aliases.push(alias.clone());
        }
    }
    while aliases.len() > MAX_ALIASES {
        let oldest = aliases.iter().position(|alias| !current.contains(alias)).unwrap_or(0);
        aliases.remove(oldest);
    }
    let is_new = |alias: &String| known.before.is_some() && !before.contains(alias) && !absorbed.contains(&alias);
    let dates = aliases.iter().filter_map(|alias| {
        let earlier = dated(alias);
        let since = earlier.map_or_else(|| is_new(alias).then_some(whose.now), |earlier| earlier.since);
        let gone = whole && !current.contains(alias);
        let until = earlier.and_then(|earlier| earlier.until).filter(|_| !current.contains(alias));
        let until = until.or_else(|| gone.then_some(whose.now));
        let disputed = disowned(alias);
        let says = since.is_some() || until.is_some() || disputed;
        says.then(|| AliasDates { alias: alias.clone(), since, until, disputed })
    });
    let dates = dates.collect();
    (aliases, dates)
}

/// Adds what one record says that they are known by.
fn add(all: &mut Vec<String>, stated: &Statement<'_>, whose: Whose<'_>) {
    // No text has more characters than bytes.
    let fits = |alias: &String| alias.len() <= MAX_ALIAS_LEN || alias.chars().count() <= MAX_ALIAS_LEN;
    let address = Some(stated.employee.work_email.trim()).filter(|address| !address.is_empty());
    all.extend(address.map(email_key).filter(fits));
    // Most sign-in systems write addresses in lower case, whatever HR writes. RBAC and approvals compare exactly.
    for name in (whose.rules.usernames)(stated.connection, stated.employee) {
        let user = ["user:", &name].concat();
        let lower = (!is_lower(&user)).then(|| comparable(&user)).filter(|lower| *lower != user);
        all.extend(Some(user).into_iter().chain(lower).filter(fits));
    }
    all.extend(whose.rules.matching.number(stated.employee).filter(fits));
}

/// Whether it is in lower case for certain.
fn is_lower(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}
