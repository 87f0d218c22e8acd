//! One HR record of a person through one pass: with a new statement about it, or without.

use jiff::{SignedDuration, Timestamp, ToSpan};

use super::answer::{Slot, Statement};
use super::calendar::Day;
use super::{Baseline, Employment, EmploymentState, Left, Modes, Notice, RecordKey, Role, RosterEntry, Rules};
use crate::account;
use crate::employee::{Employee, ReportedStatus, Status};
use crate::lifecycle::{DerivedState, Facts, Off, State, Terms, Why, begun_anew, derive_state, with_contract_end};
use crate::ownership::email_key;
use crate::profile::{FieldMode, ProfileField};
use crate::scope::Out;

/// Two answers that announce a day are a day apart: a daily poll is never exactly a day after the one before.
const A_DAY: SignedDuration = SignedDuration::from_hours(20);

/// What was known before of the person, and of this record of theirs.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    pub(super) person: &'a RosterEntry,
    pub(super) employment: &'a Employment,
}

/// Whose record it is, under which policy, and when somebody looks.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// Name of the Person.
    pub(super) name: &'a str,
    pub(super) rules: &'a Rules<'a>,
    /// Everybody, by the position that a statement names a manager with.
    pub(super) slots: &'a [Slot<'a>],
    pub(super) now: Timestamp,
    /// The human has left, and not only a record of theirs has ended: no zone and no clock takes that back.
    pub(super) stands: bool,
}

/// A record that a trusted answer names. `another` is that what it says is of another human. `scoped` is what its scope was known by:
/// the record itself, or one of the connection that its own took the place of.
pub(super) fn stated(
    record: &RecordKey,
    statement: &Statement<'_>,
    before: Option<Before<'_>>,
    scoped: Option<Before<'_>>,
    another: bool,
    whose: Whose<'_>,
) -> Employment {
    let Whose { name, rules, now, stands, slots: _ } = whose;
    let Statement { employee, sight, .. } = statement;
    if let Some(before) = before.filter(|_| another) {
        return conflicting(before.employment, now);
    }
    let known = before.map(|before| before.employment);
    let terms = &rules.terms_of(&record.connection);
    let (facts, day) = (facts(employee, known, &sight.day, terms), &*sight.day);
    let notice = notice(&facts, known, sight.taken, day, terms);
    let leaves_scope = sight.out.filter(|_| leaves_with_its_scope(employee, scoped, sight.derived, name, rules));
    let derived = has_begun(known, &facts, sight.derived, terms);
    let told = Told { derived, facts: &facts, notice, terms };
    let mut state = match (known, sight.out) {
        (_, Some(out)) if leaves_scope.is_none() => out_of_scope(known.map(|known| &known.state), out, told, day, now),
        (Some(known), _) if stands && stays_left(known, &facts, day) => {
            EmploymentState { zone: day.zone.name().to_owned(), ..known.state.clone() }
        }
        _ => employment_state(known.map(|known| &known.state), told, day, now),
    };
    state.leaves_scope = leaves_scope;
    if never_seen_in_scope(known)
        && let Some(left) = &mut state.left
    {
        left.baseline = true;
    }
    let kept = |fact| rules.fields.of(&ProfileField::Account(fact)) == FieldMode::Continuous;
    let before = known.and_then(|known| known.account.as_deref());
    let account = account::after(before, employee.account.as_deref(), statement.told, kept, sight.taken);
    Employment { record: record.clone(), facts, notice, missing_since: None, account, state }
}

/// What is told of an employment.
#[derive(Clone, Copy)]
struct Told<'a> {
    derived: DerivedState,
    facts: &'a Facts,
    notice: Option<Notice>,
    terms: &'a Terms,
}

