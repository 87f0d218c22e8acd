//! `rollcall merge`, `split` and `apart`: which HR records are one human's, and which are not, where only a human can know.
//!
//! Two Persons are never made one by themselves. A Person has left when all of its records have ended, so a record too
//! many keeps a leaver's access, and a record too few ends it too early: an admission policy asks for the verb `link`.

use std::time::Duration;

use crate::kube::named::Api;
use clap::Args;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use serde_json::json;

use super::asked::Asked;
use super::cluster::Cluster;
use super::people::{all, everybody, find};
use super::terminal::{plain, say};
use super::write::write_over;
use super::{Failure, ask};
use crate::api::person::Record;
use crate::api::{Person, Revocation};
use domain::lifecycle::Why;
use domain::roster::MAX_RECORDS;

/// Most records that a Person is told apart from.
const MAX_APART: usize = 32;
/// How often, and how many times, it is looked whether sync has taken a merge over.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const LOOKS: u32 = 60;

/// Options of `rollcall merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// The Person that stays: its name, an HR record (`hq/7`), an address, or a user name
    person: String,
    /// The Person whose HR records it gets, and which is deleted: named in the same way. Of somebody whose HR system was replaced, also
    /// an HR record that no Person has, such as that of somebody who has left by the new system
    other: String,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall split`.
#[derive(Debug, Args)]
pub struct Split {
    /// The HR record that is another human's, as CONNECTION/ID
    record: String,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall apart`.
#[derive(Debug, Args)]
pub struct Apart {
    /// A Person: its name, or CONNECTION/ID of one of its HR records
    person: String,
    /// Another one, who is another human
    other: String,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    cluster: Cluster,
}

