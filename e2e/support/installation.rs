//! One Rollcall of a story's own: its namespaces, its release of the chart, its processes, its HR file.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, Person, Revocation, SyncPolicy, condition, names};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::chart;
use super::cluster::{Cluster, cluster};
use super::kubelet::{Kubelet, Node};
use super::objects::{object, overlay};
use super::people::{People, address};
use super::process::{Process, Service, rollcall, tail, write_kubeconfig};
use super::proxy::Proxy;
use super::tokens;
use super::waiting::{eventually, within};

/// Name of the SyncPolicy of every story.
pub const POLICY: &str = "everyone";

/// What a target namespace consents to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Accounts and bindings.
    Accounts,
    /// These, and a token minted before the act to be tried after it.
    Canaries,
    /// Accounts and bindings, and seeing token Secrets that come back.
    Secrets,
    /// Nothing.
    None,
}

/// A whole Rollcall at work, as long as this value lives.
pub struct Running {
    pub sync: Service,
    _control: Service,
    _revoker: Kubelet,
}

/// One Rollcall, which ends with this value. If the test failed, everything worth seeing is printed.
pub struct Installation {
    pub cluster: &'static Cluster,
    pub admin: Client,
    /// The operator's namespace, which is the people namespace too.
    pub namespace: String,
    /// Name of the release.
    pub release: String,
    /// Name of its HRConnection. Stories share a cluster, so none may call a person as another story does.
    pub connection: String,
    values: Value,
    directory: PathBuf,
    logs: Arc<Mutex<Vec<PathBuf>>>,
    listening: Mutex<Vec<String>>,
    job: Mutex<String>,
    among_others: Option<RwLockReadGuard<'static, ()>>,
}

/// Held by every story that is being told.
static STORIES: RwLock<()> = RwLock::const_new(());

impl Installation {
    /// Installs the chart with the given target namespaces, which are made.
    pub async fn new(story: &str, targets: &[(&str, Consent)]) -> Self {
        Self::with(story, targets, json!({})).await
    }