/// Whether an answer that puts somebody out of scope says in the same breath that they leave: HR systems empty the
/// department of a leaver, or set it to "Alumni". Then scope is judged by what was known before.
///
/// Not so where the policy changed, or says who is out by name: that is an admin's word, and no trace of leaving. Not so
/// either of somebody who moved out before, nor of a day that was announced before the move.
fn leaves_with_its_scope(
    employee: &Employee,
    before: Option<Before<'_>>,
    derived: DerivedState,
    name: &str,
    rules: &Rules<'_>,
) -> bool {
    let Some(before) = before.filter(|before| before.employment.state.out.is_none()) else { return false };
    let held_already = before.employment.state.leaves_scope.is_some();
    let connection = &before.employment.record.connection;
    // The first answer of what took its place is a baseline, and says nothing of a changed scope.
    let settled = (rules.role)(connection) == Role::Replaced || (rules.baseline)(connection) == Baseline::Settled;
    let same_policy = before.person.policy == rules.policy && settled;
    let leaves =
        derived.state == State::Terminated || employee.reported_status == ReportedStatus::Mapped(Status::Terminated);
    leaves && (held_already || same_policy) && rules.scope.out_by_id(&employee.id.0, name).is_none()
}

/// Whether nobody saw them in scope before: such a leaver needs approval. Of somebody who is not known at
/// all it cannot be told whether they were out of scope until now, or whether their Person was deleted while they waited
/// for approval, which must not release them.
fn never_seen_in_scope(before: Option<&Employment>) -> bool {
    before.is_none_or(|before| before.state.out.is_some())
}

/// A record nothing new is said of: because there is no answer, or because it does not name it.
///
/// A missing record keeps its state, with one exception: a last day that a trusted answer announced has been said,
/// and ends the employment when it has passed, as it would for everybody else. Whether it is in scope stays as it
/// was last told, but for what can be told without it.
pub(super) fn unstated(
    before: &Employment,
    missing_since: Option<Timestamp>,
    day: &Day,
    whose: Whose<'_>,
) -> Employment {
    let Whose { name, rules, now, stands, slots: _ } = whose;
    let mut after = Employment { missing_since, ..before.clone() };
    if matches!(before.state.why, Why::Conflict | Why::Other) {
        return after;
    }
    let facts = before.facts;
    let announced = facts.announced.is_some();
    let derived = has_begun(Some(before), &facts, derive_state(&facts, day.today, &rules.terms), &rules.terms);
    let leaves = derived.state == State::Terminated;
    let told = Told { derived, facts: &facts, notice: before.notice, terms: &rules.terms };
    let had_left = before.state.left.is_some();
    let too_early = had_left && !leaves && !stands;
    let keeps = (had_left && !begun_anew(&facts, day.today))
        || (missing_since.is_some() && !(leaves && announced))
        || (leaves && (rules.baseline)(&before.record.connection) == Baseline::Awaited);
    if let Some(out) = still_out(before, name, rules) {
        after.state = out_of_scope(Some(&before.state), out, told, day, now);
    } else if !keeps || too_early {
        after.state = employment_state(Some(&before.state), told, day, now);
    }
    after
}

/// Why somebody without a record now is out of scope.
///
/// The last decision stands. A changed policy asks again, and nobody can tell of those whom its first response does not name, also
/// one that names only changes: they are out until one does, unless they had left in scope before, which then needs approval.
fn still_out(before: &Employment, name: &str, rules: &Rules<'_>) -> Option<Out> {
    let told = before.state.out;
    let anew = (rules.baseline)(&before.record.connection) == Baseline::Now;
    let untold = anew && (told.is_some() || (rules.scope.filters() && before.state.left.is_none()));
    let by_id = rules.scope.out_by_id(&before.record.id.0, name);
    by_id.or(untold.then_some(Out::NotNamed)).or(told)
}

/// Out of scope: what the record says is shown, and nothing follows from it.
fn out_of_scope(
    before: Option<&EmploymentState>,
    out: Out,
    told: Told<'_>,
    day: &Day,
    now: Timestamp,
) -> EmploymentState {
    let since = before.filter(|before| before.state == State::OutOfScope).map_or(now, |before| before.since);
    EmploymentState {
        state: State::OutOfScope,
        since,
        last_day: with_contract_end(told.facts, told.terms).last_day,
        zone: day.zone.name().to_owned(),
        why: told.derived.why,
        left: None,
        out: Some(out),
        leaves_scope: None,
    }
}

