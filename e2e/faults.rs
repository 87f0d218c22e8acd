//! A revocation with every kind of act in it, and whatever can go wrong with a call, at each of its calls: one end, nothing done twice,
//! nothing touched that is somebody else's, and evidence that verifies. And the same while two of each identity lead at once.
//!
//! `make faults` tells all of it, and `make faults FAULTS=` sixteen, spread over all; on a busy machine some come too late. A failure says what
//! went wrong at which call: `FAULTS='Crash at call 1 of DELETE'` tells only those whose words hold this.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use domain::plan::RemainingReason;
use futures::FutureExt;
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rollcall::api::revocation::{Action, HookOutcome, Operation, Phase, RevocationStatus, StepOutcome, VerdictKind};
use rollcall::api::{FrozenNames, Revocation, names};
use serde_json::json;

use crate::hooks::{allow, make};
use crate::support::faults::{Mishap, Names, Planned};
use crate::support::hook_node::HookNode;
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::measures::calls_of;
use crate::support::objects::object;
use crate::support::people::People;
use crate::support::proxy::{Fault, Proxy};
use crate::support::rotators::Rotators;
use crate::support::waiting::{PATIENCE, eventually};

/// Installations side by side where everything is told.
const LANES: usize = 4;
/// How often the first leaver is tried.
const FIRST: usize = 4;
/// People who leave at once, each with a mishap of their own.
const AT_ONCE: usize = 16;
/// Who stays; those after them leave, one after the other. All ids are as long, so that none is the beginning of another.
const STAYS: u32 = 1001;
const PEOPLE: u32 = 900;
/// What somebody owns is called by these words and their id.
const OBJECTS: [&str; 6] = ["account-", "alone-", "robot-", "shared-", "secret-", "work-"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Sync,
    Control,
    Revoker,
    Trim,
}

/// A mishap, and whose call it befalls.
type Pair = (Who, Planned);

/// One installation, each of whose identities reaches the API server through a proxy of its own.
struct Lane {
    rollcall: Installation,
    proxies: BTreeMap<Who, Arc<Proxy>>,
    /// Persons by ids.
    people: BTreeMap<String, String>,
    staff: People,
    next: u32,
    begun: Timestamp,
    /// Those whose shared binding was not trimmed in time.
    untrimmed: BTreeSet<String>,
    /// What is a colleague's, as it stood in the beginning.
    colleagues: BTreeMap<String, Option<String>>,
}

/// What stood before somebody left.
struct Before {
    account: Option<String>,
    secret: Option<String>,
}