    /// The same, with more values for the chart.
    pub async fn with(story: &str, targets: &[(&str, Consent)], mut more: Value) -> Self {
        let cluster = cluster().await;
        let suffix = suffix();
        let namespace = format!("{story}-{suffix}");
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&namespace);
        fs::create_dir_all(&directory).unwrap();
        let mut installation = Self {
            cluster,
            admin: cluster.admin().await,
            release: format!("rc-{suffix}"),
            connection: format!("hq-{suffix}"),
            namespace,
            values: Value::Null,
            directory,
            logs: Arc::default(),
            listening: Mutex::default(),
            job: Mutex::default(),
            among_others: Some(STORIES.read().await),
        };
        installation.make_namespace(&installation.namespace).await;
        let mut values = Vec::new();
        for (name, consent) in targets {
            let target = installation.target(name);
            installation.make_namespace(&target).await;
            let (canaries, secrets) = (*consent == Consent::Canaries, *consent == Consent::Secrets);
            if *consent != Consent::None {
                values.push(json!({"namespace": target, "accounts": true, "canaries": canaries, "secrets": secrets}));
            }
        }
        overlay(&mut more, json!({"targets": values}));
        installation.values = more;
        installation.install_again().await;
        installation
    }

    /// Applies the chart as it was installed, as every pipeline does again and again.
    pub async fn install_again(&self) {
        self.install(self.values.clone()).await;
    }

    /// Installs the chart, or upgrades it, with these values.
    pub async fn install(&self, values: Value) {
        let mut all = json!({
            "image": {"repository": "localhost/rollcall", "tag": "test"},
            "policies": {"allowRevokerTokenRequests": true}, // the revoker is a local process here, not a pod of a node
            "crds": {"install": false}, // one set for all stories, see `cluster`
            // Sync and control are local processes too: on a cluster with a node, a pod would take the Lease from them.
            "nodeSelector": {"rollcall.dev/nowhere": "true"},
        });
        overlay(&mut all, values);
        let manifests = chart::render(&self.admin, &self.release, &self.namespace, &all).await;
        chart::apply(self.cluster, &manifests);
        *self.job.lock().unwrap() = chart::argument(&manifests, "--revoker-job");
        chart::until_guarded(&self.admin, &self.revoker_namespace()).await;
    }

    /// Makes a namespace.
    pub async fn make_namespace(&self, name: &str) {
        let namespace: Namespace = object(json!({"metadata": {"name": name}}));
        Api::all(self.admin.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// The real name of a target namespace.
    pub fn target(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Where the revoker's Jobs run.
    pub fn revoker_namespace(&self) -> String {
        format!("{}-revoker", self.namespace)
    }

    /// The API of a kind in the people namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    // ---- Processes -------------------------------------------------------------------------------------------------

    /// Starts all there is to run: sync, control, and the node for the revoker's Jobs.
    pub async fn run(&self) -> Running {
        Running { sync: self.sync().await, _control: self.control().await, _revoker: self.revoker() }
    }

    /// Starts `rollcall sync`.
    pub async fn sync(&self) -> Service {
        self.start("sync", &[], None).await
    }

    /// Starts `rollcall sync`, which reaches the API server through a proxy.
    pub async fn sync_through(&self, proxy: &Arc<Proxy>) -> Service {
        self.start("sync", &[], Some(proxy)).await
    }

    /// Starts `rollcall control`.
    pub async fn control(&self) -> Service {
        self.control_by(None).await
    }

    /// Starts `rollcall control`, which reaches the API server through a proxy.
    pub async fn control_through(&self, proxy: &Arc<Proxy>) -> Service {
        self.control_by(Some(proxy)).await
    }

    async fn control_by(&self, proxy: Option<&Arc<Proxy>>) -> Service {
        let namespace = self.revoker_namespace();
        let account = format!("{}-revoke", self.release);
        let job = self.job.lock().unwrap().clone();
        let more = ["--revoker-namespace", &namespace, "--revoker-account", &account, "--revoker-job", &job];
        self.start("control", &more, proxy).await
    }

    /// Lets control that is started from now on create other Jobs than those of the installed chart.
    pub fn declare(&self, job: &Value) {
        *self.job.lock().unwrap() = job.to_string();
    }

    /// The spec of the revoker's Job, as the chart passes it to control.
    pub fn job(&self) -> Value {
        serde_json::from_str(&self.job.lock().unwrap()).unwrap()
    }

    async fn start(&self, command: &str, more: &[&str], proxy: Option<&Arc<Proxy>>) -> Service {
        let account = format!("{}-{command}", self.release);
        let token = tokens::mint_unbound(&self.admin, &self.namespace, &account).await;
        let server = proxy.map_or(&self.cluster.server, |proxy| &proxy.url);
        let kubeconfig = write_kubeconfig(&self.directory, command, &self.cluster.kubeconfig_for(server, &token.0));
        let listen = free_address();
        self.listening.lock().unwrap().push(listen.clone());
        let arguments: Vec<String> =
            [command, "--namespace", &self.namespace, "--instance", &self.release, "--listen", &listen]
                .iter()
                .chain(more)
                .map(|word| (*word).to_owned())
                .collect();
        let log = self.directory.join(format!("{command}-{}.log", suffix()));
        self.logs.lock().unwrap().push(log.clone());
        let start = {
            let (log, proxy) = (log.clone(), proxy.cloned());
            move || {
                let process = Process::start(&account, &kubeconfig, &arguments, &log);
                if let Some(proxy) = &proxy {
                    proxy.carries(&process);
                }
                process
            }
        };
        let service = Service::keep(start);
        eventually(&format!("{command} is ready"), || async {
            let ready = reqwest::get(format!("http://{listen}/readyz")).await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        service
    }

    /// Begins to run the revoker's Jobs.
    pub fn revoker(&self) -> Kubelet {
        self.node(None)
    }

    /// Begins to run the revoker's Jobs, which reach the API server through a proxy.
    pub fn revoker_through(&self, proxy: &Arc<Proxy>) -> Kubelet {
        self.node(Some(proxy.clone()))
    }

    fn node(&self, proxy: Option<Arc<Proxy>>) -> Kubelet {
        Kubelet::start(Node {
            admin: self.admin.clone(),
            namespace: self.revoker_namespace(),
            account: format!("{}-revoke", self.release),
            directory: self.directory.clone(),
            logs: self.logs.clone(),
            proxy,
        })
    }

    /// What control found out about the revoker, by an empty Job.
    pub async fn revoker_record(&self) -> Option<Value> {
        let map = self.api::<ConfigMap>().get_opt(names::CONSENTS).await.unwrap()?;
        serde_json::from_str(map.data?.get("revoker.json")?).ok()
    }

    /// Waits until the revoker is proved able to run.
    pub async fn revoker_is_ready(&self) {
        eventually("the revoker is proved able to run", || async {
            self.revoker_record().await.filter(|record| record["ready"] == true)
        })
        .await;
    }

    // ---- People ----------------------------------------------------------------------------------------------------

    /// A file without anybody yet.
    pub fn people(&self) -> People {
        People::of(self.domain())
    }

    /// People with the ids `first` up to, not including, `end`, all of them active.
    pub fn staff(&self, ids: std::ops::Range<u32>) -> People {
        self.people().active_people(ids)
    }

    fn domain(&self) -> String {
        format!("{}.example.com", self.connection)
    }

    /// A person's work address.
    pub fn address(&self, id: &str) -> String {
        address(id, &self.domain())
    }

    /// The user name a person signs in with.
    pub fn user(&self, id: &str) -> String {
        format!("oidc:{}", self.address(id))
    }

    /// The owner mark that names a person.
    pub fn mark(&self, id: &str) -> String {
        format!("id:{}/{id}", self.connection)
    }

    // ---- What an admin does ----------------------------------------------------------------------------------------

    /// Makes a ServiceAccount that is marked as this person's.
    pub async fn account_of(&self, id: &str, target: &str, name: &str) -> ServiceAccount {
        self.account(target, name, Some(&self.mark(id))).await
    }

    /// Makes a ServiceAccount, with an owner mark where one is given.
    pub async fn account(&self, target: &str, name: &str, owner: Option<&str>) -> ServiceAccount {
        let marks = owner.map(|owner| json!({names::OWNER: owner}));
        let account: ServiceAccount = object(json!({"metadata": {"name": name, "annotations": marks}}));
        Api::namespaced(self.admin.clone(), &self.target(target))
            .create(&PostParams::default(), &account)
            .await
            .unwrap()
    }

    /// The account, if it is there.
    pub async fn get_account(&self, target: &str, name: &str) -> Option<ServiceAccount> {
        Api::namespaced(self.admin.clone(), &self.target(target)).get_opt(name).await.unwrap()
    }

    /// Binds the ClusterRole `view` in a target to users of these names.
    pub async fn bind_users(&self, target: &str, name: &str, users: &[String]) -> RoleBinding {
        let group = "rbac.authorization.k8s.io";
        let subjects: Vec<Value> =
            users.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": group})).collect();
        let binding: RoleBinding = object(json!({
            "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        }));
        Api::namespaced(self.admin.clone(), &self.target(target))
            .create(&PostParams::default(), &binding)
            .await
            .unwrap()
    }

    /// Whether a user may list pods in a target.
    pub async fn may_look(&self, user: &str, target: &str) -> bool {
        let review: SubjectAccessReview = object(json!({"spec": {
            "user": user,
            "resourceAttributes": {"namespace": self.target(target), "verb": "list", "resource": "pods"},
        }}));
        let answer = Api::all(self.admin.clone()).create(&PostParams::default(), &review).await.unwrap();
        answer.status.is_some_and(|status| status.allowed)
    }

    /// Writes the HR file, a ConfigMap.
    pub async fn file(&self, csv: &str) {
        let file = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "people"}, "data": {"people.csv": csv},
        });
        let files: Api<ConfigMap> = self.api();
        files.patch("people", &PatchParams::apply("e2e").force(), &Patch::Apply(&file)).await.unwrap();
    }

    /// Makes the connection to that file; `over` is laid over its spec.
    pub async fn connect(&self, over: Value) {
        let mut spec = json!({
            "source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}},
            "schedule": {"every": "1h"}, // a story polls when it wants to
        });
        overlay(&mut spec, over);
        let connection: HRConnection = object(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": self.connection}, "spec": spec,
        }));
        self.api().create(&PostParams::default(), &connection).await.unwrap();
    }

    /// Makes the policy, in `Enforce`; `over` is laid over its spec.
    pub async fn policy(&self, over: Value) {
        let mut spec = json!({
            "mode": "Enforce",
            "connections": [{"name": self.connection}],
            "identity": {"usernames": ["'oidc:' + person.workEmail"]},
            "timeZones": {"default": "Europe/Madrid"},
        });
        overlay(&mut spec, over);
        let policy: SyncPolicy = object(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": POLICY}, "spec": spec,
        }));
        self.api().create(&PostParams::default(), &policy).await.unwrap();
    }

    /// Asks for a poll now, and waits until it was made.
    pub async fn poll(&self) -> HRConnection {
        let asked = suffix();
        let mark = json!({"metadata": {"annotations": {names::REQUESTED_AT: asked}}});
        let connections: Api<HRConnection> = self.api();
        connections.patch(&self.connection, &PatchParams::default(), &Patch::Merge(&mark)).await.unwrap();
        eventually("the connection is polled when asked", || async {
            let connection = connections.get(&self.connection).await.unwrap();
            let handled = connection.status.as_ref()?.last_handled_reconcile_at.as_ref()?;
            (*handled == asked).then_some(connection)
        })
        .await
    }

    /// An installation that runs under this policy, in whose target `apps` person 7 of ten owns the account `seven`.
    pub async fn with_seven(story: &str, consent: Consent, policy: Value) -> (Self, Running, People) {
        let rollcall = Self::new(story, &[("apps", consent)]).await;
        let running = rollcall.run().await;
        rollcall.connect(json!({})).await;
        rollcall.policy(policy).await;
        rollcall.account_of("7", "apps", "seven").await;
        let staff = rollcall.staff(1..11);
        rollcall.learn(&staff).await;
        (rollcall, running, staff)
    }

    /// Person 7 of these leaves, and is cut.
    pub async fn seven_leaves(&self, staff: &People) -> Revocation {
        self.learn(&staff.clone().person("7").terminated()).await;
        self.reaches("7", Operation::Cut, Phase::Revoked).await
    }

    /// Writes the file, polls, and waits until the Persons show that answer.
    pub async fn learn(&self, people: &People) {
        self.file(&people.csv()).await;
        self.settles(self.poll().await).await;
    }

    /// Waits until the Persons show the answer that this connection trusts.
    pub async fn settles(&self, connection: HRConnection) {
        let trusted = connection.status.and_then(|status| status.last_trusted).expect("a trusted answer");
        let policies: Api<SyncPolicy> = self.api();
        eventually("the Persons show the trusted answer", || async {
            let policy = policies.get(POLICY).await.unwrap();
            let (generation, status) = (policy.metadata.generation, policy.status?);
            let followed = status.observed_generation == generation; // the same answer may be shown of an older spec
            let settled =
                followed && status.conditions.iter().any(|c| c.type_ == condition::BASELINE && c.status == "True");
            (settled && status.answer.as_ref() == Some(&trusted.answer)).then_some(())
        })
        .await;
    }

    /// Stops every act, by the command.
    pub fn stop(&self, reason: &str) {
        self.succeeds(&["stop", "--reason", reason]);
    }

    /// Lifts the stop.
    pub fn go_on(&self) {
        self.succeeds(&["stop", "--lift"]);
    }

    /// Approves the plan that a Revocation shows, by the command.
    pub fn approve(&self, revocation: &Revocation) {
        self.succeeds(&["approve", &revocation.name_any(), "--yes"]);
    }

    /// Approves a whole batch, by the command.
    pub fn approve_batch(&self, batch: &str) {
        self.succeeds(&["approve", "--batch", batch, "--yes"]);
    }

    /// Waits until an instant has passed.
    pub async fn until(&self, instant: Timestamp) {
        let left = instant.duration_since(Timestamp::now());
        tokio::time::sleep(left.try_into().unwrap_or_default()).await;
    }

    /// Waits for a moment in which no other story is told, and keeps new ones from beginning while it lasts. It does not
    /// queue for that moment: the others would wait behind it.
    pub async fn alone(&mut self) -> RwLockWriteGuard<'static, ()> {
        self.among_others = None;
        within(Duration::from_secs(1800), "no other story is told", || async { STORIES.try_write().ok() }).await
    }

    // ---- What can be seen ------------------------------------------------------------------------------------------

    /// The Person of an HR id.
    pub async fn person(&self, id: &str) -> Option<Person> {
        self.all_persons().await.into_iter().find(|person| person.spec.records.iter().any(|record| record.id == id))
    }

    /// All Persons.
    pub async fn all_persons(&self) -> Vec<Person> {
        self.api::<Person>().list(&Default::default()).await.unwrap().items
    }

    /// All Revocations.
    pub async fn all_revocations(&self) -> Vec<Revocation> {
        self.api::<Revocation>().list(&Default::default()).await.unwrap().items
    }

    /// All Revocations of an HR id, oldest first.
    pub async fn revocations(&self, id: &str) -> Vec<Revocation> {
        let Some(person) = self.person(id).await else { return Vec::new() };
        let mut of_person: Vec<_> =
            self.all_revocations().await.into_iter().filter(|r| r.spec.person == person.name_any()).collect();
        of_person.sort_by_key(|revocation| revocation.metadata.creation_timestamp.clone());
        of_person
    }

    /// Waits until the newest Revocation of this operation is in this phase, and gives it.
    pub async fn reaches(&self, id: &str, operation: Operation, phase: Phase) -> Revocation {
        eventually(&format!("{operation:?} of {id} is {phase:?}"), || async {
            let newest = self.revocations(id).await.into_iter().rfind(|r| r.spec.operation == operation)?;
            (newest.status.as_ref()?.phase == Some(phase)).then_some(newest)
        })
        .await
    }

    /// Lets `rollcall evidence verify` check the chain of this installation.
    pub fn evidence_verifies(&self) {
        self.succeeds(&["evidence", "verify"]);
    }

    /// Runs a command of Rollcall as an admin would, in the people namespace.
    pub fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.says(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, of a command that must end with a failure; gives what it says of it.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.says(arguments);
        assert!(!output.status.success(), "{arguments:?} did not fail");
        String::from_utf8(output.stderr).unwrap()
    }

    fn says(&self, arguments: &[&str]) -> Output {
        let mut command = rollcall();
        command.args(arguments).args(["--namespace", &self.namespace]).env("KUBECONFIG", &self.cluster.kubeconfig);
        command.output().unwrap()
    }

    /// Waits until the newest Revocation of an HR id is held by this gate, and gives it.
    pub async fn waits_for(&self, id: &str, gate: &str) -> Revocation {
        eventually(&format!("the Revocation of {id} waits for {gate}"), || async {
            let waits = |revocation: &Revocation| {
                let status = revocation.status.as_ref();
                let shut = status.and_then(|status| status.gate.as_ref()).is_some_and(|shut| shut.reason == gate);
                shut && status.and_then(|status| status.phase) == Some(Phase::Held)
            };
            self.revocations(id).await.into_iter().rev().find(waits)
        })
        .await
    }

    /// The user name of one of the three identities: `sync`, `control` or `revoke`.
    pub fn identity(&self, command: &str) -> String {
        let namespace = if command == "revoke" { self.revoker_namespace() } else { self.namespace.clone() };
        format!("system:serviceaccount:{namespace}:{}-{command}", self.release)
    }

    /// Logs of everything that ran so far.
    pub fn logs(&self) -> Vec<PathBuf> {
        self.logs.lock().unwrap().clone()
    }

    /// The addresses that sync and control serve their metrics at.
    pub fn listening(&self) -> Vec<String> {
        self.listening.lock().unwrap().clone()
    }

    /// Takes away what every call to the API server is checked against, or each story would be slower than the one before.
    fn withdraw_policies(&self) {
        let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies";
        let release = format!("app.kubernetes.io/instance={}", self.release);
        self.cluster.kubectl().args(["delete", kinds, "--wait=false", "--selector", &release]).output().ok();
    }

    fn show(&self) {
        let kinds = "hrconnections,syncpolicies,people,revocations,jobs,pods,events";
        for (namespace, kinds) in [(self.namespace.clone(), kinds), (self.revoker_namespace(), "jobs,pods,events")] {
            let output =
                self.cluster.kubectl().args(["get", kinds, "--namespace", &namespace, "--output", "yaml"]).output();
            if let Ok(output) = output {
                println!("──── {namespace}: {kinds}\n{}", String::from_utf8_lossy(&output.stdout));
            }
        }
        for log in self.logs() {
            println!("──── end of {}\n{}", log.display(), tail(&log));
        }
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.withdraw_policies();
        let panics = self.logs().iter().any(|log| tail(log).contains("panicked at"));
        if std::thread::panicking() {
            self.show();
        } else if panics {
            self.show();
            panic!("a process of Rollcall panicked");
        } else {
            fs::remove_dir_all(&self.directory).ok();
        }
    }
}

/// Six letters nobody else has.
pub fn suffix() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:06x}", RandomState::new().hash_one("") & 0x00ff_ffff)
}

/// An address of this machine that nobody listens at.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
