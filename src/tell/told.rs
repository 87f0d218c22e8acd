//! What was told already, in ConfigMaps: a process that begins anew goes on where the one before it ended.
//!
//! It is written after something was taken by the receiver, so what is lost with a process is told twice, and never not at all.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;

use crate::api::names;
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::swap::{self, Change, OwnConfigMap};

/// How many ConfigMaps there are: one has a million bytes at most, and there may be hundreds of thousands of people.
pub const SHARDS: usize = 16;
/// The key of a ConfigMap's data.
const KEY: &str = "told.json";
/// What the ConfigMaps are: the value of their label `rollcall.dev/part`.
const PART: &str = "told";

/// What there is to tell of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A Person's turn, by its number.
    Turn(u32),
    /// What came of a Revocation, by its word.
    Fact(String),
}

/// What was told of one object: all turns up to a number, or words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    turn: u32,
    facts: BTreeSet<String>,
}

impl Entry {
    fn from_text(text: &str) -> Self {
        match text.parse() {
            Ok(turn) => Self { turn, facts: BTreeSet::new() },
            Err(_) => Self { turn: 0, facts: text.split_whitespace().map(str::to_owned).collect() },
        }
    }

    fn text(&self) -> String {
        if self.facts.is_empty() {
            return self.turn.to_string();
        }
        self.facts.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn join(&mut self, other: Self) {
        self.turn = self.turn.max(other.turn);
        self.facts.extend(other.facts);
    }
}

/// What was told of all objects, by their uid.
#[derive(Debug, Default)]
pub struct Told {
    by_uid: BTreeMap<String, Entry>,
    gone: BTreeSet<String>,
    unwritten: BTreeSet<usize>,
}

/// The ConfigMap of an object: by the first digit of its uid.
fn shard(uid: &str) -> usize {
    uid.chars().next().and_then(|digit| digit.to_digit(16)).map_or(0, |digit| digit as usize)
}

fn name(shard: usize) -> String {
    format!("{}-{shard:x}", names::TOLD)
}

impl Told {
    /// What an earlier process wrote; none where none ever did.
    ///
    /// # Errors
    /// When it cannot be read, or is not what one wrote: nobody then knows what was told.
    pub async fn read(maps: &Api<ConfigMap>) -> Result<Option<Self>, Fault> {
        let mut told = Self::default();
        for shard in 0..SHARDS {
            match call("read what was told", maps.get_opt(&name(shard))).await? {
                Some(map) => told.by_uid.extend(entries(&map)?),
                // The first is written last.
                None if shard == 0 => return Ok(None),
                None => {}
            }
        }
        Ok(Some(told))
    }

    /// Whether this was told.
    #[must_use]
    pub fn has(&self, uid: &str, mark: &Mark) -> bool {
        self.by_uid.get(uid).is_some_and(|entry| match mark {
            Mark::Turn(number) => *number <= entry.turn,
            Mark::Fact(word) => entry.facts.contains(word),
        })
    }

    /// Number of the last turn that was told of a Person.
    #[must_use]
    pub fn last_turn(&self, uid: &str) -> u32 {
        self.by_uid.get(uid).map_or(0, |entry| entry.turn)
    }

    /// This was told.
    pub fn note(&mut self, uid: &str, mark: Mark) {
        let entry = self.by_uid.entry(uid.to_owned()).or_default();
        match mark {
            Mark::Turn(number) => entry.turn = entry.turn.max(number),
            Mark::Fact(word) => drop(entry.facts.insert(word)),
        }
        self.unwritten.insert(shard(uid));
    }

    /// Forgets objects that are not there any more. A uid is never used again.
    pub fn keep(&mut self, there: &BTreeSet<&str>) {
        let gone: Vec<String> = self.by_uid.keys().filter(|uid| !there.contains(uid.as_str())).cloned().collect();
        for uid in gone {
            self.by_uid.remove(&uid);
            self.unwritten.insert(shard(&uid));
            self.gone.insert(uid);
        }
    }

    /// All of it is to be written, the first ConfigMap last: nothing was ever told before.
    pub fn begin(&mut self) {
        self.unwritten = (0..SHARDS).collect();
    }

