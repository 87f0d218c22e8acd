//! Who owns what: everybody, the annotated accounts and the bindings, by the keys that name a person. Pure, and never built
//! again: each event changes what it is about, and says whose plan may be another one now.

mod few;
mod heirs;
mod secrets;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use jiff::Timestamp;

use domain::marks::digest;
use domain::ownership::{Index, MAX_RECORDS, PersonFacts, key as owner_key, user_key};
use domain::plan::rotate::Secret;
use domain::plan::{Account, Binding, Kind, Subject};
use few::Few;

/// Namespace and name of an account.
pub type AccountName = (String, String);
/// Kind, namespace and name of a binding.
pub type Bound = (Kind, String, String);

/// Something owned, and since when it says whose it is.
#[derive(Clone, Debug)]
pub struct Since<T> {
    /// The object.
    pub object: T,
    /// When it was made, or last changed in what it says of its owner; whichever is later.
    pub at: Option<Timestamp>,
}

impl<T> Since<T> {
    /// What was seen earlier stands: a field's time moves with every write of its manager, so that somebody who touches
    /// their own account all the time would make it look newly annotated.
    fn known(&mut self, before: &Self, same: bool) {
        if same {
            self.at = self.at.min(before.at);
        }
    }
}

/// Everything that is owned, and everybody who may own it.
#[derive(Debug, Default)]
pub struct Owned {
    people: HashMap<String, PersonFacts>,
    people_by_key: HashMap<String, Few<String>>,
    /// By the digests that the memory of marks has of these keys.
    people_by_digest: HashMap<String, Few<String>>,
    people_by_human_key: HashMap<String, Few<String>>,
    accounts: HashMap<AccountName, Since<Account>>,
    accounts_by_key: HashMap<String, Few<AccountName>>,
    accounts_by_uid: HashMap<String, AccountName>,
    bindings: HashMap<Bound, Since<Binding>>,
    bindings_by_user: HashMap<String, Few<Bound>>,
    bindings_by_account: HashMap<AccountName, Few<Bound>>,
    secrets: secrets::Secrets,
}

/// Names of Persons.
pub type Names = BTreeSet<String>;

/// What there is of one person: enough to draw their plan, and nothing else.
#[derive(Debug, Default)]
pub struct Belongings {
    /// Accounts that mention the person, and those their bindings name.
    pub accounts: Vec<Since<Account>>,
    /// Bindings that name the person.
    pub bindings: Vec<Since<Binding>>,
    /// Secrets that mention the person, where control may list them.
    pub secrets: Vec<Since<Secret>>,
    /// Everybody that any of it may resolve to.
    pub index: Index,
}

impl Owned {
    /// Whether a Person is known to be like this, or gone.
    pub fn knows(&self, name: &str, now: Option<&PersonFacts>) -> bool {
        self.people.get(name) == now
    }

    /// A Person is like this now, or gone. Says whose plan may have changed: theirs, that of everybody with a key of theirs,
    /// and of the other records of each of these humans.
    pub fn person(&mut self, name: &str, now: Option<PersonFacts>) -> Names {
        let before = self.people.remove(name);
        let same = |a: &PersonFacts, b: &PersonFacts| {
            a.uid == b.uid && a.left == b.left && a.keys().eq(b.keys()) && a.human_keys().eq(b.human_keys())
        };
        let mut touched = Names::from([name.to_owned()]);
        if let (Some(before), Some(now)) = (&before, &now)
            && same(before, now)
        {
            self.people.insert(name.to_owned(), now.clone());
            return touched;
        }
        for key in before.iter().flat_map(PersonFacts::keys) {
            touched.extend(self.people_by_key.get(&key).into_iter().flatten().cloned());
            remove(&mut self.people_by_key, &key, name);
            remove(&mut self.people_by_digest, &digest(&key), name);
        }
        for key in before.iter().flat_map(PersonFacts::human_keys) {
            touched.extend(self.sharing(&key).cloned());
            remove(&mut self.people_by_human_key, &key, name);
        }
        if let Some(now) = now {
            for key in now.human_keys() {
                self.people_by_human_key.entry(key).or_default().insert(name.to_owned());
            }
            for key in now.keys() {
                self.people_by_digest.entry(digest(&key)).or_default().insert(name.to_owned());
                let all = self.people_by_key.entry(key).or_default();
                touched.extend((&*all).into_iter().cloned());
                all.insert(name.to_owned());
            }
            self.people.insert(name.to_owned(), now);
        }
        self.humans(&touched)
    }

