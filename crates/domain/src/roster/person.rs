//! One person through one pass: with a new statement about them, or without.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::answer::Sight;
use super::calendar::Day;
use super::{Baseline, EmploymentState, Left, LifecycleEvent, Notice, Profile, RosterEntry, Rules, person_name};
use crate::employee::{Employee, HrId, ReportedStatus, Status, Text, Texts};
use crate::lifecycle::{DerivedState, Facts, State, Why, begun_anew, derive_state};
use crate::ownership::comparable;
use crate::scope::Out;

/// Most aliases that are kept; the oldest that no longer hold go first.
const MAX_ALIASES: usize = 64;
/// Longest alias, name and address that the schema takes.
const MAX_ALIAS_LEN: usize = 512;
const MAX_TEXT_LEN: usize = 256;
const MAX_ADDRESS_LEN: usize = 320;

/// Two answers that announce a day are a day apart: a daily poll is never exactly a day after the one before.
const A_DAY: SignedDuration = SignedDuration::from_hours(20);

/// What the names of all Revocations of one termination begin with: the Person's name, and the start of a digest of
/// when the termination was seen, so that leaving again is another termination.
#[must_use]
pub fn termination_id(person_name: &str, seen: Timestamp) -> String {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(seen.to_string()));
    format!("{person_name}-{}", digest.chars().take(8).collect::<String>())
}

/// A person a trusted answer names.
pub(super) fn stated(
    employee: &Employee,
    before: Option<&RosterEntry>,
    manager: Option<String>,
    sight: &Sight,
    rules: &Rules<'_>,
    now: Timestamp,
) -> (RosterEntry, Option<LifecycleEvent>) {
    let profile = profile(employee, manager);
    if let Some(before) = before.filter(|before| another_human(before, &profile, employee)) {
        return conflicting(before, rules, now);
    }
    let (facts, day) = (facts(employee, before, &sight.day), &*sight.day);
    let notice = notice(&facts, before, sight.taken, day);
    let previous = before.map(|before| &before.employment);
    let leaves_scope = sight.out.filter(|_| leaves_with_its_scope(employee, before, sight.derived, rules));
    let told = Statement { derived: sight.derived, facts: &facts, notice };
    let mut employment = match (before, sight.out) {
        (_, Some(out)) if leaves_scope.is_none() => out_of_scope(previous, out, told, day, now),
        (Some(before), _) if stays_left(before, &facts, day) => {
            EmploymentState { zone: day.zone.name().to_owned(), ..before.employment.clone() }
        }
        _ => employment_state(previous, told, day, now),
    };
    employment.leaves_scope = leaves_scope;
    if never_seen_in_scope(before)
        && let Some(left) = &mut employment.left
    {
        left.baseline = true;
    }
    let known = before.map(|before| before.aliases.as_slice()).unwrap_or_default();
    let aliases = aliases(known, employee, (rules.usernames)(employee));
    let policy = rules.policy.to_owned();
    let after = RosterEntry { policy, facts, notice, missing_since: None, employment, aliases, profile };
    let event = event(before, &after);
    (after, event)
}

/// What is told of somebody.
#[derive(Clone, Copy)]
struct Statement<'a> {
    derived: DerivedState,
    facts: &'a Facts,
    notice: Option<Notice>,
}

/// Whether an answer that puts somebody out of scope says in the same breath that they leave: HR systems empty the
/// department of a leaver, or set it to "Alumni". Then scope is judged by what was known before.
///
/// Not so where the policy changed, or says who is out by name: that is an admin's word, and no trace of leaving. Not so
/// either of somebody who moved out before, nor of a day that was announced before the move.
fn leaves_with_its_scope(
    employee: &Employee,
    before: Option<&RosterEntry>,
    derived: DerivedState,
    rules: &Rules<'_>,
) -> bool {
    let Some(before) = before.filter(|before| before.employment.out.is_none()) else { return false };
    let held_already = before.employment.leaves_scope.is_some();
    let same_policy = before.policy == rules.policy && rules.baseline == Baseline::Settled;
    let leaves =
        derived.state == State::Terminated || employee.reported_status == ReportedStatus::Mapped(Status::Terminated);
    let by_name =
        || rules.scope.out_by_id(&employee.id.0, || person_name(rules.namespace, rules.connection, &employee.id));
    leaves && (held_already || same_policy) && by_name().is_none()
}

/// Whether nobody saw them in scope before: such a leaver needs approval. Of somebody who is not known at
/// all it cannot be told whether they were out of scope until now, or whether their Person was deleted while they waited
/// for approval, which must not release them.
fn never_seen_in_scope(before: Option<&RosterEntry>) -> bool {
    before.is_none_or(|before| before.employment.out.is_some())
}