/// Makes one Person of two.
///
/// # Flow          read, show, ask; link the other's records to the Person that stays; wait until sync has taken over what the
///                 other was known by; delete the other
/// # Guarantees    nothing is linked over a Person that changed since it was shown; a Person with a Revocation that has not
///                 ended is not deleted; doing it again after it stopped half-way ends it; a record that no Person has is
///                 linked only to somebody whose HR system was replaced, and who has left by it needs approval
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and that nothing was changed, or that the other Person is still there
#[allow(
    clippy::disallowed_methods,
    reason = "what a human deletes, with their own rights: a Person, which holds no access"
)]
pub async fn merge(options: &Merge) -> Result<(), Failure> {
    let (client, api, people) = everybody(&options.cluster).await?;
    let person = find(&people, &options.person)?;
    let other = match (find_other(&people, &options.other, &person.name_any()), without_person(&people, &options.other))
    {
        (Err(_), Some(record)) if not_migrated(person) => return link(&api, person, record, options.asked).await,
        (other, _) => other?,
    };
    let records = merged(person, other).map_err(Failure::Refused)?;
    let revocations: Api<Revocation> = Api::namespaced(client, options.cluster.namespace());
    let open = all("list the Revocations", revocations, "").await?;
    if let Some(open) = open.iter().find(|revocation| is_open(revocation, other)) {
        return Err(Failure::Refused(format!(
            "{} has Revocation {}, which has not ended. Let it end, or reject it, or keep {} and give it the other's records",
            other.name_any(),
            open.name_any(),
            other.name_any()
        )));
    }
    say(&format!("{}\n{}", shown(person), shown(other)));
    options.asked.confirm(format!(
        "Make them one human, {}? They will have left when all of {} have ended",
        person.name_any(),
        listed(&records)
    ))?;
    write(&api, person, json!({"records": records})).await?;
    taken_over(&api, person, other).await?;
    let exactly = Preconditions { uid: other.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
    ask("delete the other Person; run this again", api.delete(&other.name_any(), &params)).await?;
    say(&format!("{}: {}; {} is deleted", person.name_any(), listed(&records), other.name_any()));
    Ok(())
}

/// Links an HR record that no Person has. Leavers whom nothing here names get none, so that of somebody who left while their HR
/// system was replaced, the new one's record may have none.
async fn link(api: &Api<Person>, person: &Person, record: Record, asked: Asked) -> Result<(), Failure> {
    let added = words(&record);
    let records = with(person, &[record]).map_err(Failure::Refused)?;
    say(&format!("{}\nNo Person has {}", shown(person), plain(&added)));
    asked.confirm(format!(
        "Is it theirs, {}? They will have left when it has ended; while no trusted response names it, they are held",
        person.name_any()
    ))?;
    write(api, person, json!({"records": records})).await?;
    say(&format!("{}: {}", person.name_any(), listed(&records)));
    Ok(())
}

/// Takes a record off a Person.
///
/// # Flow          read, show, ask, write: without the record, and that it is not theirs, so that no key matches it again
/// # Guarantees    nothing is written over a Person that changed since it was shown; if all that remains has ended, nothing is
///                 revoked without approval
/// # Assumptions   as for [`merge`]
/// # Errors        why not, and that nothing was changed
pub async fn split(options: &Split) -> Result<(), Failure> {
    let (_, api, people) = everybody(&options.cluster).await?;
    let person = find(&people, &options.record)?;
    let records = without(person, &options.record).map_err(Failure::Refused)?;
    say(&shown(person));
    options.asked.confirm(format!("Take {} off {}?", options.record, person.name_any()))?;
    let taken: Vec<_> = person.spec.records.iter().filter(|record| !records.contains(record)).collect();
    let apart = also_apart(person, taken);
    write(&api, person, json!({"records": records, "apart": apart})).await?;
    say(&format!(
        "{}: {}. The next trusted response with {} makes a Person of its own",
        person.name_any(),
        listed(&records),
        options.record
    ));
    Ok(())
}

/// Says that two Persons are two humans, whatever they share.
///
/// # Flow          read, show, ask, write on the first of them
/// # Guarantees    as for [`split`]; saying it again changes nothing
/// # Assumptions   as for [`merge`]
/// # Errors        why not, and that nothing was changed
pub async fn apart(options: &Apart) -> Result<(), Failure> {
    let (_, api, people) = everybody(&options.cluster).await?;
    let (person, other) = (find(&people, &options.person)?, find(&people, &options.other)?);
    if person.uid() == other.uid() {
        return Err(Failure::Refused(format!(
            "both are {}: take a record off it with kubectl rollcall split",
            person.name_any()
        )));
    }
    let apart = also_apart(person, &other.spec.records);
    if apart.len() > MAX_APART {
        return Err(Failure::Refused(format!(
            "{} is told apart from {MAX_APART} records already: say it of the other Person first",
            person.name_any()
        )));
    }
    say(&format!("{}\n{}", shown(person), shown(other)));
    options
        .asked
        .confirm("Are these two humans? What either owns is then revoked when that one leaves, whatever they share")?;
    write(&api, person, json!({"apart": apart})).await?;
    say(&format!("{} and {} are two humans", person.name_any(), other.name_any()));
    Ok(())
}

/// What a Person is told apart from, and these.
fn also_apart<'a>(person: &Person, records: impl IntoIterator<Item = &'a Record>) -> Vec<Record> {
    let mut apart = person.spec.apart.clone();
    for record in records {
        if !apart.contains(record) {
            apart.push(record.clone());
        }
    }
    apart
}

