mod shared;

use std::collections::BTreeSet;

use super::*;
use crate::api::SyncPolicy;
use crate::api::condition::Reason;
use domain::employee::{Employee, HrId, Read, ReportedStatus, Status, Text};
use domain::trust::{Bounds, Memory, PollContext, judge};

fn noon() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn employee(id: &str, status: Status) -> Employee {
    Employee::new(HrId(id.into()), format!("Name {id}"), format!("{id}@example.com"), ReportedStatus::Mapped(status))
}

fn believed(employees: Vec<Employee>) -> Arc<Snapshot> {
    let read = Read { employees, ..Read::default() };
    let bounds = Bounds::default();
    let asked = PollContext { source: "source-1", remembered: false, accepted: None, known_people: &[] };
    Arc::new(judge(read, &Memory::fresh(&[7; 32]), &asked, &bounds, noon()).unwrap().snapshot)
}

fn settings(scope: &serde_json::Value) -> Settings {
    let policy: SyncPolicy = serde_json::from_value(serde_json::json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone"},
        "spec": {"connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"},
            "identity": {"usernames": ["'oidc:' + person.workEmail"]}, "scope": scope},
    }))
    .unwrap();
    Settings::of(&policy, &[]).unwrap()
}

/// A cluster in memory.
struct Cluster(GateInputs);

impl Cluster {
    fn of(employees: Vec<Employee>) -> Self {
        let mut cluster = Self(GateInputs {
            namespace: "rollcall".into(),
            policy: "everyone".into(),
            policy_uid: "uid-1".into(),
            runs: vec![],
            baselines: BTreeMap::from([("hq".to_owned(), Baseline::Settled)]),
            stale: false,
            most_people: 10_000,
            settings: settings(&serde_json::json!({})),
            rivals: vec![],
            people: vec![],
            revocations: vec![],
            snapshots: vec![("hq".to_owned(), believed(employees))],
            owners: None,
            retention: None,
            fields: None,
        });
        cluster.pass();
        cluster
    }

    fn answer(&mut self, employees: Vec<Employee>) {
        self.0.snapshots = vec![("hq".to_owned(), believed(employees))];
    }

    fn pass(&mut self) -> Decision {
        let decision = decide(&self.0, noon());
        self.0.runs.clone_from(&decision.runs);
        self.0.runs.iter_mut().for_each(|run| run.written = true);
        self.0.fields = Some(decision.tally.fields.shown.clone());
        for write in decision.others.iter().chain(&decision.leavers).chain(&decision.rest) {
            let spec = crate::api::person::PersonSpec::of(write.records.clone(), None);
            let mut person = write.current.as_deref().cloned().unwrap_or_else(|| Person::new(&write.name, spec));
            person.metadata.uid = Some(format!("uid-{}", write.records[0].id));
            person.status = Some((*write.status).clone());
            person.spec.profile.clone_from(&write.profile);
            self.0.people.retain(|other| other.metadata.name.as_deref() != Some(&write.name));
            self.0.people.push(Arc::new(person));
        }
        decision
    }

    fn revocation(&mut self, id: &str, uid: &str) {
        let person = roster::person_name("rollcall", "hq", &HrId(id.into()));
        let revocation = serde_json::from_value(serde_json::json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": format!("{person}-cut")},
            "spec": {"person": person, "personUid": uid, "policy": "everyone", "trigger": "Termination",
                "operation": "Cut", "due": noon(), "reason": "terminated"},
        }));
        self.0.revocations = vec![Arc::new(revocation.unwrap())];
    }
}

fn ids(writes: &[Write]) -> Vec<&str> {
    writes.iter().map(|write| write.records[0].id.as_str()).collect()
}

#[test]
fn nothing_changed_nothing_written() {
    let mut cluster = Cluster::of(vec![employee("1", Status::Active), employee("2", Status::Terminated)]);
    cluster.revocation("2", "uid-2");
    cluster.pass();
    let again = cluster.pass();
    assert!(ids(&again.leavers).is_empty() && ids(&again.rest).is_empty());
    cluster.0.snapshots.clear();
    let restarted = cluster.pass();
    assert!(ids(&restarted.rest).is_empty(), "also after a start, before a response");
}

