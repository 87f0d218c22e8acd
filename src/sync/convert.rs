//! Between Persons and the plain values of the roster. No decision is made here.

use crate::api::person::{self, Employment, PersonStatus, Record};
use crate::api::{Person, convert, policy};
use domain::employee::{HrId, ReportedStatus};
use domain::lifecycle::{Facts, State, Why};
use domain::profile::{Imported, Profile, ProfileField};
use domain::roster::{self, EmploymentState, KnownPerson, Left, Notice, RecordKey, RosterEntry, Run, Scoped};
use domain::scope::{Kind, Lists, Out, Refused, Scope};
use kube::ResourceExt;

/// A Person as the roster knows it.
#[must_use]
pub fn known(person: &Person) -> KnownPerson {
    KnownPerson {
        name: person.name_any(),
        records: person.spec.records.iter().map(key).collect(),
        entry: person.status.as_ref().and_then(|status| entry(status, person.spec.profile.as_ref())),
        access: convert::access(person),
    }
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
        policy: status.policy.clone().filter(|_| !employments.is_empty())?,
        employments,
        employment: employment_state(together),
        aliases: status.aliases.clone(),
        profile: status.profile.clone().map(profile).unwrap_or_default(),
        once: Imported {
            fields: status.imported.iter().filter_map(|name| ProfileField::named(name)).collect(),
            profile: once.cloned().map(profile).unwrap_or_default(),
        },
    })
}

