//! What changes the cluster: one update of one binding, which takes subjects out of it and does nothing else.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use kube::api::{DynamicObject, PostParams};
use serde_json::Value;

use super::Options;
use crate::api::{TrimmableSubjects, names};
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::ownership::{Index, PersonFacts};
use domain::plan::{ClusterInventory, Consent, Protected, Target, trim};

/// Field manager of what is written, by which a binding shows who changed its subjects.
const MANAGER: &str = "rollcall-trim";
/// How often a binding that changed meanwhile is read again at once.
const CONFLICTS: usize = 5;

/// By what it is judged what may be taken out.
pub struct By<'a> {
    /// The API server.
    pub client: &'a Client,
    /// What the process was started with.
    pub options: &'a Options,
    /// Everybody, read for this look.
    pub index: &'a Index,
    /// The leaver.
    pub person: &'a PersonFacts,
    /// What the policy protects.
    pub protected: &'a Protected,
    /// Name of the Revocation.
    pub revocation: &'a str,
}

/// What is to be done about a binding that was read.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: the words say why.
    Leave(&'static str),
    /// Take these out.
    Take(BTreeSet<String>),
}

impl By<'_> {
    /// Takes the leaver's user names out of a shared binding.
    ///
    /// # Flow          read the binding; whose is each subject? read the list; one update at the version read; on a conflict anew
    /// # Guarantees    a binding with another uid is never changed; nothing goes but what is this leaver's by this look *and* on the
    ///                 list; at least one subject stays; nothing else of the binding changes
    /// # Assumptions   the policies `trim` and `trimmable` refuse anything more
    /// # Errors        transient, or refused: told in the log with the layer, and tried again until the revoker gives up
    pub async fn trim(&self, target: &Target) -> Result<(), Fault> {
        let api = targets::api(self.client, target);
        for _ in 0..CONFLICTS {
            let Some(live) = call("read a binding", api.get_opt(&target.name)).await? else { return Ok(()) };
            let taken = match self.next(target, &live, &self.listed(target).await?) {
                Next::Take(taken) => taken,
                Next::Leave(why) => {
                    tracing::info!(
                        revocation = self.revocation,
                        namespace = target.namespace,
                        name = target.name,
                        why,
                        "left"
                    );
                    return Ok(());
                }
            };
            let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            match call("trim a binding", api.replace(&target.name, &params, &without(live, &taken))).await {
                Err(fault) if fault.is_conflict() => {}
                Err(fault) if fault.is_refusal() => {
                    // The API server's own words name objects and rules, and nothing that was sent.
                    let said = fault.server_message().unwrap_or_default();
                    tracing::warn!(
                        revocation = self.revocation,
                        namespace = target.namespace,
                        name = target.name,
                        said,
                        "refused"
                    );
                    return Ok(());
                }
                done => return done.map(drop),
            }
        }
        Err(Fault::Transient { doing: "trim a binding", cause: "it kept changing".to_owned() })
    }

    /// The user names that control has listed for a binding, read live.
    async fn listed(&self, target: &Target) -> Result<BTreeSet<String>, Fault> {
        let api: Api<TrimmableSubjects> = Api::namespaced(self.client.clone(), &self.options.namespace);
        let list = call("read what may be trimmed", api.get_opt(names::TRIM)).await?;
        let begins = trim::key(&target.uid, "");
        let subjects = list.map(|list| list.spec.subjects).unwrap_or_default();
        Ok(subjects.into_keys().filter_map(|key| key.strip_prefix(&begins).map(str::to_owned)).collect())
    }

    /// What is to be done, by what was just read.
    fn next(&self, target: &Target, live: &DynamicObject, listed: &BTreeSet<String>) -> Next {
        let its = live.metadata.uid.as_ref() == Some(&target.uid) && live.metadata.name.as_ref() == Some(&target.name);
        if !its {
            return Next::Leave("another binding stands in its place");
        }
        let Some(binding) = targets::binding(target, live) else { return Next::Leave("it cannot be read") };
        // Consent is the API server's to give: it refuses where there is none.
        let consent = Consent { accounts: true, trim: true, ..Consent::default() };
        let world = ClusterInventory {
            consents: BTreeMap::from([(target.namespace.clone(), consent)]),
            own_namespaces: self.options.own_namespaces.clone(),
            ..ClusterInventory::default()
        };
        let theirs = match trim::leaving(&binding, self.person, self.index, &world, self.protected) {
            Ok(theirs) => theirs,
            Err(reason) => return Next::Leave(reason.as_str()),
        };
        let taken: BTreeSet<String> = theirs.intersection(listed).cloned().collect();
        if taken.is_empty() { Next::Leave("control has not listed it yet") } else { Next::Take(taken) }
    }
}

