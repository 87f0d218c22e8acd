//! Between Persons and the plain values of the roster. No decision is made here.

use crate::api::person::{self, Employment, PersonStatus, Record};
use crate::api::quantity::{self, Unreadable};
use crate::api::{Person, SyncPolicy, convert, names, policy};
use domain::account::{Fact, Known};
use domain::employee::{HrId, ReportedStatus};
use domain::lifecycle::{ContractEnd, Facts, Off, State, Terms, Why};
use domain::moves::{MoveField, MoveTerms, Moved, Moves, Review, Values};
use domain::profile::{FieldMode, Imported, Modes, Profile, ProfileField};
use domain::roster::{
    self, AliasDates, Declared, Doubt, EmploymentState, KnownPerson, Left, MatchKey, Matching, Notice, OnLeave,
    RecordKey, RosterEntry, Run, Says, Scoped,
};
use domain::scope::{Kind, Lists, Out, Refused, Scope};
use domain::timezone::DayEnd;
use jiff::SignedDuration;
use kube::ResourceExt;

/// A Person as the roster knows it.
#[must_use]
pub fn known(person: &Person) -> KnownPerson {
    KnownPerson {
        name: person.name_any(),
        records: person.spec.records.iter().map(key).collect(),
        apart: person.spec.apart.iter().map(key).collect(),
        disowned: person.spec.disowned.clone(),
        declared: person.spec.declared.as_deref().map(declared),
        reviewed: person.spec.review.as_ref().map(|answer| answer.of),
        entry: person.status.as_ref().and_then(|status| entry(status, person.spec.profile.as_deref())).map(Box::new),
        access: convert::access(person),
    }
}

/// Longest time for which somebody has not left by a human's word.
const LONGEST_STAY: SignedDuration = SignedDuration::from_hours(90 * 24);

fn declared(said: &person::Declared) -> Declared {
    let says = match said.state {
        None => Says::Leaves,
        Some(person::DeclaredState::Active) => Says::Active,
        Some(person::DeclaredState::Leave) => Says::Leave,
        Some(person::DeclaredState::Suspended) => Says::Suspended,
    };
    let at = said.at.filter(|_| says != Says::Leaves);
    // The schema asks for the time with a state: without one there is none at which it could count.
    let longest = at.map(|at| at.checked_add(LONGEST_STAY).unwrap_or(at));
    let until = if says == Says::Leaves { said.until } else { said.until.min(longest.unwrap_or(jiff::Timestamp::MIN)) };
    Declared { says, from: at.unwrap_or(jiff::Timestamp::MIN), last_day: said.last_day, until }
}

fn key(record: &Record) -> RecordKey {
    RecordKey { connection: record.connection.as_str().into(), id: HrId(record.id.clone()) }
}

/// A record as a Person names it.
#[must_use]
pub fn record_shown(record: &RecordKey) -> Record {
    Record { connection: record.connection.to_string(), id: record.id.0.clone() }
}

/// What the names of the Revocations of a present termination begin with; none for somebody who has not left.
#[must_use]
pub fn termination_id(person_name: &str, employment: &person::EmploymentState) -> Option<String> {
    let left = employment.state == person::State::Terminated;
    left.then(|| roster::termination_id(person_name, employment.seen.unwrap_or(employment.since)))
}

fn entry(status: &PersonStatus, once: Option<&person::Profile>) -> Option<RosterEntry> {
    let together = status.employment.as_ref()?;
    let employments: Vec<_> = status.employments.iter().map(|employment| of_record(employment, together)).collect();
    Some(RosterEntry {
        policy: status.policy.clone()?,
        employments,
        employment: employment_state(together),
        leave: status.leave.as_deref().map(|leave| Box::new(on_leave(leave))),
        aliases: status.aliases.clone(),
        alias_dates: status.alias_dates.iter().map(alias_dates).collect(),
        profile: status.profile.clone().map(profile).unwrap_or_default(),
        once: imported(status, once),
        moves: status.moves.as_deref().map(|moves| Box::new(self::moves(moves))),
    })
}

fn imported(status: &PersonStatus, once: Option<&person::Profile>) -> Option<Box<Imported>> {
    let imported = Imported {
        fields: status.imported.iter().filter_map(|name| ProfileField::named(name)).collect(),
        profile: once.cloned().map(profile).unwrap_or_default(),
    };
    (imported != Imported::default()).then(|| Box::new(imported))
}

