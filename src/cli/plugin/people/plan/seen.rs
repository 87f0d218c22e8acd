//! What the caller may see of the cluster, read once. What they may not read is missing, and the reader is told so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{ListParams, ObjectMeta, PartialObjectMeta};
use kube::{Client, ResourceExt};

use super::certificates::{self, Certificate};
use super::sessions::Inside;
use crate::api::policy::OwnershipSource;
use crate::api::{Person, SyncPolicy, convert, names};
use crate::cli::plugin::consents;
use crate::cli::plugin::people::all;
use crate::cli::{Failure, ask, told};
use crate::control::owned::{Owned, Since};
use crate::kube::calls;
use crate::kube::inventory::{self, Workload};
use crate::kube::ledger_store;
use crate::kube::marks;
use crate::kube::named::Api;
use crate::kube::planning::Planning;
use crate::kube::rbac;
use crate::kube::secrets as metadata;
use crate::kube::sources;
use crate::kube::stop;
use domain::handover::{Colleague, Heir};
use domain::ledger::Ledger;
use domain::marks::{Memory, Standing};
use domain::ownership::{Index, PersonFacts};
use domain::plan::{Account, Consent, Remaining, rotate};
use domain::rbac::{Rbac, RoleName, Rule};
use domain::sources::{Source, left};

/// What of a cluster a forecast rests on.
#[derive(Debug, Default)]
pub struct Seen {
    /// When it was read.
    pub at: Timestamp,
    /// Who owns what, as control keeps it.
    pub owned: Owned,
    /// Roles and bindings; none where roles may not be listed.
    pub rbac: Option<Rbac>,
    /// Metadata of every Secret; none where they may not be listed.
    pub secrets: Option<Vec<ObjectMeta>>,
    /// Requests for client certificates that are still there; none where they may not be listed.
    pub certificates: Option<Vec<Certificate>>,
    /// What each place consented to, and whether control sees its Secrets.
    pub consents: BTreeMap<String, (Consent, bool)>,
    /// What runs in the namespaces that consented; one that may not be read is absent.
    pub workloads: BTreeMap<String, Vec<Workload>>,
    /// What was counted; none where it may not be read.
    pub ledger: Option<Ledger>,
    /// What control remembers of owner annotations; none where it may not be read.
    pub marks: Option<Memory>,
    /// What a hand-over asks of everybody, by the name of their Person.
    pub colleagues: BTreeMap<String, Colleague>,
    /// Accounts that only other sources of ownership say are theirs.
    pub by_sources: Vec<Remaining>,
    /// What runs where a session may be open.
    pub inside: Inside,
    /// Why everything is stopped.
    pub stopped: Option<String>,
    /// The operator's namespaces.
    pub own_namespaces: Vec<String>,
    /// What could not be seen.
    pub notes: Vec<String>,
}

