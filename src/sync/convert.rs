//! Between Persons and the plain values of the roster. No decision is made here.

use crate::api::person::{self, Employment, PersonStatus, Record};
use crate::api::{Person, convert, policy};
use domain::employee::{HrId, ReportedStatus};
use domain::lifecycle::{Facts, State, Why};
use domain::roster::{self, EmploymentState, KnownPerson, Left, Notice, RosterEntry, Run, Scoped};
use domain::scope::{Kind, Lists, Out, Refused, Scope};

/// The record a Person is known by here: the first, if the Person bears the name minted from it. Any other Person was
/// made by somebody else, and is nobody.
#[must_use]
pub fn record<'a>(person: &'a Person, namespace: &str) -> Option<&'a Record> {
    let record = person.spec.records.first()?;
    let minted = roster::person_name(namespace, &record.connection, &HrId(record.id.clone()));
    (person.metadata.name.as_deref() == Some(&minted)).then_some(record)
}

/// A Person as the roster knows it.
#[must_use]
pub fn known(person: &Person, record: &Record) -> KnownPerson {
    let status = person.status.as_ref();
    KnownPerson { id: HrId(record.id.clone()), entry: status.and_then(entry), access: convert::access(person) }
}

/// What the names of the Revocations of a present termination begin with; none for somebody who has not left.
#[must_use]
pub fn termination_id(person_name: &str, employment: &person::EmploymentState) -> Option<String> {
    let left = employment.state == person::State::Terminated;
    left.then(|| roster::termination_id(person_name, employment.seen.unwrap_or(employment.since)))
}

fn entry(status: &PersonStatus) -> Option<RosterEntry> {
    let employment = status.employments.first()?;
    Some(RosterEntry {
        policy: status.policy.clone()?,
        facts: Facts {
            reported_status: ReportedStatus::from_stored(&employment.reported_status),
            start: employment.start_date,
            last_day: employment.last_working_day,
            announced: employment.announced,
        },
        notice: employment.announced_at.map(|at| Notice { at, confirmed: employment.confirmed }),
        missing_since: employment.missing_since,
        employment: employment_state(status.employment.as_ref()?),
        aliases: status.aliases.clone(),
        profile: status.profile.clone().map(profile).unwrap_or_default(),
    })
}

fn employment_state(employment: &person::EmploymentState) -> EmploymentState {
    let left = match (employment.state, employment.effective, employment.seen) {
        (person::State::Terminated, Some(effective), Some(seen)) => Some(Left {
            run: employment.run.clone(),
            baseline: employment.baseline,
            effective,
            seen,
            announced: employment.announced,
        }),
        _ => None,
    };
    EmploymentState {
        state: state(employment.state),
        since: employment.since,
        last_day: employment.last_day,
        zone: employment.time_zone.clone(),
        why: Why::from_stored(&employment.why),
        left,
        out: out(employment),
        leaves_scope: employment.leaves_scope.as_deref().map(Out::from_stored),
    }
}

/// Why they are out of scope. A state without a reason has one all the same: nobody comes into scope by a missing word.
fn out(employment: &person::EmploymentState) -> Option<Out> {
    let reason = employment.out_of_scope.as_deref().map(Out::from_stored);
    reason.or((employment.state == person::State::OutOfScope).then_some(Out::Other))
}

fn profile(profile: person::Profile) -> roster::Profile {
    let person::Profile { display_name, work_email, texts, manager } = profile;
    roster::Profile { display_name, work_email, texts, manager }
}

