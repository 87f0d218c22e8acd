//! `rollcall erase`: deletes what is kept of a leaver who is out, with the caller's own rights.
//!
//! What is erased is found by nobody again, so it refuses while anything of theirs may still work, act, fail or come back:
//! an erased Person could not report it.

use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use super::{all, find, records};
use crate::api::condition::{ConditionType, Reason};
use crate::api::person::State;
use crate::api::revocation::{Operation, Phase};
use crate::api::{Person, Revocation, names};
use crate::cli::plugin::asked::Whom;
use crate::cli::terminal::{plain, say};
use crate::cli::{Failure, ask};
use crate::kube::named::Api;
use domain::evidence;

/// Options of `rollcall erase`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
}

/// Deletes the Person and its Revocations.
///
/// # Flow          read, decide, show, ask; delete the Person, then its Revocations; say what stays
/// # Guarantees    nothing is deleted of somebody whose access has not ended, or that changed since it was shown; the Person goes
///                 first, so that nothing is planned again for it; doing it again after it stopped half-way ends it
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and what to do first; whatever the API server says, in its words
#[allow(
    clippy::disallowed_methods,
    reason = "what a human deletes, with their own rights: Rollcall's records of somebody, which hold no access"
)]
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.whom.cluster.client().await?;
    let people: Api<Person> = Api::namespaced(client.clone(), options.whom.cluster.namespace());
    let api: Api<Revocation> = Api::namespaced(client.clone(), options.whom.cluster.namespace());
    let everybody = all("list the Persons", people.clone(), "").await?;
    let revocations = all("list the Revocations", api.clone(), "").await?;
    let left_over: Vec<&Revocation> =
        revocations.iter().filter(|revocation| revocation.spec.person == options.whom.person).collect();
    let person = match find(&everybody, &options.whom.person) {
        Ok(person) => Some(person),
        // It was stopped after the Person had gone.
        Err(_) if !left_over.is_empty() && everybody.iter().all(|one| one.name_any() != options.whom.person) => None,
        Err(nobody) => return Err(nobody),
    };
    let name = person.map_or(options.whom.person.clone(), ResourceExt::name_any);
    let theirs: Vec<&Revocation> = revocations.iter().filter(|revocation| revocation.spec.person == name).collect();
    let obstacles = obstacles(person, &theirs);
    if !obstacles.is_empty() {
        return Err(Failure::Refused(refusal(&name, &obstacles)));
    }
    say(&shown(&name, person, &theirs));
    options.whom.asked.confirm("Delete this for good?")?;
    if let Some(person) = person {
        ask("delete the Person", people.delete(&name, &exactly(person.uid(), person.resource_version()))).await?;
    }
    for revocation in &theirs {
        let only = exactly(revocation.uid(), revocation.resource_version());
        match ask(
            "delete a Revocation; run this again with the Person's name",
            api.delete(&revocation.name_any(), &only),
        )
        .await
        {
            Err(Failure::Server { code: 404, .. }) | Ok(_) => {}
            Err(other) => return Err(other),
        }
    }
    let maps: Api<ConfigMap> = Api::namespaced(client, options.whom.cluster.namespace());
    let sealed = all("list the records of the evidence", maps, &format!("{}={}", names::PART, evidence::PART)).await;
    say(&stays(&name, sealed.ok().map(|sealed| sealed.iter().filter(|map| is_of(map, &name)).count())));
    Ok(())
}

fn exactly(uid: Option<String>, version: Option<String>) -> DeleteParams {
    let preconditions = Preconditions { uid, resource_version: version };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// Why somebody is not erased.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Obstacle {
    /// They have not left, or it cannot be told.
    NotLeft(Option<State>),
    /// A human's hold is on them.
    Held,
    /// Control has planned nothing yet.
    NotPlanned,
    /// Something of theirs remains, and works.
    Remains,
    /// Access stands: it was cancelled.
    Kept,
    /// The Person does not show that access has ended.
    NotEnded,
    /// A Revocation waits, and in which batch.
    Waits(String, Option<String>),
    /// A Revocation was rejected.
    Rejected(String),
    /// A removal is not due yet.
    Due(String, jiff::Timestamp),
    /// A Revocation acts.
    Acts(String),
    /// A Revocation failed.
    Failed(String),
    /// What a cut recreated is still to be removed.
    RemovalToCome(String),
}

