//! Who comes next for what somebody leaves behind: everybody that any of the names may mean is asked, and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use super::{Names, Owned};
use domain::handover::{Colleague, Heir, Nominated, Rule, heir};
use domain::ownership::{Index, PersonFacts, key as owner_key};
use domain::plan::Account;
use domain::plan::rotate::Secret;

/// Most managers above each other that are asked.
const HIGHEST: usize = 64;

impl Owned {
    /// The next owner of each of these accounts and Secrets, by uid; `None` where nobody is left.
    pub fn heirs<'a>(
        &self,
        person: &PersonFacts,
        accounts: &'a [Account],
        secrets: &'a [Secret],
        order: &[Rule],
        who: impl Fn(&str) -> Option<Colleague>,
    ) -> BTreeMap<String, Option<Heir>> {
        let accounts = accounts.iter().map(|one| (&one.uid, &one.next));
        let all: Vec<(&'a String, &'a Nominated)> =
            accounts.chain(secrets.iter().map(|one| (&one.uid, &one.next))).collect();
        if order.is_empty() || all.is_empty() {
            return BTreeMap::new();
        }
        let backups = all.iter().filter_map(|(_, next)| owner_key(next.backup.as_deref()?)).collect();
        let index = self.around(person, backups, managers(&person.name, &who));
        all.into_iter().map(|(uid, next)| (uid.clone(), heir(order, next, person, &index, &who))).collect()
    }

    /// The owner annotation of an account with this uid, as it is watched.
    pub fn owner_of(&self, namespace: &str, name: &str, uid: &str) -> Option<String> {
        let account = self.accounts.get(&(namespace.to_owned(), name.to_owned()))?;
        (account.object.uid == uid).then(|| account.object.owner.clone())
    }

    /// These people, those that the keys name, and everybody else whom any of their names may mean.
    fn around(&self, person: &PersonFacts, keys: BTreeSet<String>, mut names: Names) -> Index {
        names.insert(person.name.clone());
        keys.iter().for_each(|key| self.of_key(key, &mut names));
        let known = names.iter().filter_map(|name| self.people.get(name));
        let keys: BTreeSet<String> = known.flat_map(PersonFacts::keys).collect();
        keys.iter().for_each(|key| self.of_key(key, &mut names));
        let people = self.humans(&names);
        Index::new(people.iter().filter_map(|name| self.people.get(name).cloned()).collect())
    }
}

/// The managers above somebody; data that runs in a circle ends.
fn managers(person: &str, who: &impl Fn(&str) -> Option<Colleague>) -> Names {
    let mut above = Names::new();
    let mut next = who(person).and_then(|one| one.manager);
    while let Some(name) = next.filter(|_| above.len() < HIGHEST) {
        if !above.insert(name.clone()) {
            break;
        }
        next = who(&name).and_then(|one| one.manager);
    }
    above
}