impl Lane {
    async fn open() -> (Self, Box<dyn Any>) {
        let targets = [("apps", Consent::Canaries), ("joint", Consent::Trim), ("keys", Consent::Rotate)];
        let values = json!({"hooks": {"enabled": true}, "trim": {"enabled": true, "roles": ["view"]}});
        let rollcall = Installation::with("faults", &targets, values).await;
        let mut proxies = BTreeMap::new();
        for who in [Who::Sync, Who::Control, Who::Revoker, Who::Trim] {
            proxies.insert(who, Arc::new(Proxy::open().await));
        }
        let running = (
            rollcall.sync_through(&proxies[&Who::Sync]).await,
            rollcall.control_through(&proxies[&Who::Control]).await,
            rollcall.trim_through(&proxies[&Who::Trim]).await,
            rollcall.revoker_through(&proxies[&Who::Revoker]),
            HookNode::start(&rollcall),
            Rotators::start(&rollcall.admin, vec![rollcall.target("keys")]).await,
        );
        rollcall.connect(json!({"trust": {"minOverlap": "0%"}})).await; // many who had left are back at once
        let limits = json!({"people": a_day(10_000), "objects": a_day(100_000)});
        let hooks = json!([{"cronJob": "first", "when": "Before", "timeout": "60s"}, {"cronJob": "last"}]);
        let policy = json!({
            "limits": limits, "lifecycle": {"termination": {"removeAfter": "1s"}},
            "revocation": {"secrets": "Rotate", "hooks": hooks},
        });
        rollcall.policy(policy).await;
        for name in ["first", "last"] {
            let ran = rollcall.directory().join(name).display().to_string();
            make(&rollcall, name, &format!("cat $FILE >> {ran}; echo >> {ran}")).await;
            allow(&rollcall, name);
        }
        let staff = rollcall.staff(STAYS..STAYS + PEOPLE);
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
            colleagues: BTreeMap::new(),
        };
        lane.owns(STAYS).await;
        lane.colleagues = lane.of_the_colleague().await;
        lane.know();
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
        Before { account: account.uid(), secret: value(&secret) }
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
    async fn wave(&mut self, pairs: &[Option<Pair>]) -> Vec<Pair> {
        let first = self.next + 1;
        self.next += u32::try_from(pairs.len()).unwrap();
        assert!(self.next < STAYS + PEOPLE, "nobody is left to leave");
        let numbers: Vec<u32> = (first..=self.next).collect();
        let before = join_all(numbers.iter().map(|id| self.owns(*id))).await;
        let ids: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let mut told = BTreeMap::new();
        for (id, pair) in ids.iter().zip(pairs) {
            let words =
                pair.as_ref().map_or("nothing went wrong".to_owned(), |(who, planned)| format!("{who:?}: {planned}"));
            told.insert(id.clone(), words);
        }
        for (who, proxy) in &self.proxies {
            let of = |(id, pair): (&String, &Option<Pair>)| {
                pair.as_ref().filter(|pair| pair.0 == *who).map(|pair| (id.clone(), pair.1.clone()))
            };
            proxy.mishaps().plan(ids.iter().zip(pairs).filter_map(of).collect());
        }
        self.staff = ids.iter().fold(self.staff.clone(), |staff, id| staff.person(id).terminated());
        self.rollcall.learn(&self.staff).await;
        let cuts = self.until(&ids, &told, "cut", |all| ended(all, Operation::Cut)).await;
        self.until(&ids, &told, "removed", |all| ended(all, Operation::Remove)).await;
        let frozen: FrozenNames = self.rollcall.api().get(names::FROZEN).await.unwrap();
        for (id, cut) in ids.iter().zip(&cuts) {
            let user = self.rollcall.user(id);
            let freeze = cut.status.as_ref().and_then(|status| status.freeze.as_ref());
            let is_frozen = frozen.spec.names.keys().any(|name| *name == user);
            assert!(is_frozen, "not frozen: {id}, {}, {freeze:?}", told[id]);
        }

        self.staff = ids.iter().fold(self.staff.clone(), |staff, id| staff.person(id).active());
        self.rollcall.learn(&self.staff).await;
        self.until(&ids, &told, "free again", |all| {
            let lifted = |one: &Revocation| one.status.as_ref()?.freeze.as_ref()?.lifted;
            ended(all, Operation::Cut).filter(|cut| lifted(cut).is_some())
        })
        .await;

        for ((id, before), cut) in ids.iter().zip(before).zip(&cuts) {
            self.came_to_its_end(id, &before, cut, &told[id]).await;
        }
        let frozen: FrozenNames = self.rollcall.api().get(names::FROZEN).await.unwrap();
        assert!(frozen.spec.names.is_empty(), "{:?} are frozen still; {told:#?}", frozen.spec.names);
        assert_eq!(self.of_the_colleague().await, self.colleagues, "a colleague's is as it was; {told:#?}");
        self.rollcall.evidence_verifies();
        let happened: BTreeSet<String> = self.proxies.values().flat_map(|proxy| proxy.mishaps().happened()).collect();
        let missed = ids.iter().zip(pairs).filter(|(id, _)| !happened.contains(*id));
        missed.filter_map(|(_, pair)| pair.clone()).collect()
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
        loop {
            let mut of_person: BTreeMap<String, Vec<Revocation>> = BTreeMap::new();
            for one in self.rollcall.all_revocations().await {
                of_person.entry(one.spec.person.clone()).or_default().push(one);
            }
            let of = |id: &String| of_person.get(&self.people[id]).and_then(|all| far(all));
            let there: Vec<Option<Revocation>> = ids.iter().map(of).collect();
            if there.iter().all(Option::is_some) {
                return there.into_iter().flatten().collect();
            }
            if begun.elapsed() > PATIENCE {
                let missing: Vec<_> =
                    ids.iter().zip(&there).filter(|(_, one)| one.is_none()).map(|(id, _)| id).collect();
                for id in &missing {
                    let all = of_person.get(&self.people[*id]);
                    println!("{}", serde_json::to_string_pretty(&all).unwrap());
                }
                let missing: Vec<String> = missing.iter().map(|id| format!("{id}: {}", told[*id])).collect();
                panic!("not {what}: {missing:#?}\nat the same time: {told:#?}");
            }
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        }
    }