    /// A few of those who share what may make one human of them: all of them, unless too many do.
    fn sharing(&self, key: &str) -> impl Iterator<Item = &String> {
        self.people_by_human_key.get(key).into_iter().flatten().take(MAX_RECORDS + 1)
    }

    /// These people, and every other record of the same humans. Of what too many share, so many that they are seen to be.
    fn humans(&self, names: &Names) -> Names {
        let mut all = names.clone();
        let mut new: Vec<String> = names.iter().cloned().collect();
        while let Some(name) = new.pop() {
            for key in self.people.get(&name).into_iter().flat_map(PersonFacts::human_keys) {
                let shared_by_many = self.sharing(&key).count() > MAX_RECORDS;
                for other in self.sharing(&key) {
                    if all.insert(other.clone()) && !shared_by_many {
                        new.push(other.clone());
                    }
                }
            }
        }
        all
    }

    /// Every record of this person's human.
    pub fn human(&self, person: &PersonFacts) -> Vec<&PersonFacts> {
        let names = self.humans(&Names::from([person.name.clone()]));
        let index = Index::new(names.iter().filter_map(|name| self.people.get(name).cloned()).collect());
        index.records(person).filter_map(|record| self.people.get(&record.name)).collect()
    }

    /// An account is like this now; gone, or without an owner annotation. Says whose plan may have changed.
    pub fn account(&mut self, place: &AccountName, mut now: Option<Since<Account>>) -> Names {
        let mut touched = Names::new();
        if let (Some(before), Some(now)) = (self.accounts.get_mut(place), &mut now) {
            let same = before.object.uid == now.object.uid && before.object.owner == now.object.owner;
            now.known(before, same);
            if before.object == now.object {
                before.at = now.at;
                return touched;
            }
        }
        let before = self.accounts.remove(place);
        let key_of = |account: &Option<Since<Account>>| account.as_ref().and_then(|a| owner_key(&a.object.owner));
        if before.is_none() && now.is_none() {
            return touched;
        }
        if let Some(before) = &before {
            self.accounts_by_uid.remove(&before.object.uid);
        }
        if let Some(key) = key_of(&before) {
            self.of_key(&key, &mut touched);
            remove(&mut self.accounts_by_key, &key, place);
        }
        if let Some(key) = key_of(&now) {
            self.of_key(&key, &mut touched);
            self.accounts_by_key.entry(key).or_default().insert(place.clone());
        }
        for bound in self.bindings_by_account.get(place).into_iter().flatten() {
            if let Some(binding) = self.bindings.get(bound) {
                self.of_binding(&binding.object, &mut touched);
            }
        }
        if let Some(now) = now {
            self.accounts_by_uid.insert(now.object.uid.clone(), place.clone());
            self.accounts.insert(place.clone(), now);
        }
        touched
    }

