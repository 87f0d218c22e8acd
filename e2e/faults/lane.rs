//! One installation in which people leave with every kind of act, through proxies where calls go wrong; and the end that each comes to.

mod end;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::plan::RemainingReason;
use domain::spelled;
use futures::StreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use rollcall::api::condition::Reason;
use rollcall::api::person::State;
use rollcall::api::revocation::{Action, HookOutcome, Operation, Phase, RevocationStatus, StepOutcome, VerdictKind};
use rollcall::api::{FrozenNames, Person, Revocation, names};
use serde_json::json;

use crate::faults::words;
use crate::hooks::{allow, make};
use crate::support::faults::{Names, Planned};
use crate::support::hook_node::HookNode;
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::measures::calls_of;
use crate::support::objects::object;
use crate::support::people::People;
use crate::support::proxy::Proxy;
use crate::support::rotators::{Node, Rotators, external_secrets};
use crate::support::waiting::eventually;
use crate::support::workloads::{make as makes, pod_spec};

/// Who stays; those after them leave, one after the other. All ids are as long, so that none is the beginning of another.
const STAYS: u32 = 1001;
const PEOPLE: u32 = 900;
/// What somebody owns is called by these words and their id.
const OBJECTS: [&str; 8] = ["account-", "alone-", "robot-", "shared-", "secret-", "work-", "room-", "crew-"];
/// What turns up late, and waits for an approval: by a part of the names of the Revocations, and what is done.
const LATE: [(&str, Action); 2] = [("-late-handover-", Action::HandOver), ("-late-sessions-cut", Action::Evict)];
/// Longest wait for a wave: the revoker's Jobs are started later and later where several of a wave crash.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often the file is read, and how long after each read the Persons may take to show it.
const READS: u32 = 8;
const NEXT_READ: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Sync,
    Control,
    Revoker,
    Trim,
}

spelled!(Who { Sync => "Sync", Control => "Control", Revoker => "Revoker", Trim => "Trim" });

/// A mishap, and whose call it befalls.
pub type Pair = (Who, Planned);

/// One installation, each of whose identities reaches the API server through a proxy of its own.
pub struct Lane {
    pub rollcall: Installation,
    pub proxies: BTreeMap<Who, Arc<Proxy>>,
    /// Persons by ids.
    people: BTreeMap<String, String>,
    staff: People,
    pub next: u32,
    begun: Timestamp,
    /// Those whose shared binding was not trimmed in time.
    pub untrimmed: BTreeSet<String>,
    /// Every pod there ever was where pods are evicted: by its name, its uids.
    pods: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    /// What is a colleague's, as it stood in the beginning.
    colleagues: BTreeMap<String, Option<String>>,
}

/// What stood before somebody left.
struct Before {
    account: Option<String>,
    secret: Option<String>,
    /// The account that something runs as.
    crew: Option<String>,
    /// Pods by their names.
    pods: BTreeMap<String, Option<String>>,
}

