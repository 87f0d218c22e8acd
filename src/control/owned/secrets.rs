//! Annotated Secrets, by the keys that name a person; of the namespaces that let control list them.

use std::collections::{BTreeSet, HashMap};

use super::few::Few;
use super::{AccountName, Names, Owned, Since, remove};
use domain::marks::digest;
use domain::ownership::key as owner_key;
use domain::plan::rotate::Secret;

/// Annotated Secrets by place and by key.
#[derive(Debug, Default)]
pub struct Secrets {
    all: HashMap<AccountName, Since<Secret>>,
    by_key: HashMap<String, Few<AccountName>>,
}

impl Secrets {
    /// Those that have this key. One that holds the token of an account goes with the account, and is not among them.
    pub fn of_key(&self, key: &str) -> impl Iterator<Item = &Since<Secret>> {
        let places = self.by_key.get(key).into_iter().flatten();
        places.filter_map(|place| self.all.get(place)).filter(|secret| !secret.object.token)
    }

    /// The keys of those in a namespace.
    pub fn keys_in(&self, namespace: &str) -> impl Iterator<Item = String> {
        let here = self.all.iter().filter(move |((place, _), _)| place == namespace);
        here.filter_map(|(_, secret)| owner_key(&secret.object.owner))
    }
}

impl Owned {
    /// A Secret is like this now; gone, or without an owner annotation. Says whose plan may have changed.
    pub fn secret(&mut self, place: &AccountName, mut now: Option<Since<Secret>>) -> Names {
        let mut touched = Names::new();
        if let (Some(before), Some(now)) = (self.secrets.all.get_mut(place), &mut now) {
            let same = before.object.uid == now.object.uid && before.object.owner == now.object.owner;
            now.known(before, same);
            if same {
                now.object.marked = before.object.marked; // who writes to it later does not mark it anew
            }
            if before.object == now.object {
                before.at = now.at;
                return touched;
            }
        }
        if let Some(before) = self.secrets.all.remove(place)
            && let Some(key) = owner_key(&before.object.owner)
        {
            self.of_key(&key, &mut touched);
            remove(&mut self.secrets.by_key, &key, place);
        }
        if let Some(now) = now {
            if let Some(key) = owner_key(&now.object.owner) {
                self.of_key(&key, &mut touched);
                self.secrets.by_key.entry(key).or_default().insert(place.clone());
            }
            self.secrets.all.insert(place.clone(), now);
        }
        touched
    }

    /// The digests of all who own one that is no account's token.
    pub fn secret_owners(&self) -> BTreeSet<String> {
        let all = self.secrets.all.values().map(|secret| &secret.object);
        all.filter(|secret| !secret.token).map(|secret| digest(&secret.owner)).collect()
    }

    /// Names of the Secrets of a namespace that are known, but for these.
    pub fn secrets_but(&self, namespace: &str, there: &BTreeSet<String>) -> Vec<AccountName> {
        let here = self.secrets.all.keys().filter(|(place, name)| place == namespace && !there.contains(name));
        here.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ownership::PersonFacts;

    fn person(id: &str) -> PersonFacts {
        PersonFacts {
            name: format!("p-{id}"),
            uid: format!("u-{id}"),
            records: vec![("hq".into(), id.into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: Vec::new(),
            address: None,
            left: None,
        }
    }

    fn secret(name: &str, owner: &str, token: bool) -> Option<Since<Secret>> {
        let (namespace, uid) = ("apps".to_owned(), format!("u-{name}"));
        let object = Secret {
            namespace,
            name: name.into(),
            uid,
            owner: owner.into(),
            next: domain::handover::Nominated::default(),
            marked: None,
            way: None,
            token,
            break_glass: false,
        };
        Some(Since { object, at: None })
    }

    #[test]
    fn a_secret_is_its_owners_and_nobody_elses_plan_is_touched_by_it() {
        let mut owned = Owned::default();
        for id in ["7", "8"] {
            owned.person(&format!("p-{id}"), Some(person(id)));
        }
        let place = |name: &str| ("apps".to_owned(), name.to_owned());
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Names>();
        assert_eq!(owned.secret(&place("db"), secret("db", "id:hq/7", false)), names(&["p-7"]));
        assert_eq!(owned.secret(&place("db"), secret("db", "id:hq/7", false)), names(&[]), "nothing changed");
        owned.secret(&place("token"), secret("token", "id:hq/7", true));
        let theirs = |owned: &Owned, id: &str| {
            let all = owned.of(&person(id), &BTreeSet::new()).secrets;
            all.into_iter().map(|secret| secret.object.name).collect::<Vec<_>>()
        };
        assert_eq!(owned.secret_owners(), BTreeSet::from([digest("id:hq/7")]));
        assert_eq!((theirs(&owned, "7"), theirs(&owned, "8").len()), (vec!["db".to_owned()], 0));
        assert_eq!(owned.uids(&person("7")), BTreeSet::from(["u-db".to_owned()]));
        assert_eq!(owned.in_namespace("apps"), names(&["p-7"]));
        assert_eq!(owned.secret(&place("db"), secret("db", "id:hq/8", false)), names(&["p-7", "p-8"]), "handed over");
        assert_eq!(theirs(&owned, "8"), ["db"]);
        assert_eq!(owned.secrets_but("apps", &BTreeSet::from(["token".to_owned()])), [place("db")]);
        assert_eq!(owned.secret(&place("db"), None), names(&["p-8"]));
        assert!(theirs(&owned, "8").is_empty());
        assert!(owned.secret_owners().is_empty(), "who owns the token of an account owns the account");
    }
}
