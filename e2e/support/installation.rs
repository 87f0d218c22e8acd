//! One Rollcall of a story's own: its namespaces, its release of the chart, its processes, its HR file.

mod processes;
mod releases;
mod seen;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, Revocation, SyncPolicy, names};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::chart;
use super::cluster::{Cluster, cluster};
use super::kubelet::Kubelet;
use super::objects::{object, overlay};
use super::people::{People, address};
use super::process::{Service, tail};
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
    /// Accounts and bindings, and taking leavers out of those that others share. The chart needs `trim.enabled`.
    Trim,
    /// Accounts and bindings, and new values for Secrets.
    Rotate,
    /// Accounts and bindings, probe tokens, and accounts that workloads run as.
    Workloads,
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
    limits: Mutex<String>,
    among_others: Option<RwLockReadGuard<'static, ()>>,
}

/// Limits above all policies that hold nobody.
fn no_limits() -> Value {
    let most = json!([{"window": "24h", "percent": 100, "atLeast": 100_000}]);
    json!({"people": most, "objects": most, "workloads": most})
}

/// `limits.people` or `limits.objects` of a policy: so many a day, whatever the company is.
pub fn a_day(most: u32) -> Value {
    json!([{"window": "24h", "percent": 0, "atLeast": most}])
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
            limits: Mutex::default(),
            among_others: Some(STORIES.read().await),
        };
        installation.make_namespace(&installation.namespace).await;
        let mut values = Vec::new();
        for (name, consent) in targets {
            let target = installation.target(name);
            installation.make_namespace(&target).await;
            let workloads = *consent == Consent::Workloads;
            let (canaries, secrets) = (*consent == Consent::Canaries || workloads, *consent == Consent::Secrets);
            if *consent != Consent::None {
                let (trim, rotate) = (*consent == Consent::Trim, *consent == Consent::Rotate);
                values.push(json!({"namespace": target, "accounts": true, "canaries": canaries, "secrets": secrets,
                                   "trim": trim, "rotate": rotate, "workloads": workloads}));
            }
        }
        overlay(&mut more, json!({"targets": values}));
        installation.values = more;
        installation.install_again().await;
        installation
    }

    /// Applies the chart with more values than it was installed with.
    pub async fn add_values(&mut self, more: Value) {
        overlay(&mut self.values, more);
        self.install_again().await;
    }

    /// Applies the chart as it was installed, as every pipeline does again and again.
    pub async fn install_again(&self) {
        self.install(self.values.clone()).await;
    }

    /// Installs the chart, or upgrades it, with these values.
    pub async fn install(&self, values: Value) {
        let manifests = chart::render(&self.admin, &self.release, &self.namespace, &self.whole(values)).await;
        chart::apply(self.cluster, &manifests);
        self.told_by(&manifests).await;
    }

    /// These values over those of every story.
    fn whole(&self, values: Value) -> Value {
        let mut all = json!({
            "image": {"repository": "localhost/rollcall", "tag": "test"},
            "policies": {"allowRevokerTokenRequests": true}, // the revoker is a local process here, not a pod of a node
            "crds": {"install": false}, // one set for all stories, see `cluster`
            "limits": no_limits(), // companies of ten, of which many leave: what holds them is another story
            // Sync and control are local processes too: on a cluster with a node, a pod would take the Lease from them.
            "nodeSelector": {"rollcall.dev/nowhere": "true"},
        });
        overlay(&mut all, values);
        all
    }

    /// Remembers what the chart tells control, and waits until its policies bite.
    async fn told_by(&self, manifests: &str) {
        *self.job.lock().unwrap() = chart::argument(manifests, "--revoker-job");
        *self.limits.lock().unwrap() = chart::argument(manifests, "--limits");
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

    /// A folder of this story's own, which goes with it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the revoker's Jobs run.
    pub fn revoker_namespace(&self) -> String {
        format!("{}-revoker", self.namespace)
    }

    /// Where hooks run.
    pub fn hooks_namespace(&self) -> String {
        format!("{}-hooks", self.namespace)
    }

    /// The API of a kind in the people namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.admin.clone(), &self.namespace)
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

    /// Binds the ClusterRole `view` in a target to users of these names, and waits until the API server knows it.
    pub async fn bind_users(&self, target: &str, name: &str, users: &[String]) -> RoleBinding {
        let group = "rbac.authorization.k8s.io";
        let subjects: Vec<Value> =
            users.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": group})).collect();
        let binding: RoleBinding = object(json!({
            "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        }));
        let bindings: Api<RoleBinding> = Api::namespaced(self.admin.clone(), &self.target(target));
        let made = bindings.create(&PostParams::default(), &binding).await.unwrap();
        for user in users {
            eventually("the binding is known, or gone again", || async {
                let known = self.may_look(user, target).await || bindings.get_opt(name).await.unwrap().is_none();
                known.then_some(())
            })
            .await;
        }
        made
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
        self.file_of("people", csv).await;
    }

    async fn file_of(&self, name: &str, csv: &str) {
        let file = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"people.csv": csv},
        });
        let files: Api<ConfigMap> = self.api();
        files.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&file)).await.unwrap();
    }

    /// Makes the connection to that file; `over` is laid over its spec.
    pub async fn connect(&self, over: Value) {
        self.connect_to(&self.connection, "people", over).await;
    }

    /// Makes a second connection, to a file of its own with these people, and gives its name.
    pub async fn connect_more(&self, people: &People) -> String {
        let name = format!("{}-more", self.connection);
        self.file_of("more", &people.csv()).await;
        self.connect_to(&name, "more", json!({})).await;
        name
    }

    async fn connect_to(&self, name: &str, file: &str, over: Value) {
        let mut spec = json!({
            "source": {"file": {"from": {"configMap": {"name": file, "key": "people.csv"}}}},
            "schedule": {"every": "1h"}, // a story polls when it wants to
        });
        overlay(&mut spec, over);
        let connection: HRConnection = object(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": name}, "spec": spec,
        }));
        self.api().create(&PostParams::default(), &connection).await.unwrap();
    }

    /// Makes the policy, in `Enforce`; `over` is laid over its spec.
    pub async fn policy(&self, over: Value) {
        self.policy_over(POLICY, &self.connection, over).await;
    }

    /// The same, of another name and over another connection.
    pub async fn policy_over(&self, name: &str, connection: &str, over: Value) {
        let mut spec = json!({
            "mode": "Enforce",
            "connections": [{"name": connection}],
            "identity": {"usernames": ["'oidc:' + person.workEmail"]},
            "timeZones": {"default": "Europe/Madrid"},
        });
        overlay(&mut spec, over);
        let policy: SyncPolicy = object(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": name}, "spec": spec,
        }));
        self.api().create(&PostParams::default(), &policy).await.unwrap();
    }

    /// Asks for a poll now, and waits until it was made.
    pub async fn poll(&self) -> HRConnection {
        self.poll_of(&self.connection).await
    }

    async fn poll_of(&self, name: &str) -> HRConnection {
        let asked = suffix();
        let mark = json!({"metadata": {"annotations": {names::REQUESTED_AT: asked}}});
        let connections: Api<HRConnection> = self.api();
        connections.patch(name, &PatchParams::default(), &Patch::Merge(&mark)).await.unwrap();
        eventually("the connection is polled when asked", || async {
            let connection = connections.get(name).await.unwrap();
            let handled = connection.status.as_ref()?.last_handled_reconcile_at.as_ref()?;
            (*handled == asked).then_some(connection)
        })
        .await
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

    /// Takes away what every call to the API server is checked against, and sorted by, or each story would be slower than the
    /// one before.
    fn withdraw_policies(&self) {
        let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies,flowschemas";
        let release = format!("app.kubernetes.io/instance={}", self.release);
        self.cluster.kubectl().args(["delete", kinds, "--wait=false", "--selector", &release]).output().ok();
    }

    fn show(&self) {
        let kinds = "hrconnections,syncpolicies,people,revocations,jobs,pods,events";
        let of_jobs =
            [self.revoker_namespace(), self.hooks_namespace()].map(|namespace| (namespace, "jobs,pods,events"));
        for (namespace, kinds) in [(self.namespace.clone(), kinds)].into_iter().chain(of_jobs) {
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
