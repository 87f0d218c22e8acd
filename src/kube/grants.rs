//! Grants of a policy: from its rules, Persons and the bindings that stand to what is made and removed. Makes no call.
//!
//! Only what HR says decides: fields that a human may edit (`Once`) are none of a rule's, and a user name counts only if sync has
//! computed it too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use super::usernames::Usernames;
use crate::api::person::{Employment, Profile};
use crate::api::policy::{self, Grant as RuleSpec};
use crate::api::{Person, SyncPolicy, convert, names};
use domain::account::Fact;
use domain::employee::{Employee, EmploymentType, HrId, ReportedStatus, Text};
use domain::expression::Expression;
use domain::field::Texts;
use domain::grants::{self, Cluster, Facts, Grant, OnLeave, Outcome, Role, Rule, Standing, Waits, Whose, Wish, wish};
use domain::identity::{self, Directories};
use domain::lifecycle::State;
use domain::moves::works_here;
use domain::ownership::{Index, Owners};
use domain::profile::{FieldMode, Modes, ProfileField};

/// What stands on a granted binding as its part.
const PART: &str = "grant";
/// Group of bindings and their roles.
const RBAC: &str = "rbac.authorization.k8s.io";
/// Longest value of a label.
const LABEL: usize = 63;

/// Fields of `person` that a rule may always name.
const ALWAYS: [&str; 7] = ["id", "connection", "workEmail", "state", "startDate", "lastDay", "contractEnd"];

/// The rules of a policy, readable.
pub struct Rules {
    rules: Vec<(Rule, Expression)>,
    usernames: Usernames,
}

impl Rules {
    /// Reads them.
    ///
    /// # Errors
    /// The field of the policy that cannot be followed, and why.
    pub fn of(policy: &SyncPolicy) -> Result<Self, String> {
        let modes = Modes::new(&policy.spec.fields).map_err(|refused| format!("spec.{refused}"))?;
        let usernames = Usernames::compile(&policy.spec.identity.usernames).map_err(|fault| fault.to_string())?;
        if policy.name_any().len() > LABEL && !policy.spec.grants.is_empty() {
            return Err(format!("spec.grants: the name of a policy with grants has at most {LABEL} characters"));
        }
        let rules = policy.spec.grants.iter().enumerate().map(|(position, spec)| {
            let at = |why: String| format!("spec.grants[{position}].{why}");
            let expression = compile(spec, &modes).map_err(|why| at(format!("when: {why}")))?;
            Ok((rule(spec).map_err(at)?, expression))
        });
        Ok(Self { rules: rules.collect::<Result<_, String>>()?, usernames })
    }

    /// Every namespace of any rule.
    pub fn namespaces(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|(rule, _)| &rule.namespaces).map(String::as_str).collect()
    }
}

fn rule(spec: &RuleSpec) -> Result<Rule, String> {
    let policy::Bind { cluster_role, role, namespaces } = &spec.bind;
    let role = match (cluster_role, role) {
        (Some(name), None) => Role::Cluster(name.clone()),
        (None, Some(name)) => Role::Namespaced(name.clone()),
        _ => return Err("bind: write either clusterRole or role".to_owned()),
    };
    if let Some(wrong) = namespaces.iter().find(|name| !names::is_dns_name(name)) {
        return Err(format!("bind.namespaces: {} is no name of a namespace", domain::quote::quoted(wrong)));
    }
    let on_leave = match spec.on_leave {
        policy::OnLeave::Keep => OnLeave::Keep,
        policy::OnLeave::Remove => OnLeave::Remove,
    };
    Ok(Rule { name: spec.name.clone(), when: spec.when.clone(), role, namespaces: namespaces.clone(), on_leave })
}

/// What a rule may name of the accounts of a person. A field that is not known is none, and then nothing changes.
const ACCOUNTS: [&str; 4] = ["account", "lastSignIn", "mfaEnrolled", "sso"];

/// Compiles the expression of a rule over what follows HR alone: what a human may edit would be theirs to grant.
fn compile(spec: &RuleSpec, modes: &Modes) -> Result<Expression, String> {
    let shared = Text::all_shared().map(Text::as_str).chain(["employmentType"]);
    let all: Vec<&'static str> = ALWAYS.into_iter().chain(shared).chain(ACCOUNTS).collect();
    let expression = Expression::compile(&spec.when, &all).map_err(|refused| refused.to_string())?;
    let follows = |name: &str| {
        ALWAYS.contains(&name)
            || name == "account"
            || ProfileField::named(name).is_some_and(|field| modes.of(&field) == FieldMode::Continuous)
    };
    if let Some(name) = expression.names().iter().find(|name| !follows(name)) {
        return Err(format!("person.{name} must be Continuous in spec.fields: a rule goes by what HR says now"));
    }
    let filled: Vec<(&str, &str)> = all.iter().map(|name| (*name, "2026-03-01")).collect();
    expression.holds(&filled).map_err(|refused| refused.to_string())?;
    Ok(expression)
}