/// Waits until sync knows the Person that stays by everything that the other is known by.
async fn taken_over(api: &Api<Person>, person: &Person, other: &Person) -> Result<(), Failure> {
    let aliases = |person: &Person| person.status.as_ref().map(|status| status.aliases.clone()).unwrap_or_default();
    for _ in 0..LOOKS {
        let now = aliases(&ask("read the Person", api.get(&person.name_any())).await?);
        if aliases(other).iter().all(|alias| now.contains(alias) || person.spec.disowned.contains(alias)) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(Failure::Refused(format!(
        "sync has not yet taken over the addresses and user names of {}: see `kubectl get syncpolicies`, then run this again",
        other.name_any()
    )))
}

/// Writes over a Person whose records, state and names are those that were shown.
pub(super) async fn write(api: &Api<Person>, person: &Person, spec: serde_json::Value) -> Result<(), Failure> {
    let aliases = |person: &Person| person.status.as_ref().map(|status| status.aliases.clone());
    let still = |read: &Person| shown(read) == shown(person) && aliases(read) == aliases(person);
    write_over(api, person, "write the Person", &spec, still).await
}

/// The Person that goes. Where a merge stopped half-way, both have its records.
fn find_other<'a>(people: &'a [Person], text: &str, stays: &str) -> Result<&'a Person, Failure> {
    let others: Vec<_> = people.iter().filter(|person| person.name_any() != stays).cloned().collect();
    let name = find(&others, text)?.name_any();
    find(people, &name)
}

/// All records of both.
fn merged(person: &Person, other: &Person) -> Result<Vec<Record>, String> {
    if person.uid() == other.uid() {
        return Err(format!("both are {}: nothing to do", person.name_any()));
    }
    with(person, &other.spec.records)
}

/// The records of a Person, and these.
fn with(person: &Person, more: &[Record]) -> Result<Vec<Record>, String> {
    let mut records = person.spec.records.clone();
    records.extend(more.iter().filter(|record| !person.spec.records.contains(record)).cloned());
    if records.len() > MAX_RECORDS {
        return Err(format!("together they have {} HR records, and a Person has at most {MAX_RECORDS}", records.len()));
    }
    Ok(records)
}

/// The record that is named as CONNECTION/ID, if no Person has it.
fn without_person(people: &[Person], text: &str) -> Option<Record> {
    let (connection, id) =
        text.trim().split_once('/').filter(|(connection, id)| !connection.is_empty() && !id.is_empty())?;
    let record = Record { connection: connection.to_owned(), id: id.to_owned() };
    let has = |person: &Person| person.spec.records.contains(&record);
    (!people.iter().any(has)).then_some(record)
}

/// Whether the HR system of a person was replaced, and no record of the new one is theirs yet.
fn not_migrated(person: &Person) -> bool {
    let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
    employment.is_some_and(|employment| Why::from_stored(&employment.why) == Why::NotMigrated)
}

/// All records of a Person but one.
fn without(person: &Person, text: &str) -> Result<Vec<Record>, String> {
    let records = &person.spec.records;
    if records.first().is_some_and(|first| words(first) == text) {
        return Err(format!("{text} is the record that {} is named after: split off the others", person.name_any()));
    }
    let kept: Vec<_> = records.iter().filter(|record| words(record) != text).cloned().collect();
    if kept.len() == records.len() {
        return Err(format!("{} has no HR record {text}; it has {}", person.name_any(), listed(records)));
    }
    Ok(kept)
}

/// Whether a Revocation of a Person has not ended.
fn is_open(revocation: &Revocation, person: &Person) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    Some(&revocation.spec.person_uid) == person.metadata.uid.as_ref()
        && !phase.is_some_and(crate::api::revocation::Phase::ended)
}

fn words(record: &Record) -> String {
    format!("{}/{}", record.connection, record.id)
}

fn listed(records: &[Record]) -> String {
    records.iter().map(|record| plain(&words(record))).collect::<Vec<_>>().join(", ")
}

