//! What a connector reads: nothing that is not listed, and without what nobody needs the same people.

use serde_json::{Value as Json, json};

use super::catalogue::{folders, root};
use crate::conformance::{Folder, Reader, plainly};
use domain::needs::Needs;
use hris::definition::Definition;
use hris::path::Path;

/// What is looked at in every response, to see whether it reports an error.
const OF_THE_RESPONSE: [&str; 5] = ["error", "errors", "success", "ok", "status"];

/// Where values may stand that are listed: keys, and whether everything below counts.
fn listed(definition: &Definition) -> Vec<(Vec<String>, bool)> {
    let readings = definition.readings().unwrap();
    let paths = readings.iter().map(|reading| Path::parse(&reading.path).unwrap());
    paths.map(|Path { keys, query }| (keys, query.is_some())).collect()
}

/// Writes over everything that is not listed.
fn blank(value: &mut Json, keys: &mut Vec<String>, listed: &[(Vec<String>, bool)]) {
    match value {
        Json::Array(all) => all.iter_mut().for_each(|one| blank(one, keys, listed)),
        Json::Object(members) => {
            for (key, inner) in members {
                keys.push(key.clone());
                blank(inner, keys, listed);
                keys.pop();
            }
        }
        Json::Null => {}
        leaf => {
            let below = |of: &[String]| (0..=keys.len()).any(|at| keys[at..].starts_with(of));
            let is_listed = listed.iter().any(|(of, open)| if *open { below(of) } else { keys.ends_with(of) });
            let of_response = keys.first().is_some_and(|key| OF_THE_RESPONSE.contains(&key.as_str()));
            if !is_listed && !of_response {
                *leaf = json!("not to be read");
            }
        }
    }
}

#[tokio::test]
async fn no_connector_reads_a_value_that_is_not_listed() {
    let mut wrong = Vec::new();
    for name in folders() {
        let mut folder = Folder::open(&root().join(&name)).unwrap();
        let listed = listed(&folder.definition);
        folder.rewrite(|page| blank(page, &mut Vec::new(), &listed));
        let reader = Reader::new(&folder.definition).unwrap();
        let (report, _) = folder.report(&reader).await.unwrap();
        wrong.extend(report.wrong.into_iter().map(|why| format!("{name}: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn without_what_nobody_needs_every_connector_reads_the_same_people_and_nothing_else_of_them() {
    const DECIDES: [&str; 9] =
        ["id", "email", "name", "reportedStatus", "start", "lastDay", "contractEnd", "urgent", "location"];
    for name in folders() {
        let mut folder = Folder::open(&root().join(&name)).unwrap();
        let reader = Reader::new(&folder.definition).unwrap();
        let whole = folder.run(&reader, None).await.unwrap().read.unwrap();
        let lookups = folder.definition.lookups.clone();
        folder.definition.keep_to(&Needs::default());
        // Pages are played in the order in which they were recorded: one that is not asked for would be taken for another.
        let asked: Vec<_> = folder.definition.joins.values().map(|join| &join.list.request.path).collect();
        if lookups.values().any(|lookup| asked.contains(&&lookup.list.request.path)) {
            continue;
        }
        let least = folder.run(&reader, None).await.unwrap().read.unwrap_or_else(|why| panic!("{name}: {why:?}"));
        let deciding = |plain: Json| {
            let all = plain.as_object().unwrap().clone().into_iter();
            all.filter(|(key, value)| DECIDES.contains(&key.as_str()) && !value.is_null())
                .collect::<serde_json::Map<_, _>>()
        };
        let found: Vec<Json> = least.employees.iter().map(plainly).collect();
        let expected: Vec<_> = whole.employees.iter().map(|one| deciding(plainly(one))).collect();
        for plain in &found {
            let more = plain.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            let more: Vec<_> = more.filter(|(key, _)| !DECIDES.contains(&key.as_str())).collect();
            let required = |key: &str| folder.definition.required.iter().any(|slot| slot.name().starts_with(key));
            assert!(more.iter().all(|(key, _)| required(key)), "{name}: {more:?}");
        }
        // Somebody who is set aside for a value that nobody needs is read without it.
        let found: Vec<_> = found.into_iter().map(deciding).collect();
        let missing = expected.iter().filter(|one| !found.contains(one)).count();
        let more = found.len() - expected.len();
        assert!(missing == 0 && more <= whole.bad.len(), "{name}: {missing} missing, {more} more");
        assert!(least.offered == whole.offered, "{name}: what it could say stays known");
    }
}
