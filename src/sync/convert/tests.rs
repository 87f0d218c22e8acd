use domain::roster::Access;

use super::*;
use domain::employee::{Status, Text, Texts};

fn record_of(id: &str) -> Record {
    Record { connection: "hq".into(), id: id.into() }
}

fn entry_of(state: State, left: Option<Box<Left>>) -> RosterEntry {
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
            contract_end: day("2027-03-01"),
            urgent: true,
            off: Some(Off { since: jiff::civil::date(2026, 3, 1), over: true }),
        },
        notice: Some(Notice { at: jiff::Timestamp::UNIX_EPOCH, confirmed: true }),
        missing_since: Some(jiff::Timestamp::UNIX_EPOCH),
        account: Some(Box::new(
            Known::default()
                .with(Fact::LastSignIn, (domain::account::Value::Never, jiff::Timestamp::UNIX_EPOCH))
                .with(Fact::Sso, (domain::account::Value::No, jiff::Timestamp::UNIX_EPOCH)),
        )),
        state: alone,
    };
    RosterEntry {
        policy: "everyone".into(),
        employments: vec![one],
        employment,
        leave: Some(Box::new(OnLeave { run: Some("r-2".into()), baseline: true, seen: jiff::Timestamp::UNIX_EPOCH })),
        aliases: vec!["email:7@example.com".into()],
        alias_dates: vec![AliasDates {
            alias: "email:7@example.com".into(),
            since: Some(jiff::Timestamp::UNIX_EPOCH),
            until: None,
            disputed: true,
        }],
        profile: Profile { texts: Texts::default().with(Text::Title, "Clerk"), ..Profile::default() },
        once: Some(Box::new(Imported {
            fields: [ProfileField::Text(Text::Phone), ProfileField::DisplayName].into(),
            profile: Profile { texts: Texts::default().with(Text::Phone, "1"), ..Profile::default() },
        })),
        moves: Some(Box::new(Moves {
            last: Some(Moved { at: jiff::Timestamp::UNIX_EPOCH, fields: vec![MoveField::Title] }),
            review: Some(Review {
                since: jiff::Timestamp::UNIX_EPOCH,
                fields: MoveField::ALL.into(),
                due: jiff::Timestamp::UNIX_EPOCH,
            }),
            values: Values::from_stored("d:abcdefgh"),
        })),
    }
}

#[test]
fn what_is_shown_is_read_back_as_it_was() {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let left = Left { run: Some("r-1".into()), baseline: true, effective: now, seen: now, announced: true };
    for (state, left) in [
        (State::Terminated, Some(Box::new(left))),
        (State::Active, None),
        (State::PreHire, None),
        (State::OutOfScope, None),
        (State::Unknown, None),
    ] {
        let expected = entry_of(state, left);
        let mut person = Person::new("p-1", person::PersonSpec::of(vec![record_of("7")], None));
        let mut status = PersonStatus::default();
        person.spec.profile = show(&mut status, expected.clone());
        person.status = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        assert!(known(&person).entry.as_deref() == Some(&expected), "{state:?}");
    }
}

#[test]
fn what_a_human_declared_is_not_taken_for_what_the_record_says() {
    let mut expected = entry_of(State::Active, None);
    (expected.employment.state, expected.employment.why) = (State::Terminated, Why::Declared);
    let at = jiff::Timestamp::UNIX_EPOCH;
    expected.employment.left =
        Some(Box::new(Left { run: None, baseline: false, effective: at, seen: at, announced: false }));
    let mut person = Person::new("p-1", person::PersonSpec::of(vec![record_of("7")], None));
    let mut status = PersonStatus::default();
    person.spec.profile = show(&mut status, expected.clone());
    person.status = Some(status);
    assert!(known(&person).entry.as_deref() == Some(&expected), "else the word would outlive itself");
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
    let left = |seen| {
        Some(Box::new(Left { run: Some("r-1".into()), baseline: false, effective: seen, seen, announced: false }))
    };
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
        let mut person = Person::new("p-1", person::PersonSpec::of(vec![record_of("7")], None));
        let mut status = PersonStatus::default();
        show(&mut status, entry_of(state, left));
        status.access = Some(Box::new(person::Access {
            state: phase.into(),
            revocation: format!("{}-cut", roster::termination_id("p-1", seen)),
            waits_for: None,
            next_action_at: None,
            remaining: 0,
        }));
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
    let mut person = Person::new("p-1", person::PersonSpec::of(records, profile));
    person.status = Some(status);
    assert!(known(&person).entry.as_deref() == Some(&expected));
}

#[test]
fn a_word_that_somebody_stays_counts_for_ninety_days_from_when_it_was_said_and_not_without_that() {
    let word = |more: serde_json::Value| {
        let mut said = serde_json::json!({"reason": "late", "until": "2026-12-31T00:00:00Z", "by": "hr"});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let Declared { says, from, until, .. } = declared(&serde_json::from_value(said).unwrap());
        (says, from, until)
    };
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let (year_end, never) = (at("2026-12-31T00:00:00Z"), jiff::Timestamp::MIN);
    let stays = serde_json::json!({"state": "Active", "at": "2026-03-01T00:00:00Z"});
    assert_eq!(word(stays), (Says::Active, at("2026-03-01T00:00:00Z"), at("2026-05-30T00:00:00Z")));
    assert_eq!(word(serde_json::json!({"state": "Leave"})), (Says::Leave, never, never));
    assert_eq!(word(serde_json::json!({})), (Says::Leaves, never, year_end));
}