    /// Sees the end of one: the same whatever went wrong.
    ///
    /// One thing has a time of its own: nobody waits for ever until `rollcall trim` has done its part. Where processes died, or the machine
    /// is busy, it may come too late; then the binding stands as it was, and the Revocation says so.
    async fn came_to_its_end(&mut self, id: &str, before: &Before, cut: &Revocation, told: &str) {
        let name = |word: &str| format!("{word}-{id}");
        let status = cut.status.as_ref().unwrap();
        let late = is_late(cut);
        let shown = || format!("{told}: {}", serde_json::to_string_pretty(status).unwrap());
        let steps: BTreeMap<Action, StepOutcome> =
            status.steps.iter().map(|step| (step.target.action, step.outcome)).collect();
        for action in [Action::Recreate, Action::Unbind, Action::Trim, Action::Rotate] {
            let done = match steps.get(&action) {
                Some(StepOutcome::Done) => true,
                Some(StepOutcome::Skipped) => action == Action::Trim && late,
                Some(StepOutcome::AlreadyGone) => matches!(action, Action::Unbind | Action::Trim),
                _ => false,
            };
            assert!(done, "{action:?}, {}", shown());
        }
        let good = [VerdictKind::Observed, VerdictKind::Implied, VerdictKind::Adopted];
        assert!(
            status.verdicts.len() + status.remaining.len() == 4
                && status.verdicts.iter().all(|one| good.contains(&one.verdict)),
            "{}",
            shown()
        );
        assert!(
            status.remaining.len() == usize::from(late) && status.verified.is_some() && status.confirmed.is_some(),
            "{}",
            shown()
        );
        assert!(status.freeze.as_ref().is_some_and(|freeze| freeze.acted.is_some()), "{}", shown());
        let recreated = status.steps.iter().find_map(|step| step.new_uid.clone());
        assert!(recreated.is_some() && recreated != before.account, "{}", shown());
        self.hooks_ran_once(cut, status, told);

        let mine = |one: &Revocation| one.spec.person == self.people[id];
        let all: Vec<Revocation> = self.rollcall.all_revocations().await.into_iter().filter(mine).collect();
        assert_eq!(all.len(), 2, "one cut, one removal and no later discovery; {told}");
        let sealed = |one: &Revocation| one.status.as_ref().is_some_and(|status| status.evidence.is_some());
        assert!(all.iter().all(sealed), "{told}");
        assert!(self.api::<ServiceAccount>("apps").get_opt(&name("account")).await.unwrap().is_none(), "{told}");
        for word in ["alone", "robot"] {
            assert!(self.api::<RoleBinding>("apps").get_opt(&name(word)).await.unwrap().is_none(), "{word}, {told}");
        }
        let shared = self.api::<RoleBinding>("joint").get(&name("shared")).await.unwrap();
        let left: Vec<String> = shared.subjects.unwrap_or_default().into_iter().map(|subject| subject.name).collect();
        let [theirs, stays] = [id, &STAYS.to_string()].map(|id| self.rollcall.user(id));
        let out = left == [stays.clone()];
        assert!(out || (late && left == [theirs, stays]), "{left:?}, {told}"); // it may come after it was given up
        self.untrimmed.extend((!out).then(|| id.to_owned()));
        let secret = self.api::<Secret>("keys").get(&name("secret")).await.unwrap();
        assert_ne!(value(&secret), before.secret, "{told}");
    }

    /// Each hook ran once; a before-hook whose time passed while nobody led is left out, and never run twice.
    fn hooks_ran_once(&self, cut: &Revocation, status: &RevocationStatus, told: &str) {
        for name in ["first", "last"] {
            let ran = fs::read_to_string(self.rollcall.directory().join(name)).unwrap_or_default();
            let times = ran.lines().filter(|line| line.contains(&cut.uid().unwrap())).count();
            let run = status.hooks.iter().find(|run| run.name == name);
            let well = run.is_some_and(|run| run.outcome == HookOutcome::Done);
            assert!(times == 1 || (name == "first" && times == 0), "{name} ran {times} times: {told}: {run:?}");
            assert!(well || (name == "first" && times == 0), "{told}: {run:?}");
        }
    }