fn alias_dates(dates: &person::AliasDates) -> AliasDates {
    let person::AliasDates { alias, since, until, disputed } = dates.clone();
    AliasDates { alias, since, until, disputed }
}

fn alias_dates_shown(dates: AliasDates) -> person::AliasDates {
    let AliasDates { alias, since, until, disputed } = dates;
    person::AliasDates { alias, since, until, disputed }
}

/// What a record says; where it is the only one, what follows for the person follows from it alone.
fn of_record(employment: &Employment, together: &person::EmploymentState) -> roster::Employment {
    let mut state = employment_state(employment.by_itself.as_deref().unwrap_or(together));
    state.left.iter_mut().for_each(|left| left.run = None);
    roster::Employment {
        record: RecordKey { connection: employment.connection.as_str().into(), id: HrId(employment.id.clone()) },
        facts: Facts {
            reported_status: ReportedStatus::from_stored(&employment.reported_status),
            start: employment.start_date,
            last_day: employment.last_working_day,
            announced: employment.announced,
            contract_end: employment.contract_end,
            urgent: employment.urgent,
            off: employment.switched_off.as_ref().map(|off| Off { since: off.since, over: off.over }),
        },
        notice: employment.announced_at.map(|at| Notice { at, confirmed: employment.confirmed }),
        missing_since: employment.missing_since,
        account: employment.account.as_deref().map(|account| Box::new(convert::account(account))),
        state,
    }
}

fn employment_state(employment: &person::EmploymentState) -> EmploymentState {
    let left = match (employment.state, employment.effective, employment.seen) {
        (person::State::Terminated, Some(effective), Some(seen)) => Some(Box::new(Left {
            run: employment.run.clone(),
            baseline: employment.baseline,
            effective,
            seen,
            announced: employment.announced,
        })),
        _ => None,
    };
    EmploymentState {
        state: convert::state(employment.state),
        since: employment.since,
        last_day: employment.last_day,
        zone: employment.time_zone.clone(),
        why: Why::from_stored(&employment.why),
        left,
        out: out(employment),
        leaves_scope: employment.leaves_scope.as_deref().map(Out::from_stored),
    }
}

fn on_leave(leave: &person::OnLeave) -> OnLeave {
    let person::OnLeave { seen, run, baseline } = leave.clone();
    OnLeave { run, baseline, seen }
}

fn on_leave_shown(leave: OnLeave) -> person::OnLeave {
    let OnLeave { run, baseline, seen } = leave;
    person::OnLeave { seen, run, baseline }
}

/// Why they are out of scope. A state without a reason has one all the same: nobody comes into scope by a missing word.
fn out(employment: &person::EmploymentState) -> Option<Out> {
    let reason = employment.out_of_scope.as_deref().map(Out::from_stored);
    reason.or((employment.state == person::State::OutOfScope).then_some(Out::Other))
}

fn profile(profile: person::Profile) -> Profile {
    let person::Profile { display_name, work_email, employment_type, texts, manager } = profile;
    Profile { display_name, work_email, employment_type, texts, manager }
}

fn profile_shown(profile: Profile) -> person::Profile {
    let Profile { display_name, work_email, employment_type, texts, manager } = profile;
    person::Profile { display_name, work_email, employment_type, texts, manager }
}

/// What a Person shows of moves, as it is decided by.
#[must_use]
pub fn moves(moves: &person::Moves) -> Moves {
    let person::Moves { last, review, values } = moves.clone();
    Moves {
        last: last.map(|person::Moved { at, fields }| Moved { at, fields }),
        review: review.map(|person::Review { since, fields, due }| Review { since, fields, due }),
        values: Values::from_stored(&values),
    }
}

fn moves_shown(moves: Moves) -> person::Moves {
    let Moves { last, review, values } = moves;
    person::Moves {
        last: last.map(|Moved { at, fields }| person::Moved { at, fields }),
        review: review.map(|Review { since, fields, due }| person::Review { since, fields, due }),
        values: values.to_string(),
    }
}