/// Reads it.
///
/// # Errors
/// When accounts, bindings or consents may not be read, without which there is no plan; when the API server does not answer.
pub async fn everything(client: &Client, namespace: &str, people: &[Person], person: &Person) -> Result<Seen, Failure> {
    let (accounts, role_bindings, cluster_bindings, table) = futures::try_join!(
        all::<ServiceAccount>("list the ServiceAccounts", Api::all(client.clone()), ""),
        all::<RoleBinding>("list the RoleBindings", Api::all(client.clone()), ""),
        all::<ClusterRoleBinding>("list the ClusterRoleBindings", Api::all(client.clone()), ""),
        consents::read(client.clone(), namespace),
    )?;
    let mut seen = Seen {
        at: calls::now(),
        own_namespaces: vec![namespace.to_owned(), format!("{namespace}-revoker")],
        owned: owned(people, &accounts, &role_bindings, &cluster_bindings),
        colleagues: people.iter().filter_map(|one| Some((one.name_any(), convert::colleague(one)?))).collect(),
        ..Seen::default()
    };
    if table.is_none() {
        seen.notes.push("Control has not written yet what namespaces consent to: none is taken to.".to_owned());
    }
    for row in table.into_iter().flatten() {
        let consent = row.consent();
        seen.consents.insert(row.namespace, (consent, row.secrets));
    }
    let (roles, secrets, certificates, ledger, stopped, marks) = futures::try_join!(
        roles(client),
        secrets(client),
        requests(client),
        may_be_refused(async {
            ledger_store::ledger(client, namespace).await.map_err(|fault| told("read the ledger", fault))
        }),
        stopped(client, namespace),
        may_be_refused(async {
            marks::read(client, namespace).await.map_err(|fault| told("read who owned what", fault))
        }),
    )?;
    seen.marks = marks;
    seen.rbac = roles.map(|roles| Rbac { roles, bindings: rbac::bindings(&role_bindings, &cluster_bindings) });
    (seen.secrets, seen.certificates, seen.ledger) = (secrets, certificates, ledger);
    seen.own_secrets();
    seen.stopped = stopped.flatten();
    let facts = convert::known_by(person);
    for place in seen.planning(&facts, BTreeSet::new()).consenting() {
        let read = inventory::each_workload(client, &place).await;
        match may_be_refused(async { read.map_err(|fault| told("list what runs", fault)) }).await? {
            Some(workloads) => drop(seen.workloads.insert(place, workloads)),
            None => seen.notes.push(format!(
                "You may not list what runs in {place}; control may. Accounts there are shown as UnknownConsumers."
            )),
        }
    }
    seen.say_what_is_missing();
    Ok(seen)
}

impl Seen {
    /// Knows whose the Secrets are that control would know of.
    fn own_secrets(&mut self) {
        for meta in self.secrets.iter().flatten() {
            let namespace = meta.namespace.as_deref().unwrap_or_default();
            let listed = self.consents.get(namespace).is_some_and(|(_, listed)| *listed);
            if let Some(secret) = metadata::owned(meta).filter(|_| listed) {
                let place = (secret.namespace.clone(), secret.name.clone());
                self.owned.secret(&place, Some(Since { object: secret, at: None }));
            }
        }
    }

    /// A plan on its way, up to the moment in which it is drawn.
    pub fn planning(&self, person: &PersonFacts, recreated: BTreeSet<String>) -> Planning {
        let belongings = self.owned.of(person, &recreated);
        let accounts: Vec<_> = belongings.accounts.into_iter().map(|account| account.object).collect();
        let secrets: Vec<_> = belongings.secrets.into_iter().map(|secret| secret.object).collect();
        let mut fresh = self.fresh(&accounts);
        fresh.extend(rotate::fresh(&secrets, self.at));
        let bindings = belongings.bindings.into_iter().map(|binding| binding.object).collect();
        let own = self.own_namespaces.clone();
        let mut planning =
            Planning::of(person.clone(), belongings.index, (accounts, bindings), recreated, own).with_secrets(secrets);
        for place in planning.places() {
            let consent = self.consents.get(&place).map(|(consent, _)| *consent).unwrap_or_default();
            planning.consents(place, consent);
        }
        planning.fresh(fresh);
        planning.runs(self.workloads.keys().map(|place| (place.clone(), self.consumers(place))).collect());
        planning
    }

    /// Who comes next for each of their accounts and Secrets, by uid.
    pub fn heirs(&self, person: &PersonFacts, policy: &SyncPolicy) -> BTreeMap<String, Option<Heir>> {
        let belongings = self.owned.of(person, &BTreeSet::new());
        let accounts: Vec<_> = belongings.accounts.into_iter().map(|account| account.object).collect();
        let secrets: Vec<_> = belongings.secrets.into_iter().map(|secret| secret.object).collect();
        let who = |name: &str| self.colleagues.get(name).cloned();
        self.owned.heirs(person, &accounts, &secrets, &convert::handover(policy), who)
    }