#[test]
fn a_leaver_whose_names_have_gone_is_not_written_again_although_hr_lists_them() {
    let listed = || vec![employee("1", Status::Active), employee("2", Status::Terminated)];
    let mut cluster = Cluster::of(listed());
    let person = roster::person_name("rollcall", "hq", &HrId("2".into()));
    let cut = serde_json::from_value(serde_json::json!({
        "metadata": {"name": format!("{}-cut", roster::termination_id(&person, noon()))},
        "spec": {"person": person, "personUid": "uid-2", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": noon(), "reason": "terminated"},
        "status": {"phase": "Revoked", "acted": noon(), "confirmed": noon()},
    }));
    cluster.0.revocations = vec![Arc::new(cut.unwrap())];
    cluster.pass();
    cluster.0.retention = Some(jiff::SignedDuration::ZERO);
    assert!(ids(&cluster.pass().rest).is_empty(), "who owns anything is not known");
    cluster.0.owners = Some(Arc::default());
    let first = cluster.pass();
    assert_eq!(ids(&first.rest), ["2"]);
    let kept = &first.rest[0].status;
    assert!(kept.profile.as_ref().unwrap().display_name.is_none() && !kept.aliases.is_empty());
    assert!(ids(&cluster.pass().rest).is_empty(), "nothing is written again");
    cluster.0.revocations.clear();
    let last = cluster.pass();
    assert!(last.rest[0].status.aliases.is_empty() && last.rest[0].status.profile.is_none());
    assert!(ids(&cluster.pass().rest).is_empty(), "nor after that");
    cluster.answer(vec![employee("1", Status::Active), employee("2", Status::Active)]);
    let back = cluster.pass();
    assert!(back.rest[0].status.profile.is_some(), "who works here again has a name again");
}

#[test]
fn who_is_first_seen_as_a_leaver_gets_a_person_also_where_all_they_own_is_a_secret() {
    let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
    cluster.answer(vec![
        employee("1", Status::Active),
        employee("8", Status::Terminated),
        employee("9", Status::Terminated),
    ]);
    let holders = [domain::marks::digest("id:hq/9")].into();
    cluster.0.owners = Some(Arc::new(Owners { holders, ..Owners::default() }));
    let decision = cluster.pass();
    let mut written = ids(&decision.leavers);
    written.extend(ids(&decision.rest));
    assert_eq!(written, ["9"]);
}

#[test]
fn leavers_go_first_and_carry_the_run_that_counts_them() {
    let mut cluster = Cluster::of(["1", "2", "3"].map(|id| employee(id, Status::Active)).into());
    let mut moved = employee("3", Status::Active);
    moved.texts.set(Text::Department, Some("Sales".into()));
    cluster.answer(vec![employee("1", Status::Terminated), employee("2", Status::Terminated), moved]);
    let decision = cluster.pass();
    assert_eq!((ids(&decision.leavers), ids(&decision.rest)), (vec!["2", "1"], vec!["3"]));
    assert_eq!(decision.runs.iter().map(|run| (run.leavers, run.written)).collect::<Vec<_>>(), [(2, false)]);
    let carried: BTreeSet<_> =
        decision.leavers.iter().map(|w| w.status.employment.as_ref().unwrap().run.clone()).collect();
    assert_eq!(carried, BTreeSet::from([Some(decision.runs[0].id.clone())]));
}

#[test]
fn the_next_record_of_a_leavers_human_is_written_before_the_leaver_also_where_nobody_else_is_added() {
    for most_people in [10_000, 2] {
        let mut cluster = Cluster::of(["1", "2", "3"].map(|id| employee(id, Status::Active)).into());
        cluster.0.most_people = most_people;
        let mut next = employee("101", Status::Active);
        next.work_email = "1@Example.com".into();
        let others = [employee("2", Status::Active), employee("3", Status::Active), employee("4", Status::Active)];
        cluster.answer([vec![employee("1", Status::Terminated), next], others.into()].concat());
        let decision = cluster.pass();
        assert_eq!((ids(&decision.others), ids(&decision.leavers)), (vec!["101"], vec!["1"]), "{most_people}");
        assert_eq!(ids(&decision.rest), if most_people == 2 { vec![] } else { vec!["4"] }, "{most_people}");
    }
}

#[test]
fn only_a_revocation_of_exactly_this_person_is_mirrored() {
    for (uid, expected) in [("uid-1", vec!["1"]), ("uid-of-a-person-deleted-since", vec![])] {
        let mut cluster = Cluster::of(vec![employee("1", Status::Active), employee("2", Status::Active)]);
        cluster.revocation("1", uid);
        let decision = cluster.pass();
        assert_eq!(ids(&decision.rest), expected, "{uid}");
        let shown = decision.rest.iter().map(|write| write.status.access.as_ref().map(|access| access.state.as_str()));
        assert_eq!(shown.collect::<Vec<_>>(), vec![Some("Held"); expected.len()]);
    }
}

#[test]
fn what_a_mirror_writes_keeps_everything_else() {
    let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
    let before = cluster.0.people[0].status.clone().unwrap();
    cluster.revocation("1", "uid-1");
    let mut after = cluster.pass().rest.remove(0).status;
    after.access = None;
    assert_eq!(*after, before);
}

#[test]
fn persons_of_other_connections_are_left_alone_and_of_two_that_link_one_record_the_older_has_it() {
    let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
    for (name, connection) in [("p-again", "hq"), ("p-other", "okta")] {
        let person = serde_json::json!({
            "metadata": {"name": name, "creationTimestamp": "2026-03-09T12:00:00Z"},
            "spec": {"records": [{"connection": connection, "id": "1"}]},
        });
        cluster.0.people.push(Arc::new(serde_json::from_value(person).unwrap()));
    }
    let decision = cluster.pass();
    assert!(ids(&decision.rest).is_empty());
    assert_eq!(decision.tally.states, BTreeMap::from([("Active".to_owned(), 1)]));
}

#[test]
fn a_person_is_managed_by_the_policy_of_the_first_record_that_any_policy_reads() {
    for (elsewhere, records, expected) in [
        (vec![], ["hq", "okta"], true),
        (vec![], ["gone", "hq"], true),
        (vec!["okta"], ["hq", "okta"], true),
        (vec!["okta"], ["okta", "hq"], false),
        (vec![], ["gone", "okta"], false),
    ] {
        let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
        cluster.0.settings.elsewhere = elsewhere.iter().map(ToString::to_string).collect();
        let records = records.map(|connection| serde_json::json!({"connection": connection, "id": "1"}));
        let person = serde_json::json!({"metadata": {"name": "p-1"}, "spec": {"records": records}});
        cluster.0.people = vec![Arc::new(serde_json::from_value(person).unwrap())];
        let ours = divide(&cluster.0, noon()).ours;
        assert_eq!(!ours.is_empty(), expected, "{elsewhere:?} {records:?}");
    }
}

#[test]
fn a_person_deleted_is_made_again_by_the_next_answer_that_names_them_and_by_nothing_else() {
    let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
    cluster.0.people.clear();
    let answer = std::mem::take(&mut cluster.0.snapshots);
    assert!(ids(&cluster.pass().rest).is_empty());
    cluster.0.snapshots = answer;
    assert_eq!(ids(&cluster.pass().rest), ["1"]);
}

#[test]
fn news_hold_ids_only_and_a_baselines_leavers_are_none() {
    for (baseline, expected) in [(Baseline::Settled, vec![Reason::Terminated]), (Baseline::Now, vec![])] {
        let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
        cluster.0.baselines.insert("hq".to_owned(), baseline);
        cluster.answer(vec![employee("1", Status::Terminated)]);
        let news = cluster.pass().news;
        assert_eq!(news.iter().map(|news| news.reason).collect::<Vec<_>>(), expected);
        assert!(
            news.iter()
                .all(|news| news.note.contains("hq/1") && !news.note.contains("@") && !news.note.contains("Name"))
        );
    }
}

#[test]
fn who_goes_out_of_scope_or_comes_into_it_is_news_and_whom_an_edit_moves_is_counted() {
    let of = |department: &str, id, status| employee(id, status).with(Text::Department, department);
    for (baseline, said) in [(Baseline::Settled, true), (Baseline::Now, false)] {
        let mut cluster = Cluster::of(["1", "2"].map(|id| employee(id, Status::Active)).into());
        cluster.0.settings = settings(&serde_json::json!({"exclude": {"departments": ["Sales"]}}));
        cluster.0.baselines.insert("hq".to_owned(), baseline);
        cluster.answer(vec![of("Sales", "1", Status::Active), of("Support", "2", Status::Active)]);
        let out = cluster.pass();
        cluster.0.settings = settings(&serde_json::json!({}));
        cluster.answer(vec![of("Sales", "1", Status::Terminated), of("Support", "2", Status::Active)]);
        let into = cluster.pass();
        let notes = [&out, &into]
            .map(|pass| pass.news.iter().map(|news| (news.reason, news.note.as_str())).collect::<Vec<_>>());
        let expected = [
            (
                Reason::OutOfScope,
                "HR record hq/1 is out of scope: the department is among spec.scope.exclude.departments; the record says: active, no last day. This ends nobody's access.",
            ),
            (Reason::InScope, "HR record hq/1 is in scope again, and has left: its Revocation needs approval."),
        ];
        assert_eq!(notes, if said { expected.map(|one| vec![one]) } else { [vec![], vec![]] });
        let crossed = |of: &Decision| of.tally.crossed.iter().map(|(_, out)| *out).collect::<Vec<_>>();
        assert_eq!((crossed(&out), crossed(&into)), (vec![true], vec![false]));
    }
}

#[test]
fn too_many_people_add_nobody_and_those_who_stand_go_on() {
    let mut cluster = Cluster::of(["1", "2"].map(|id| employee(id, Status::Active)).into());
    let all = |first| vec![employee("1", first), employee("2", Status::Active)];
    let with = |more: &[(&str, Status)], first| {
        all(first).into_iter().chain(more.iter().map(|(id, status)| employee(id, *status))).collect::<Vec<_>>()
    };
    let many = [("3", Status::Active), ("4", Status::Active), ("5", Status::Terminated)];
    cluster.0.most_people = 2;
    cluster.answer(with(&many, Status::Terminated));
    let over = cluster.pass();
    assert_eq!((ids(&over.leavers), ids(&over.rest)), (vec!["1"], vec![]), "the leaver goes on, and nobody is new");
    assert_eq!(
        over.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(),
        [1],
        "a run counts nobody who is not written"
    );
    assert_eq!(over.tally.not_added, Some(3), "2, 3 and 4: who has left is not counted");
    cluster.0.most_people = 3;
    let within = cluster.pass();
    assert_eq!((within.leavers.len() + within.rest.len(), within.tally.not_added), (3, None), "and all are added");
}

#[test]
fn who_has_left_counts_for_nothing_however_many_there_are() {
    let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
    cluster.0.most_people = 2;
    let history: Vec<_> = (10..30).map(|id| employee(&id.to_string(), Status::Terminated)).collect();
    cluster.answer(history.into_iter().chain(["1", "2"].map(|id| employee(id, Status::Active))).collect());
    let within = cluster.pass();
    assert_eq!(within.tally.not_added, None);
    assert!(ids(&within.rest).contains(&"2"));
}

#[test]
fn every_state_is_counted_by_its_own_word() {
    let states = [
        State::PreHire,
        State::Active,
        State::Suspended,
        State::Leave,
        State::Terminated,
        State::OutOfScope,
        State::Unknown,
    ];
    let expected = ["PreHire", "Active", "Suspended", "Leave", "Terminated", "OutOfScope", "Unknown"];
    assert_eq!(states.map(State::as_str), expected);
}

#[test]
fn a_changed_mode_takes_nothing_away_before_it_was_announced_and_leaves_what_humans_entered() {
    let clerk = || employee("1", Status::Active).with(Text::Title, "Clerk").with(Text::Department, "Sales");
    let mut cluster = Cluster::of(vec![clerk()]);
    let set = |cluster: &mut Cluster, fields: serde_json::Value| {
        let fields: BTreeMap<String, domain::profile::FieldMode> = serde_json::from_value(fields).unwrap();
        cluster.0.settings.fields = domain::profile::Modes::new(&fields).unwrap();
    };
    set(&mut cluster, serde_json::json!({"title": "Once"}));
    assert_eq!(cluster.pass().rest.len(), 1, "imported");
    let title = |cluster: &Cluster| {
        let profile = cluster.0.people[0].spec.profile.as_ref()?;
        profile.texts.get(Text::Title).map(str::to_owned)
    };
    assert_eq!(title(&cluster).as_deref(), Some("Clerk"));
    let mut edited = Person::clone(&cluster.0.people[0]);
    let profile = edited.spec.profile.get_or_insert_default();
    profile.texts.set(Text::Title, Some("Head clerk".into()));
    profile.texts.set(Text::Phone, Some("1".into()));
    cluster.0.people[0] = Arc::new(edited);
    assert!(cluster.pass().rest.is_empty(), "an edit is no change");
    set(&mut cluster, serde_json::json!({"title": "Never", "department": "Never"}));
    let announced = cluster.pass();
    assert!(announced.rest.is_empty() && title(&cluster).as_deref() == Some("Head clerk"));
    let (words, due) = announced.tally.fields.announced().unwrap();
    assert!(words.contains("title: Once to Never") && words.contains("department: Continuous to Never"), "{words}");
    assert_eq!(announced.tally.wake, Some(due));
    let fields = cluster.0.fields.as_mut().unwrap();
    fields.next_at = Some(noon());
    assert!(cluster.pass().tally.fields.lost().is_some());
    assert_eq!(title(&cluster), None);
    let person = &cluster.0.people[0];
    let profile = person.spec.profile.as_ref().unwrap();
    assert_eq!(profile.texts.get(Text::Phone), Some("1"), "what a human entered stays");
    assert_eq!(person.status.as_ref().unwrap().profile.as_ref().unwrap().texts, domain::employee::Texts::default());
    assert!(cluster.pass().rest.is_empty(), "nothing changed, nothing written");
}

#[test]
fn a_mover_shows_what_changed_and_an_overdue_review_and_no_value() {
    let staff = |department: &str| {
        let mut one = employee("1", Status::Active);
        one.texts.set(Text::Department, Some(department.into()));
        vec![one, employee("2", Status::Active)]
    };
    let mut cluster = Cluster::of(staff("Sales"));
    cluster.0.settings.moves.review = Some(jiff::SignedDuration::from_hours(1));
    cluster.answer(staff("Support"));
    let moved = cluster.pass();
    assert_eq!(ids(&moved.rest), ["1"]);
    let note = "HR record hq/1 has moved: department. A review of their access is due at 2026-03-10T13:00:00Z.";
    assert_eq!(
        moved.news.iter().map(|news| (news.reason, news.note.as_str())).collect::<Vec<_>>(),
        [(Reason::Moved, note)]
    );
    let shown = |conditions: &[condition::Condition]| {
        conditions.iter().map(|one| (one.type_.clone(), one.message.clone())).collect::<Vec<_>>()
    };
    let due = "Changed at 2026-03-10T12:00:00Z: department. A review of their access is due at 2026-03-10T13:00:00Z: kubectl rollcall review.";
    assert_eq!(shown(&moved.rest[0].status.conditions), [("Moved".to_owned(), due.to_owned())]);
    assert!(ids(&cluster.pass().rest).is_empty(), "nothing is written again");

    let later = decide(&cluster.0, noon() + jiff::SignedDuration::from_hours(2));
    let types: Vec<_> = shown(&later.rest[0].status.conditions).into_iter().map(|(type_, _)| type_).collect();
    assert_eq!((types, later.tally.moves.overdue), (vec!["Moved".to_owned(), "ReviewOverdue".to_owned()], 1));
    let month = decide(&cluster.0, noon() + jiff::SignedDuration::from_hours(24 * 31));
    assert_eq!(month.rest[0].status.conditions.len(), 2, "for as long as the review is open");
}
