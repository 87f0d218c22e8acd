//! One person through one pass: with a new statement about them, or without.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::calendar::Day;
use super::{Baseline, Entry, Left, Profile, Rules, Sight, Standing, Turn, person_name};
use crate::employee::{Employee, HrId};
use crate::lifecycle::{Facts, State, Verdict, verdict};
use crate::scope::Out;

/// Most aliases that are kept; the oldest that no longer hold go first.
const MOST_ALIASES: usize = 64;
/// Longest alias, name and address that the schema takes.
const LONGEST_ALIAS: usize = 512;
const LONGEST_TEXT: usize = 256;
const LONGEST_ADDRESS: usize = 320;

/// Why a record that changed its name, its address and its first day at once is not believed.
pub(super) const CONFLICT: &str = "Conflict: name, address and first day all changed, so this id may now be another human's; \
     delete this Person if it is, or correct it in the HR system";

/// What the names of all Revocations of one termination begin with: the Person's name, and the start of a digest of
/// when the termination was seen, so that leaving again is another story.
#[must_use]
pub fn story_prefix(person_name: &str, seen: Timestamp) -> String {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(seen.to_string()));
    format!("{person_name}-{}", digest.chars().take(8).collect::<String>())
}

/// A person a trusted answer names.
pub(super) fn stated(
    employee: &Employee,
    before: Option<&Entry>,
    manager: Option<String>,
    sight: &Sight,
    rules: &Rules<'_>,
    now: Timestamp,
) -> (Entry, Option<Turn>) {
    let profile = profile(employee, manager);
    if let Some(before) = before.filter(|before| another_human(before, &profile, employee)) {
        return conflicting(before, rules, now);
    }
    let (facts, day) = (facts(employee, before, &sight.day), &*sight.day);
    let stood = before.map(|before| &before.standing);
    let mut standing = match (before, sight.out) {
        (_, Some(out)) => out_of_scope(stood, out, sight.verdict, &facts, day, now),
        (Some(before), None) if stays_left(before, &facts) => {
            Standing { zone: day.zone.name().to_owned(), ..before.standing.clone() }
        }
        _ => standing(stood, sight.verdict, &facts, day, now),
    };
    if never_seen_in_scope(before)
        && let Some(left) = &mut standing.left
    {
        left.baseline = true;
    }
    let known = before.map(|before| before.aliases.as_slice()).unwrap_or_default();
    let aliases = aliases(known, employee, (rules.usernames)(employee));
    let after = Entry { policy: rules.policy.to_owned(), facts, missing_since: None, standing, aliases, profile };
    let turn = turn(before, &after);
    (after, turn)
}

/// Whether nobody saw them in scope before: a leaver of whom that is so needs approval. Of somebody who is not known at
/// all it cannot be told whether they were out of scope until now, or whether their Person was deleted while they waited
/// for approval, which must not release them.
fn never_seen_in_scope(before: Option<&Entry>) -> bool {
    before.is_none_or(|before| before.standing.out.is_some())
}

/// A person nothing new is said of: because there is no answer, or because it does not name them.
///
/// Whoever is missing keeps their state, with one exception: a last day that a trusted answer announced has been said,
/// and ends the employment when it has passed, as it would for everybody else. Whether they are in scope stays as it
/// was last told, but for what can be told without their record.
pub(super) fn unstated(
    id: &HrId,
    before: &Entry,
    missing_since: Option<Timestamp>,
    rules: &Rules<'_>,
    day: &Day,
    now: Timestamp,
) -> (Entry, Option<Turn>) {
    let mut after = Entry { policy: rules.policy.to_owned(), missing_since, ..before.clone() };
    if before.standing.why == CONFLICT {
        return (after, None);
    }
    let facts = before.facts;
    let announced = facts.last_day.is_some() && facts.announced == facts.last_day;
    let verdict = verdict(&facts, day.today);
    let leaves = verdict.state == State::Terminated;
    let keeps = before.standing.left.is_some()
        || (missing_since.is_some() && !(leaves && announced))
        || (leaves && rules.baseline == Baseline::Awaited);
    if let Some(out) = still_out(id, before, missing_since, rules) {
        after.standing = out_of_scope(Some(&before.standing), out, verdict, &facts, day, now);
    } else if !keeps {
        after.standing = standing(Some(&before.standing), verdict, &facts, day, now);
    }
    let turn = turn(Some(before), &after);
    (after, turn)
}

/// Why somebody is out of scope of whom there is no record now.
///
/// The last verdict stands. A changed policy asks anew, and of whom its first answer does not name nobody can tell: they
/// are out until one does, unless they had left in scope before, which then needs approval.
fn still_out(id: &HrId, before: &Entry, missing_since: Option<Timestamp>, rules: &Rules<'_>) -> Option<Out> {
    let told = before.standing.out;
    let anew = rules.baseline == Baseline::Now && missing_since.is_some();
    let untold = anew && (told.is_some() || (rules.scope.filters() && before.standing.left.is_none()));
    let by_id = rules.scope.out_by_id(&id.0, || person_name(rules.namespace, rules.connection, id));
    by_id.or(untold.then_some(Out::NotNamed)).or(told)
}