    /// Asks the sources of ownership that a policy names, with the caller's rights. What cannot be read is noted.
    pub async fn ask(
        &mut self,
        client: &Client,
        namespace: &str,
        policy: &SyncPolicy,
        people: &[Person],
        person: &Person,
    ) {
        let asked = &policy.spec.identity.ownership;
        if asked.is_empty() {
            return;
        }
        let read = async {
            futures::try_join!(
                sources::unmarked(client, &self.own_namespaces),
                sources::records(client, namespace, asked),
            )
        };
        match read.await {
            Ok((accounts, records)) => {
                let all: Vec<Source> = asked.iter().map(OwnershipSource::source).collect();
                let index = Index::new(people.iter().map(convert::known_by).collect());
                let mut left = left(&accounts, &all, &records, &index);
                self.by_sources = left.remove(&convert::known_by(person).uid).unwrap_or_default();
            }
            Err(fault) => {
                let said = told("read what spec.identity.ownership names", fault);
                self.notes.push(format!("Other sources of ownership are not asked: {said}"));
            }
        }
    }

    /// Uids of accounts whose mark somebody set lately. Of what control has not written down yet nothing is said.
    fn fresh(&self, accounts: &[Account]) -> BTreeSet<String> {
        let lately = |account: &&Account| {
            let standing = |memory: &Memory| memory.standing(&account.namespace, &account.name, &account.uid);
            let standing = self.marks.as_ref().map(standing).filter(|standing| *standing != Standing::Unknown);
            standing.is_some_and(|standing| !standing.settled(self.at))
        };
        accounts.iter().filter(lately).map(|account| account.uid.clone()).collect()
    }

    /// Accounts that this person's mark was taken from lately, but for those that were handed over.
    pub fn lost(&self, person: &PersonFacts, excused: &BTreeMap<String, Timestamp>) -> Vec<(String, String)> {
        let human = self.owned.human(person);
        let keys = human.into_iter().flat_map(PersonFacts::keys).chain(person.keys());
        self.marks.as_ref().map(|memory| memory.lost(keys, self.at, excused)).unwrap_or_default()
    }

    /// Names of accounts that something uses, by what control would know.
    fn consumers(&self, place: &str) -> BTreeSet<String> {
        let workloads = self.workloads.get(place).into_iter().flatten();
        workloads.flat_map(|one| one.uses.consumers(|secret| self.token_of(place, secret))).collect()
    }

    /// Whose token a Secret is, where control may know.
    fn token_of(&self, place: &str, secret: &str) -> Option<String> {
        self.consents.get(place).filter(|(_, secrets)| *secrets)?;
        let named =
            |meta: &&ObjectMeta| meta.name.as_deref() == Some(secret) && meta.namespace.as_deref() == Some(place);
        self.secrets.iter().flatten().find(named)?.annotations.as_ref()?.get(names::TOKEN_OF).cloned()
    }

    /// The Secrets that pods use, of the namespaces whose workloads are known.
    pub fn used(&self) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        let pods = |workloads: &Vec<Workload>| {
            let pods = workloads.iter().filter(|one| one.kind == "Pod");
            pods.map(|pod| (pod.name.clone(), pod.uses.secrets.clone())).collect()
        };
        self.workloads.iter().map(|(place, workloads)| (place.clone(), pods(workloads))).collect()
    }

    /// What uses an account, such as `Deployment web`: what others made is not told beside its maker.
    pub fn users_of(&self, place: &str, account: &str) -> Vec<String> {
        let workloads = self.workloads.get(place).into_iter().flatten();
        let using: Vec<_> = workloads
            .filter(|one| one.uses.consumers(|secret| self.token_of(place, secret)).contains(account))
            .collect();
        let made_by_nobody = using.iter().any(|one| !one.controlled);
        let told = using.into_iter().filter(|one| !one.controlled || !made_by_nobody);
        told.map(|one| format!("{} {}", one.kind, one.name)).collect()
    }

    fn say_what_is_missing(&mut self) {
        let missing = [
            (
                self.rbac.is_none(),
                "You may not list roles and clusterroles: which Secrets they could read, and what they have through groups, is not shown.",
            ),
            (
                self.secrets.is_none(),
                "You may not list Secrets: Secrets that they own are not shown, and those they could read are not counted. Only metadata would be asked for.",
            ),
            (
                self.certificates.is_none(),
                "You may not list certificatesigningrequests: client certificates are not shown.",
            ),
            (self.ledger.is_none(), "You may not read the ledger: the limits are not asked."),
            (
                self.marks.is_none(),
                "You may not list the ConfigMaps of Rollcall's namespace: which owners changed lately is not shown.",
            ),
        ];
        self.notes.extend(missing.into_iter().filter(|(missing, _)| *missing).map(|(_, note)| note.to_owned()));
    }
}