impl Lane {
    pub async fn open() -> (Self, Box<dyn Any>) {
        let targets = [
            ("apps", Consent::Canaries),
            ("joint", Consent::Trim),
            ("keys", Consent::Rotate),
            ("rooms", Consent::Workloads),
            ("crews", Consent::Workloads),
        ];
        let values = json!({"hooks": {"enabled": true}, "trim": {"enabled": true, "roles": ["view"]}});
        let rollcall = Installation::with("faults", &targets, values).await;
        let mut proxies = BTreeMap::new();
        for who in Who::ALL.iter().copied() {
            proxies.insert(who, Arc::new(Proxy::open().await));
        }
        let running = (
            rollcall.sync_through(&proxies[&Who::Sync]).await,
            rollcall.control_through(&proxies[&Who::Control]).await,
            rollcall.trim_through(&proxies[&Who::Trim]).await,
            rollcall.revoker_through(&proxies[&Who::Revoker]),
            HookNode::start(&rollcall),
            Rotators::start(&rollcall.admin, vec![rollcall.target("keys")]).await,
            Node::start(&rollcall.admin, vec![rollcall.target("rooms"), rollcall.target("crews")]),
        );
        rollcall.connect(json!({"trust": {"minOverlap": "0%"}})).await; // many who had left are back at once
        let limits = json!({"people": a_day(10_000), "objects": a_day(100_000), "workloads": a_day(10_000)});
        let hooks = json!([{"cronJob": "first", "when": "Before", "timeout": "60s"}, {"cronJob": "last"}]);
        let policy = json!({
            "limits": limits, "lifecycle": {"termination": {"removeAfter": "1s"}},
            "revocation": {"secrets": "Rotate", "sessions": "Evict", "hooks": hooks},
        });
        rollcall.policy(policy).await;
        for name in ["first", "last"] {
            let ran = rollcall.directory().join(name).display().to_string();
            make(&rollcall, name, &format!("cat $FILE >> {ran}; echo >> {ran}")).await;
            allow(&rollcall, name);
        }
        let manager = rollcall.address(&STAYS.to_string());
        let staff = (STAYS + 1..STAYS + PEOPLE).fold(rollcall.staff(STAYS..STAYS + PEOPLE), |staff, id| {
            staff.person(&id.to_string()).column("managerEmail", &manager)
        });
        rollcall.learn(&staff).await;
        rollcall.revoker_is_ready().await;
        let mut people = BTreeMap::new();
        for person in rollcall.all_persons().await {
            people.insert(person.spec.records[0].id.clone(), person.name_any());
        }
        let begun = Timestamp::now();
        let mut lane = Self {
            rollcall,
            proxies,
            people,
            staff,
            next: STAYS,
            begun,
            untrimmed: BTreeSet::new(),
            pods: Arc::default(),
            colleagues: BTreeMap::new(),
        };
        lane.owns(STAYS).await;
        lane.colleagues = lane.of_the_colleague().await;
        lane.know();
        ["rooms", "crews"].into_iter().for_each(|target| notes(lane.api(target), Arc::clone(&lane.pods)));
        (lane, Box::new(running))
    }

    /// Lets the proxies tell calls apart.
    fn know(&self) {
        for proxy in self.proxies.values() {
            proxy.mishaps().know(Names {
                words: vec![
                    (self.rollcall.namespace.clone(), "ns".to_owned()),
                    (self.rollcall.release.clone(), "rc".to_owned()),
                    (self.rollcall.connection.clone(), "hq".to_owned()),
                ],
                people: self.people.iter().map(|(id, name)| (name.clone(), id.clone())).collect(),
                objects: OBJECTS.to_vec(),
            });
        }
    }

    /// An account with a binding of its own, a binding of their user name alone and one that a colleague shares, and a Secret of
    /// external-secrets that something runs with.
    async fn owns(&self, id: u32) -> Before {
        let (id, rollcall) = (id.to_string(), &self.rollcall);
        let name = |word: &str| format!("{word}-{id}");
        let account = rollcall.account_of(&id, "apps", &name("account")).await;
        rollcall.bind_users("apps", &name("alone"), &[rollcall.user(&id)]).await;
        let group = "rbac.authorization.k8s.io";
        let apps = rollcall.target("apps");
        let robot: RoleBinding = object(json!({
            "metadata": {"name": name("robot")},
            "subjects": [{"kind": "ServiceAccount", "name": name("account"), "namespace": apps}],
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        }));
        self.api::<RoleBinding>("apps").create(&PostParams::default(), &robot).await.unwrap();
        let both = [rollcall.user(&id), rollcall.user(&STAYS.to_string())];
        rollcall
            .bind_users("joint", &name("shared"), if id == STAYS.to_string() { &both[..1] } else { &both[..] })
            .await;
        let secret = rollcall.external_secret(&id, "keys", &name("secret"), "generator").await;
        let labels = json!({"app": name("work")});
        let uses = json!([{"secretRef": {"name": name("secret")}}]);
        let work: Deployment = object(json!({"metadata": {"name": name("work")}, "spec": {
            "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                {"name": "main", "image": "example.com/app:1", "envFrom": uses}]}},
        }}));
        self.api::<Deployment>("keys").create(&PostParams::default(), &work).await.unwrap();
        let crew = self.works_with_others(&id).await;
        let mut pods = BTreeMap::new();
        for (target, word) in [("rooms", "room"), ("crews", "crew")] {
            let (api, pod) = (self.api::<Pod>(target), format!("{}-0", name(word)));
            let uid = eventually("a pod runs", || async {
                let pod = api.get_opt(&pod).await.unwrap()?;
                let runs = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
                runs.then(|| pod.uid())
            });
            pods.insert(pod.clone(), uid.await);
        }
        Before { account: account.uid(), secret: value(&secret), crew, pods }
    }