/// Everything that is in the way; nothing for somebody who is out. Without a Person its Revocations alone are asked.
fn obstacles(person: Option<&Person>, revocations: &[&Revocation]) -> Vec<Obstacle> {
    let mut found: Vec<Obstacle> = person.and_then(of_person).into_iter().collect();
    for revocation in revocations {
        found.extend(of_revocation(revocation, revocations));
    }
    let says_more = found.iter().any(|one| !matches!(one, Obstacle::NotEnded));
    found.retain(|one| !says_more || *one != Obstacle::NotEnded);
    found
}

fn of_person(person: &Person) -> Option<Obstacle> {
    let status = person.status.clone().unwrap_or_default();
    let state = status.employment.map(|employment| employment.state);
    if state != Some(State::Terminated) {
        return Some(Obstacle::NotLeft(state));
    }
    if person.spec.hold.is_some() {
        return Some(Obstacle::Held);
    }
    let revoked = status.conditions.iter().find(|one| one.type_ == ConditionType::Revoked.as_str());
    match revoked.and_then(|revoked| Reason::parse(&revoked.reason)) {
        Some(Reason::Refused | Reason::NothingFound) => None,
        Some(Reason::AccessRemains) => Some(Obstacle::Remains),
        Some(Reason::Cancelled) => Some(Obstacle::Kept),
        Some(Reason::NotPlanned) => Some(Obstacle::NotPlanned),
        _ => Some(Obstacle::NotEnded),
    }
}

fn of_revocation(revocation: &Revocation, all: &[&Revocation]) -> Option<Obstacle> {
    let name = revocation.name_any();
    let status = revocation.status.as_ref();
    let gate = status.and_then(|status| status.gate.as_ref());
    let shut = gate.and_then(|gate| Reason::parse(&gate.reason));
    match status.and_then(|status| status.phase).unwrap_or(Phase::Held) {
        Phase::Released => Some(Obstacle::Acts(name)),
        Phase::Failed => Some(Obstacle::Failed(name)),
        Phase::Held if shut == Some(Reason::Rejected) => Some(Obstacle::Rejected(name)),
        Phase::Held if shut == Some(Reason::NotDue) => Some(Obstacle::Due(name, revocation.spec.due)),
        Phase::Held => Some(Obstacle::Waits(name, gate.and_then(|gate| gate.batch.clone()))),
        Phase::Revoked => removal_to_come(revocation, all).then_some(Obstacle::RemovalToCome(name)),
        Phase::Cancelled | Phase::Frozen | Phase::Lifted => None,
    }
}

/// Whether control will make a removal of what this cut recreated: its name follows the cut's.
fn removal_to_come(cut: &Revocation, all: &[&Revocation]) -> bool {
    let recreated = cut.status.iter().flat_map(|status| &status.steps).any(|step| step.new_uid.is_some());
    let removal = format!("{}-remove", cut.name_any().trim_end_matches("-cut"));
    cut.spec.operation == Operation::Cut && recreated && all.iter().all(|other| other.name_any() != removal)
}

fn refusal(name: &str, obstacles: &[Obstacle]) -> String {
    let lines: Vec<_> = obstacles.iter().map(|one| format!("\n  {}", plain(&words(one, name)))).collect();
    format!("{name} is not erased, and nothing was changed:{}", lines.concat())
}