/// The binding without the subjects that are these users.
fn without(mut binding: DynamicObject, users: &BTreeSet<String>) -> DynamicObject {
    if let Some(subjects) = binding.data.get_mut("subjects").and_then(Value::as_array_mut) {
        subjects.retain(|subject| targets::user(subject).is_none_or(|user| !users.contains(user)));
    }
    binding
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use domain::plan::{Action, Kind};

    fn person(id: &str, left: bool) -> PersonFacts {
        PersonFacts {
            name: format!("p-{id}"),
            uid: format!("u-{id}"),
            records: vec![("hq".into(), id.into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: vec![format!("user:oidc:{id}@example.com")],
            address: None,
            left: left.then_some(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    fn binding(uid: &str, users: &[&str]) -> DynamicObject {
        let group = "rbac.authorization.k8s.io";
        let mut subjects: Vec<Value> =
            users.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": group})).collect();
        subjects.push(json!({"kind": "Group", "name": "oidc:ada@example.com", "apiGroup": group}));
        serde_json::from_value(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "shared", "namespace": "apps", "uid": uid, "resourceVersion": "5", "labels": {"a": "b"}},
            "subjects": subjects, "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
            "later": "a field that nobody knows yet",
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn nothing_goes_but_what_is_the_leavers_by_this_look_and_on_the_list() {
        let scenario = crate::kube::scenario::Scenario::default();
        let (ada, index) = (person("ada", true), Index::new(vec![person("ada", true), person("ben", false)]));
        let options = Options { namespace: "rollcall".into(), own_namespaces: vec!["rollcall".into()] };
        let protected = Protected::default();
        let client = scenario.client();
        let by = By {
            client: &client,
            options: &options,
            index: &index,
            person: &ada,
            protected: &protected,
            revocation: "r",
        };
        let target = |namespace: &str| Target {
            action: Action::Trim,
            kind: Kind::RoleBinding,
            namespace: namespace.into(),
            name: "shared".into(),
            uid: "u1".into(),
            heir: None,
            why: String::new(),
        };
        let (ada_s, ben_s) = ("oidc:ada@example.com", "oidc:ben@example.com");
        let both = || binding("u1", &[ben_s, ada_s]);
        let takes = |users: &[&str]| Some(users.iter().map(|user| (*user).to_owned()).collect::<BTreeSet<_>>());
        for (what, namespace, live, listed, expected) in [
            ("listed and hers", "apps", both(), vec![ada_s], takes(&[ada_s])),
            ("not listed yet", "apps", both(), vec![], None),
            ("a colleague is listed", "apps", both(), vec![ben_s], None),
            ("she and a colleague are listed", "apps", both(), vec![ada_s, ben_s], takes(&[ada_s])),
            ("listed in another case", "apps", both(), vec!["oidc:Ada@example.com"], None),
            ("another binding by now", "apps", binding("u2", &[ben_s, ada_s]), vec![ada_s], None),
            ("she is out already", "apps", binding("u1", &[ben_s]), vec![ada_s], None),
            ("a namespace of Rollcall", "rollcall", both(), vec![ada_s], None),
        ] {
            let listed: BTreeSet<String> = listed.into_iter().map(str::to_owned).collect();
            let next = match by.next(&target(namespace), &live, &listed) {
                Next::Take(taken) => Some(taken),
                Next::Leave(_) => None,
            };
            assert_eq!(next, expected, "{what}");
        }
    }

    /// Ada is listed in the binding `u1`, which is read in this version; the update is answered as told.
    async fn trimmed(scenario: &crate::kube::scenario::Scenario) -> Result<(), Fault> {
        let (ada, index) = (person("ada", true), Index::new(vec![person("ada", true), person("ben", false)]));
        let options = Options { namespace: "rollcall".into(), own_namespaces: vec!["rollcall".into()] };
        let (client, protected) = (scenario.client(), Protected::default());
        let by = By {
            client: &client,
            options: &options,
            index: &index,
            person: &ada,
            protected: &protected,
            revocation: "r",
        };
        let target = Target {
            action: Action::Trim,
            kind: Kind::RoleBinding,
            namespace: "apps".into(),
            name: "shared".into(),
            uid: "u1".into(),
            heir: None,
            why: String::new(),
        };
        by.trim(&target).await
    }

    #[tokio::test]
    async fn a_binding_that_changed_is_read_again_and_one_that_a_policy_guards_is_left() {
        use crate::kube::scenario::{Scenario, on};
        let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/apps/rolebindings/shared";
        let list = "GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/trimmablesubjects/rollcall-trim";
        let listed = || {
            let subjects = json!({"u1 oidc:ada@example.com": "r", "u2 oidc:ben@example.com": "r"});
            on(list).answers(json!({
                "apiVersion": "rollcall.dev/v1alpha1", "kind": "TrimmableSubjects",
                "metadata": {"name": "rollcall-trim"}, "spec": {"subjects": subjects},
            }))
        };
        let read =
            |users: &[&str]| on(&format!("GET {path}")).answers(serde_json::to_value(binding("u1", users)).unwrap());
        let put = || {
            let stays = json!({"metadata": {"uid": "u1", "resourceVersion": "5", "labels": {"a": "b"}}, "subjects": [
                {"kind": "User", "name": "oidc:ben@example.com"}, {"kind": "Group"}]});
            on(&format!("PUT {path}?&fieldManager=rollcall-trim")).sends(stays)
        };
        let both = ["oidc:ada@example.com", "oidc:ben@example.com"];
        let done = || put().answers(serde_json::to_value(binding("u1", &both[1..])).unwrap());
        for (what, scenario, well) in [
            ("at once", Scenario::default().then(read(&both)).then(listed()).then(done()), true),
            (
                "after a conflict",
                Scenario::default()
                    .then(read(&both))
                    .then(listed())
                    .then(put().fails(409))
                    .then(read(&both))
                    .then(listed())
                    .then(done()),
                true,
            ),
            (
                "somebody else has taken her out meanwhile",
                Scenario::default()
                    .then(read(&both))
                    .then(listed())
                    .then(put().fails(409))
                    .then(read(&both[1..]))
                    .then(listed()),
                true,
            ),
            (
                "refused",
                Scenario::default().then(read(&both)).then(listed()).then(put().refuses(403, "a policy")),
                true,
            ),
            (
                "no answer worth having",
                Scenario::default().then(read(&both)).then(listed()).then(put().fails(500)),
                false,
            ),
            ("it is gone", Scenario::default().then(on(&format!("GET {path}"))), true),
        ] {
            assert_eq!(trimmed(&scenario).await.is_ok(), well, "{what}");
            scenario.is_over();
        }
    }

    #[test]
    fn everything_else_of_the_binding_stays_as_it_was_read() {
        let before = binding("u1", &["oidc:ben@example.com", "oidc:ada@example.com", "oidc:Ada@example.com"]);
        let after = without(before.clone(), &["oidc:ada@example.com".to_owned()].into());
        let (mut expected, after) = (serde_json::to_value(before).unwrap(), serde_json::to_value(after).unwrap());
        expected["subjects"].as_array_mut().unwrap().remove(1);
        assert_eq!(after, expected, "a group of her name, and her name in another case, stay");
    }
}