    /// What the API server was asked to do, and did, for all who left.
    async fn nothing_was_done_twice(&self) {
        let mut calls = calls_of(&self.rollcall.identity("revoke"), self.begun).await;
        calls.extend(calls_of(&self.rollcall.identity("trim"), self.begun).await);
        let done = |verb: &str, what: &str| {
            let its = |uri: &str| uri.split('?').next().unwrap_or_default().ends_with(what);
            calls.iter().filter(|call| call.verb == verb && call.code < 300 && its(&call.uri)).count()
        };
        for id in STAYS + 1..=self.next {
            for (verb, what, times) in [
                ("delete", format!("/serviceaccounts/account-{id}"), 2),
                ("delete", format!("/rolebindings/alone-{id}"), 1),
                ("delete", format!("/rolebindings/robot-{id}"), 1),
                (
                    "update",
                    format!("/rolebindings/shared-{id}"),
                    usize::from(!self.untrimmed.contains(&id.to_string())),
                ),
            ] {
                assert_eq!(done(verb, &what), times, "{verb} {what}");
            }
        }
        let gone = usize::try_from(self.next - STAYS).unwrap();
        assert_eq!(done("create", "/serviceaccounts"), gone, "accounts made again");
        for word in OBJECTS {
            let theirs = format!("/{word}{STAYS}");
            assert_eq!(
                calls.iter().filter(|call| call.uri.contains(&theirs) && call.verb != "get").count(),
                0,
                "{theirs}"
            );
        }
    }
}

/// Whether the leaver was not taken out of the shared binding in time.
fn is_late(cut: &Revocation) -> bool {
    cut.status.iter().flat_map(|status| &status.remaining).any(|left| left.why == RemainingReason::NotTrimmed.as_str())
}

/// The Revocation of this operation that was carried out, sealed and is told of to its end, if it is.
fn ended(all: &[Revocation], operation: Operation) -> Option<Revocation> {
    let one = all.iter().find(|one| one.spec.operation == operation)?;
    let status = one.status.as_ref()?;
    let over = status.evidence.is_some() && status.hooks.iter().all(|run| !run.pending());
    (status.phase == Some(Phase::Revoked) && over).then(|| one.clone())
}

/// The value of a Secret.
fn value(secret: &Secret) -> Option<String> {
    let data = secret.data.as_ref()?.get("password")?;
    Some(String::from_utf8_lossy(&data.0).into_owned())
}

/// Each mishap at each of these calls, in an order in which few of one kind, and few at one call, follow each other.
fn pairs(calls: &BTreeMap<Who, BTreeMap<String, usize>>) -> Vec<Pair> {
    let mut of_kind: Vec<VecDeque<Pair>> = Vec::new();
    for (place, mishap) in Mishap::ALL.into_iter().enumerate() {
        let mut all = VecDeque::new();
        for (who, calls) in calls {
            for (call, times) in calls.iter().filter(|(call, _)| mishap.suits(call)) {
                let planned = |nth| (*who, Planned { call: call.clone(), nth, mishap });
                all.extend((1..=(*times).min(2)).map(planned));
            }
        }
        let turned = all.len() * place / Mishap::ALL.len();
        all.rotate_left(turned);
        of_kind.push(all);
    }
    let mut pairs = Vec::new();
    while of_kind.iter().any(|all| !all.is_empty()) {
        pairs.extend(of_kind.iter_mut().filter_map(VecDeque::pop_front));
    }
    pairs
}