/// A person nothing new is said of: because there is no answer, or because it does not name them.
///
/// A missing person keeps their state, with one exception: a last day that a trusted answer announced has been said,
/// and ends the employment when it has passed, as it would for everybody else. Whether they are in scope stays as it
/// was last told, but for what can be told without their record.
pub(super) fn unstated(
    id: &HrId,
    before: &RosterEntry,
    missing_since: Option<Timestamp>,
    rules: &Rules<'_>,
    day: &Day,
    now: Timestamp,
) -> (RosterEntry, Option<LifecycleEvent>) {
    let mut after = RosterEntry { policy: rules.policy.to_owned(), missing_since, ..before.clone() };
    if matches!(before.employment.why, Why::Conflict | Why::Other) {
        return (after, None);
    }
    let facts = before.facts;
    let announced = facts.announced.is_some();
    let derived = derive_state(&facts, day.today);
    let leaves = derived.state == State::Terminated;
    let told = Statement { derived, facts: &facts, notice: before.notice };
    let keeps = (before.employment.left.is_some() && !begun_anew(&facts, day.today))
        || (missing_since.is_some() && !(leaves && announced))
        || (leaves && rules.baseline == Baseline::Awaited);
    if let Some(out) = still_out(id, before, missing_since, rules) {
        after.employment = out_of_scope(Some(&before.employment), out, told, day, now);
    } else if !keeps {
        after.employment = employment_state(Some(&before.employment), told, day, now);
    }
    let event = event(Some(before), &after);
    (after, event)
}

/// Why somebody without a record now is out of scope.
///
/// The last decision stands. A changed policy asks again, and nobody can tell of those whom its first response does not name: they
/// are out until one does, unless they had left in scope before, which then needs approval.
fn still_out(id: &HrId, before: &RosterEntry, missing_since: Option<Timestamp>, rules: &Rules<'_>) -> Option<Out> {
    let told = before.employment.out;
    let anew = rules.baseline == Baseline::Now && missing_since.is_some();
    let untold = anew && (told.is_some() || (rules.scope.filters() && before.employment.left.is_none()));
    let by_id = rules.scope.out_by_id(&id.0, || person_name(rules.namespace, rules.connection, id));
    by_id.or(untold.then_some(Out::NotNamed)).or(told)
}

/// Out of scope: what the record says is shown, and nothing follows from it.
fn out_of_scope(
    before: Option<&EmploymentState>,
    out: Out,
    told: Statement<'_>,
    day: &Day,
    now: Timestamp,
) -> EmploymentState {
    let since = before.filter(|before| before.state == State::OutOfScope).map_or(now, |before| before.since);
    EmploymentState {
        state: State::OutOfScope,
        since,
        last_day: told.facts.last_day,
        zone: day.zone.name().to_owned(),
        why: told.derived.why,
        left: None,
        out: Some(out),
        leaves_scope: None,
    }
}

/// A termination stands until a trusted answer says something else of the employment: neither a zone that was mapped
/// anew nor a clock that went back gives anybody their job back. A next employment that was announced and has begun does.
fn stays_left(before: &RosterEntry, facts: &Facts, day: &Day) -> bool {
    let reported = |facts: &Facts| (facts.reported_status, facts.start, facts.last_day);
    before.employment.left.is_some() && reported(&before.facts) == reported(facts) && !begun_anew(facts, day.today)
}

/// What an answer says of the employment, with what is remembered of earlier ones.
///
/// An announced day stands when the record's own is moved into the past: an exit that is brought forward is an exit, and
/// takes place on the announced day at the latest. It ends with a status that came back from `Terminated`: who was
/// hired again keeps, in many HR systems, the end date of before.
pub(super) fn facts(employee: &Employee, before: Option<&RosterEntry>, day: &Day) -> Facts {
    let terminated = ReportedStatus::Mapped(Status::Terminated);
    let earlier = before.map(|before| before.facts);
    let earlier =
        earlier.filter(|earlier| earlier.reported_status != terminated || employee.reported_status == terminated);
    let earlier = earlier.and_then(|earlier| earlier.announced);
    let announced = employee.last_day.and_then(|last| if last >= day.taken { Some(last) } else { earlier });
    Facts { reported_status: employee.reported_status, start: employee.start, last_day: employee.last_day, announced }
}

/// When the day that stands as announced was announced, and whether an answer a day later said the same.
fn notice(facts: &Facts, before: Option<&RosterEntry>, taken: Timestamp, day: &Day) -> Option<Notice> {
    let announced = facts.announced?;
    let earlier = before.filter(|before| before.facts.announced == Some(announced)).and_then(|before| before.notice);
    let earlier = earlier.unwrap_or(Notice { at: taken, confirmed: false });
    let ahead = facts.last_day == Some(announced) && announced >= day.taken;
    let again = ahead && taken.duration_since(earlier.at) >= A_DAY;
    Some(Notice { confirmed: earlier.confirmed || again, ..earlier })
}