/// What the grants of one policy come to.
pub struct Decided {
    /// By rule, in the policy's order; what was granted by a rule that is no more comes last.
    pub outcomes: Vec<Outcome>,
    /// The bindings that stand or are to be made, by rule: their role.
    roles: BTreeMap<String, Role>,
}

/// Decides for one policy. `people` are all of the namespace, and `bindings` all of the namespaces that the rules name, or more.
///
/// # Errors
/// The field of the policy that cannot be followed, and why.
pub fn decide(
    namespace: &str,
    policy: &SyncPolicy,
    people: &[&Person],
    bindings: &[RoleBinding],
    now: Timestamp,
) -> Result<Decided, String> {
    let rules = Rules::of(policy)?;
    let (name, index) = (policy.name_any(), convert::index(people.iter().copied()));
    let whose = Whose { people: namespace, policy: &name };
    let ours: Vec<_> = people.iter().filter(|person| manages(person, &name)).collect();
    let working = ours.iter().filter(|person| state(person).is_some_and(works_here)).count();
    let standing: Vec<Standing> = bindings.iter().filter_map(|binding| standing(binding, whose)).collect();
    let others = bindings.iter().filter(|one| self::standing(one, whose).is_none());
    let others: BTreeSet<_> = others.map(|one| (one.namespace().unwrap_or_default(), one.name_any())).collect();
    let cluster = Cluster { standing: &standing, others: &others };
    let approved = policy.annotations().get(names::APPROVE_GRANTS).map(String::as_str).unwrap_or_default();
    let approved: Vec<&str> = approved.split(',').map(str::trim).collect();
    let known = |person: &Person| facts(person, policy, &rules, &index, now);
    let accounts = Accounts::of(policy, people);
    let facts: Vec<(Facts, &Person)> = ours.iter().filter_map(|person| Some((known(person)?, **person))).collect();
    let elsewhere = handed_over(people, &name, &standing);
    let elsewhere: Vec<Facts> = elsewhere.filter_map(known).collect();
    let settled = policy.settled();
    let nothing = |facts: &Facts| only_if(settled, wish(facts, Some(false), OnLeave::Remove));
    let of_others = |rule: &str| {
        let has: BTreeSet<&str> =
            standing.iter().filter(|one| one.rule == rule).map(|one| one.person.as_str()).collect();
        elsewhere.iter().filter(move |one| has.contains(&*one.person)).map(|one| (one.person.as_str(), nothing(one)))
    };
    let mut outcomes = Vec::new();
    for (rule, expression) in &rules.rules {
        let wishes: Vec<_> = facts
            .iter()
            .map(|(facts, person)| {
                let holds = holds(expression, person, &accounts.of_person(person));
                (facts.person.as_str(), only_if(settled, wish(facts, holds, rule.on_leave)))
            })
            .chain(of_others(&rule.name))
            .collect();
        outcomes.push(grants::decide(whose, rule, &wishes, cluster, working, &approved));
    }
    let known: BTreeSet<&str> = rules.rules.iter().map(|(rule, _)| rule.name.as_str()).collect();
    let gone: BTreeSet<&str> =
        standing.iter().map(|one| one.rule.as_str()).filter(|one| !known.contains(one)).collect();
    for name in gone {
        let no_more = Rule {
            name: name.to_owned(),
            when: "false".to_owned(),
            role: Role::Cluster(String::new()),
            namespaces: Vec::new(),
            on_leave: OnLeave::Remove,
        };
        let wishes: Vec<_> =
            facts.iter().map(|(facts, _)| (facts.person.as_str(), nothing(facts))).chain(of_others(name)).collect();
        outcomes.push(grants::decide(whose, &no_more, &wishes, cluster, working, &approved));
    }
    let roles = rules.rules.into_iter().map(|(rule, _)| (rule.name, rule.role)).collect();
    Ok(Decided { outcomes, roles })
}

/// Names of the rules that give a person something now. `people` are all of the namespace.
///
/// # Errors
/// The field of the policy that cannot be followed, and why.
pub fn given(policy: &SyncPolicy, person: &Person, people: &[Person], now: Timestamp) -> Result<Vec<String>, String> {
    let rules = Rules::of(policy)?;
    let index = convert::index(people);
    let Some(facts) = facts(person, policy, &rules, &index, now) else { return Ok(Vec::new()) };
    let everybody: Vec<&Person> = people.iter().collect();
    let accounts = Accounts::of(policy, &everybody).of_person(person);
    let wish = |rule: &Rule, expression| {
        only_if(policy.settled(), wish(&facts, holds(expression, person, &accounts), rule.on_leave))
    };
    let gives = rules.rules.iter().filter(|(rule, expression)| matches!(wish(rule, expression), Wish::Wanted(_)));
    Ok(gives.map(|(rule, _)| rule.name.clone()).collect())
}