/// What is told: a part, spread over all; or all; or those whose words hold a text.
fn chosen(all: &[Pair]) -> Vec<Pair> {
    match std::env::var("ROLLCALL_FAULTS").as_deref() {
        Err(_) | Ok("") => (0..AT_ONCE).map(|at| all[(at * all.len() / AT_ONCE + at) % all.len()].clone()).collect(),
        Ok("all") => all.to_vec(),
        Ok(words) => {
            all.iter().filter(|(who, planned)| format!("{who:?}: {planned}").contains(words)).cloned().collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and a machine with nothing else to do: make faults"]
async fn whatever_goes_wrong_at_whatever_call_every_act_of_a_revocation_comes_to_the_same_end_and_is_done_once() {
    let begun = Instant::now();
    let (mut first, alive) = Lane::open().await;
    let mut id = String::new();
    for _ in 0..FIRST {
        first.wave(&[None]).await;
        id = first.next.to_string();
        if !first.untrimmed.contains(&id) {
            break; // on a busy machine a trim may come too late
        }
    }
    let calls: BTreeMap<Who, _> = first.proxies.iter().map(|(who, proxy)| (*who, proxy.mishaps().made(&id))).collect();
    for act in ["frozennames", "DELETE", "externalsecrets", "PUT /apis/rbac", "ns-hooks/jobs", "deployments"] {
        let made = calls.values().flat_map(BTreeMap::keys).any(|call| call.contains(act));
        assert!(made, "{act} is an act of this revocation: {calls:#?}");
    }
    let all = pairs(&calls);
    let chosen = chosen(&all);
    let number = chosen.len();
    let waves: VecDeque<Vec<Pair>> = chosen.chunks(AT_ONCE).map(<[Pair]>::to_vec).collect();
    let lanes = waves.len().min(LANES);
    let (waves, missed, wrong) = (Mutex::new(waves), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let tell = async |opened: (Lane, Box<dyn Any>)| {
        let (mut lane, mut alive) = opened;
        loop {
            let Some(wave) = waves.lock().unwrap().pop_front() else { break };
            let told: Vec<Option<Pair>> = wave.into_iter().map(Some).collect();
            match AssertUnwindSafe(lane.wave(&told)).catch_unwind().await {
                Ok(more) => missed.lock().unwrap().extend(more),
                Err(panic) => {
                    // The others are told all the same, elsewhere.
                    wrong
                        .lock()
                        .unwrap()
                        .push(panic.downcast::<String>().map_or_else(|_| "?".to_owned(), |text| *text));
                    drop(alive);
                    (lane, alive) = Lane::open().await;
                }
            }
            let left = waves.lock().unwrap().len();
            println!("{left} waves of {AT_ONCE} are left, after {} s", begun.elapsed().as_secs());
        }
        lane.nothing_was_done_twice().await;
        drop(alive);
    };
    let others = (1..lanes).map(async |_| tell(Lane::open().await).await);
    futures::join!(tell((first, alive)), join_all(others));
    let (missed, wrong) = (missed.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!(
        "{} of {number} mishaps, of {} that there are, in {} s",
        number - missed.len(),
        all.len(),
        begun.elapsed().as_secs()
    );
    for (who, planned) in &missed {
        println!("no such call was made: {who:?}: {planned}");
    }
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n────\n"));
    assert!(missed.len() * 4 <= number, "{} of {number} came to pass", number - missed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and a machine with nothing else to do: make faults"]
async fn while_two_of_each_identity_lead_at_once_every_act_is_done_once_all_the_same() {
    let (mut lane, _alive) = Lane::open().await;
    let leases: Api<Lease> = lane.rollcall.api();
    let holder = async |command: &str| {
        let lease = leases.get(&format!("{}-{command}", lane.rollcall.release)).await.unwrap();
        lease.spec.and_then(|spec| spec.holder_identity)
    };
    let mut led = BTreeMap::new();
    for command in ["sync", "control", "trim"] {
        led.insert(command, holder(command).await);
    }
    // What they renew from now on, nobody hears of, as with a clock that stands still: they lead on, and others begin to.
    for proxy in lane.proxies.values() {
        proxy.fails_by(Fault::LeaseUnheard);
    }
    let _others = (lane.rollcall.sync().await, lane.rollcall.control().await, lane.rollcall.trim().await);
    for (command, first) in &led {
        let what = format!("another one leads too: {command}");
        eventually(&what, || async { (holder(command).await != *first).then_some(()) }).await;
    }
    lane.wave(&[const { None }; 8]).await;
    for proxy in [Who::Sync, Who::Control, Who::Trim].map(|who| &lane.proxies[&who]) {
        let calls = proxy.calls();
        assert!(
            calls.iter().any(|call| call.starts_with("PUT") && call.contains("/leases/")),
            "the first led on: {calls:?}"
        );
    }
    lane.nothing_was_done_twice().await;
}
