//! One pass over everybody, as a function: from the objects as they are to the writes that make them right.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::settings::Settings;
use crate::api::condition;
use crate::api::person::{PersonStatus, Record};
use crate::api::{Person, Revocation, policy};
use crate::domain::roster::{self, Answer, Baseline, Change, Plan, Rules, Turn};
use crate::domain::trust::Snapshot;
use crate::sync::convert;
use crate::sync::mirror::mirror;
use crate::sync::people::Write;

/// What a pass looks at.
pub struct View {
    /// The people namespace.
    pub namespace: String,
    /// Name of the policy.
    pub policy: String,
    /// Its uid.
    pub policy_uid: String,
    /// Its runs.
    pub runs: Vec<policy::Run>,
    /// Whether leavers act by themselves.
    pub baseline: Baseline,
    /// What it says.
    pub settings: Settings,
    /// Everybody.
    pub people: Vec<Arc<Person>>,
    /// Every Revocation.
    pub revocations: Vec<Arc<Revocation>>,
    /// The last believed answer, if one came since the start.
    pub snapshot: Option<Arc<Snapshot>>,
}

/// What a pass decided.
pub struct Decision {
    /// The policy's runs, to be written first.
    pub runs: Vec<policy::Run>,
    /// Persons of the open run, to be written before all others.
    pub leavers: Vec<Write>,
    /// All other Persons to write.
    pub rest: Vec<Write>,
    /// What is worth an event: name of the Person, and what is said.
    pub news: Vec<News>,
    /// What the policy's status says, by the roster.
    pub tally: Tally,
}

/// Something to say on a Person.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Name of the Person.
    pub person: String,
    /// Reason of the event.
    pub reason: &'static str,
    /// In words, with ids only.
    pub note: String,
}

/// Counts of a pass.
#[derive(Debug)]
pub struct Tally {
    /// People by state.
    pub states: BTreeMap<String, u32>,
    /// People that trusted answers no longer name.
    pub missing: u32,
    /// Leavers that need approval, and whose access stands.
    pub baseline_leavers: u32,
    /// Who is in scope; none without an answer.
    pub scope: Option<policy::Scoped>,
    /// How many people went out of scope, and how many came into it.
    pub crossed: (u32, u32),
    /// People whose location has no zone; none without an answer.
    pub unmatched: Option<u32>,
    /// When somebody's dates say something new.
    pub wake: Option<Timestamp>,
}

/// Decides the writes of a pass. Equal objects give none.
#[must_use]
pub fn decide(view: &View, now: Timestamp) -> Decision {
    let connection = view.settings.connection.as_str();
    let ours: Vec<(&Arc<Person>, &Record)> = view
        .people
        .iter()
        .filter_map(|person| Some((person, convert::record(person, &view.namespace)?)))
        .filter(|(_, record)| record.connection == connection)
        .collect();
    let plan = plan(view, &ours, now);
    let Plan { changes, runs, states, missing, baseline_leavers, scope, unmatched, wake } = plan;
    let crossed = crossed(&changes);
    let mut writes =
        Writes { standing: ours.iter().map(|(_, r)| r.id.as_str()).zip(&ours).collect(), ..Writes::new(view, now) };
    for change in changes {
        writes.change(change);
    }
    writes.mirror_the_rest();
    let Writes { leavers, rest, news, .. } = writes;
    let states = states.into_iter().map(|(state, people)| (format!("{state:?}"), people)).collect();
    Decision {
        runs: runs.into_iter().map(convert::run_shown).collect(),
        leavers,
        rest,
        news,
        tally: Tally {
            states,
            missing,
            baseline_leavers,
            scope: scope.map(convert::scoped_shown),
            crossed,
            unmatched,
            wake,
        },
    }
}

fn plan(view: &View, ours: &[(&Arc<Person>, &Record)], now: Timestamp) -> Plan {
    let known: Vec<_> = ours.iter().map(|(person, record)| convert::known(person, record)).collect();
    let runs: Vec<_> = view.runs.iter().map(convert::run).collect();
    let rules = Rules {
        namespace: &view.namespace,
        connection: &view.settings.connection,
        policy: &view.policy,
        policy_uid: &view.policy_uid,
        zones: &view.settings.zones,
        usernames: &|employee| view.settings.usernames.of(employee),
        scope: &view.settings.scope,
        runs: &runs,
        baseline: view.baseline,
    };
    let answer = view.snapshot.as_ref();
    let answer = answer.map(|snapshot| Answer {
        employees: snapshot.employees(),
        taken: snapshot.taken(),
        part: snapshot.part(),
    });
    roster::next(&known, answer, &rules, now)
}