/// While the baseline of the policy is not settled, only those go who left and are released.
fn only_if(settled: bool, wish: Wish) -> Wish {
    match wish {
        Wish::Wanted(_) | Wish::Unwanted if !settled => Wish::Stays(Waits::Unsettled),
        wish => wish,
    }
}

fn manages(person: &Person, policy: &str) -> bool {
    person.status.as_ref().and_then(|status| status.policy.as_deref()) == Some(policy)
}

/// People who have something by this policy's rules, and are another policy's by now: they lose it like a mover.
fn handed_over<'a>(
    people: &'a [&'a Person],
    policy: &'a str,
    standing: &'a [Standing],
) -> impl Iterator<Item = &'a Person> {
    let bound: BTreeSet<&str> = standing.iter().map(|one| one.person.as_str()).collect();
    let elsewhere = |person: &&&Person| person.status.as_ref().and_then(|status| status.policy.as_ref()).is_some();
    let theirs = people.iter().filter(elsewhere).filter(move |person| !manages(person, policy));
    theirs.filter(move |person| bound.contains(&*person.name_any())).copied()
}

fn state(person: &Person) -> Option<State> {
    Some(convert::state(person.status.as_ref()?.employment.as_ref()?.state))
}

fn facts(person: &Person, policy: &SyncPolicy, rules: &Rules, index: &Index, now: Timestamp) -> Option<Facts> {
    let doubts = policy.status.iter().flat_map(|status| &status.doubts).flat_map(|doubt| &doubt.people);
    let records: Vec<_> = person.spec.records.iter().map(|one| format!("{}/{}", one.connection, one.id)).collect();
    let doubtful = doubts.into_iter().any(|record| records.contains(record));
    Some(Facts {
        person: person.name_any(),
        state: state(person)?,
        released: convert::released(person),
        held: person.spec.hold.as_ref().is_some_and(|hold| hold.until > now), // as the roster and the gates see it
        users: users(person, &rules.usernames, index).filter(|_| !doubtful),
    })
}

/// The user names they sign in with; none where one of them may be another human's, or sync has not computed it.
fn users(person: &Person, usernames: &Usernames, index: &Index) -> Option<Vec<String>> {
    let status = person.status.as_ref()?;
    let mut users = BTreeSet::new();
    for employment in working(person) {
        let employee = employee(employment, status.profile.as_ref());
        users.extend(usernames.of(&employment.connection, &employee));
    }
    let (uid, known) = (person.uid().unwrap_or_default(), convert::known_by(person));
    let theirs = |user: &String| {
        status.aliases.contains(&format!("user:{user}"))
            && !known.disputes_user(user)
            && !user.starts_with("system:")
            && matches!(index.user(user), Owners::One(one) if one.uid == uid)
    };
    users.iter().all(theirs).then(|| users.into_iter().collect())
}

/// The employments by which they work here; the first where none says so by itself.
fn working(person: &Person) -> Vec<&Employment> {
    let employments = person.status.as_ref().map(|status| status.employments.as_slice()).unwrap_or_default();
    let works = |one: &&Employment| one.by_itself.as_ref().is_none_or(|own| works_here(convert::state(own.state)));
    let working: Vec<_> = employments.iter().filter(works).collect();
    if working.is_empty() { employments.first().into_iter().collect() } else { working }
}

/// An employee as far as the Person shows one: only what follows HR.
fn employee(employment: &Employment, profile: Option<&Profile>) -> Employee {
    let profile = profile.cloned().unwrap_or_default();
    let (name, email) = (profile.display_name.unwrap_or_default(), profile.work_email.unwrap_or_default());
    let texts: Texts = profile.texts;
    let id = HrId(employment.id.clone());
    Employee {
        employment_type: profile.employment_type,
        texts,
        ..Employee::new(id, name, email, ReportedStatus::Silent)
    }
}

/// Whether an expression holds for somebody: by any employment by which they work here.
fn holds(expression: &Expression, person: &Person, accounts: &OfAccounts) -> Option<bool> {
    let unknown = |(name, value): &(&str, String)| value.is_empty() && expression.names().contains(name);
    if accounts.iter().any(unknown) {
        return None; // also where `has` would make an answer of it: what is not known changes nothing
    }
    let answers: Vec<_> =
        working(person).into_iter().map(|employment| holds_by(expression, person, employment, accounts)).collect();
    match answers.contains(&Some(true)) {
        true => Some(true),
        false if answers.is_empty() || answers.contains(&None) => None,
        false => Some(false),
    }
}