/// Puts what the roster decided into a status; access, salt and conditions stay as they are.
pub fn show(status: &mut PersonStatus, entry: RosterEntry, record: &Record) {
    let RosterEntry { policy, facts, notice, missing_since, employment, aliases, profile } = entry;
    let message = employment.message();
    let EmploymentState { state, since, last_day, zone, why, left, out, leaves_scope } = employment;
    let roster::Profile { display_name, work_email, texts, manager } = profile;
    status.policy = Some(policy);
    status.employments = vec![Employment {
        connection: record.connection.clone(),
        id: record.id.clone(),
        reported_status: facts.reported_status.as_str().to_owned(),
        start_date: facts.start,
        last_working_day: facts.last_day,
        announced: facts.announced,
        announced_at: notice.map(|notice| notice.at),
        confirmed: notice.is_some_and(|notice| notice.confirmed),
        missing_since,
    }];
    status.employment = Some(person::EmploymentState {
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
    });
    status.aliases = aliases;
    status.profile = Some(person::Profile { display_name, work_email, texts, manager });
}

const fn state(state: person::State) -> State {
    match state {
        person::State::PreHire => State::PreHire,
        person::State::Active => State::Active,
        person::State::Suspended => State::Suspended,
        person::State::Leave => State::Leave,
        person::State::Terminated => State::Terminated,
        person::State::OutOfScope => State::OutOfScope,
        person::State::Unknown => State::Unknown,
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
mod tests {
    use domain::roster::Access;

    use super::*;
    use domain::employee::{Status, Text, Texts};

    fn record_of(id: &str) -> Record {
        Record { connection: "hq".into(), id: id.into() }
    }

    fn entry_of(state: State, left: Option<Left>) -> RosterEntry {
        let day = |text: &str| text.parse().ok();
        RosterEntry {
            policy: "everyone".into(),
            facts: Facts {
                reported_status: ReportedStatus::Mapped(Status::Terminated),
                start: day("2020-01-01"),
                last_day: day("2026-03-01"),
                announced: day("2026-03-01"),
            },
            notice: Some(Notice { at: jiff::Timestamp::UNIX_EPOCH, confirmed: true }),
            missing_since: Some(jiff::Timestamp::UNIX_EPOCH),
            employment: EmploymentState {
                state,
                since: jiff::Timestamp::UNIX_EPOCH,
                last_day: day("2026-03-01"),
                zone: "Europe/Madrid".into(),
                why: Why::LastDayPassed,
                leaves_scope: left.as_ref().map(|_| Out::NotIncluded(Kind::Department)),
                left,
                out: (state == State::OutOfScope).then_some(Out::Unknown(Kind::Team)),
            },
            aliases: vec!["email:7@example.com".into()],
            profile: roster::Profile {
                texts: Texts::default().with(Text::Title, "Clerk"),
                ..roster::Profile::default()
            },
        }
    }

    #[test]
    fn what_is_shown_is_read_back_as_it_was() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let left = Left { run: Some("r-1".into()), baseline: true, effective: now, seen: now, announced: true };
        for (state, left) in [
            (State::Terminated, Some(left)),
            (State::Active, None),
            (State::PreHire, None),
            (State::OutOfScope, None),
            (State::Unknown, None),
        ] {
            let expected = entry_of(state, left);
            let mut person = Person::new("p-1", person::PersonSpec { records: vec![record_of("7")], hold: None });
            let mut status = PersonStatus::default();
            show(&mut status, expected.clone(), &record_of("7"));
            person.status = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
            assert!(known(&person, &record_of("7")).entry == Some(expected), "{state:?}");
        }
    }

    #[test]
    fn nobody_comes_into_scope_by_a_word_that_is_missing_or_not_known() {
        for (word, expected) in
            [(None, Out::Other), (Some("phaseOfTheMoon"), Out::Other), (Some("teamUnknown"), Out::Unknown(Kind::Team))]
        {
            let mut status = PersonStatus::default();
            show(&mut status, entry_of(State::OutOfScope, None), &record_of("7"));
            let mut shown = status.employment.unwrap();
            shown.out_of_scope = word.map(str::to_owned);
            assert_eq!(employment_state(&shown).out, Some(expected), "{word:?}");
        }
    }

    #[test]
    fn a_reason_that_is_not_known_is_no_reason_to_act_and_its_message_is_for_reading_alone() {
        let mut status = PersonStatus::default();
        show(&mut status, entry_of(State::Active, None), &record_of("7"));
        let shown = status.employment.unwrap();
        assert_eq!((shown.why.as_str(), shown.message.as_str()), ("LastDayPassed", "the last day has passed"));
        let reworded = person::EmploymentState { message: "left on their last day".into(), ..shown.clone() };
        assert_eq!(employment_state(&reworded), employment_state(&shown));
        let unknown = person::EmploymentState { why: "the last day has passed".into(), ..shown };
        assert_eq!(employment_state(&unknown).why, Why::Other);
    }

    #[test]
    fn every_list_of_a_policy_filters_by_what_it_is_of() {
        use domain::employee::{Employee, EmploymentType};
        use domain::scope;

        let texts = Texts::default()
            .with(Text::LegalEntity, "a")
            .with(Text::Department, "b")
            .with(Text::Team, "c")
            .with(Text::Location, "d");
        let ada = Employee {
            employment_type: Some(EmploymentType::Intern),
            texts,
            ..Employee::new(HrId("7".into()), String::new(), String::new(), ReportedStatus::Silent)
        };
        let cases = [
            ("legalEntities", "a", "legalEntityExcluded"),
            ("employmentTypes", "Intern", "employmentTypeExcluded"),
            ("departments", "b", "departmentExcluded"),
            ("teams", "c", "teamExcluded"),
            ("locations", "d", "locationExcluded"),
            ("people", "7", "personExcluded"),
        ];
        for (list, value, expected) in cases {
            let known = scope::ScopeSubject { connection: "hq", person: "p-1", state: State::Active };
            let out = |lists: &str| {
                let written = serde_json::json!({lists: {list: [value]}});
                super::scope(&serde_json::from_value(written).unwrap()).unwrap().out(&ada, &known).map(Out::as_str)
            };
            assert_eq!((out("include"), out("exclude")), (None, Some(expected)), "{list}");
        }
    }

    #[test]
    fn only_the_revocations_of_the_present_termination_say_how_far_it_has_come() {
        let seen = jiff::Timestamp::UNIX_EPOCH;
        let (now, before) = (seen, seen - jiff::SignedDuration::from_hours(1));
        let left =
            |seen| Some(Left { run: Some("r-1".into()), baseline: false, effective: seen, seen, announced: false });
        let cases = [
            ("refused", State::Terminated, left(now), "Revoked", now, Access::Refused),
            ("the revoker has it", State::Terminated, left(now), "Released", now, Access::Ending),
            ("held", State::Terminated, left(now), "Held", now, Access::Stands),
            ("failed", State::Terminated, left(now), "Failed", now, Access::Stands),
            ("left again, refused the last time", State::Terminated, left(now), "Revoked", before, Access::Stands),
            ("left again, half done the last time", State::Terminated, left(now), "Released", before, Access::Stands),
            ("works here again", State::Active, None, "Revoked", now, Access::Stands),
        ];
        for (what, state, left, phase, seen, expected) in cases {
            let mut person = Person::new("p-1", person::PersonSpec { records: vec![record_of("7")], hold: None });
            let mut status = PersonStatus::default();
            show(&mut status, entry_of(state, left), &record_of("7"));
            status.access = Some(person::Access {
                state: phase.into(),
                revocation: format!("{}-cut", roster::termination_id("p-1", seen)),
                waits_for: None,
                next_action_at: None,
                remaining: 0,
            });
            person.status = Some(status);
            assert_eq!(known(&person, &record_of("7")).access, expected, "{what}");
        }
    }

    #[test]
    fn a_person_of_another_name_than_its_record_mints_is_nobody() {
        let minted = roster::person_name("rollcall", "hq", &HrId("7".into()));
        for (name, expected) in [(minted.as_str(), true), ("p-7", false)] {
            let person = Person::new(name, person::PersonSpec { records: vec![record_of("7")], hold: None });
            assert_eq!(record(&person, "rollcall").is_some(), expected, "{name}");
        }
    }
}