/// What is in the way, and what to do.
fn words(obstacle: &Obstacle, person: &str) -> String {
    match obstacle {
        Obstacle::NotLeft(state) => {
            let state = state.map_or("nothing known yet", State::as_str);
            format!("they have not left ({state}): a Person who works here comes back with the next response")
        }
        Obstacle::Held => format!("a hold keeps their access: let it end, or take spec.hold off {person}"),
        Obstacle::NotPlanned => "no revocation has been planned yet: wait for rollcall control".to_owned(),
        Obstacle::Remains => {
            "access remains: end by hand, or hand over, what remaining of their Revocations names; else they come back with the next response".to_owned()
        }
        Obstacle::Kept => "access stands, since its Revocation was cancelled: end it by hand, then delete the Person by kubectl".to_owned(),
        Obstacle::NotEnded => format!("their access has not ended: kubectl rollcall why {person}"),
        Obstacle::Waits(name, Some(batch)) => {
            format!("{name} is held in batch {batch}, and counts there: kubectl rollcall approve --batch {batch}, and let it end")
        }
        Obstacle::Waits(name, None) => format!("{name} is held: kubectl rollcall why {person} says by what"),
        Obstacle::Rejected(name) => {
            format!("{name} was rejected, so that access stands: kubectl rollcall reject --undo {name}, and let it end")
        }
        Obstacle::Due(name, due) => format!("{name} is due at {due:.0}: wait until it has ended"),
        Obstacle::Acts(name) => format!("{name} is released: wait until it has ended"),
        Obstacle::Failed(name) => {
            format!("{name} failed, and has the only manifests of what it deleted: kubectl rollcall retry {name}")
        }
        Obstacle::RemovalToCome(name) => {
            format!("what {name} recreated is still to be removed: wait for rollcall control to plan that, and for its end")
        }
    }
}

/// What goes.
fn shown(name: &str, person: Option<&Person>, revocations: &[&Revocation]) -> String {
    let who = person.map_or(format!("Person {name} is deleted already"), |person| {
        format!(
            "Person {name} (HR records {}): ids, names, addresses, user names, and the salt",
            plain(&records(person))
        )
    });
    let revocations: String = revocations
        .iter()
        .map(|one| format!("\n  Revocation {}: user names and the manifests of what was deleted", one.name_any()))
        .collect();
    format!("To be deleted:\n  {who}{revocations}")
}

/// Whether a record of the evidence names this Person.
fn is_of(map: &ConfigMap, person: &str) -> bool {
    let text = map.data.as_ref().and_then(|data| data.get(evidence::KEY));
    let record = text.and_then(|text| serde_json::from_str::<evidence::Record>(text).ok());
    record.is_some_and(|record| record.body.person == person)
}