fn holds_by(expression: &Expression, person: &Person, employment: &Employment, accounts: &OfAccounts) -> Option<bool> {
    let status = person.status.as_ref()?;
    let employee = employee(employment, status.profile.as_ref());
    let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let days = [day(employment.start_date), day(employment.last_working_day), day(employment.contract_end)];
    let [start, last, contract_end] = &days;
    let mut fields: Vec<(&str, &str)> = vec![
        ("id", &employment.id),
        ("connection", &employment.connection),
        ("workEmail", employee.work_email.trim()),
        ("state", state(person)?.as_str()),
        ("startDate", start),
        ("lastDay", last),
        ("contractEnd", contract_end),
        ("employmentType", employee.employment_type.map_or("", EmploymentType::as_str)),
    ];
    fields
        .extend(Text::all_shared().map(|text| (text.as_str(), employee.text(text).map(str::trim).unwrap_or_default())));
    fields.extend(accounts.iter().map(|(name, value)| (*name, value.as_str())));
    expression.holds(&fields).ok().flatten()
}

/// What is known of somebody's accounts, by the name it has in an expression; empty where it is not known.
type OfAccounts = [(&'static str, String); ACCOUNTS.len()];

/// The accounts of everybody of a policy.
struct Accounts<'p> {
    policy: &'p SyncPolicy,
    directories: Directories,
}

impl<'p> Accounts<'p> {
    fn of(policy: &'p SyncPolicy, people: &[&Person]) -> Self {
        let name = policy.name_any();
        let ours = people.iter().filter(|person| manages(person, &name));
        let all: Vec<_> = ours.filter_map(|person| convert::accounts(person, policy)).collect();
        Self { policy, directories: Directories::of(&all) }
    }

    fn of_person(&self, person: &Person) -> OfAccounts {
        let accounts = convert::accounts(person, self.policy);
        let on = accounts.as_ref().and_then(|accounts| self.directories.account(accounts));
        let fact = |fact: Fact| {
            let known = accounts.as_ref().and_then(|accounts| identity::fact(accounts, fact));
            (fact.as_str(), known.map(|known| known.to_string()).unwrap_or_default())
        };
        let [last_sign_in, mfa_enrolled, sso] = Fact::ALL.map(fact);
        [("account", on.map_or("", identity::Account::as_str).to_owned()), last_sign_in, mfa_enrolled, sso]
    }
}

/// A binding that is ours; none of any other, nor one that somebody changed: what they added is not ours to take.
#[must_use]
pub fn standing(binding: &RoleBinding, whose: Whose<'_>) -> Option<Standing> {
    let label = |name: &str| binding.labels().get(name).map(String::as_str);
    let ours = label(names::PART) == Some(PART)
        && label(names::PEOPLE) == Some(whose.people)
        && label(names::POLICY) == Some(whose.policy);
    let labels = (label(names::GRANT)?.to_owned(), label(names::PERSON)?.to_owned());
    let (rule, person) = ours.then_some(labels)?;
    let subjects = binding.subjects.as_deref().unwrap_or_default();
    let mut users: Vec<_> = subjects.iter().filter(|one| one.kind == "User").map(|one| one.name.clone()).collect();
    users.sort();
    let role = (binding.role_ref.kind.as_str(), binding.role_ref.name.as_str());
    let as_made =
        users.len() == subjects.len() && grants::name(whose, &rule, role, &person, &users) == binding.name_any();
    as_made.then_some(())?;
    Some(Standing { namespace: binding.namespace()?, name: binding.name_any(), uid: binding.uid()?, rule, person })
}

impl Decided {
    /// The manifest of a binding.
    #[must_use]
    pub fn manifest(&self, namespace: &str, policy: &str, grant: &Grant) -> Option<RoleBinding> {
        let (kind, role) = self.roles.get(&grant.rule)?.parts();
        let labels = [
            (names::PART, PART),
            (names::PEOPLE, namespace),
            (names::POLICY, policy),
            (names::GRANT, &grant.rule),
            (names::PERSON, &grant.person),
        ];
        let subject = |user: &String| Subject {
            api_group: Some(RBAC.to_owned()),
            kind: "User".to_owned(),
            name: user.clone(),
            namespace: None,
        };
        Some(RoleBinding {
            metadata: ObjectMeta {
                name: Some(grant.name.clone()),
                namespace: Some(grant.namespace.clone()),
                labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
                ..ObjectMeta::default()
            },
            role_ref: RoleRef { api_group: RBAC.to_owned(), kind: kind.to_owned(), name: role.to_owned() },
            subjects: Some(grant.users.iter().map(subject).collect()),
        })
    }
}

#[cfg(test)]
mod tests;