/// Puts what the roster decided into a status, and gives what the spec keeps; access, salt and conditions stay as they are.
pub fn show(status: &mut PersonStatus, entry: RosterEntry) -> Option<Box<person::Profile>> {
    let RosterEntry { policy, employments, employment, leave, aliases, alias_dates, profile, once, moves } = entry;
    let several = employments.len() > 1;
    let differs = |one: &roster::Employment| several || !same_but_how_they_left(&one.state, &employment);
    status.policy = Some(policy);
    status.employments = employments
        .into_iter()
        .map(|one| (differs(&one), one))
        .map(|(own, one)| record_state_shown(one, own))
        .collect();
    status.employment = Some(employment_state_shown(employment));
    status.leave = leave.map(|leave| Box::new(on_leave_shown(*leave)));
    status.aliases = aliases;
    status.alias_dates = alias_dates.into_iter().map(alias_dates_shown).collect();
    status.profile = Some(profile_shown(profile));
    status.moves = moves.map(|moves| Box::new(moves_shown(*moves)));
    let once = once.map(|once| *once).unwrap_or_default();
    status.imported = once.fields.iter().map(ToString::to_string).collect();
    (once.profile != Profile::default()).then(|| Box::new(profile_shown(once.profile)))
}

/// Whether what follows for the person is what the one record says: not so where a human declared something, or another
/// connection might say otherwise.
fn same_but_how_they_left(one: &EmploymentState, other: &EmploymentState) -> bool {
    let told = |of: &EmploymentState| (of.state, of.why, of.last_day, of.out, of.leaves_scope, of.left.is_some());
    told(one) == told(other)
}

fn record_state_shown(employment: roster::Employment, apart: bool) -> Employment {
    let roster::Employment { record, facts, notice, missing_since, account, state } = employment;
    let Record { connection, id } = record_shown(&record);
    Employment {
        connection,
        id,
        reported_status: facts.reported_status.as_str().to_owned(),
        start_date: facts.start,
        last_working_day: facts.last_day,
        announced: facts.announced,
        contract_end: facts.contract_end,
        urgent: facts.urgent,
        switched_off: facts.off.map(|off| Box::new(person::SwitchedOff { since: off.since, over: off.over })),
        announced_at: notice.map(|notice| notice.at),
        confirmed: notice.is_some_and(|notice| notice.confirmed),
        missing_since,
        account: account.map(|known| Box::new(account_shown(&known))),
        by_itself: apart.then(|| Box::new(employment_state_shown(state))),
    }
}

fn employment_state_shown(employment: EmploymentState) -> person::EmploymentState {
    let message = employment.message();
    let EmploymentState { state, since, last_day, zone, why, left, out, leaves_scope } = employment;
    person::EmploymentState {
        state: shown(state),
        since,
        last_day,
        time_zone: zone,
        why: why.as_str().to_owned(),
        message,
        run: left.as_ref().and_then(|left| left.run.clone()),
        baseline: left.as_ref().is_some_and(|left| left.baseline),
        effective: left.as_ref().map(|left| left.effective),
        seen: left.as_ref().map(|left| left.seen),
        out_of_scope: out.map(|out| out.as_str().to_owned()),
        leaves_scope: leaves_scope.map(|out| out.as_str().to_owned()),
        announced: left.is_some_and(|left| left.announced),
    }
}

fn account_shown(known: &Known) -> person::Account {
    let fact = |fact| known.get(fact).map(|(value, since)| person::AccountFact { value: value.to_string(), since });
    person::Account {
        last_sign_in: fact(Fact::LastSignIn),
        mfa_enrolled: fact(Fact::MfaEnrolled),
        sso: fact(Fact::Sso),
    }
}

const fn shown(state: State) -> person::State {
    match state {
        State::PreHire => person::State::PreHire,
        State::Active => person::State::Active,
        State::Suspended => person::State::Suspended,
        State::Leave => person::State::Leave,
        State::Terminated => person::State::Terminated,
        State::OutOfScope => person::State::OutOfScope,
        State::Unknown => person::State::Unknown,
    }
}

/// Which people a policy manages.
///
/// # Errors
/// Why its expression cannot be used.
pub fn scope(scope: &policy::Scope) -> Result<Scope, Refused> {
    Scope::new(lists(&scope.include), lists(&scope.exclude), scope.expression.as_deref())
}

