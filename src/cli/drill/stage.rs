//! What a drill makes and asks in the cluster: the HR file, the account, its token and the right of a user name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{LocalSubjectAccessReview, ResourceAttributes, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::progress::Seen;
use crate::api::{HRConnection, Person, SyncPolicy, names};
use crate::kube::calls::{self, call};
use crate::kube::drill::{self, PEOPLE_KEY, REPORT_KEY};
use crate::kube::named::Api;
use crate::kube::outcome::{CallFailure, Fault};
use crate::kube::swap::{self, Change, OwnConfigMap};
use domain::drill::{DrillAccount, DrillReport};

/// What the names of everything that a drill makes in the sandbox begin with.
const PREFIX: &str = "leaver-";
/// The Role whose right the invented person has: it lets nobody do more than read what the sandbox holds, which is nothing.
const ROLE: &str = "rollcall-drill-leaver";
const RBAC: &str = "rbac.authorization.k8s.io";
/// The drill's own ConfigMap.
const MAP: OwnConfigMap<'_> = OwnConfigMap { name: names::DRILL, part: "drill", doing: "write the file of the drill" };
/// The whole file, with one of two words. An admission policy of the chart lets the drill's identity write nothing else.
const FILE: [&str; 2] = [
    "Employee ID,Full name,Work email,Status\nleaver,Rollcall Drill,rollcall-drill@example.com,employed\n",
    "Employee ID,Full name,Work email,Status\nleaver,Rollcall Drill,rollcall-drill@example.com,left\n",
];

/// Where a drill is played.
pub struct Stage {
    client: Client,
    /// Where Rollcall and its HR file are.
    namespace: String,
    /// Where the account is.
    sandbox: String,
}

impl Stage {
    pub fn new(client: Client, namespace: &str, sandbox: Option<&str>) -> Self {
        let sandbox = sandbox.map_or_else(|| format!("{namespace}-drill"), str::to_owned);
        Self { client, namespace: namespace.to_owned(), sandbox }
    }