/// What a record says; where it is the only one, what follows for the person follows from it alone.
fn of_record(employment: &Employment, together: &person::EmploymentState) -> roster::Employment {
    let mut state = employment_state(employment.by_itself.as_ref().unwrap_or(together));
    state.left.iter_mut().for_each(|left| left.run = None);
    roster::Employment {
        record: RecordKey { connection: employment.connection.as_str().into(), id: HrId(employment.id.clone()) },
        facts: Facts {
            reported_status: ReportedStatus::from_stored(&employment.reported_status),
            start: employment.start_date,
            last_day: employment.last_working_day,
            announced: employment.announced,
        },
        notice: employment.announced_at.map(|at| Notice { at, confirmed: employment.confirmed }),
        missing_since: employment.missing_since,
        state,
    }
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

fn profile(profile: person::Profile) -> Profile {
    let person::Profile { display_name, work_email, employment_type, texts, manager } = profile;
    Profile { display_name, work_email, employment_type, texts, manager }
}

fn profile_shown(profile: Profile) -> person::Profile {
    let Profile { display_name, work_email, employment_type, texts, manager } = profile;
    person::Profile { display_name, work_email, employment_type, texts, manager }
}

/// Puts what the roster decided into a status, and gives what the spec keeps; access, salt and conditions stay as they are.
pub fn show(status: &mut PersonStatus, entry: RosterEntry) -> Option<person::Profile> {
    let RosterEntry { policy, employments, employment, aliases, profile, once } = entry;
    let several = employments.len() > 1;
    status.policy = Some(policy);
    status.employments = employments.into_iter().map(|employment| record_state_shown(employment, several)).collect();
    status.employment = Some(employment_state_shown(employment));
    status.aliases = aliases;
    status.profile = Some(profile_shown(profile));
    status.imported = once.fields.iter().map(ToString::to_string).collect();
    (once.profile != Profile::default()).then(|| profile_shown(once.profile))
}

fn record_state_shown(employment: roster::Employment, several: bool) -> Employment {
    let roster::Employment { record, facts, notice, missing_since, state } = employment;
    let Record { connection, id } = record_shown(&record);
    Employment {
        connection,
        id,
        reported_status: facts.reported_status.as_str().to_owned(),
        start_date: facts.start,
        last_working_day: facts.last_day,
        announced: facts.announced,
        announced_at: notice.map(|notice| notice.at),
        confirmed: notice.is_some_and(|notice| notice.confirmed),
        missing_since,
        by_itself: several.then(|| employment_state_shown(state)),
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
        let employment = EmploymentState {
            state,
            since: jiff::Timestamp::UNIX_EPOCH,
            last_day: day("2026-03-01"),
            zone: "Europe/Madrid".into(),
            why: Why::LastDayPassed,
            leaves_scope: left.as_ref().map(|_| Out::NotIncluded(Kind::Department)),
            left,
            out: (state == State::OutOfScope).then_some(Out::Unknown(Kind::Team)),
        };
        let mut alone = employment.clone();
        alone.left.iter_mut().for_each(|left| left.run = None);
        let one = roster::Employment {
            record: key(&record_of("7")),
            facts: Facts {
                reported_status: ReportedStatus::Mapped(Status::Terminated),
                start: day("2020-01-01"),
                last_day: day("2026-03-01"),
                announced: day("2026-03-01"),
            },
            notice: Some(Notice { at: jiff::Timestamp::UNIX_EPOCH, confirmed: true }),
            missing_since: Some(jiff::Timestamp::UNIX_EPOCH),
            state: alone,
        };
        RosterEntry {
            policy: "everyone".into(),
            employments: vec![one],
            employment,
            aliases: vec!["email:7@example.com".into()],
            profile: Profile { texts: Texts::default().with(Text::Title, "Clerk"), ..Profile::default() },
            once: Imported {
                fields: [ProfileField::Text(Text::Phone), ProfileField::DisplayName].into(),
                profile: Profile { texts: Texts::default().with(Text::Phone, "1"), ..Profile::default() },
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
            let mut person =
                Person::new("p-1", person::PersonSpec { records: vec![record_of("7")], hold: None, profile: None });
            let mut status = PersonStatus::default();
            person.spec.profile = show(&mut status, expected.clone());
            person.status = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
            assert!(known(&person).entry == Some(expected), "{state:?}");
        }
    }

    #[test]
    fn nobody_comes_into_scope_by_a_word_that_is_missing_or_not_known() {
        for (word, expected) in
            [(None, Out::Other), (Some("phaseOfTheMoon"), Out::Other), (Some("teamUnknown"), Out::Unknown(Kind::Team))]
        {
            let mut status = PersonStatus::default();
            show(&mut status, entry_of(State::OutOfScope, None));
            let mut shown = status.employment.unwrap();
            shown.out_of_scope = word.map(str::to_owned);
            assert_eq!(employment_state(&shown).out, Some(expected), "{word:?}");
        }
    }

    #[test]
    fn a_reason_that_is_not_known_is_no_reason_to_act_and_its_message_is_for_reading_alone() {
        let mut status = PersonStatus::default();
        show(&mut status, entry_of(State::Active, None));
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
            let mut person =
                Person::new("p-1", person::PersonSpec { records: vec![record_of("7")], hold: None, profile: None });
            let mut status = PersonStatus::default();
            show(&mut status, entry_of(state, left));
            status.access = Some(person::Access {
                state: phase.into(),
                revocation: format!("{}-cut", roster::termination_id("p-1", seen)),
                waits_for: None,
                next_action_at: None,
                remaining: 0,
            });
            person.status = Some(status);
            assert_eq!(known(&person).access, expected, "{what}");
        }
    }

    #[test]
    fn what_each_record_says_is_shown_where_there_are_several() {
        let mut expected = entry_of(State::Active, None);
        let ended = entry_of(State::Terminated, None).employments.remove(0);
        let other = RecordKey { connection: "contractors".into(), id: HrId("c7".into()) };
        expected.employments.push(roster::Employment { record: other, ..ended });
        let mut status = PersonStatus::default();
        let profile = show(&mut status, expected.clone());
        let own: Vec<_> = status.employments.iter().map(|one| one.by_itself.as_ref().map(|own| own.state)).collect();
        assert_eq!(own, [Some(person::State::Active), Some(person::State::Terminated)]);
        let records = vec![record_of("7"), Record { connection: "contractors".into(), id: "c7".into() }];
        let mut person = Person::new("p-1", person::PersonSpec { records, hold: None, profile });
        person.status = Some(status);
        assert!(known(&person).entry == Some(expected));
    }
}