/// What names people, as control keeps it.
fn owned(
    people: &[Person],
    accounts: &[ServiceAccount],
    role_bindings: &[RoleBinding],
    cluster_bindings: &[ClusterRoleBinding],
) -> Owned {
    let mut owned = Owned::default();
    for facts in people.iter().map(convert::known_by) {
        owned.person(&facts.name.clone(), Some(facts));
    }
    for account in accounts.iter().filter_map(|account| inventory::account(&account.metadata)) {
        let place = (account.namespace.clone(), account.name.clone());
        owned.account(&place, Some(Since { object: account, at: None }));
    }
    let bindings = role_bindings.iter().filter_map(inventory::role_binding);
    for binding in bindings.chain(cluster_bindings.iter().filter_map(inventory::cluster_role_binding)) {
        let bound = (binding.kind, binding.namespace.clone(), binding.name.clone());
        owned.binding(&bound, Some(Since { object: binding, at: None }));
    }
    owned
}

/// None where the API server says that the caller may not.
pub async fn may_be_refused<T>(read: impl Future<Output = Result<T, Failure>>) -> Result<Option<T>, Failure> {
    match read.await {
        Ok(read) => Ok(Some(read)),
        Err(Failure::Server { code: 401 | 403, .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn roles(client: &Client) -> Result<Option<BTreeMap<RoleName, Vec<Rule>>>, Failure> {
    let lists = async {
        futures::try_join!(
            all::<Role>("list the Roles", Api::all(client.clone()), ""),
            all::<ClusterRole>("list the ClusterRoles", Api::all(client.clone()), ""),
        )
    };
    let Some((roles, cluster_roles)) = may_be_refused(lists).await? else { return Ok(None) };
    Ok(Some(rbac::roles(&roles, &cluster_roles)))
}

/// Metadata of all Secrets. Their contents are not asked for.
async fn secrets(client: &Client) -> Result<Option<Vec<ObjectMeta>>, Failure> {
    let api: Api<Secret> = Api::all(client.clone());
    let list = async {
        let (mut found, mut page) = (Vec::new(), ListParams::default().limit(500));
        loop {
            let list = ask("list the metadata of Secrets", api.list_metadata(&page)).await?;
            found.extend(list.items.into_iter().map(|PartialObjectMeta { metadata, .. }| metadata));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(found),
            }
        }
    };
    may_be_refused(list).await
}

async fn requests(client: &Client) -> Result<Option<Vec<Certificate>>, Failure> {
    let doing = "list the certificatesigningrequests";
    let list = may_be_refused(all::<CertificateSigningRequest>(doing, Api::all(client.clone()), "")).await?;
    Ok(list.map(|list| list.iter().filter_map(certificates::read).collect()))
}

/// Why everything is stopped; nothing where the stop may not be read.
async fn stopped(client: &Client, namespace: &str) -> Result<Option<Option<String>>, Failure> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let read = async { Ok(stop::reason(ask("read the global stop", api.get_opt(names::STOP)).await?.as_ref())) };
    may_be_refused(read).await
}