fn lists(lists: &policy::ScopeLists) -> Lists {
    let texts = [
        (Kind::LegalEntity, &lists.legal_entities),
        (Kind::Department, &lists.departments),
        (Kind::Team, &lists.teams),
        (Kind::Location, &lists.locations),
        (Kind::Person, &lists.people),
    ];
    let types = lists.employment_types.iter().map(|kind| kind.as_str());
    texts.into_iter().fold(Lists::default().of(Kind::EmploymentType, types), |all, (kind, values)| {
        all.of(kind, values.iter().map(String::as_str))
    })
}

/// Who is in scope as the policy shows it.
#[must_use]
pub fn scoped_shown(scoped: Scoped) -> policy::Scoped {
    let excluded = scoped.excluded.into_iter().map(|(out, people)| (out.as_str().to_owned(), people)).collect();
    policy::Scoped { included: scoped.included, excluded }
}

/// By what a policy matches records.
#[must_use]
pub fn matching(matching: &policy::Matching) -> Matching {
    let key = |key: &policy::MatchKey| match key {
        policy::MatchKey::WorkEmail => MatchKey::WorkEmail,
        policy::MatchKey::EmployeeNumber => MatchKey::EmployeeNumber,
    };
    Matching { keys: matching.keys.iter().map(key).collect(), number_space: matching.number_space.clone() }
}

/// Two Persons that may be one human, as the policy lists them.
#[must_use]
pub fn doubt_shown(doubt: &Doubt) -> policy::Doubt {
    policy::Doubt {
        people: doubt.people.iter().map(ToString::to_string).collect(),
        key: doubt.key.as_str().to_owned(),
        names_agree: doubt.names_agree,
    }
}

/// What a policy says of ends and gaps.
///
/// # Errors
/// The gap cannot be read.
pub fn terms(lifecycle: &policy::Lifecycle) -> Result<Terms, Unreadable> {
    let contract_end = match lifecycle.contract_end {
        policy::ContractEnd::Hold => ContractEnd::Hold,
        policy::ContractEnd::Terminate => ContractEnd::Terminate,
    };
    let bridged_days = quantity::days("spec.lifecycle.bridgeGap", &lifecycle.bridge_gap)?;
    let acts_on_leave = lifecycle.leave != policy::Leave::Keep;
    Ok(Terms { bridged_days, contract_end, off_days: None, acts_on_leave })
}

/// What a policy says of moves. `annotations` are those of the policy: what a human said of many moves at once.
///
/// # Errors
/// The time of reviews cannot be read.
pub fn move_terms(policy: &SyncPolicy, fields: &Modes) -> Result<MoveTerms, Unreadable> {
    let policy::Move { fields: named, then, due } = &policy.spec.lifecycle.moves;
    let due = quantity::duration("spec.lifecycle.move.due", due)?;
    let kept = |field: &MoveField| fields.of(&field.field()) == FieldMode::Continuous;
    let mut on = named.clone().unwrap_or_else(|| MoveField::USUAL.into_iter().filter(kept).collect());
    on.sort_unstable();
    on.dedup();
    let said = |name: &str| policy.metadata.annotations.as_ref()?.get(name).cloned();
    Ok(MoveTerms {
        on,
        review: (*then == policy::MoveThen::Review).then_some(due),
        accepted: said(names::ACCEPT_MOVES),
        ignored: said(names::IGNORE_MOVES),
    })
}

/// When a last day is over.
///
/// # Errors
/// It cannot be read.
pub fn day_end(termination: &policy::Termination) -> Result<DayEnd, Unreadable> {
    let Some(policy::Effective { at, after }) = &termination.effective else { return Ok(DayEnd::Midnight) };
    match (at, after) {
        (Some(at), _) => quantity::time("spec.lifecycle.termination.effective.at", at).map(DayEnd::At),
        (None, Some(after)) => {
            let after = quantity::duration("spec.lifecycle.termination.effective.after", after)?;
            Ok(DayEnd::After(after.min(SignedDuration::from_hours(24))))
        }
        (None, None) => Ok(DayEnd::Midnight),
    }
}

/// A policy's run as the roster counts it.
#[must_use]
pub fn run(run: &policy::Run) -> Run {
    let policy::Run { id, leavers, people, at, written } = run.clone();
    Run { id, leavers, people, at, written }
}

/// A run as the policy shows it.
#[must_use]
pub fn run_shown(run: Run) -> policy::Run {
    let Run { id, leavers, people, at, written } = run;
    policy::Run { id, leavers, people, at, written }
}

#[cfg(test)]
mod tests;