    /// A binding is like this now, or gone. Says whose plan may have changed.
    pub fn binding(&mut self, bound: &Bound, mut now: Option<Since<Binding>>) -> Names {
        let mut touched = Names::new();
        if let (Some(before), Some(now)) = (self.bindings.get_mut(bound), &mut now) {
            let same = before.object.uid == now.object.uid && before.object.subjects == now.object.subjects;
            now.known(before, same);
            if before.object == now.object {
                before.at = now.at;
                return touched;
            }
        }
        if let Some(before) = self.bindings.remove(bound) {
            self.of_binding(&before.object, &mut touched);
            for subject in &before.object.subjects {
                match subject {
                    Subject::User(name) => remove(&mut self.bindings_by_user, &user_key(name), bound),
                    Subject::Account { namespace, name } => {
                        remove(&mut self.bindings_by_account, &(namespace.clone(), name.clone()), bound);
                    }
                    Subject::Other => {}
                }
            }
        }
        // One that names neither a user nor an account is nobody's: groups are not ours to end.
        let now = now.filter(|now| now.object.subjects.iter().any(|subject| *subject != Subject::Other));
        if let Some(now) = now {
            self.of_binding(&now.object, &mut touched);
            for subject in &now.object.subjects {
                match subject {
                    Subject::User(name) => {
                        self.bindings_by_user.entry(user_key(name)).or_default().insert(bound.clone());
                    }
                    Subject::Account { namespace, name } => {
                        let place = (namespace.clone(), name.clone());
                        self.bindings_by_account.entry(place).or_default().insert(bound.clone());
                    }
                    Subject::Other => {}
                }
            }
            self.bindings.insert(bound.clone(), now);
        }
        touched
    }

    /// Everybody who has this key.
    fn of_key(&self, key: &str, names: &mut Names) {
        names.extend(self.people_by_key.get(key).into_iter().flatten().cloned());
    }

    /// Everybody that a subject of this binding names, by user name or by the owner annotation of an account.
    fn of_binding(&self, binding: &Binding, names: &mut Names) {
        for subject in &binding.subjects {
            match subject {
                Subject::User(name) => self.of_key(&user_key(name), names),
                Subject::Account { namespace, name } => {
                    let account = self.accounts.get(&(namespace.clone(), name.clone()));
                    if let Some(key) = account.and_then(|account| owner_key(&account.object.owner)) {
                        self.of_key(&key, names);
                    }
                }
                Subject::Other => {}
            }
        }
    }

    /// Everybody.
    pub fn index(&self) -> Index {
        Index::new(self.people.values().cloned().collect())
    }

    /// Everybody who has a key with one of these digests.
    pub fn having(&self, digests: &BTreeSet<String>) -> Names {
        digests.iter().filter_map(|digest| self.people_by_digest.get(digest)).flatten().cloned().collect()
    }

    /// Everybody who owns something in this namespace; `""` stands for the whole cluster's bindings.
    pub fn in_namespace(&self, namespace: &str) -> Names {
        let mut names = Names::new();
        for ((place, _), account) in &self.accounts {
            if place == namespace
                && let Some(key) = owner_key(&account.object.owner)
            {
                self.of_key(&key, &mut names);
            }
        }
        for ((_, place, _), binding) in &self.bindings {
            if place == namespace {
                self.of_binding(&binding.object, &mut names);
            }
        }
        self.secrets.keys_in(namespace).for_each(|key| self.of_key(&key, &mut names));
        names
    }