/// The writes of a pass, as they come together.
struct Writes<'a> {
    view: &'a View,
    now: Timestamp,
    /// Persons that exist and are not written yet, by HR id.
    standing: HashMap<&'a str, &'a (&'a Arc<Person>, &'a Record)>,
    /// Revocations by the name of their Person.
    revocations: HashMap<&'a str, Vec<&'a Revocation>>,
    leavers: Vec<Write>,
    rest: Vec<Write>,
    news: Vec<News>,
}

impl<'a> Writes<'a> {
    fn new(view: &'a View, now: Timestamp) -> Self {
        let mut revocations: HashMap<&str, Vec<&Revocation>> = HashMap::new();
        for revocation in &view.revocations {
            revocations.entry(&revocation.spec.person).or_default().push(revocation);
        }
        Self {
            view,
            now,
            standing: HashMap::new(),
            revocations,
            leavers: Vec::new(),
            rest: Vec::new(),
            news: Vec::new(),
        }
    }

    fn change(&mut self, change: Change) {
        let standing = self.standing.remove(change.id.0.as_str()).map(|(person, _)| Arc::clone(person));
        let record = Record { connection: self.view.settings.connection.clone(), id: change.id.0.clone() };
        let name = roster::person_name(&self.view.namespace, &record.connection, &change.id);
        self.news.extend(news(&change, &name, &record, self.view.baseline));
        let mut status = standing.as_ref().and_then(|person| person.status.clone()).unwrap_or_default();
        convert::show(&mut status, change.entry, &record);
        self.show_access(&mut status, &name, standing.as_deref());
        let lane = if change.leaver { &mut self.leavers } else { &mut self.rest };
        lane.push(Write { standing, name, record, status });
    }

    /// Persons the roster leaves as they are, where only what happened to their access is new.
    fn mirror_the_rest(&mut self) {
        let mut unchanged: Vec<_> = std::mem::take(&mut self.standing).into_values().collect();
        unchanged.sort_by_key(|(_, record)| &record.id);
        for (person, record) in unchanged {
            let Some(before) = &person.status else { continue };
            let name = person.name_any();
            let mut status = PersonStatus {
                conditions: before.conditions.clone(),
                employment: before.employment.clone(),
                ..PersonStatus::default()
            };
            self.show_access(&mut status, &name, Some(person));
            if (&status.access, &status.conditions) != (&before.access, &before.conditions) {
                let status = PersonStatus { access: status.access, conditions: status.conditions, ..before.clone() };
                self.rest.push(Write { standing: Some(Arc::clone(person)), name, record: (*record).clone(), status });
            }
        }
    }

    fn show_access(&self, status: &mut PersonStatus, name: &str, person: Option<&Person>) {
        let uid = person.and_then(|person| person.metadata.uid.as_deref());
        let theirs = self.revocations.get(name).into_iter().flatten().copied();
        let theirs: Vec<&Revocation> =
            theirs.filter(|revocation| Some(revocation.spec.person_uid.as_str()) == uid).collect();
        let story = status.employment.as_ref().and_then(|standing| convert::story(name, standing));
        let shown = mirror(story.as_deref(), &theirs, self.now);
        status.access = shown.access;
        status.conditions = condition::merge(&status.conditions, shown.revoked.into_iter().collect(), None, self.now);
    }
}

fn crossed(changes: &[Change]) -> (u32, u32) {
    let count = |turn| u32::try_from(changes.iter().filter(|change| change.turn == Some(turn)).count());
    (count(Turn::OutOfScope).unwrap_or(u32::MAX), count(Turn::InScope).unwrap_or(u32::MAX))
}