    /// A pod in which they may open a session, and an account that something runs as; gives the account's uid.
    async fn works_with_others(&self, id: &str) -> Option<String> {
        let rollcall = &self.rollcall;
        let [room, crew] = ["room", "crew"].map(|word| format!("{word}-{id}"));
        let account = rollcall.account_of(id, "crews", &crew).await;
        for (target, name, runs_as) in [("rooms", &room, "default"), ("crews", &crew, crew.as_str())] {
            let labels = json!({"app": name});
            let template = json!({"metadata": {"labels": labels}, "spec": pod_spec(runs_as)});
            let spec =
                json!({"replicas": 1, "serviceName": name, "selector": {"matchLabels": labels}, "template": template});
            makes::<StatefulSet>(rollcall, target, json!({"metadata": {"name": name}, "spec": spec})).await;
        }
        let group = "rbac.authorization.k8s.io";
        let rule = json!({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"], "resourceNames": [format!("{room}-0")]});
        makes::<Role>(rollcall, "rooms", json!({"metadata": {"name": room}, "rules": [rule]})).await;
        let binding = json!({
            "metadata": {"name": room}, "roleRef": {"apiGroup": group, "kind": "Role", "name": room},
            "subjects": [{"kind": "User", "name": rollcall.user(id), "apiGroup": group}],
        });
        makes::<RoleBinding>(rollcall, "rooms", binding).await;
        account.uid()
    }

    /// Takes away what runs for somebody who was told of, and what is given new values: hundreds of them slow everything down.
    async fn runs_no_more(&self, id: &str) {
        let deleted = DeleteParams::background();
        let name = |word: &str| format!("{word}-{id}");
        self.api::<Deployment>("keys").delete(&name("work"), &deleted).await.unwrap();
        external_secrets(&self.rollcall.admin, &self.rollcall.target("keys"))
            .delete(&name("secret"), &deleted)
            .await
            .unwrap();
        for (target, word) in [("rooms", "room"), ("crews", "crew")] {
            self.api::<StatefulSet>(target).delete(&name(word), &deleted).await.unwrap();
        }
    }

    fn api<K>(&self, target: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.rollcall.admin.clone(), &self.rollcall.target(target))
    }

    /// What is a colleague's, and its version or its value.
    async fn of_the_colleague(&self) -> BTreeMap<String, Option<String>> {
        let id = STAYS.to_string();
        let name = |word: &str| format!("{word}-{id}");
        let mut all = BTreeMap::new();
        let account = self.api::<ServiceAccount>("apps").get(&name("account")).await.unwrap();
        all.insert(name("account"), account.resource_version());
        for (target, word) in [("apps", "alone"), ("apps", "robot"), ("joint", "shared")] {
            let binding = self.api::<RoleBinding>(target).get(&name(word)).await.unwrap();
            all.insert(name(word), binding.resource_version());
        }
        let secret = self.api::<Secret>("keys").get(&name("secret")).await.unwrap();
        all.insert(name("secret"), value(&secret));
        let work = self.api::<Deployment>("keys").get(&name("work")).await.unwrap();
        all.insert(name("work"), work.metadata.generation.map(|generation| generation.to_string()));
        all
    }

    /// Lets people leave at once, each with this going wrong; they are cut, removed, and back again. Gives what did not come to pass,
    /// because no call of the kind was made.
    pub async fn wave(&mut self, pairs: &[Option<Pair>]) -> Vec<Pair> {
        let first = self.next + 1;
        self.next += u32::try_from(pairs.len()).unwrap();
        assert!(self.next < STAYS + PEOPLE, "nobody is left to leave");
        let numbers: Vec<u32> = (first..=self.next).collect();
        let before = join_all(numbers.iter().map(|id| self.owns(*id))).await;
        let ids: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let mut told = BTreeMap::new();
        for (id, pair) in ids.iter().zip(pairs) {
            told.insert(id.clone(), pair.as_ref().map_or("nothing went wrong".to_owned(), words));
        }
        for (who, proxy) in &self.proxies {
            let of = |(id, pair): (&String, &Option<Pair>)| {
                pair.as_ref().filter(|pair| pair.0 == *who).map(|pair| (id.clone(), pair.1.clone()))
            };
            proxy.mishaps().plan(ids.iter().zip(pairs).filter_map(of).collect());
        }
        self.staff = ids.iter().fold(self.staff.clone(), |staff, id| staff.person(id).terminated());
        self.learns(&ids, State::Terminated).await;
        self.until(&ids, &told, "cut", |all| ended(all, Operation::Cut)).await;
        self.until(&ids, &told, "removed", |all| ended(all, Operation::Remove)).await;
        self.what_is_late(&ids, &told).await;
        // A cut never waits for its freeze, which is tried again a minute later.
        let freeze = |cut: &Revocation| cut.status.as_ref()?.freeze.as_ref()?.acted;
        let frozen = |all: &[Revocation]| ended(all, Operation::Cut).filter(|cut| freeze(cut).is_some());
        let cuts = self.until(&ids, &told, "frozen", frozen).await;
        let frozen: FrozenNames = self.rollcall.api().get(names::FROZEN).await.unwrap();
        for (id, cut) in ids.iter().zip(&cuts) {
            let user = self.rollcall.user(id);
            let freeze = cut.status.as_ref().and_then(|status| status.freeze.as_ref());
            let is_frozen = frozen.spec.names.keys().any(|name| *name == user);
            assert!(is_frozen, "not frozen: {id}, {}, {freeze:?}", told[id]);
        }

        self.staff = ids.iter().fold(self.staff.clone(), |staff, id| staff.person(id).active());
        self.learns(&ids, State::Active).await;
        self.until(&ids, &told, "free again", |all| {
            let lifted = |one: &Revocation| one.status.as_ref()?.freeze.as_ref()?.lifted;
            ended(all, Operation::Cut).filter(|cut| lifted(cut).is_some())
        })
        .await;

        for ((id, before), cut) in ids.iter().zip(before).zip(&cuts) {
            self.came_to_its_end(id, &before, cut, &told[id]).await;
            self.runs_no_more(id).await;
        }
        let frozen: FrozenNames = self.rollcall.api().get(names::FROZEN).await.unwrap();
        assert!(frozen.spec.names.is_empty(), "{:?} are frozen still; {told:#?}", frozen.spec.names);
        assert_eq!(self.of_the_colleague().await, self.colleagues, "a colleague's is as it was; {told:#?}");
        self.rollcall.evidence_verifies();
        let happened: BTreeSet<String> = self.proxies.values().flat_map(|proxy| proxy.mishaps().happened()).collect();
        let missed = ids.iter().zip(pairs).filter(|(id, _)| !happened.contains(*id));
        missed.filter_map(|(_, pair)| pair.clone()).collect()
    }

    /// Has the file read until these Persons are so: after an answer of before, or one that was lost, the next read tells it, as it does
    /// where a schedule is shorter than here.
    async fn learns(&self, ids: &[String], state: State) {
        self.rollcall.file(&self.staff.csv()).await;
        let people: Api<Person> = self.rollcall.api();
        let is_so = |person: &Person| {
            let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
            employment.is_some_and(|employment| employment.state == state)
        };
        for _ in 0..READS {
            let read = self.rollcall.poll().await;
            tokio::time::timeout(NEXT_READ, self.rollcall.settles(read)).await.ok();
            let all = people.list(&ListParams::default()).await.unwrap();
            let named = |id: &String| all.iter().find(|person| person.metadata.name.as_ref() == Some(&self.people[id]));
            if ids.iter().all(|id| named(id).is_some_and(is_so)) {
                return;
            }
        }
        panic!("the Persons do not show what was read {READS} times");
    }

    /// Approves what turned up late of each, and waits until it is done.
    async fn what_is_late(&self, ids: &[String], told: &BTreeMap<String, String>) {
        for (part, _) in LATE {
            let waits = |one: &&Revocation| {
                let gate = one.status.as_ref().and_then(|status| status.gate.as_ref());
                one.name_any().contains(part) && gate.is_some_and(|gate| gate.reason == Reason::Late.as_str())
            };
            let all = self.until(ids, told, part, |all| all.iter().find(waits).cloned()).await;
            all.iter().for_each(|one| self.rollcall.approve(one));
        }
        for (part, _) in LATE {
            let what = format!("{part} carried out");
            self.until(ids, told, &what, |all| carried_out(all.iter().find(|one| one.name_any().contains(part))?))
                .await;
        }
    }

    /// Waits until all of them are so far, and gives the Revocation that shows it.
    async fn until(
        &self,
        ids: &[String],
        told: &BTreeMap<String, String>,
        what: &str,
        far: impl Fn(&[Revocation]) -> Option<Revocation>,
    ) -> Vec<Revocation> {
        let begun = Instant::now();
        let mut waited_for: Vec<&String> = ids.iter().collect();
        loop {
            let there = self.so_far(&waited_for, &far).await;
            let missing: Vec<&String> =
                waited_for.iter().zip(&there).filter(|(_, one)| one.is_none()).map(|(id, _)| *id).collect();
            if missing.is_empty() && waited_for.len() == ids.len() {
                return there.into_iter().flatten().collect();
            }
            // Who is so far is not looked at again before everybody is: there are hundreds of leavers in the end.
            waited_for = if missing.is_empty() { ids.iter().collect() } else { missing };
            if begun.elapsed() > PATIENCE {
                for id in &waited_for {
                    let all = self.rollcall.revocations_of(&self.people[*id]).await;
                    println!("{}", serde_json::to_string_pretty(&all).unwrap());
                }
                let missing: Vec<String> = waited_for.iter().map(|id| format!("{id}: {}", told[*id])).collect();
                panic!("not {what}: {missing:#?}\nat the same time: {told:#?}");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The Revocation of each that shows that they are so far.
    async fn so_far(
        &self,
        ids: &[&String],
        far: impl Fn(&[Revocation]) -> Option<Revocation>,
    ) -> Vec<Option<Revocation>> {
        let far = &far;
        join_all(ids.iter().map(|id| async move {
            far(&self.rollcall.listed_of(&self.people[*id]).await.ok()?) // a call may be lost here too
        }))
        .await
    }
}

/// Notes every pod of a namespace, until the test ends.
fn notes(pods: Api<Pod>, seen: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>) {
    tokio::spawn(async move {
        let mut changes = watcher(pods, watcher::Config::default()).default_backoff().applied_objects().boxed();
        while let Some(change) = changes.next().await {
            if let Ok(pod) = change {
                seen.lock().unwrap().entry(pod.name_any()).or_default().extend(pod.uid());
            }
        }
    });
}

/// The Revocation of this operation that was carried out, sealed and is told of to its end, if it is.
fn ended(all: &[Revocation], operation: Operation) -> Option<Revocation> {
    carried_out(all.iter().find(|one| one.spec.operation == operation && !one.spec.late)?)
}

fn carried_out(one: &Revocation) -> Option<Revocation> {
    let status = one.status.as_ref()?;
    let over = status.evidence.is_some() && status.hooks.iter().all(|run| !run.pending());
    (status.phase == Some(Phase::Revoked) && over).then(|| one.clone())
}

/// The value of a Secret.
fn value(secret: &Secret) -> Option<String> {
    let data = secret.data.as_ref()?.get("password")?;
    Some(String::from_utf8_lossy(&data.0).into_owned())
}
