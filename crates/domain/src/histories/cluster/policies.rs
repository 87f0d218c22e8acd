//! The policies, and whose everybody is: each policy finds that out by itself, as sync does.

use std::sync::LazyLock;

use super::*;
use crate::roster::Modes;

/// No policy says anything of fields.
static FIELDS: LazyLock<Modes> = LazyLock::new(Modes::default);

/// Every department there is.
const DEPARTMENTS: [&str; 3] = ["Tools", "Labs", "North"];

/// What becomes of access while somebody is on leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::histories) enum Leave {
    Keep,
    Freeze,
    Cut,
}

/// A policy, as its object has it.
pub(in crate::histories) struct Policy {
    pub(in crate::histories) name: &'static str,
    departments: &'static [&'static str],
    pub(super) scope: Scope,
    pub(super) leave: Leave,
    pub(super) runs: Vec<Run>,
    /// The connections of which its baseline is taken.
    pub(super) settled: BTreeSet<&'static str>,
}

/// Whose everybody is, as one policy finds it.
#[derive(Default)]
pub(super) struct Division {
    /// Positions of its Persons.
    pub(super) ours: Vec<usize>,
    /// Records that are another policy's.
    pub(super) elsewhere: HashSet<(String, String)>,
    /// Records of people in several scopes.
    pub(super) contested: HashSet<(String, String)>,
}

impl Policy {
    pub(in crate::histories) fn new(name: &'static str, departments: &'static [&'static str], leave: Leave) -> Self {
        let scope = Self::scope_of(departments);
        Self { name, departments, scope, leave, runs: Vec::new(), settled: BTreeSet::new() }
    }

    /// One department is named as what is in scope, several by what is not.
    fn scope_of(departments: &[&str]) -> Scope {
        let lists = |all: Vec<&str>| Lists::default().of(scope::Kind::Department, all);
        let others = DEPARTMENTS.into_iter().filter(|one| !departments.contains(one)).collect();
        let (include, exclude) = match departments {
            [one] => (lists(vec![one]), Lists::default()),
            _ => (Lists::default(), lists(others)),
        };
        Scope::new(include, exclude, None).unwrap()
    }

    /// Whether somebody of this department is in its scope.
    pub(in crate::histories) fn has(&self, department: &str) -> bool {
        self.departments.contains(&department)
    }

    pub(super) fn rule(&self) -> String {
        format!("{}/termination", self.name)
    }

    pub(super) fn terms(&self) -> Terms {
        Terms { acts_on_leave: self.leave != Leave::Keep, ..Terms::default() }
    }
}

impl Cluster {
    /// A policy gets another scope, and so another baseline.
    pub(in crate::histories) fn rescope(&mut self, policy: usize, departments: &'static [&'static str]) {
        let policy = &mut self.policies[policy];
        (policy.departments, policy.scope) = (departments, Policy::scope_of(departments));
        policy.settled.clear();
    }

    /// A policy says something else of people on leave, and gets another baseline by it.
    pub(in crate::histories) fn set_leave(&mut self, policy: usize, leave: Leave) {
        self.policies[policy].leave = leave;
        self.policies[policy].settled.clear();
    }

    /// Whether a policy has taken its baseline of a connection.
    pub(in crate::histories) fn has_settled(&self, policy: usize, connection: &str) -> bool {
        self.policies[policy].settled.contains(connection)
    }

    /// The runs of every policy.
    pub(in crate::histories) fn runs(&self, policy: usize) -> &[Run] {
        &self.policies[policy].runs
    }

    /// The number of a policy.
    pub(in crate::histories) fn policy(&self, name: &str) -> Option<usize> {
        self.policies.iter().position(|one| one.name == name)
    }

    /// Whose everybody is, as a policy finds it. Without another one everybody is its own.
    pub(super) fn divide(&self, number: usize) -> Division {
        let mut division = Division::default();
        if self.policies.len() == 1 {
            division.ours = (0..self.people.len()).collect();
            return division;
        }
        let (readers, named, us) = (self.readers(), self.named(), self.policies[number].name);
        let key = |record: &RecordKey| (record.connection.to_string(), record.id.0.clone());
        let linked =
            self.people.iter().map(|one| one.known.records.iter().map(|one| (&*one.connection, one.id.0.as_str())));
        let absorbers = roster::absorbers(&linked.collect::<Vec<_>>());
        for position in 0..self.people.len() {
            let decides = absorbers.get(&position).copied().unwrap_or(position);
            let KnownPerson { name, records, entry, .. } = &self.people[decides].known;
            let said = records.iter().filter_map(|record| Some((record, named.get(&key(record))?)));
            let named = said.map(|(record, (employee, taken))| (&*record.connection, *employee, *taken)).collect();
            let human = Candidate { name, records, entry: entry.as_deref(), named };
            let decides = roster::owner(&human, &readers, self.now);
            if !decides.contested.is_empty() {
                division.contested.extend(records.iter().map(key));
            }
            match decides.policy == Some(us) {
                true => division.ours.push(position),
                false => division.elsewhere.extend(self.people[position].known.records.iter().map(key)),
            }
        }
        let linked: HashSet<(String, String)> =
            self.people.iter().flat_map(|one| one.known.records.iter().map(key)).collect();
        for ((connection, id), (employee, taken)) in named.iter().filter(|(record, _)| !linked.contains(*record)) {
            let record = RecordKey { connection: connection.as_str().into(), id: HrId(id.clone()) };
            let name = person_name(NAMESPACE, connection, &record.id);
            let (records, named) = (std::slice::from_ref(&record), vec![(connection.as_str(), *employee, *taken)]);
            let decides = roster::owner(&Candidate { name: &name, records, entry: None, named }, &readers, self.now);
            if !decides.contested.is_empty() {
                division.contested.insert(key(&record));
            }
            if decides.policy.is_some_and(|policy| policy != us) {
                division.elsewhere.insert(key(&record));
            }
        }
        division
    }

    /// What answers say of the connections that say who works here.
    fn named(&self) -> HashMap<(String, String), (&Employee, Timestamp)> {
        let employers = self.sources.iter().filter(|source| source.role == Role::Employment);
        let answers = employers.filter_map(|source| Some((source.name, source.snapshot.as_ref()?)));
        let named = answers.flat_map(|(name, snapshot)| {
            let employees = snapshot.employees().iter();
            employees.map(move |one| ((name.to_owned(), one.id.0.clone()), (one, snapshot.taken())))
        });
        named.collect()
    }

    /// Whether the last answer of its source names a record.
    pub(in crate::histories) fn names_now(&self, connection: &str, id: &str) -> bool {
        self.named().contains_key(&(connection.to_owned(), id.to_owned()))
    }

    fn readers(&self) -> Vec<Reader<'_>> {
        let readers = self.policies.iter().map(|policy| Reader {
            policy: policy.name,
            scope: &policy.scope,
            zones: &self.zones,
            day_end: DayEnd::default(),
            fields: &FIELDS,
            terms: Box::new(|_| policy.terms()),
            role: Box::new(|name| self.role(name)),
            follows: Box::new(|_| true),
        });
        readers.collect()
    }
}