/// What does not go.
fn stays(name: &str, sealed: Option<usize>) -> String {
    let sealed = match sealed {
        Some(1) => "1 record of the evidence stays".to_owned(),
        Some(sealed) => format!("{sealed} records of the evidence stay"),
        None => "The records of the evidence stay (you may not list them)".to_owned(),
    };
    format!(
        "Erased. {sealed}, and the chain still verifies. They name {name}, which is a digest of connection and HR id, and a digest \
         that nobody can compute any more without the salt.\n\
         If HR still lists them, they come back only if something in the cluster names them."
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn person(state: &str, revoked: Option<&str>, hold: bool) -> Person {
        let condition = |reason: &str| json!({"type": "Revoked", "status": "True", "reason": reason, "message": "", "lastTransitionTime": "2026-03-01T00:00:00Z"});
        let hold = hold.then(|| json!({"reason": "law", "until": "2026-04-01T00:00:00Z", "by": "admin"}));
        serde_json::from_value(json!({
            "metadata": {"name": "p-7", "uid": "u-7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}], "hold": hold},
            "status": {
                "employment": {"state": state, "since": "2026-03-01T00:00:00Z", "timeZone": "UTC", "why": ""},
                "conditions": revoked.map(condition).into_iter().collect::<Vec<_>>(),
            },
        }))
        .unwrap()
    }

    fn revocation(name: &str, operation: &str, status: &Value) -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": operation,
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": status,
        }))
        .unwrap()
    }

    fn cut(status: &Value) -> Revocation {
        revocation("p-7-0-cut", "Cut", status)
    }

    fn held(gate: &str, batch: Option<&str>) -> Revocation {
        cut(&json!({"phase": "Held", "gate": {"reason": gate, "message": "", "batch": batch}}))
    }

    #[test]
    fn only_a_leaver_whose_access_has_ended_is_erased() {
        let cut_name = || "p-7-0-cut".to_owned();
        let revoked = || cut(&json!({"phase": "Revoked"}));
        let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "n", "name": "a", "uid": "u", "why": ""});
        let recreated = || {
            cut(
                &json!({"phase": "Revoked", "steps": [{"target": target, "outcome": "Done", "newUid": "v", "at": "2026-03-01T00:00:00Z"}]}),
            )
        };
        let removal = |status: &Value| revocation("p-7-0-remove", "Remove", status);
        let out = || person("Terminated", Some("Refused"), false);
        let due = "2026-03-01T00:00:00Z".parse().unwrap();
        let cases = [
            ("is out", out(), vec![revoked()], vec![]),
            ("nothing was found", person("Terminated", Some("NothingFound"), false), vec![revoked()], vec![]),
            ("cancelled once, then revoked", out(), vec![cut(&json!({"phase": "Cancelled"})), revoked()], vec![]),
            ("removed as well", out(), vec![recreated(), removal(&json!({"phase": "Revoked"}))], vec![]),
            ("its Revocations have expired", out(), vec![], vec![]),
            ("works here", person("Active", None, false), vec![], vec![Obstacle::NotLeft(Some(State::Active))]),
            ("cannot be told", person("Unknown", None, false), vec![], vec![Obstacle::NotLeft(Some(State::Unknown))]),
            ("under a hold", person("Terminated", Some("Held"), true), vec![], vec![Obstacle::Held]),
            ("not planned", person("Terminated", Some("NotPlanned"), false), vec![], vec![Obstacle::NotPlanned]),
            ("nothing is said of it yet", person("Terminated", None, false), vec![], vec![Obstacle::NotEnded]),
            (
                "something remains",
                person("Terminated", Some("AccessRemains"), false),
                vec![revoked()],
                vec![Obstacle::Remains],
            ),
            (
                "cancelled",
                person("Terminated", Some("Cancelled"), false),
                vec![cut(&json!({"phase": "Cancelled"}))],
                vec![Obstacle::Kept],
            ),
            (
                "in a batch",
                person("Terminated", Some("Held"), false),
                vec![held("OverLimit", Some("b1"))],
                vec![Obstacle::Waits(cut_name(), Some("b1".into()))],
            ),
            (
                "by a baseline",
                person("Terminated", Some("Held"), false),
                vec![held("Baseline", None)],
                vec![Obstacle::Waits(cut_name(), None)],
            ),
            (
                "no phase yet, and the Person says it is out",
                out(),
                vec![cut(&json!({}))],
                vec![Obstacle::Waits(cut_name(), None)],
            ),
            (
                "rejected",
                person("Terminated", Some("Held"), false),
                vec![held("Rejected", None)],
                vec![Obstacle::Rejected(cut_name())],
            ),
            (
                "released",
                person("Terminated", Some("Released"), false),
                vec![cut(&json!({"phase": "Released"}))],
                vec![Obstacle::Acts(cut_name())],
            ),
            (
                "failed",
                person("Terminated", Some("NotProved"), false),
                vec![cut(&json!({"phase": "Failed"}))],
                vec![Obstacle::Failed(cut_name())],
            ),
            ("a removal is to be planned", out(), vec![recreated()], vec![Obstacle::RemovalToCome(cut_name())]),
            (
                "a removal waits",
                out(),
                vec![recreated(), removal(&json!({"phase": "Held", "gate": {"reason": "NotDue", "message": ""}}))],
                vec![Obstacle::Due("p-7-0-remove".into(), due)],
            ),
        ];
        for (what, person, revocations, expected) in cases {
            let revocations: Vec<&Revocation> = revocations.iter().collect();
            assert_eq!(obstacles(Some(&person), &revocations), expected, "{what}");
        }
    }

    #[test]
    fn what_is_left_after_it_was_stopped_half_way_is_erased_by_the_same_rules() {
        let (ended, failed) = (cut(&json!({"phase": "Revoked"})), cut(&json!({"phase": "Failed"})));
        assert_eq!(obstacles(None, &[&ended]), []);
        assert_eq!(obstacles(None, &[&ended, &failed]), [Obstacle::Failed("p-7-0-cut".into())]);
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let said = refusal(
            "p-7",
            &[Obstacle::Waits("p-7-cut".into(), Some("b1".into())), Obstacle::Failed("p-7-late-cut".into())],
        );
        assert!(said.contains("approve --batch b1") && said.contains("retry p-7-late-cut"), "{said}");
    }
}