/// `p-7: hq/7, Ada Example, Active (active, no last day)`, for the terminal of whoever decides.
pub(super) fn shown(person: &Person) -> String {
    let status = person.status.as_ref();
    let name = person.display_name().unwrap_or_default();
    let state = status.and_then(|status| status.employment.as_ref());
    let state = state.map_or_else(|| "nothing is known yet".to_owned(), |state| state.message.clone());
    format!("{}: {}, {}: {}", person.name_any(), listed(&person.spec.records), plain(name), plain(&state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, records: &[&str]) -> Person {
        let records: Vec<_> = records.iter().map(|id| json!({"connection": "hq", "id": id})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {"records": records},
        }))
        .unwrap()
    }

    #[test]
    fn a_person_is_found_by_name_and_by_record_and_never_guessed() {
        let people = [person("p-a", &["1", "2"]), person("p-b", &["3"]), person("p-c", &["2"])];
        for (text, expected) in
            [("p-b", Some("p-b")), ("hq/3", Some("p-b")), ("hq/1", Some("p-a")), ("hq/2", None), ("hq/9", None)]
        {
            assert_eq!(find(&people, text).ok().map(ResourceExt::name_any).as_deref(), expected, "{text}");
        }
        assert_eq!(find_other(&people, "hq/2", "p-a").unwrap().name_any(), "p-c", "what a merge left half done");
    }

    #[test]
    fn two_become_one_with_the_records_of_both_each_once() {
        let ids = |records: Vec<Record>| records.into_iter().map(|record| record.id).collect::<Vec<_>>();
        assert_eq!(ids(merged(&person("p-a", &["1", "2"]), &person("p-b", &["2", "3"])).unwrap()), ["1", "2", "3"]);
        assert!(merged(&person("p-a", &["1"]), &person("p-a", &["1"])).is_err(), "one and the same");
        let many = person("p-m", &["1", "2", "3", "4", "5", "6", "7", "8"]);
        assert!(merged(&person("p-a", &["9"]), &many).is_err(), "too many");
        assert_eq!(ids(without(&person("p-a", &["1", "2"]), "hq/2").unwrap()), ["1"]);
        assert!(without(&person("p-a", &["1", "2"]), "hq/1").is_err(), "the one it is named after");
        assert!(without(&person("p-a", &["1", "2"]), "hq/9").is_err(), "none of theirs");
    }

    #[test]
    fn only_who_waits_for_a_migration_gets_a_record_that_no_person_has() {
        let people = [person("p-a", &["1"])];
        let record = |text: &str| without_person(&people, text).map(|record| words(&record));
        assert_eq!(record("workday/21").as_deref(), Some("workday/21"));
        for text in ["hq/1", "ada@example.com", "p-a", "workday/", "/21"] {
            assert_eq!(record(text), None, "{text}");
        }
        for (why, expected) in [("NotMigrated", true), ("NotNamed", false), ("Active", false)] {
            let mut ada = person("p-a", &["1"]);
            ada.status = serde_json::from_value(json!({"employment": {"state": "Unknown",
                "since": "2026-03-01T00:00:00Z", "timeZone": "Europe/Madrid", "why": why}}))
            .unwrap();
            assert_eq!(not_migrated(&ada), expected, "{why}");
        }
        assert!(!not_migrated(&person("p-a", &["1"])), "nothing is known of them");
        let many = person("p-m", &["1", "2", "3", "4", "5", "6", "7", "8"]);
        assert!(with(&many, &without_person(&people, "workday/21").into_iter().collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn what_is_told_apart_is_told_once() {
        let mut ada = person("p-a", &["1"]);
        ada.spec.apart = also_apart(&ada, &person("p-b", &["2", "3"]).spec.records);
        assert_eq!(also_apart(&ada, &person("p-b", &["3", "2"]).spec.records), ada.spec.apart);
    }

    #[test]
    fn a_person_whose_revocation_has_not_ended_is_not_deleted() {
        for (uid, phase, expected) in [
            ("uid-p-b", Some("Held"), true),
            ("uid-p-b", None, true),
            ("uid-p-b", Some("Revoked"), false),
            ("uid-p-a", Some("Held"), false),
        ] {
            let revocation = serde_json::from_value(json!({
                "metadata": {"name": "p-b-cut"},
                "spec": {"person": "p-b", "personUid": uid, "policy": "everyone", "trigger": "Termination",
                    "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": {"phase": phase},
            }))
            .unwrap();
            assert_eq!(is_open(&revocation, &person("p-b", &["3"])), expected, "{uid} {phase:?}");
        }
    }
}