/// What is said of a turn. A baseline's leavers left before anybody looked: they are no news. Whom a changed policy puts
/// out of scope, or into it, is told of on the policy, once.
fn news(change: &Change, name: &str, record: &Record, baseline: Baseline) -> Option<News> {
    let Record { connection, id } = record;
    let (reason, note) = match change.turn? {
        Turn::Terminated | Turn::OutOfScope | Turn::InScope if baseline != Baseline::Settled => return None,
        Turn::Terminated => {
            let run = change.entry.standing.left.as_ref().and_then(|left| left.run.as_deref()).unwrap_or_default();
            (
                "Terminated",
                format!("HR record {connection}/{id} has left: {}. Counted in run {run}.", change.entry.standing.why),
            )
        }
        Turn::Withdrawn => (
            "TerminationWithdrawn",
            format!(
                "HR record {connection}/{id} works here again: the termination was taken back. Nothing is restored by itself."
            ),
        ),
        Turn::Rehired => (
            "Rehired",
            format!(
                "HR record {connection}/{id} works here again, in a new employment. Nothing is restored by itself."
            ),
        ),
        Turn::OutOfScope => (
            "OutOfScope",
            format!("HR record {connection}/{id} is {}. This ends nobody's access.", change.entry.standing.why),
        ),
        Turn::InScope if change.entry.standing.left.is_some() => (
            "InScope",
            format!("HR record {connection}/{id} is in scope again, and has left: its Revocation needs approval."),
        ),
        Turn::InScope => ("InScope", format!("HR record {connection}/{id} is in scope again.")),
        Turn::Conflicting => ("Conflict", format!("HR record {connection}/{id}: {}.", change.entry.standing.why)),
    };
    Some(News { person: name.to_owned(), reason, note })
}
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::SyncPolicy;
    use crate::domain::employee::{Employee, HrId, Read, Said, Status};
    use crate::domain::trust::{Asked, Bounds, Memory, judge};

    fn noon() -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn employee(id: &str, status: Status) -> Employee {
        Employee::new(HrId(id.into()), format!("Name {id}"), format!("{id}@example.com"), Said::Mapped(status))
    }

    fn believed(employees: Vec<Employee>) -> Arc<Snapshot> {
        let read = Read { employees, ..Read::default() };
        let bounds = Bounds {
            max_shrink: 10,
            min_overlap: 95,
            max_bad_records: 1,
            always_present: vec![],
            sentinels: Vec::new(),
        };
        let asked = Asked { source: "source-1", remembered: false, accepted: None };
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
    struct Cluster(View);

    impl Cluster {
        fn of(employees: Vec<Employee>) -> Self {
            let mut cluster = Self(View {
                namespace: "rollcall".into(),
                policy: "everyone".into(),
                policy_uid: "uid-1".into(),
                runs: vec![],
                baseline: Baseline::Settled,
                settings: settings(&serde_json::json!({})),
                people: vec![],
                revocations: vec![],
                snapshot: Some(believed(employees)),
            });
            cluster.pass();
            cluster
        }

        fn answer(&mut self, employees: Vec<Employee>) {
            self.0.snapshot = Some(believed(employees));
        }

        fn pass(&mut self) -> Decision {
            let decision = decide(&self.0, noon());
            self.0.runs.clone_from(&decision.runs);
            self.0.runs.iter_mut().for_each(|run| run.written = true);
            for write in decision.leavers.iter().chain(&decision.rest) {
                let spec = crate::api::person::PersonSpec { records: vec![write.record.clone()], hold: None };
                let mut person = write.standing.as_deref().cloned().unwrap_or_else(|| Person::new(&write.name, spec));
                person.metadata.uid = Some(format!("uid-{}", write.record.id));
                person.status = Some(write.status.clone());
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
                    "strike": "Cut", "due": noon(), "reason": "terminated"},
            }));
            self.0.revocations = vec![Arc::new(revocation.unwrap())];
        }
    }

    fn ids(writes: &[Write]) -> Vec<&str> {
        writes.iter().map(|write| write.record.id.as_str()).collect()
    }

    #[test]
    fn nothing_changed_nothing_written() {
        let mut cluster = Cluster::of(vec![employee("1", Status::Active), employee("2", Status::Terminated)]);
        cluster.revocation("2", "uid-2");
        cluster.pass();
        let again = cluster.pass();
        assert!(ids(&again.leavers).is_empty() && ids(&again.rest).is_empty());
        cluster.0.snapshot = None;
        let restarted = cluster.pass();
        assert!(ids(&restarted.rest).is_empty(), "also after a start, before an answer");
    }

    #[test]
    fn leavers_go_first_and_carry_the_run_that_counts_them() {
        let mut cluster = Cluster::of(["1", "2", "3"].map(|id| employee(id, Status::Active)).into());
        let mut moved = employee("3", Status::Active);
        moved.department = Some("Sales".into());
        cluster.answer(vec![employee("1", Status::Terminated), employee("2", Status::Terminated), moved]);
        let decision = cluster.pass();
        assert_eq!((ids(&decision.leavers), ids(&decision.rest)), (vec!["1", "2"], vec!["3"]));
        assert_eq!(decision.runs.iter().map(|run| (run.leavers, run.written)).collect::<Vec<_>>(), [(2, false)]);
        let carried: BTreeSet<_> =
            decision.leavers.iter().map(|w| w.status.employment.as_ref().unwrap().run.clone()).collect();
        assert_eq!(carried, BTreeSet::from([Some(decision.runs[0].id.clone())]));
    }

    #[test]
    fn only_a_revocation_of_exactly_this_person_is_mirrored() {
        for (uid, expected) in [("uid-1", vec!["1"]), ("uid-of-a-person-deleted-since", vec![])] {
            let mut cluster = Cluster::of(vec![employee("1", Status::Active), employee("2", Status::Active)]);
            cluster.revocation("1", uid);
            let decision = cluster.pass();
            assert_eq!(ids(&decision.rest), expected, "{uid}");
            let shown =
                decision.rest.iter().map(|write| write.status.access.as_ref().map(|access| access.state.as_str()));
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
        assert_eq!(after, before);
    }

    #[test]
    fn persons_of_other_connections_or_of_other_names_are_left_alone() {
        let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
        for (name, connection) in [("p-forged", "hq"), ("p-other", "okta")] {
            let record = Record { connection: connection.into(), id: "1".into() };
            let spec = crate::api::person::PersonSpec { records: vec![record], hold: None };
            cluster.0.people.push(Arc::new(Person::new(name, spec)));
        }
        let decision = cluster.pass();
        assert!(ids(&decision.rest).is_empty());
        assert_eq!(decision.tally.states, BTreeMap::from([("Active".to_owned(), 1)]));
    }

    #[test]
    fn a_person_deleted_is_made_again_by_the_next_answer_that_names_them_and_by_nothing_else() {
        let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
        cluster.0.people.clear();
        let answer = cluster.0.snapshot.take();
        assert!(ids(&cluster.pass().rest).is_empty());
        cluster.0.snapshot = answer;
        assert_eq!(ids(&cluster.pass().rest), ["1"]);
    }

    #[test]
    fn news_hold_ids_only_and_a_baselines_leavers_are_none() {
        for (baseline, expected) in [(Baseline::Settled, vec!["Terminated"]), (Baseline::Now, vec![])] {
            let mut cluster = Cluster::of(vec![employee("1", Status::Active)]);
            cluster.0.baseline = baseline;
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
        let of =
            |department: &str, id, status| Employee { department: Some(department.into()), ..employee(id, status) };
        for (baseline, said) in [(Baseline::Settled, true), (Baseline::Now, false)] {
            let mut cluster = Cluster::of(["1", "2"].map(|id| employee(id, Status::Active)).into());
            cluster.0.settings = settings(&serde_json::json!({"exclude": {"departments": ["Sales"]}}));
            cluster.0.baseline = baseline;
            cluster.answer(vec![of("Sales", "1", Status::Active), of("Support", "2", Status::Active)]);
            let out = cluster.pass();
            cluster.0.settings = settings(&serde_json::json!({}));
            cluster.answer(vec![of("Sales", "1", Status::Terminated), of("Support", "2", Status::Active)]);
            let into = cluster.pass();
            let notes = [&out, &into]
                .map(|pass| pass.news.iter().map(|news| (news.reason, news.note.as_str())).collect::<Vec<_>>());
            let expected = [
                (
                    "OutOfScope",
                    "HR record hq/1 is out of scope: the department is among spec.scope.exclude.departments; the record says: active, no last day. This ends nobody's access.",
                ),
                ("InScope", "HR record hq/1 is in scope again, and has left: its Revocation needs approval."),
            ];
            assert_eq!(notes, if said { expected.map(|one| vec![one]) } else { [vec![], vec![]] });
            assert_eq!((out.tally.crossed, into.tally.crossed), ((1, 0), (0, 1)));
        }
    }
}
