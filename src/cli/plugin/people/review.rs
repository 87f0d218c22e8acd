//! `rollcall review`: what a mover owns, and a human's word that they keep it.
//!
//! A review ends no access: what somebody should no longer have is taken from them with the reviewer's own rights, and the rest is
//! kept. An admission policy asks for the verb `review`, and that the answer is the caller's own and not the mover's.

use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;
use serde_json::{Value, json};

use super::owned::{self, Owned, Whose};
use super::{READING, World, find, record, records};
use crate::api::Person;
use crate::api::person::{Review, ReviewAnswer};
use crate::cli::Failure;
use crate::cli::cluster::Cluster;
use crate::cli::cluster::whoami;
use crate::cli::plugin::link::write;
use crate::cli::plugin::output::Output;
use crate::cli::plugin::progress::during;
use crate::cli::terminal::{confirm, plain, say, table};
use crate::kube::calls;
use crate::kube::named::Api;
use domain::moves::in_words;

/// Options of `rollcall review`.
#[derive(Debug, Args)]
#[command(after_help = "Without PERSON: every review that waits, the one that is due first at the top.")]
pub struct Options {
    /// The Person: its name, an HR record (`hq/7`), an address, or a user name
    #[arg(required_if_eq("keep", "true"))]
    person: Option<String>,
    /// Answer the review: the person keeps what they still have
    #[arg(long, requires = "reason")]
    keep: bool,
    /// Why, in a few words without personal details
    #[arg(long, requires = "keep", value_parser = crate::cli::terminal::reason)]
    reason: Option<String>,
    /// Do not ask for confirmation
    #[arg(long, requires = "keep")]
    yes: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table, conflicts_with = "keep")]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Shows a review, and answers it; or lists those that wait.
///
/// # Flow          read, show, ask, find the caller's own name, write
/// # Guarantees    an answer is of the review that was shown: one of a Person that changed meanwhile is refused. Nothing else is changed
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and that nothing was changed
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let now = calls::now();
    let world = during(READING, World::read(&client, options.cluster.namespace())).await?;
    let Some(meant) = &options.person else {
        let waiting = waiting(&world.people, now);
        return options.output.print(&waiting, || Ok(listed(&waiting)));
    };
    let person = find(&world.people, meant)?;
    let owned = owned::of(&client, &world.people, person).await?;
    options.output.print(&facts(person, &owned, now), || Ok(shown(person, &owned, now)))?;
    let Some(reason) = options.reason.as_ref().filter(|_| options.keep) else { return Ok(()) };
    let Some(review) = open(person) else {
        return Err(Failure::Refused(format!("no review of {} waits for an answer", person.name_any())));
    };
    if !options.yes {
        confirm("Do they keep all of this?")?;
    }
    let by = whoami(client.clone()).await?;
    let answer = ReviewAnswer { of: review.since, reason: reason.clone(), by, at: now };
    let api: Api<Person> = Api::namespaced(client, options.cluster.namespace());
    write(&api, person, json!({ "review": answer })).await?;
    say(&format!("{}: reviewed, as {} said", person.name_any(), plain(&answer.by)));
    Ok(())
}

/// The review that waits for an answer.
pub(super) fn open(person: &Person) -> Option<&Review> {
    let review = person.status.as_ref()?.moves.as_ref()?.review.as_ref()?;
    let answered = person.spec.review.as_ref().is_some_and(|answer| answer.of == review.since);
    Some(review).filter(|_| !answered)
}

/// A review that waits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waits {
    person: String,
    records: Vec<String>,
    changed: String,
    due: Timestamp,
    overdue: bool,
}

fn waits(review: &Review, person: &Person, now: Timestamp) -> Waits {
    Waits {
        person: person.name_any(),
        records: person.spec.records.iter().map(record).collect(),
        changed: in_words(&review.fields),
        due: review.due,
        overdue: review.due <= now,
    }
}

/// Those that wait, the one that is due first at the top.
fn waiting(people: &[Person], now: Timestamp) -> Vec<Waits> {
    let mut waiting: Vec<_> = people.iter().filter_map(|person| Some(waits(open(person)?, person, now))).collect();
    waiting.sort_by(|one, other| (one.due, &one.person).cmp(&(other.due, &other.person)));
    waiting
}

fn listed(waiting: &[Waits]) -> String {
    if waiting.is_empty() {
        return "No review waits.".to_owned();
    }
    let line = |one: &Waits| {
        let overdue = if one.overdue { "yes" } else { "" };
        [one.person.clone(), one.records.join(", "), one.changed.clone(), format!("{:.0}", one.due), overdue.to_owned()]
    };
    table(["PERSON", "HR RECORDS", "CHANGED", "DUE", "OVERDUE"], waiting.iter().map(line))
}