/// The end of a record of somebody who has left stands until a trusted answer says something else of the employment: neither a
/// zone that was mapped anew nor a clock that went back gives anybody their job back. A next employment that was announced and
/// has begun does. Of somebody who has not left, a record that was ended by a clock that was ahead goes on to its last day.
fn stays_left(before: &Employment, facts: &Facts, day: &Day) -> bool {
    before.state.left.is_some() && say_the_same(&before.facts, facts) && !begun_anew(facts, day.today)
}

/// An employment that has begun does not begin later by a clock that was set back: its human would have left by what ended before it.
fn has_begun(before: Option<&Employment>, facts: &Facts, derived: DerivedState, terms: &Terms) -> DerivedState {
    let begun = before.filter(|before| {
        let why = before.state.why;
        // The employment that went on then may be the one before.
        let between = facts.start.zip(with_contract_end(facts, terms).last_day);
        let ends_first = between.is_some_and(|(start, last)| last < start);
        let earlier = matches!(why, Why::LeavesLater | Why::TerminatedLater) && ends_first;
        let was_at_work = why.state() == State::Active && !earlier;
        derived.state == State::PreHire && was_at_work && say_the_same(&before.facts, facts)
    });
    begun.map_or(derived, |before| DerivedState { state: State::Active, why: before.state.why })
}

/// Whether a record says the same of its employment, whatever was announced before.
fn say_the_same(one: &Facts, other: &Facts) -> bool {
    let reported = |facts: &Facts| {
        let Facts { reported_status, start, last_day, contract_end, urgent, announced: _, off } = *facts;
        (reported_status, start, last_day, contract_end, urgent, off.map(|off| off.over))
    };
    reported(one) == reported(other)
}

/// What an answer says of the employment, with what is remembered of earlier ones.
///
/// An announced day stands when the record's own is moved into the past: an exit that is brought forward is an exit, and
/// takes place on the announced day at the latest. It ends with a status that came back from `Terminated`: who was
/// hired again keeps, in many HR systems, the end date of before.
pub(super) fn facts(employee: &Employee, before: Option<&Employment>, day: &Day, terms: &Terms) -> Facts {
    let terminated = ReportedStatus::Mapped(Status::Terminated);
    let earlier = before.map(|before| before.facts);
    let earlier =
        earlier.filter(|earlier| earlier.reported_status != terminated || employee.reported_status == terminated);
    let earlier = earlier.and_then(|earlier| earlier.announced);
    if let Some(days) = terms.off_days {
        return of_account(employee, before, day, days);
    }
    let said = Facts::of(employee);
    let last_day = with_contract_end(&said, terms).last_day;
    let announced = last_day.and_then(|last| if last >= day.taken { Some(last) } else { earlier });
    Facts { announced, ..said }
}

/// What a source of accounts says: whether the account is on, and nothing of days. One that is off has ended once trusted answers have
/// said so for long, without one in between that said otherwise, or did not name it.
fn of_account(employee: &Employee, before: Option<&Employment>, day: &Day, days: i32) -> Facts {
    let off = matches!(employee.reported_status, ReportedStatus::Mapped(Status::Suspended | Status::Terminated));
    let earlier = before.filter(|before| before.missing_since.is_none()).and_then(|before| before.facts.off);
    let since = earlier.map_or(day.taken, |earlier| earlier.since.min(day.taken));
    let over = since.saturating_add(days.days()) <= day.taken;
    let Facts { reported_status, start, .. } = Facts::of(employee);
    let off = off.then_some(Off { since, over: over || earlier.is_some_and(|earlier| earlier.over) });
    Facts { reported_status, start, last_day: None, announced: None, contract_end: None, urgent: false, off }
}

/// When the day that stands as announced was announced, and whether an answer a day later said the same.
fn notice(facts: &Facts, before: Option<&Employment>, taken: Timestamp, day: &Day, terms: &Terms) -> Option<Notice> {
    let announced = facts.announced?;
    let earlier = before.filter(|before| before.facts.announced == Some(announced)).and_then(|before| before.notice);
    let earlier = earlier.unwrap_or(Notice { at: taken, confirmed: false });
    let ahead = with_contract_end(facts, terms).last_day == Some(announced) && announced >= day.taken;
    let again = ahead && taken.duration_since(earlier.at) >= A_DAY;
    Some(Notice { confirmed: earlier.confirmed || again, ..earlier })
}