/// Out of scope: what the record says is shown, and nothing follows from it.
fn out_of_scope(
    before: Option<&Standing>,
    out: Out,
    verdict: Verdict,
    facts: &Facts,
    day: &Day,
    now: Timestamp,
) -> Standing {
    let since = before.filter(|before| before.state == State::OutOfScope).map_or(now, |before| before.since);
    let why = format!("out of scope: {}; the record says: {}", out.words(), verdict.why.words());
    let zone = day.zone.name().to_owned();
    Standing { state: State::OutOfScope, since, last_day: facts.last_day, zone, why, left: None, out: Some(out) }
}

/// A termination stands until a trusted answer says something else of the employment: neither a zone that was mapped
/// anew nor a clock that went back gives anybody their job back.
fn stays_left(before: &Entry, facts: &Facts) -> bool {
    let said = |facts: &Facts| (facts.said, facts.start, facts.last_day);
    before.standing.left.is_some() && said(&before.facts) == said(facts)
}

pub(super) fn facts(employee: &Employee, before: Option<&Entry>, day: &Day) -> Facts {
    let earlier = before.and_then(|before| before.facts.announced);
    let announced = employee.last_day.filter(|last| *last >= day.taken || Some(*last) == earlier);
    Facts { said: employee.said, start: employee.start, last_day: employee.last_day, announced }
}

fn standing(before: Option<&Standing>, verdict: Verdict, facts: &Facts, day: &Day, now: Timestamp) -> Standing {
    let same = before.filter(|before| before.state == verdict.state);
    let left = same.and_then(|before| before.left.clone());
    let left = (verdict.state == State::Terminated).then(|| {
        left.unwrap_or_else(|| {
            let passed = facts.last_day.filter(|last| *last < day.today);
            let effective = passed.and_then(|last| day.zone.end_of(last)).unwrap_or(now);
            Left { run: None, baseline: false, effective, seen: now }
        })
    });
    Standing {
        state: verdict.state,
        since: same.map_or(now, |before| before.since),
        last_day: facts.last_day,
        zone: day.zone.name().to_owned(),
        why: verdict.why.words().to_owned(),
        left,
        out: None,
    }
}

/// The same id with another name, another address and another first day. Any of the three alone is a person's life.
fn another_human(before: &Entry, profile: &Profile, employee: &Employee) -> bool {
    let differ = |old: &Option<String>, new: &Option<String>| match (old, new) {
        (Some(old), Some(new)) => old.to_lowercase() != new.to_lowercase(),
        _ => false,
    };
    differ(&before.profile.display_name, &profile.display_name)
        && differ(&before.profile.work_email, &profile.work_email)
        && matches!((before.facts.start, employee.start), (Some(old), Some(new)) if old != new)
}

/// Nothing of the other human is taken over: their address must not become this one's alias. Whether this one was in
/// scope stays as it was last told.
fn conflicting(before: &Entry, rules: &Rules<'_>, now: Timestamp) -> (Entry, Option<Turn>) {
    let mut after = Entry { policy: rules.policy.to_owned(), missing_since: None, ..before.clone() };
    if before.standing.why == CONFLICT {
        return (after, None);
    }
    let since = if before.standing.state == State::Unknown { before.standing.since } else { now };
    let why = CONFLICT.to_owned();
    after.standing = Standing { state: State::Unknown, since, why, left: None, ..before.standing.clone() };
    (after, Some(Turn::Conflicting))
}

fn turn(before: Option<&Entry>, after: &Entry) -> Option<Turn> {
    let state = after.standing.state;
    let was_out = before.is_some_and(|before| before.standing.out.is_some());
    match (was_out, after.standing.out.is_some()) {
        (false, true) => return before.map(|_| Turn::OutOfScope),
        (true, true) => return None,
        (true, false) => return Some(Turn::InScope),
        (false, false) => {}
    }
    let left = before.filter(|before| before.standing.state == State::Terminated);
    match left {
        None if state == State::Terminated => Some(Turn::Terminated),
        Some(_) if matches!(state, State::Terminated | State::Unknown) => None,
        Some(before) if after.facts.start.is_some() && after.facts.start != before.facts.start => Some(Turn::Rehired),
        Some(_) => Some(Turn::Withdrawn),
        None => None,
    }
}

fn profile(employee: &Employee, manager: Option<String>) -> Profile {
    let text = |text: &str| Some(text.chars().take(LONGEST_TEXT).collect()).filter(|text: &String| !text.is_empty());
    let address = Some(&employee.work_email).filter(|address| (1..=LONGEST_ADDRESS).contains(&address.chars().count()));
    Profile {
        display_name: text(&employee.name),
        work_email: address.cloned(),
        department: employee.department.as_deref().and_then(text),
        title: employee.title.as_deref().and_then(text),
        manager,
    }
}

/// Adds what is new to what is known; past the bound, the oldest that no longer holds goes.
fn aliases(known: &[String], employee: &Employee, usernames: Vec<String>) -> Vec<String> {
    let address = employee.work_email.trim().to_lowercase();
    let address = Some(address).filter(|address| !address.is_empty()).map(|address| format!("email:{address}"));
    let users = usernames.into_iter().map(|name| format!("user:{name}"));
    let current: Vec<String> =
        address.into_iter().chain(users).filter(|alias| alias.chars().count() <= LONGEST_ALIAS).collect();
    let mut aliases = known.to_vec();
    for alias in &current {
        if !aliases.contains(alias) {
            aliases.push(alias.clone());
        }
    }
    while aliases.len() > MOST_ALIASES {
        let oldest = aliases.iter().position(|alias| !current.contains(alias)).unwrap_or(0);
        aliases.remove(oldest);
    }
    aliases
}