    /// Namespaces where something has an owner annotation.
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.accounts.keys().map(|(namespace, _)| namespace.clone()).collect()
    }

    /// Every key that names this human.
    fn keys(&self, person: &PersonFacts) -> BTreeSet<String> {
        self.human(person).into_iter().flat_map(PersonFacts::keys).chain(person.keys()).collect()
    }

    /// Uids of the accounts and bindings that name this human: all that a cut could ever act on.
    pub fn uids(&self, person: &PersonFacts) -> BTreeSet<String> {
        let mut uids = BTreeSet::new();
        for key in self.keys(person) {
            let accounts = self.accounts_by_key.get(&key).into_iter().flatten();
            uids.extend(accounts.filter_map(|place| Some(self.accounts.get(place)?.object.uid.clone())));
            let bindings = self.bindings_by_user.get(&key).into_iter().flatten();
            uids.extend(bindings.filter_map(|bound| Some(self.bindings.get(bound)?.object.uid.clone())));
            uids.extend(self.secrets.of_key(&key).map(|secret| secret.object.uid.clone()));
        }
        uids
    }

    /// What there is of one person, and of the accounts with these uids.
    pub fn of(&self, person: &PersonFacts, recreated: &BTreeSet<String>) -> Belongings {
        let mut places: BTreeSet<&AccountName> =
            recreated.iter().filter_map(|uid| self.accounts_by_uid.get(uid)).collect();
        let mut bounds: BTreeSet<&Bound> =
            places.iter().filter_map(|place| self.bindings_by_account.get(*place)).flatten().collect();
        for key in self.keys(person) {
            places.extend(self.accounts_by_key.get(&key).into_iter().flatten());
            bounds.extend(self.bindings_by_user.get(&key).into_iter().flatten());
        }
        let bindings: Vec<_> = bounds.into_iter().filter_map(|bound| self.bindings.get(bound).cloned()).collect();
        let theirs = self.keys(person);
        let mut keys = theirs.clone();
        for subject in bindings.iter().flat_map(|binding| &binding.object.subjects) {
            match subject {
                Subject::User(name) => {
                    keys.insert(user_key(name));
                }
                Subject::Account { namespace, name } => {
                    let place = self.accounts.get_key_value(&(namespace.clone(), name.clone()));
                    places.extend(place.map(|(place, _)| place));
                }
                Subject::Other => {}
            }
        }
        let accounts: Vec<_> = places.into_iter().filter_map(|place| self.accounts.get(place).cloned()).collect();
        keys.extend(accounts.iter().filter_map(|account| owner_key(&account.object.owner)));
        let secrets: Vec<_> = theirs.iter().flat_map(|key| self.secrets.of_key(key)).cloned().collect();
        let mut names = Names::new();
        keys.iter().for_each(|key| self.of_key(key, &mut names));
        let people = self.humans(&names);
        let people = people.iter().filter_map(|name| self.people.get(name).cloned()).collect();
        Belongings { accounts, bindings, secrets, index: Index::new(people) }
    }
}

fn remove<K, Q, V, W>(map: &mut HashMap<K, Few<V>>, key: &Q, value: &W)
where
    K: Hash + Eq + std::borrow::Borrow<Q>,
    Q: Hash + Eq + ?Sized,
    V: Ord + std::borrow::Borrow<W>,
    W: Ord + ?Sized,
{
    if let Some(values) = map.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            map.remove(key);
        }
    }
}

/// How often something of a person changed, so that a plan is drawn again when something of *its* person did.
#[derive(Debug, Default)]
pub struct Epochs {
    people: HashMap<String, u64>,
    drawn: BTreeMap<String, Drawn>,
}

/// When a plan was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// What of the person had changed by then.
    pub epoch: u64,
    /// The policy's generation.
    pub policy: Option<i64>,
    /// The plan's hash: one that was not written after all does not stand.
    pub hash: String,
    /// When.
    pub at: Timestamp,
}

impl Epochs {
    /// Something of these people changed.
    pub fn touch<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let epoch = self.people.entry(name.clone()).or_default();
            *epoch = epoch.saturating_add(1);
        }
    }

    /// How often something of this person changed.
    pub fn of(&self, person: &str) -> u64 {
        self.people.get(person).copied().unwrap_or_default()
    }

    /// A Revocation's plan was drawn.
    pub fn drew(&mut self, uid: &str, drawn: Drawn) {
        self.drawn.insert(uid.to_owned(), drawn);
    }

    /// A Revocation is over or gone: its plan is not drawn again.
    pub fn forget(&mut self, uid: &str) {
        self.drawn.remove(uid);
    }

    /// When this plan of the Revocation was last drawn, if nothing of its person changed since.
    pub fn drawn_at(&self, uid: &str, person: &str, policy: Option<i64>, hash: &str) -> Option<Timestamp> {
        let drawn = self.drawn.get(uid)?;
        (drawn.epoch == self.of(person) && drawn.policy == policy && drawn.hash == hash).then_some(drawn.at)
    }
}

#[cfg(test)]
mod tests;