fn employment_state(before: Option<&EmploymentState>, told: Told<'_>, day: &Day, now: Timestamp) -> EmploymentState {
    let Told { derived, facts, notice, terms } = told;
    let same = before.filter(|before| before.state == derived.state);
    let left = same.and_then(|before| before.left.clone());
    let left = (derived.state == State::Terminated).then(|| {
        left.unwrap_or_else(|| {
            let last_day = with_contract_end(facts, terms).last_day;
            let passed = last_day.filter(|last| *last < day.today);
            let effective = passed.and_then(|last| day.over(last)).unwrap_or(now);
            let announced =
                passed.is_some() && passed == facts.announced && notice.is_some_and(|notice| notice.confirmed);
            Box::new(Left { run: None, baseline: false, effective, seen: now, announced })
        })
    });
    EmploymentState {
        state: derived.state,
        since: same.map_or(now, |before| before.since),
        last_day: with_contract_end(facts, terms).last_day,
        zone: day.zone.name().to_owned(),
        why: derived.why,
        left,
        out: None,
        leaves_scope: before.and_then(|before| before.leaves_scope),
    }
}

/// The same id with another name, another first day, and not the same address. Any of the three alone is a person's life;
/// an address that is missing vouches for nobody, nor does a name that is not kept as HR last gave it. Where the human has
/// other records, their addresses vouch too.
pub(super) fn another_human(before: Before<'_>, employee: &Employee, fields: &Modes) -> bool {
    let Before { person, employment } = before;
    if !matches!((employment.facts.start, employee.start), (Some(old), Some(new)) if old != new) {
        return false; // as of nearly everybody
    }
    let profile = fields.profile(employee, None, false);
    let differ = |old: &Option<String>, new: &Option<String>| match (old, new) {
        (Some(old), Some(new)) => old.to_lowercase() != new.to_lowercase(),
        _ => false,
    };
    let own = |address: &String| person.aliases.contains(&email_key(address));
    let vouched = person.employments.len() > 1 && profile.work_email.as_ref().is_some_and(own);
    let name_follows = fields.of(&ProfileField::DisplayName) == FieldMode::Continuous;
    (!name_follows || differ(&person.profile.display_name, &profile.display_name))
        && !vouched
        && (person.profile.work_email.is_none()
            || profile.work_email.is_none()
            || differ(&person.profile.work_email, &profile.work_email))
}

/// A record of a connection that was replaced, of somebody whom the new one does not name yet. Who had left stays so; of
/// everybody else nothing can be told any more, nor by a day that was announced, or that a clock was past which was ahead.
pub(super) fn not_migrated(before: &Employment, day: &Day, whose: Whose<'_>) -> Employment {
    let Whose { rules, now, stands, name: _, slots: _ } = whose;
    let mut after = before.clone();
    let over = || stands || derive_state(&before.facts, day.today, &rules.terms).state == State::Terminated;
    let had_left = before.state.left.is_some() && over();
    if !had_left && before.state.why != Why::NotMigrated {
        let since = if before.state.state == State::Unknown { before.state.since } else { now };
        let (state, why) = (State::Unknown, Why::NotMigrated);
        after.state = EmploymentState { state, since, why, left: None, leaves_scope: None, ..before.state.clone() };
    }
    after
}

/// Nothing of the other human is taken over: their address must not become this one's alias. Whether this one was in
/// scope stays as it was last told.
fn conflicting(before: &Employment, now: Timestamp) -> Employment {
    let mut after = Employment { missing_since: None, ..before.clone() };
    if before.state.why == Why::Conflict {
        return after;
    }
    let since = if before.state.state == State::Unknown { before.state.since } else { now };
    let (state, why) = (State::Unknown, Why::Conflict);
    after.state = EmploymentState { state, since, why, left: None, leaves_scope: None, ..before.state.clone() };
    after
}