/// What [`shown`] says, for programs.
fn facts(person: &Person, owned: &Owned, now: Timestamp) -> Value {
    let moved = person.status.as_ref().and_then(|status| status.moves.as_ref()?.last.as_ref());
    let owned = match owned {
        Owned::NotAllowed => Value::Null,
        Owned::Things(things) => things.iter().map(|thing| json!({"what": thing.what, "whose": thing.whose})).collect(),
    };
    json!({
        "person": person.name_any(),
        "records": person.spec.records.iter().map(record).collect::<Vec<_>>(),
        "moved": moved.map(|moved| json!({"at": moved.at, "changed": in_words(&moved.fields)})),
        "review": open(person).map(|review| waits(review, person, now)),
        "owned": owned,
    })
}

/// What is reviewed, in lines.
fn shown(person: &Person, owned: &Owned, now: Timestamp) -> String {
    let mut lines = vec![format!("{}  {}", person.name_any(), plain(&records(person)))];
    let status = person.status.as_ref();
    if let Some(moved) = status.and_then(|status| status.moves.as_ref()?.last.as_ref()) {
        lines.push(format!("Moved at {:.0}: {}", moved.at, in_words(&moved.fields)));
    }
    match open(person) {
        Some(review) => {
            let overdue = if review.due <= now { ", overdue" } else { "" };
            lines.push(format!("Review of {}, due {:.0}{overdue}", in_words(&review.fields), review.due));
        }
        None => lines.push("No review waits.".to_owned()),
    }
    match owned {
        Owned::NotAllowed => {
            lines.push("What is theirs cannot be told: you may not list ServiceAccounts and bindings.".to_owned());
        }
        Owned::Things(things) if things.is_empty() => lines.push("Nothing in the cluster names them.".to_owned()),
        Owned::Things(things) => {
            lines.push("Theirs:".to_owned());
            lines.extend(things.iter().map(|thing| {
                let doubt = if thing.whose == Whose::Ambiguous { " (or somebody else's who works here)" } else { "" };
                format!("  {}{doubt}", plain(&thing.what))
            }));
        }
    }
    lines.push("What they reach through groups is not listed.".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plugin::people::owned::Thing;

    fn mover(answered: Option<&str>) -> Person {
        let answer = answered.map(|of| json!({"of": of, "reason": "still needed", "by": "lead", "at": of}));
        serde_json::from_value(json!({
            "metadata": {"name": "p-7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}], "review": answer},
            "status": {"moves": {
                "last": {"at": "2026-03-02T09:00:00Z", "fields": ["manager"]},
                "review": {"since": "2026-03-01T09:00:00Z", "fields": ["department", "manager"], "due": "2026-03-15T09:00:00Z"},
            }},
        }))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_review_shows_what_changed_what_is_theirs_and_when_it_is_due() {
        let thing = |what: &str, whose| Thing { what: what.into(), whose, edit: None };
        let things =
            vec![thing("RoleBinding apps/view", Whose::WorksHere), thing("ServiceAccount apps/desk", Whose::Ambiguous)];
        let expected = "p-7  hq/7\nMoved at 2026-03-02T09:00:00Z: manager\nReview of department, manager, due 2026-03-15T09:00:00Z, overdue\n\
            Theirs:\n  RoleBinding apps/view\n  ServiceAccount apps/desk (or somebody else's who works here)\n\
            What they reach through groups is not listed.";
        let (owned, now) = (Owned::Things(things), at("2026-03-15T09:00:00Z"));
        assert_eq!(shown(&mover(None), &owned, now), expected);
        let facts = facts(&mover(None), &owned, now);
        assert_eq!((&facts["review"]["overdue"], &facts["owned"][1]["whose"]), (&json!(true), &json!("Ambiguous")));
        assert_eq!(
            super::facts(&mover(None), &Owned::NotAllowed, now)["owned"],
            Value::Null,
            "not known is not nothing"
        );
    }

    #[test]
    fn an_answer_is_of_one_review_and_of_no_later_one() {
        for (answered, waits) in
            [(None, true), (Some("2026-03-01T09:00:00Z"), false), (Some("2026-02-01T09:00:00Z"), true)]
        {
            assert_eq!(open(&mover(answered)).is_some(), waits, "{answered:?}");
        }
        let now = at("2026-03-10T09:00:00Z");
        let open = waiting(&[mover(None)], now);
        assert!(listed(&open).contains("hq/7") && !open[0].overdue, "{open:?}");
        let nobody: Person = serde_json::from_value(
            json!({"metadata": {"name": "p-8"}, "spec": {"records": []}, "status": Value::Null}),
        )
        .unwrap();
        assert_eq!(listed(&waiting(&[mover(Some("2026-03-01T09:00:00Z")), nobody], now)), "No review waits.");
    }
}