fn employment_state(
    before: Option<&EmploymentState>,
    told: Statement<'_>,
    day: &Day,
    now: Timestamp,
) -> EmploymentState {
    let Statement { derived, facts, notice } = told;
    let same = before.filter(|before| before.state == derived.state);
    let left = same.and_then(|before| before.left.clone());
    let left = (derived.state == State::Terminated).then(|| {
        left.unwrap_or_else(|| {
            let passed = facts.last_day.filter(|last| *last < day.today);
            let effective = passed.and_then(|last| day.zone.end_of(last)).unwrap_or(now);
            let announced =
                passed.is_some() && passed == facts.announced && notice.is_some_and(|notice| notice.confirmed);
            Left { run: None, baseline: false, effective, seen: now, announced }
        })
    });
    EmploymentState {
        state: derived.state,
        since: same.map_or(now, |before| before.since),
        last_day: facts.last_day,
        zone: day.zone.name().to_owned(),
        why: derived.why,
        left,
        out: None,
        leaves_scope: before.and_then(|before| before.leaves_scope),
    }
}

/// The same id with another name, another first day, and not the same address. Any of the three alone is a person's life;
/// an address that is missing vouches for nobody.
fn another_human(before: &RosterEntry, profile: &Profile, employee: &Employee) -> bool {
    let differ = |old: &Option<String>, new: &Option<String>| match (old, new) {
        (Some(old), Some(new)) => old.to_lowercase() != new.to_lowercase(),
        _ => false,
    };
    differ(&before.profile.display_name, &profile.display_name)
        && (before.profile.work_email.is_none()
            || profile.work_email.is_none()
            || differ(&before.profile.work_email, &profile.work_email))
        && matches!((before.facts.start, employee.start), (Some(old), Some(new)) if old != new)
}

/// Nothing of the other human is taken over: their address must not become this one's alias. Whether this one was in
/// scope stays as it was last told.
fn conflicting(before: &RosterEntry, rules: &Rules<'_>, now: Timestamp) -> (RosterEntry, Option<LifecycleEvent>) {
    let mut after = RosterEntry { policy: rules.policy.to_owned(), missing_since: None, ..before.clone() };
    if before.employment.why == Why::Conflict {
        return (after, None);
    }
    let since = if before.employment.state == State::Unknown { before.employment.since } else { now };
    let why = Why::Conflict;
    after.employment = EmploymentState {
        state: State::Unknown,
        since,
        why,
        left: None,
        leaves_scope: None,
        ..before.employment.clone()
    };
    (after, Some(LifecycleEvent::Conflicting))
}

fn event(before: Option<&RosterEntry>, after: &RosterEntry) -> Option<LifecycleEvent> {
    let state = after.employment.state;
    let was_out = before.is_some_and(|before| before.employment.out.is_some());
    match (was_out, after.employment.out.is_some()) {
        (false, true) => return before.map(|_| LifecycleEvent::OutOfScope),
        (true, true) => return None,
        (true, false) => return Some(LifecycleEvent::InScope),
        (false, false) => {}
    }
    let left = before.filter(|before| before.employment.state == State::Terminated);
    match left {
        None if state == State::Terminated => Some(LifecycleEvent::Terminated),
        Some(_) if matches!(state, State::Terminated | State::Unknown) => None,
        Some(_) if after.employment.why == Why::EarlierEmployment => Some(LifecycleEvent::Rehired),
        Some(before) if after.facts.start.is_some() && after.facts.start != before.facts.start => {
            Some(LifecycleEvent::Rehired)
        }
        Some(_) => Some(LifecycleEvent::Withdrawn),
        None => None,
    }
}

fn profile(employee: &Employee, manager: Option<String>) -> Profile {
    let text = |text: &str| Some(text.chars().take(MAX_TEXT_LEN).collect()).filter(|text: &String| !text.is_empty());
    let address = Some(&employee.work_email).filter(|address| (1..=MAX_ADDRESS_LEN).contains(&address.chars().count()));
    let mut texts = Texts::default();
    for kept in Text::all_kept() {
        texts.set(kept, employee.text(kept).and_then(text).map(Box::from));
    }
    Profile { display_name: text(&employee.name), work_email: address.cloned(), texts, manager }
}

/// Adds what is new to what is known; past the bound, the oldest that no longer holds goes.
fn aliases(known: &[String], employee: &Employee, usernames: Vec<String>) -> Vec<String> {
    let address = employee.work_email.trim().to_lowercase();
    let address = Some(address).filter(|address| !address.is_empty()).map(|address| format!("email:{address}"));
    // Most sign-in systems write addresses in lower case, whatever HR writes. RBAC and approvals compare exactly.
    let users = usernames.into_iter().map(|name| format!("user:{name}")).flat_map(|user| {
        let lower = Some(comparable(&user)).filter(|lower| *lower != user);
        std::iter::once(user).chain(lower)
    });
    let current: Vec<String> =
        address.into_iter().chain(users).filter(|alias| alias.chars().count() <= MAX_ALIAS_LEN).collect();
    let mut aliases = known.to_vec();
    for alias in &current {
        if !aliases.contains(alias) {
            aliases.push(alias.clone());
        }
    }
    while aliases.len() > MAX_ALIASES {
        let oldest = aliases.iter().position(|alias| !current.contains(alias)).unwrap_or(0);
        aliases.remove(oldest);
    }
    aliases
}