    fn ours<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn here<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.sandbox)
    }

    // ---- The HR file -----------------------------------------------------------------------------------------------

    /// The file says that the person works here. Gives what the connection echoes once it was read.
    pub async fn say_hired(&self) -> Result<String, Fault> {
        self.put(PEOPLE_KEY, FILE[0]).await?;
        self.ask_for_a_look().await
    }

    /// The file says that the person has left.
    pub async fn say_left(&self) -> Result<(), Fault> {
        self.put(PEOPLE_KEY, FILE[1]).await?;
        self.ask_for_a_look().await.map(drop)
    }

    /// Writes the report, and has sync look at it.
    pub async fn write_down(&self, report: &DrillReport) -> Result<(), Fault> {
        let text = serde_json::to_string(report);
        self.put(REPORT_KEY, &text.map_err(|_| Fault::Stalled("the report cannot be written".to_owned()))?).await?;
        if let Err(fault) = self.ask_for_a_look().await {
            tracing::warn!(%fault, "sync looks at the report later"); // within a minute
        }
        Ok(())
    }

    /// When the report before this one says that the next is due.
    pub async fn promised(&self) -> Result<Option<Timestamp>, Fault> {
        let map = call("read the report of the drill", self.ours::<ConfigMap>().get_opt(names::DRILL)).await?;
        Ok(map.as_ref().and_then(drill::report).and_then(|report| report.due))
    }

    async fn put(&self, key: &str, text: &str) -> Result<(), Fault> {
        let change = |current: Option<&ConfigMap>| {
            let mut data = current.and_then(|map| map.data.clone()).unwrap_or_default();
            let before = data.insert(key.to_owned(), text.to_owned());
            Ok(if before.as_deref() == Some(text) { Change::Keep(()) } else { Change::Write(data, ()) })
        };
        swap::swap(&self.ours(), MAP, change).await.map(drop)
    }

    async fn ask_for_a_look(&self) -> Result<String, Fault> {
        let asked = format!("drill-{}", calls::now().as_microsecond());
        let patch = json!({"metadata": {"annotations": {names::REQUESTED_AT: asked}}});
        let (connections, patch) = (self.ours::<HRConnection>(), Patch::Merge(&patch));
        let doing = "ask for a read of the drill's connection";
        call(doing, connections.patch_metadata(names::DRILL, &PatchParams::default(), &patch)).await?;
        Ok(asked)
    }

    /// What Rollcall says now.
    pub async fn look(&self) -> Result<Seen, Fault> {
        let (connections, policies, people) =
            (self.ours::<HRConnection>(), self.ours::<SyncPolicy>(), self.ours::<Person>());
        Ok(Seen {
            connection: call("read the drill's connection", connections.get_opt(names::DRILL)).await?,
            policy: call("read the drill's policy", policies.get_opt(names::DRILL)).await?,
            person: call("read the drill's Person", people.get_opt(names::DRILL)).await?,
        })
    }

    // ---- The sandbox -----------------------------------------------------------------------------------------------

    /// Makes an account of theirs, a right of their user name, and a token.
    pub async fn prepare(&self, run: &str) -> Result<(DrillAccount, SecretString), Fault> {
        let name = format!("{PREFIX}{}", run.trim_start_matches("d-"));
        let metadata = |annotations: Option<BTreeMap<String, String>>| ObjectMeta {
            name: Some(name.clone()),
            annotations,
            ..ObjectMeta::default()
        };
        let owner = format!("id:{}:{}/{}", self.namespace, names::DRILL, names::DRILL_ID);
        let owned = metadata(Some([(names::OWNER.to_owned(), owner)].into()));
        let account = ServiceAccount { metadata: owned, ..ServiceAccount::default() };
        let accounts = self.here::<ServiceAccount>();
        let account = call("make the leaver's account", accounts.create(&PostParams::default(), &account)).await?;
        let of = |kind: &str, name: &str| Subject {
            api_group: Some(RBAC.to_owned()),
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: None,
        };
        let binding = RoleBinding {
            metadata: metadata(None),
            role_ref: RoleRef { api_group: RBAC.to_owned(), kind: "Role".to_owned(), name: ROLE.to_owned() },
            subjects: Some(vec![of("User", &names::drill_user(&self.namespace))]),
        };
        let bindings = self.here::<RoleBinding>();
        call("give the leaver's user name a right", bindings.create(&PostParams::default(), &binding)).await?;
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let issued = call("issue a token", accounts.create_token_request(&name, &request)).await?;
        let token = issued.status.map(|status| status.token).unwrap_or_default();
        let uid = account.uid().unwrap_or_default();
        Ok((DrillAccount { namespace: self.sandbox.clone(), name, uid }, SecretString::from(token)))
    }

    /// Whether the user name is refused the right that it was given; `None` where nobody answers.
    pub async fn is_denied(&self) -> Option<bool> {
        let review = LocalSubjectAccessReview {
            metadata: ObjectMeta { namespace: Some(self.sandbox.clone()), ..ObjectMeta::default() },
            spec: SubjectAccessReviewSpec {
                user: Some(names::drill_user(&self.namespace)),
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(self.sandbox.clone()),
                    verb: Some("get".to_owned()),
                    resource: Some("configmaps".to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            status: None,
        };
        let reviews = self.here::<LocalSubjectAccessReview>();
        let answer = call("ask what the leaver may do", reviews.create(&PostParams::default(), &review)).await.ok()?;
        answer.status.map(|status| !status.allowed)
    }

    /// Removes what drills made.
    pub async fn clear(&self) -> Result<(), Fault> {
        clear::<RoleBinding>(&self.here(), "remove the leaver's bindings").await?;
        clear::<ServiceAccount>(&self.here(), "remove the leaver's accounts").await
    }
}

#[allow(clippy::disallowed_methods, reason = "what drills made themselves, in their own sandbox")]
async fn clear<K>(api: &Api<K>, doing: &'static str) -> Result<(), Fault>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let all = call(doing, api.list_metadata(&ListParams::default())).await?;
    let made = all.items.iter().filter(|one| one.metadata.deletion_timestamp.is_none()).map(ResourceExt::name_any);
    for name in made.filter(|name| name.starts_with(PREFIX)) {
        match call(doing, api.delete(&name, &DeleteParams::default())).await {
            Err(fault) if !fault.is_not_found() => return Err(fault),
            _ => {}
        }
    }
    Ok(())
}

/// Who holds the token, and nothing else.
pub struct Candidate(Client);

impl Candidate {
    pub const fn new(holder: Client) -> Self {
        Self(holder)
    }

    /// Whether the API server refuses the token itself; `None` where nobody answers. Any answer but a 401 takes it for good.
    pub async fn is_refused(&self) -> Option<bool> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.0.clone());
        let (params, review) = (PostParams::default(), SelfSubjectReview::default());
        let answer = call("try the token", reviews.create(&params, &review)).await;
        match answer.map_err(|fault| fault.call_failure()) {
            Ok(_) | Err(Some(CallFailure::Forbidden)) => Some(false),
            Err(Some(CallFailure::Unauthorized)) => Some(true),
            Err(_) => None,
        }
    }
}