    /// Writes what is new.
    ///
    /// # Guarantees    what another process wrote meanwhile stays
    /// # Errors        transient: what was not written is with the next call
    pub async fn write(&mut self, maps: &Api<ConfigMap>) -> Result<(), Fault> {
        for shard in self.unwritten.iter().copied().rev().collect::<Vec<_>>() {
            let name = name(shard);
            let kept = OwnConfigMap { name: &name, part: PART, doing: "write what was told" };
            swap::swap(maps, kept, |current| {
                let mut all = current.map(entries).transpose()?.unwrap_or_default();
                all.retain(|uid, _| !self.gone.contains(uid));
                for (uid, entry) in self.by_uid.iter().filter(|(uid, _)| self::shard(uid) == shard) {
                    all.entry(uid.clone()).or_default().join(entry.clone());
                }
                let texts: BTreeMap<&String, String> = all.iter().map(|(uid, entry)| (uid, entry.text())).collect();
                let text = serde_json::to_string(&texts).unwrap_or_default();
                let stands = current.and_then(|map| map.data.as_ref()?.get(KEY)) == Some(&text);
                Ok(if stands { Change::Keep(()) } else { Change::Write([(KEY.to_owned(), text)].into(), ()) })
            })
            .await?;
            self.unwritten.remove(&shard);
            self.gone.retain(|uid| self::shard(uid) != shard);
        }
        Ok(())
    }
}

fn entries(map: &ConfigMap) -> Result<BTreeMap<String, Entry>, Fault> {
    let text = map.data.as_ref().and_then(|data| data.get(KEY));
    let texts: Option<BTreeMap<String, String>> = text.and_then(|text| serde_json::from_str(text).ok());
    let unreadable = || {
        let name = map.metadata.name.as_deref().unwrap_or_default();
        Fault::Stalled(format!(
            "ConfigMap {name} is not what rollcall tell wrote: delete it, and what it held is told once more"
        ))
    };
    let texts = texts.ok_or_else(unreadable)?;
    Ok(texts.into_iter().map(|(uid, text)| (uid, Entry::from_text(&text))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kube::scenario::{Scenario, on};

    const MAPS: &str = "/api/v1/namespaces/rollcall/configmaps";

    fn map(shard: usize, told: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name(shard), "resourceVersion": "7"},
            "data": {KEY: told.to_string()},
        })
    }

    fn maps(scenario: &Scenario) -> Api<ConfigMap> {
        Api::namespaced(scenario.client(), "rollcall")
    }

    fn turned(uid: &str, told: &Told) -> [bool; 3] {
        [1, 2, 3].map(|number| told.has(uid, &Mark::Turn(number)))
    }

    #[tokio::test]
    async fn what_one_process_told_the_next_one_knows() {
        let stands = |shard: usize| match shard {
            10 => {
                on(&format!("GET {MAPS}/{}", name(10))).answers(map(10, &json!({"a1": "2", "a2": "failed-0 released"})))
            }
            0 => on(&format!("GET {MAPS}/{}", name(0))).answers(map(0, &json!({}))),
            _ => on(&format!("GET {MAPS}/{}", name(shard))),
        };
        let scenario = (0..SHARDS).fold(Scenario::default(), |all, shard| all.then(stands(shard)));
        let told = Told::read(&maps(&scenario)).await.unwrap().expect("something was told before");
        scenario.is_over();
        assert_eq!(turned("a1", &told), [true, true, false]);
        assert_eq!(turned("b1", &told), [false; 3]);
        let fact = |word: &str| told.has("a2", &Mark::Fact(word.to_owned()));
        assert!(fact("released") && fact("failed-0") && !fact("revoked-0"));
    }

    #[tokio::test]
    async fn what_another_process_told_meanwhile_stays_told_and_what_is_gone_is_forgotten() {
        let mut told = Told::default();
        told.note("a1", Mark::Turn(1));
        told.note("a3", Mark::Turn(9));
        told.note("a1", Mark::Turn(3));
        told.note("a1", Mark::Turn(2));
        told.keep(&["a1", "a2"].into());
        let scenario = Scenario::default()
            .then(
                on(&format!("GET {MAPS}/{}", name(10)))
                    .answers(map(10, &json!({"a1": "1", "a2": "released", "a3": "8"}))),
            )
            .then(
                on(&format!("PUT {MAPS}/{}", name(10)))
                    .sends(json!({"data": {KEY: r#"{"a1":"3","a2":"released"}"#}}))
                    .answers(map(10, &json!({}))),
            );
        told.write(&maps(&scenario)).await.unwrap();
        scenario.is_over();
        told.write(&maps(&Scenario::default())).await.unwrap(); // nothing is new
    }

    #[tokio::test]
    async fn what_nobody_can_read_is_not_taken_for_nothing() {
        let broken = json!({"metadata": {"name": name(0)}, "data": {KEY: "[]"}});
        let scenario = Scenario::default().then(on(&format!("GET {MAPS}/{}", name(0))).answers(broken));
        assert!(Told::read(&maps(&scenario)).await.is_err());
        let scenario = Scenario::default().then(on(&format!("GET {MAPS}/{}", name(0))));
        assert!(Told::read(&maps(&scenario)).await.unwrap().is_none());
    }
}
